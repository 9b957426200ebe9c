"""Linear TF-IDF on the same split: what the model must beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, Field

from stages.core.examples import Example, labels_of, read_examples
from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.numeric import Compute
from stages.core.params import Plugin, Positive, Rate, Section, Shared
from stages.core.records import write_table
from stages.core.scores import contingency
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

SCHEMA = pa.schema(
    [("id", pa.string()), ("side", pa.string()), ("predicted", pa.string()), ("confidence", pa.float64())]
)


def rising(lengths: tuple[int, int]) -> tuple[int, int]:
    """From, to."""
    if lengths[0] > lengths[1]:
        raise ValueError(f"the first length is above the second; did you mean [{lengths[1]}, {lengths[0]}]?")
    return lengths


NGrams = Annotated[tuple[Positive, Positive], AfterValidator(rising)]


class Params(Section):
    word_ngrams: NGrams
    character_ngrams: NGrams
    c: Annotated[tuple[Rate, ...], Field(min_length=1)]
    class_weights: Annotated[tuple[bool, ...], Field(min_length=1)]
    metric: Annotated[str, Plugin("metrics")]
    compute: Annotated[Compute, Shared("compute")]


def vectorizer(p: Params) -> Any:
    """Word and character n-grams side by side, weighted by sublinear TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    words = TfidfVectorizer(ngram_range=p.word_ngrams, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=p.character_ngrams, sublinear_tf=True)
    return FeatureUnion([("words", words), ("characters", characters)])


def settings(p: Params) -> list[dict[str, Any]]:
    """What is tried, in the declared order; the first of equals wins."""
    return [{"C": c, "class_weight": "balanced" if even else None} for even in p.class_weights for c in p.c]


def classifier(setting: dict[str, Any]) -> Any:
    """One-vs-rest logistic regression by dual coordinate descent (Yu, Huang and Lin 2011; LIBLINEAR).

    The multinomial one by L-BFGS scored no better here and took 20 times as long: a million coefficients, 2,000 texts.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(
        LogisticRegression(**setting, solver="liblinear", dual=True, max_iter=10_000, random_state=0)
    )


def fitted(train: Sequence[Example], validation: Sequence[Example], p: Params) -> tuple[Any, Any, list[dict[str, Any]]]:
    """Vectorizer, classifier, fitted on train, with the setting that is best on validation; and all that was tried."""
    vectors = vectorizer(p)
    readable(train, vectors, p)
    seen, held = vectors.fit_transform([e.text for e in train]), vectors.transform([e.text for e in validation])
    metric, tried, models = plugins.load("metrics", p.metric), [], []
    for setting in progress(settings(p), "baseline"):
        models.append(classifier(setting).fit(seen, [e.label for e in train]))
        score = float(metric.score(counts(validation, models[-1].predict(held), models[-1].classes_)))
        tried.append({**setting, p.metric: round(score, 6)})
    best = max(range(len(tried)), key=lambda n: tried[n][p.metric])
    return vectors, models[best], tried


def readable(train: Sequence[Example], vectors: Any, p: Params) -> None:
    """There must be a word n-gram to learn from; characters there are always."""
    ngrams = vectors.transformer_list[0][1].build_analyzer()
    if not any(ngrams(e.text) for e in train):
        raise Fault(
            f"params.yaml: baseline.word_ngrams: no training document has {p.word_ngrams[0]} words of two "
            "letters or more; lower the first length"
        )


def counts(examples: Sequence[Example], predicted: Sequence[str], labels: Sequence[str]) -> Any:
    """The contingency table over the labels of train."""
    place = {label: n for n, label in enumerate(labels)}
    actual = np.array([place[e.label] for e in examples])
    return contingency(actual, np.array([place[label] for label in predicted]), len(place))


def predictions(vectors: Any, model: Any, examples: Sequence[Example], side: str) -> list[dict[str, Any]]:
    """The most probable label of each document."""
    probabilities = model.predict_proba(vectors.transform([e.text for e in examples]))
    best = probabilities.argmax(1)
    return [
        {"id": e.id, "side": side, "predicted": str(model.classes_[n]), "confidence": float(row[n])}
        for e, row, n in zip(examples, probabilities, best, strict=True)
    ]


def stage(e: Engine, p: Params, source: Path, split: Path, out: Path) -> str:
    """Fits on train, chooses on validation, predicts validation and test; evaluate scores test, where it is asked."""
    sides = {side: read_examples(source, split, side) for side in ("train", "validation", "test")}
    vectors, model, tried = fitted(sides["train"], sides["validation"], p)
    rows = [row for side in ("validation", "test") for row in predictions(vectors, model, sides[side], side)]
    write_table(out / "predictions.parquet", pa.Table.from_pylist(rows, schema=SCHEMA))
    best = max(tried, key=lambda one: one[p.metric])
    write_json(out / "baseline.json", {"tried": tried, "chosen": best, "labels": labels_of(sides["train"])})
    return f"{len(sides['train']):,} passages, C {best['C']:g}: validation {p.metric} {best[p.metric]:.3f}"


if __name__ == "__main__":
    run(stage)
