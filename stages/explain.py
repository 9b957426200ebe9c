"""Why the model says what it says: SHAP, LIME, ... on a declared sample of documents, and how far to trust them.

All explainers play the same game: the players are the words of a document, the score of a set of words is the
probability that the model gives to its predicted class when it reads these words only. Absent words are taken out of
the token ids (their special tokens stay): a shorter text is something the model knows, a row of [MASK]s it may not,
and it costs half. A word is what stands between spaces, a single character in Chinese and Japanese; its word pieces
come and go together.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.faults import Fault
from stages.core.files import write_json, writing
from stages.core.hashing import rng, stable_hash, uniform
from stages.core.numeric import Compute
from stages.core.page import marked, render
from stages.core.params import Count, Plugin, Section, Shared
from stages.core.records import read_table, side_rows
from stages.core.scripts import WITHOUT_SPACES
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

if TYPE_CHECKING:
    from stages.core.inference import Classifier

WORD = re.compile(rf"[{WITHOUT_SPACES}]|[^\s{WITHOUT_SPACES}]+")
DECIMALS = 4  # more are not the same in batches of another size
REMOVED = (0.1, 0.2, 0.5)
RANDOM_ORDERS = 10


class Params(Section):
    side: Literal["validation", "test"]
    documents: Count
    explainers: Annotated[tuple[str, ...], Plugin("explainers")]
    seed: int
    settings: Annotated[dict[str, Any], Shared("explainers")]
    compute: Annotated[Compute, Shared("compute")]


@dataclass(frozen=True)
class Reading:
    """A document as the model reads it: `words` up to where the tokenizer cuts; the word of each token, -1 for special
    ones."""

    words: list[str]
    token_ids: NDArray[np.int64]
    word_of: NDArray[np.int64]

    def without(self, present: NDArray[np.bool_]) -> list[int]:
        """The token ids that are left when only the words that are `present` are."""
        return self.token_ids[np.append(present, True)[self.word_of]].tolist()  # -1 finds the True


class Score:
    """The probability of one class for any set of a document's words; no set is asked about twice."""

    def __init__(self, classifier: "Classifier", reading: Reading, target: str) -> None:
        self.classifier, self.reading = classifier, reading
        self.column = classifier.labels.index(target)
        self.known: dict[bytes, float] = {}

    def __call__(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(sets, words) → (sets,)."""
        keys = [row.tobytes() for row in present]
        new = {key: row for key, row in zip(keys, present, strict=True) if key not in self.known}
        if new:
            rows = [self.reading.without(row) for row in new.values()]
            self.known |= zip(new, self.classifier.probabilities(rows)[:, self.column].tolist(), strict=True)
        return np.array([self.known[key] for key in keys])

    def fall(self, order: Sequence[int]) -> float:
        """How far the score falls when the first words of `order` go: the mean over the shares `REMOVED`."""
        present = np.ones((1 + len(REMOVED), len(order)), bool)
        for row, number in zip(present[1:], removals(len(order)), strict=True):
            row[list(order[:number])] = False
        whole, *left = self(present)
        return float(whole - np.mean(left))

    def deepest_fall(self) -> float:
        """The most that `fall` could have been with the sets that anyone asked about."""
        present = np.array([np.frombuffer(key, bool) for key in self.known])
        scores, absent = np.array(list(self.known.values())), (~present).sum(1)
        least = [scores[absent <= number].min() for number in removals(present.shape[1])]
        return float(scores[absent == 0][0] - np.mean(least))


def removals(words: int) -> list[int]:
    """How many words the shares `REMOVED` are: one at least."""
    return [max(1, round(share * words)) for share in REMOVED]


@dataclass(frozen=True)
class Explanation:
    """What is known about one prediction: attributions, and how far the score falls without each explainer's words."""

    prediction: dict[str, Any]
    words: list[str]
    base: float
    score: float
    attributions: dict[str, list[float]]
    falls: dict[str, float]

    def entry(self) -> dict[str, Any]:
        """For explanations.json."""
        told = {key: self.prediction[key] for key in ("id", "side", "label", "predicted", "baseline")}
        numbers = {"confidence": self.prediction["confidence"], "base": self.base, "score": self.score}
        return told | rounded(numbers) | {"words": self.words, "attributions": self.attributions}


def read(classifier: "Classifier", text: str) -> Reading:
    """`text` in words and token ids."""
    encoding = classifier.tokenizer.encode(text)
    spans = [match.span() for match in WORD.finditer(text)]
    starts = [start for start, _ in spans]
    # By its last character: the first may be the space before (byte-level tokenizers).
    word_of = [
        -1 if special else max(0, bisect_right(starts, stop - 1) - 1)
        for special, (_, stop) in zip(encoding.special_tokens_mask, encoding.offsets, strict=True)
    ]
    words = [text[start:stop] for start, stop in spans[: max(word_of, default=-1) + 1]]
    return Reading(words, np.array(encoding.ids), np.array(word_of))


def choose(predictions: Sequence[dict[str, Any]], documents: int, seed: int) -> list[dict[str, Any]]:
    """Half of them wrong (the surer half of all mistakes comes first), half right; each class in turn.

    Within a class a hash of id and seed decides. Where mistakes are too few, right ones fill up, and vice versa.
    """
    right = in_turn([row for row in predictions if row["predicted"] == row["label"]], seed)
    mistakes = sorted((row for row in predictions if row["predicted"] != row["label"]), key=surest)
    half = (len(mistakes) + 1) // 2
    wrong = in_turn(mistakes[:half], seed) + in_turn(mistakes[half:], seed)
    number = min(len(wrong), max(documents // 2, documents - len(right)))
    return [*sorted(wrong[:number], key=surest), *sorted(right[: documents - number], key=surest)]


def surest(row: dict[str, Any]) -> tuple[float, str]:
    """Sorts by confidence, the highest first."""
    return -row["confidence"], row["id"]


def in_turn(predictions: Iterable[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """One of each class, then a second one of each, ...; in the order of a hash."""
    turns: dict[str, int] = defaultdict(int)
    order: list[tuple[int, float, dict[str, Any]]] = []
    for row in sorted(predictions, key=lambda row: uniform("explain", row["id"], seed)):
        order.append((turns[row["label"]], uniform("explain", row["id"], seed), row))
        turns[row["label"]] += 1
    return [row for *_, row in sorted(order, key=lambda one: one[:2])]


def explain(classifier: "Classifier", prediction: dict[str, Any], text: str, p: Params) -> Explanation:
    """Every explainer on one document, and what their order of words is worth beside a random one."""
    reading = read(classifier, text)
    score, words = Score(classifier, reading, prediction["predicted"]), len(reading.words)
    attributions: dict[str, list[float]] = {}
    for name in p.explainers:
        seed = stable_hash(name, prediction["id"], p.seed)
        told = plugins.load("explainers", name).explain(score, words, p.settings[name], seed)
        attributions[name] = [round(one, DECIMALS) + 0.0 for one in told]
    base, full = score(np.array([[False] * words, [True] * words])).tolist()
    falls = {name: score.fall(strongest(values)) for name, values in attributions.items()}
    falls["random"] = random_fall(score, words, rng("explain", prediction["id"], p.seed))
    falls["best"] = score.deepest_fall()  # last: over all that was asked
    return Explanation(prediction, reading.words, base, full, attributions, falls)


def strongest(attributions: Sequence[float]) -> list[int]:
    """Positions of words, those that speak most for the class first."""
    return sorted(range(len(attributions)), key=lambda n: (-attributions[n], n))


def random_fall(score: Score, words: int, generator: Random) -> float:
    """What removing as many words without a reason does."""
    return float(np.mean([score.fall(generator.sample(range(words), words)) for _ in range(RANDOM_ORDERS)]))


def faithfulness(explanations: Sequence[Explanation], explainers: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Comprehensiveness of each explainer: the mean fall of the score when its strongest words go.

    The number alone says little about another model: `above_random` is (it - random) / (best - random), 0 for words
    drawn at random, 1 for the best sets of as many words among all that were tried; none where no words matter.
    """

    def mean(name: str) -> float:
        return float(np.mean([one.falls[name] for one in explanations]))

    def numbers(name: str) -> dict[str, float | None]:
        told, least, most = mean(name), mean("random"), mean("best")
        share = (told - least) / (most - least) if most > least else None
        return rounded({"comprehensiveness": told, "random": least, "best": most, "above_random": share})

    return {name: numbers(name) for name in explainers} if explanations else {}


def rounded(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    """To `DECIMALS`, and never -0.0."""
    return {name: None if one is None else round(one, DECIMALS) + 0.0 for name, one in numbers.items()}


def page(result: dict[str, Any], explainers: Sequence[str]) -> str:
    """The explanations as one HTML page, without a script: stages/explain.html, which escapes all text."""
    removed = ", ".join(f"{share:.0%}" for share in REMOVED)
    context = {**result, "explainers": explainers, "removed": removed}
    return render(Path(__file__).with_suffix(".html"), context, marked=marked, leading=leading)


def leading(words: Sequence[str], attributions: Sequence[float], number: int = 4) -> list[tuple[str, float]]:
    """The words with the largest attributions of either sign."""
    order = sorted(range(len(words)), key=lambda n: (-abs(attributions[n]), n))
    return [(words[n], attributions[n]) for n in order[:number] if attributions[n]]


def stage(_: Engine, p: Params, clean: Path, model: Path, evaluation: Path, out: Path) -> str:
    """Explanations of a sample as explanations.json, and as a page to read."""
    explanations = list(sampled(p, clean, model, evaluation)) if p.explainers and p.documents else []
    result = {
        "side": p.side,
        "documents": [explanation.entry() for explanation in explanations],
        "faithfulness": faithfulness(explanations, p.explainers),
    }
    write_json(out / "explanations.json", result)
    with writing(out / "index.html") as beside:
        beside.write_text(page(result, p.explainers), encoding="utf-8")
    return f"{len(explanations)} documents explained by {', '.join(p.explainers)}" if explanations else "off"


def sampled(p: Params, clean: Path, model: Path, evaluation: Path) -> Iterator[Explanation]:
    """The explanations of the chosen documents, wrong ones first."""
    from stages.core.inference import Classifier

    predictions = [row for row in read_table(evaluation / "predictions.parquet").to_pylist() if row["side"] == p.side]
    if not predictions:
        raise Fault(
            f"params.yaml: explain.side: {p.side} was not evaluated; add it to evaluate.splits, or name another side"
        )
    chosen = choose(predictions, p.documents, p.seed)
    wanted = {row["id"] for row in chosen}
    texts = {row["id"]: row["text"] for row in side_rows(clean, ["id", "text"]) if row["id"] in wanted}
    classifier = Classifier.load(model)
    for row in progress(chosen, "documents", len(chosen)):
        yield explain(classifier, row, texts[row["id"]], p)


if __name__ == "__main__":
    run(stage)
