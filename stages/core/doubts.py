"""Labels in doubt: of likely errors, as a model says that has not seen them, and of texts that came with two labels."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.hashing import stable_hash
from stages.core.records import read_table, side_rows

OTHER_LABEL = ", other label"  # how dedup ends its reason where a label goes with the repeat
WORST = 100  # as many as a person may look at


class Labelled(NamedTuple):
    """A document that training may see, its label, and a hash that texts share that differ in case and spaces only."""

    id: str
    label: str
    text: int


class Doubt(NamedTuple):
    """What speaks against a label: a `likely` one that is more probable, and the given one's `margin` over it; an
    `other` document that has the same text, or nearly, and another label."""

    label: str
    likely: str | None
    margin: float | None
    other: str | None


def text_key(text: str) -> int:
    """The hash of a text by which it is the same as another: as split ties them."""
    return stable_hash(" ".join(text.lower().split()))


def conflicts(documents: Iterable[Labelled], dropped: Mapping[str, str]) -> dict[str, str]:
    """Id → another document with the same text and another label; or one that dedup has dropped for it (`dropped`)."""
    same: dict[int, list[Labelled]] = defaultdict(list)
    for one in documents:
        same[one.text].append(one)
    found: dict[str, str] = {}
    for one in (one for group in same.values() for one in group):
        others = (it.id for it in same[one.text] if it.label != one.label)
        if other := next(others, dropped.get(one.id)):
            found[one.id] = other
    return found


def doubts(
    documents: Iterable[Labelled], judged: Mapping[str, Mapping[str, Any]], dropped: Mapping[str, str]
) -> dict[str, Doubt]:
    """Id → doubt, where there is one, the worst first; `judged` are the rows of baseline's out-of-fold predictions."""
    known = list(documents)
    others = conflicts(known, dropped)
    found: dict[str, Doubt] = {}
    for one in known:
        row = judged.get(one.id, {"likely": None, "margin": None})
        if row["likely"] is not None or one.id in others:
            found[one.id] = Doubt(one.label, row["likely"], row["margin"], others.get(one.id))
    return dict(sorted(found.items(), key=lambda item: (1.0 if item[1].margin is None else item[1].margin, item[0])))


def told(doubted: Mapping[str, Doubt], judged: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many labels are in doubt, which is taken for which, and the worst: ids, labels and scores, no text."""
    pairs = Counter((one.label, one.likely) for one in doubted.values() if one.likely is not None)
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return {
        "judged": sum(row["fold"] is not None for row in judged),
        "label_errors": pairs.total(),
        "conflicts": sum(one.other is not None for one in doubted.values()),
        "pairs": [{"label": label, "likely": likely, "documents": n} for (label, likely), n in ranked],
        "worst": [{"id": one, **doubt._asdict()} for one, doubt in list(doubted.items())[:WORST]],
    }


def read_judged(baseline: Path) -> dict[str, dict[str, Any]]:
    """Id → row of the out-of-fold predictions."""
    return {row["id"]: row for row in read_table(baseline / "out_of_fold.parquet").to_pylist()}


def read_dropped(dedup: Path) -> dict[str, str]:
    """Id of a kept document → the first of those that dedup has dropped for it although they had another label."""
    found: dict[str, str] = {}
    for row in side_rows(dedup, ["id", "reason", "of"]):
        if row["reason"] is not None and row["reason"].endswith(OTHER_LABEL):
            found.setdefault(row["of"], row["id"])
    return found
