"""Which wrong labels are found: `python benchmarks/label_quality.py [PEER]` prints precision, recall, what differs.

PEER is the Python of a virtual environment of its own: `python -m venv PLACE && PLACE/bin/pip install cleanlab==2.9.0`
makes it, and PLACE/bin/python is it; without it there is nothing to compare with. Real texts (Banking77's training
questions, the SMS messages of UCI; fetched as sources are, mirrors count; equal texts once) get a share of their labels
exchanged: for any other one, or always for the same other one. Baseline's parameters are those of params.yaml, C is 10.
What is found beside the planted ones counts as wrong here, though some of the labels were wrong from the beginning.
cleanlab gets the same out-of-fold probabilities. Folds that are fitted to the end come after them, and random
probabilities: hard cases that texts don't bring.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from budget import ROOT
from ingest import questions

sys.path.insert(0, str(ROOT))

from stages import baseline
from stages.core import confident, web
from stages.core.doubts import text_key
from stages.core.examples import Example, labels_of
from stages.engines import serial
from stages.shell.engine import Engine
from stages.shell.params import check, read

SMS = (
    "https://raw.githubusercontent.com/justmarkham/pycon-2016-tutorial/5339710562cc46c4a32a369d63f1e8751a18a54e/data/sms.tsv",
    "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
)
SHARES, KINDS, CHOSEN = (0.1,), ("any", "one"), {"C": 10.0, "class_weight": None}
RANDOM = 20  # tables of random probabilities
COLUMNS = (
    *("texts", "planted", "flagged", "precision", "recall", "precision of as many as are planted, worst first"),
    *("CPU seconds for the folds", "flagged by cleanlab too"),
)
PEER = """
import json, sys
import numpy as np
from cleanlab.filter import find_label_issues

told = np.load(sys.argv[1])
flags = find_label_issues(told["given"], told["said"], filter_by="confident_learning", n_jobs=1)
order = find_label_issues(
    told["given"], told["said"], filter_by="confident_learning", n_jobs=1, return_indices_ranked_by="normalized_margin"
)
print(json.dumps({"flags": np.flatnonzero(flags).tolist(), "order": order.tolist()}))
"""


class Found(NamedTuple):
    """Out-of-fold probabilities with the labels that were given, and the documents whose labels are likely wrong, the
    worst first."""

    said: confident.Probabilities
    given: confident.Labels
    flags: list[int]

    @classmethod
    def of(cls, said: confident.Probabilities, given: confident.Labels) -> "Found":
        margin = confident.margins(said, given)
        flags = np.flatnonzero(confident.errors(said, given) >= 0)
        return cls(said, given, flags[np.argsort(margin[flags], kind="stable")].tolist())


def messages(cache: Path) -> list[dict[str, str]]:
    with web.fetched(*SMS, cache).open(encoding="utf-8", newline="") as file:
        return [
            {"label": label, "text": text} for label, text in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def examples(rows: Sequence[dict[str, str]]) -> list[Example]:
    """Each text once, with its first label."""
    first: dict[int, Example] = {}
    for row in rows:
        first.setdefault(text_key(row["text"]), Example(f"{text_key(row['text']):x}", row["text"], row["label"]))
    return list(first.values())


def planted(labels: int, given: confident.Labels, share: float, kind: str | None) -> tuple[confident.Labels, set[int]]:
    """The labels with a share of them exchanged, and whose they are."""
    rng = np.random.default_rng(1)
    chosen = rng.choice(len(given), round(share * len(given)), replace=False)
    steps = rng.integers(1, labels, len(chosen)) if kind == "any" else 1
    wrong = given.copy()
    wrong[chosen] = (given[chosen] + steps) % labels
    return wrong, set(chosen.tolist())


def judged(
    e: Engine, some: Sequence[Example], seen: Any, given: confident.Labels, p: baseline.Params, setting: dict[str, Any]
) -> tuple[Found, float]:
    """What is found, and the CPU seconds that the folds took."""
    labels = labels_of(some)
    now = [one._replace(label=labels[n]) for one, n in zip(some, given.tolist(), strict=True)]
    folds = np.array(baseline.folds_of(now, {one.id: one.id for one in some}, p))
    began = time.process_time()
    said = baseline.out_of_fold(e, seen, given, folds, setting)
    return Found.of(said, given), time.process_time() - began


def theirs(python: str, found: Found, folder: Path) -> dict[str, list[int]]:
    """What cleanlab makes of the same probabilities."""
    np.savez(folder / "told.npz", said=found.said, given=found.given)
    done = subprocess.run([python, "-c", PEER, str(folder / "told.npz")], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def compared(found: Found, folder: Path) -> str:
    """How many of our flags and of cleanlab's are of the same documents, and whether they come in the same order."""
    if len(sys.argv) < 2:
        return "-"
    other = theirs(sys.argv[1], found, folder)
    order = ", in the same order" if other["order"] == found.flags else ", in another order"
    return f"{len({*other['flags']} & {*found.flags})} of {len(other['flags'])}{order}"


