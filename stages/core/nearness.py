"""How good the search for near-duplicates is: beside brute force, on copies by known edits, at other thresholds."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.core.buffers import Flags, Places
from stages.core.shingles import Hashes, jaccard

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
LARGEST = 10  # clusters, and lines, that are named
CELLS = 2**20  # of a table of texts by sampled texts that is in memory at one time


class Sets(NamedTuple):
    """Different hashes of the shingles of texts; those of the nth are hashes[bounds[n] : bounds[n + 1]]."""

    hashes: Hashes
    bounds: Places

    @property
    def sizes(self) -> Places:
        return np.diff(self.bounds)


class Pairs(NamedTuple):
    """How alike texts are: the nth of some and of others."""

    one: Places
    other: Places
    jaccard: NDArray[np.float64]

    def those(self, chosen: Flags) -> "Pairs":
        """Some of them."""
        return Pairs(self.one[chosen], self.other[chosen], self.jaccard[chosen])


def alike(sample: Sets, texts: Sets, floor: float) -> Pairs:
    """All pairs of a sampled text and a text that are at least so alike: by counting what each has in common with each,
    with no signature in between."""
    found = [Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    order = np.argsort(sample.hashes, kind="stable")
    known, owner = sample.hashes[order], np.repeat(np.arange(len(sample.sizes)), sample.sizes)[order]
    step = max(CELLS // max(len(sample.sizes), 1), 1)
    for begin in range(0, len(texts.sizes), step):
        bounds = texts.bounds[begin : begin + step + 1]
        shared = in_common(known, owner, len(sample.sizes), texts.hashes[bounds[0] : bounds[-1]], bounds - bounds[0])
        similar = shared / (np.diff(bounds)[:, None] + sample.sizes - shared)
        other, one = np.nonzero(similar >= floor)
        found.append(Pairs(one, other + begin, similar[other, one]))
    return Pairs(*map(np.concatenate, zip(*found, strict=True)))


def in_common(known: Hashes, owner: Places, owners: int, hashes: Hashes, bounds: Places) -> Places:
    """(texts, owners): how many of a text's hashes are an owner's."""
    first = np.searchsorted(known, hashes)
    count = np.searchsorted(known, hashes, "right") - first
    text = np.repeat(np.repeat(np.arange(len(bounds) - 1), np.diff(bounds)), count)
    place = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    return np.bincount(text * owners + owner[place], minlength=(len(bounds) - 1) * owners).reshape(-1, owners)


def share(flags: Flags) -> float | None:
    """Which share is true; None of nothing."""
    return round(float(flags.mean()), 6) if len(flags) else None


def judged(pairs: Pairs, met: Flags, kept: Flags, held: Flags, sampled: Places, threshold: float) -> dict[str, Any]:
    """What brute force says of the decisions about sampled documents, the nth of which is `sampled[n]`: who was removed
    without a kept earlier document that is so alike, and who is still there besides one."""
    one, reasons = sampled[pairs.one], np.zeros(len(sampled), bool)
    near = (pairs.jaccard >= threshold) & (pairs.other < one) & kept[pairs.other]
    reasons[pairs.one[near]] = True
    removed, stays = ~kept[sampled], kept[sampled] & ~held[sampled]
    return {
        "documents": len(sampled),
        "removed": int(removed.sum()),
        "removed_without_reason": share(~reasons[removed]),
        "kept_despite_one": share(reasons[stays]),
        "pairs": int((pairs.jaccard >= threshold).sum()),
        "recall": share(met[pairs.jaccard >= threshold]),
    }


def clusters(root: Places, kept: Flags, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The largest clusters: documents that repeat one, or are tied to it. `root` is the first of each document's."""
    size = np.bincount(root, minlength=len(root))
    stay = np.bincount(root[kept], minlength=len(root))
    largest = [n for n in np.argsort(-size, kind="stable")[:LARGEST].tolist() if size[n] > 1]
    return [{"first": ids[n], "documents": int(size[n]), "kept": int(stay[n])} for n in largest]


def lines(texts: Iterable[str]) -> list[dict[str, Any]]:
    """The lines that the most of the texts have, those of at least two; a text of one line has none."""
    counted, number = Counter[str](), 0
    for text in texts:
        number += 1
        found = {" ".join(line.split()) for line in text.splitlines()} - {""}
        counted.update(found if len(found) > 1 else ())
    most = sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:LARGEST]
    return [{"line": line, "share": round(count / number, 6)} for line, count in most if count > 1]


def swept(pairs: Pairs, met: Flags, threshold: float, removed: int) -> dict[str, Any]:
    """A threshold: the pairs of brute force from there on, the share of them that share a band, and how many of all
    documents would go as near-duplicates."""
    near = pairs.jaccard >= threshold
    return {"threshold": threshold, "removed": removed, "pairs": int(near.sum()), "recall": share(met[near])}


def of_edit(edit: str, originals: Sets, copies: Sets, met: Flags) -> dict[str, Any]:
    """How alike copies by an edit still are, and the share of them that would be found at each threshold."""
    sets = zip(*(np.split(one.hashes, one.bounds[1:-1]) for one in (originals, copies)), strict=True)
    similar = np.array([jaccard(*pair) for pair in sets])
    found = {f"{one:.1f}": share((similar >= one) & met) for one in THRESHOLDS}
    return {"edit": edit, "jaccard": round(float(similar.mean()), 6), "found": found}
