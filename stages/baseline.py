"""Linear TF-IDF on the same split: what the model must beat."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from stages.core import confident
from stages.core.examples import Example, labels_of, read_examples
from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.hashing import stable_hash
from stages.core.numeric import Compute
from stages.core.params import Plugin, Positive, Rate, Section, Shared
from stages.core.records import side_rows, write_table
from stages.core.scores import contingency
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

SCHEMA = pa.schema(
    [("id", pa.string()), ("side", pa.string()), ("predicted", pa.string()), ("confidence", pa.float64())]
)
OUT_OF_FOLD = pa.schema(
    [
        ("id", pa.string()),
        ("fold", pa.int32()),
        ("predicted", pa.string()),
        ("confidence", pa.float64()),
        ("margin", pa.float64()),
        ("likely", pa.string()),
    ]
)
# Folds are not fitted to the last digit: nearly the same labels are in doubt, in less than half the time.
ROUGH = {"tol": 0.1}


def rising(lengths: tuple[int, int]) -> tuple[int, int]:
    """From, to."""
    if lengths[0] > lengths[1]:
        raise ValueError(f"the first length is above the second; did you mean [{lengths[1]}, {lengths[0]}]?")
    return lengths


def several(folds: int) -> int:
    """None, or more than one."""
    if folds == 1:
        raise ValueError("one fold leaves nothing to learn from; 0 is off, 5 is usual")
    return folds


NGrams = Annotated[tuple[Positive, Positive], AfterValidator(rising)]


class Params(Section):
    word_ngrams: NGrams
    character_ngrams: NGrams
    c: Annotated[tuple[Rate, ...], Field(min_length=1)]
    class_weights: Annotated[tuple[bool, ...], Field(min_length=1)]
    metric: Annotated[str, Plugin("metrics")]
    folds: Annotated[int, Field(ge=0), AfterValidator(several)]
    seed: int
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


class Fitted(NamedTuple):
    """What was fitted on train: the vectorizer, train as vectors, and the classifier with the setting that is best on
    validation; and all settings that were tried."""

    vectors: Any
    seen: Any
    model: Any
    tried: list[dict[str, Any]]


def fitted(train: Sequence[Example], validation: Sequence[Example], p: Params) -> Fitted:
    """Vectorizer and classifier, fitted on train, the setting chosen on validation."""
    vectors = vectorizer(p)
    readable(train, vectors, p)
    seen, held = vectors.fit_transform([e.text for e in train]), vectors.transform([e.text for e in validation])
    metric, tried, models = plugins.load("metrics", p.metric), [], []
    for setting in progress(settings(p), "baseline"):
        models.append(classifier(setting).fit(seen, [e.label for e in train]))
        score = float(metric.score(counts(validation, models[-1].predict(held), models[-1].classes_)))
        tried.append({**setting, p.metric: round(score, 6)})
    best = max(range(len(tried)), key=lambda n: tried[n][p.metric])
    return Fitted(vectors, seen, models[best], tried)


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


def folds_of(examples: Sequence[Example], tied: Mapping[str, str], p: Params) -> list[int]:
    """The fold of each document: groups stay together, each label is spread evenly; -1 is in none."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n, one in enumerate(examples):
        groups[tied[one.id]].append(n)
    of_label: dict[str, Counter[int]] = defaultdict(Counter)
    size = Counter[int]()
    fold = [-1] * len(examples)
    for tie in sorted(groups, key=lambda tie: stable_hash("fold", tie, p.seed)):
        there = of_label[examples[groups[tie][0]].label]
        into = min(range(p.folds), key=lambda n: (there[n], size[n], n))
        for n in groups[tie]:
            fold[n] = into
        there[into] += len(groups[tie])
        size[into] += len(groups[tie])
    return kept_in(examples, list(groups.values()), fold)


def kept_in(examples: Sequence[Example], groups: Sequence[Sequence[int]], fold: Sequence[int]) -> list[int]:
    """The folds, less the groups with a label that is in one fold only: while that is held out, nothing would be known
    of the label, so they are learned from every time."""
    where: dict[str, set[int]] = defaultdict(set)
    for n, one in enumerate(examples):
        where[one.label].add(fold[n])
    left = list(fold)
    for group in groups:
        if any(len(where[examples[n].label]) == 1 for n in group):
            for n in group:
                left[n] = -1
    return left