def row(name: str, kind: str, found: Found, wrong: set[int], seconds: float, folder: Path) -> str:
    """Of a table: how many are flagged, and how many of those, and of the first as many as are wrong, are planted."""
    hits = len(wrong & {*found.flags})
    ranked = np.argsort(confident.margins(found.said, found.given), kind="stable")[: len(wrong)].tolist()
    parts = ((hits, found.flags), (hits, wrong), (len(wrong & {*ranked}), wrong))
    shares = [f"{number / len(of):.2f}" if wrong else "-" for number, of in parts]
    told = [name, f"{len(wrong):,}, {kind}", f"{len(found.flags):,}", *shares]
    return f"| {' | '.join([*told, f'{seconds:.1f}', compared(found, folder)])} |"


def rows(e: Engine, name: str, some: list[Example], p: baseline.Params, folder: Path) -> Iterator[str]:
    """The rows of a data set; below them, what an exact fit finds in the last case."""
    labels = labels_of(some)
    given, seen = np.array([labels.index(one.label) for one in some]), baseline.vectorizer(p).fit_transform(texts(some))
    kinds = KINDS if len(labels) > 2 else KINDS[:1]
    for kind, share in [(None, 0.0), *((kind, share) for kind in kinds for share in SHARES)]:
        now, wrong = planted(len(labels), given, share, kind)
        found, seconds = judged(e, some, seen, now, p, CHOSEN | baseline.ROUGH)
        told = f"for {kind} other" if kind else "as it is"
        yield row(f"{name}, {share:.0%}" if kind else f"{name}, {len(some):,}", told, found, wrong, seconds, folder)
        if (kind, share) == (kinds[-1], SHARES[-1]):
            exact, took = judged(e, some, seen, now, p, CHOSEN)
            same = f"{len({*exact.flags} & {*found.flags})} of {len(exact.flags)} flags are the same"
            yield f"\nthe last one, fitted to the end: {took:.1f} CPU s for the folds, {same}\n"


def texts(some: Sequence[Example]) -> list[str]:
    return [one.text for one in some]


def random_cases(folder: Path) -> str:
    """In how many random tables the flags are the same: few documents, many labels, labels that few have."""
    rng, same, flags = np.random.default_rng(2), 0, 0
    for _ in range(RANDOM):
        labels, documents = int(rng.integers(2, 12)), int(rng.integers(20, 400))
        said = rng.dirichlet(np.full(labels, rng.uniform(0.1, 2.0)), documents)
        given = np.concatenate([np.arange(labels), rng.integers(0, rng.integers(1, labels + 1), documents - labels)])
        found = Found.of(said, given)
        same += sorted(found.flags) == theirs(sys.argv[1], found, folder)["flags"]
        flags += len(found.flags)
    return f"random probabilities: the same flags in {same} of {RANDOM} tables, {flags:,} flags in all"


def main() -> None:
    """Prints a row for each way to spoil a data set."""
    p: baseline.Params = check(read(ROOT / "params.yaml")).values["baseline"]
    with tempfile.TemporaryDirectory() as place, serial.executor() as executor:
        engine = Engine(executor, Path(place))
        for name, read_rows in (("SMS", messages), ("Banking77", questions)):
            print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
            for told in rows(engine, name, examples(read_rows(Path(place))), p, Path(place)):
                print(told, flush=True)
        if len(sys.argv) > 1:
            print(random_cases(Path(place)))


if __name__ == "__main__":
    main()