def held_out(number: int, vectors: Any, given: NDArray[np.intp], folds: NDArray[np.intp], setting: Any) -> Any:
    """The probabilities of a fold's documents, by a classifier that has learned from all the others."""
    model = classifier(setting).fit(vectors[np.flatnonzero(folds != number)], given[folds != number])
    return model.predict_proba(vectors[np.flatnonzero(folds == number)])


def out_of_fold(
    e: Engine, vectors: Any, given: NDArray[np.intp], folds: NDArray[np.intp], setting: Any
) -> confident.Probabilities:
    """(documents, labels): what is said of each document by who has not learned from it; zeros for those in no fold.

    The vectors are those of all training documents: TF-IDF reads no label.
    """
    numbers = sorted({*folds.tolist()} - {-1})
    found = e.map(held_out, numbers, vectors, given, folds, setting, what="out of fold")
    probabilities = np.zeros((len(given), int(given.max()) + 1))
    for number, rows in zip(numbers, found, strict=True):
        probabilities[folds == number] = rows
    return probabilities


def judged(
    examples: Sequence[Example], labels: Sequence[str], given: NDArray[np.intp], folds: NDArray[np.intp], said: Any
) -> list[dict[str, Any]]:
    """A row for each document: what was said of it, how much more probable its own label is than the likeliest other,
    and the label that is likely instead of it. Of those in no fold nothing is known."""
    at = np.flatnonzero(folds >= 0)
    likely, margins = confident.errors(said[at], given[at]), confident.margins(said[at], given[at])
    rows: list[dict[str, Any]] = [dict.fromkeys(OUT_OF_FOLD.names) | {"id": one.id} for one in examples]
    for n, instead, margin in zip(at.tolist(), likely.tolist(), margins.tolist(), strict=True):
        best = int(said[n].argmax())
        rows[n] |= {"fold": int(folds[n]), "predicted": labels[best], "confidence": float(said[n, best])}
        rows[n] |= {"margin": margin, "likely": None if instead < 0 else labels[instead]}
    return rows


def audited(
    e: Engine, examples: Sequence[Example], seen: Any, tied: Mapping[str, str], setting: Any, p: Params
) -> list[dict[str, Any]]:
    """The out-of-fold predictions of the training documents by the chosen setting; none where there are no folds."""
    if not p.folds:
        return []
    labels = labels_of(examples)
    place = {label: n for n, label in enumerate(labels)}
    given, folds = np.array([place[one.label] for one in examples]), np.array(folds_of(examples, tied, p))
    return judged(examples, labels, given, folds, out_of_fold(e, seen, given, folds, setting | ROUGH))


def stage(e: Engine, p: Params, source: Path, split: Path, out: Path) -> str:
    """Fits on train, chooses on validation, predicts validation and test; evaluate scores test, where it is asked. And
    predicts train out of fold, for the audit of its labels."""
    sides = {side: read_examples(source, split, side) for side in ("train", "validation", "test")}
    vectors, seen, model, tried = fitted(sides["train"], sides["validation"], p)
    rows = [row for side in ("validation", "test") for row in predictions(vectors, model, sides[side], side)]
    write_table(out / "predictions.parquet", pa.Table.from_pylist(rows, schema=SCHEMA))
    best = max(tried, key=lambda one: one[p.metric])
    write_json(out / "baseline.json", {"tried": tried, "chosen": best, "labels": labels_of(sides["train"])})
    tied = {row["id"]: row["tied"] for row in side_rows(split, ["id", "tied"])}
    rows = audited(e, sides["train"], seen, tied, {name: best[name] for name in ("C", "class_weight")}, p)
    write_table(out / "out_of_fold.parquet", pa.Table.from_pylist(rows, schema=OUT_OF_FOLD))
    return f"{len(sides['train']):,} passages, C {best['C']:g}: validation {p.metric} {best[p.metric]:.3f}"


if __name__ == "__main__":
    run(stage)
