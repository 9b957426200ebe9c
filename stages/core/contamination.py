"""N-grams that training text has in common with what a model is judged on: contamination.

Of texts in lower case without punctuation. A text that is held out is contaminated if one training document has at
least `share` of its different n-grams (containment, Broder 1997): with 8-grams and 0.7 as in PaLM (Chowdhery et al.
2022, which takes all of training for one document), with 13-grams and 0.0, for one n-gram, as in GPT-3 (Brown et al.
2020, appendix C). A text of fewer words is one n-gram. As there, those that many texts have are left out.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from stages.core.buffers import Places, Texts
from stages.core.shingles import Hashes, sets

pc: Any = pyarrow.compute  # its functions are made while it is imported
OTHER = r"[^\p{L}\p{M}\p{N}_]+"
SPARE = 4  # bits: of n-grams that are not there, one of 16 or more is looked for all the same
COMMON = 10  # texts of a set that have an n-gram, from which on it is how people talk


class Grams(NamedTuple):
    """The different n-grams of texts, one text after the other; and how many each has. `same` is a digest of a text:
    equal ones have the same."""

    hashes: Hashes
    sizes: Places
    same: Hashes

    @classmethod
    def joined(cls, many: Sequence["Grams"]) -> Self:
        """Those of more texts."""
        none = cls(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.uint64))
        return cls(*(np.concatenate(one) for one in zip(none, *many, strict=True)))


class Index(NamedTuple):
    """N-grams, sorted; the texts that have the nth are texts[begins[n] : begins[n + 1]]. `sizes` counts the n-grams of
    each text; `seen` says by the first bits of an n-gram whether it may be there, as nearly none is."""

    hashes: Hashes
    begins: Places
    texts: Places
    sizes: Places
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, grams: Grams) -> Self:
        """Of equal texts, the n-grams of the first; none of those that more than COMMON texts have."""
        text = np.repeat(np.arange(len(grams.sizes)), grams.sizes)
        chosen = (firsts(grams.same) == np.arange(len(grams.sizes)))[text]
        hashes, text = grams.hashes[chosen], text[chosen]
        order = np.argsort(hashes, kind="stable")
        distinct, inverse, counts = np.unique(hashes[order], return_inverse=True, return_counts=True)
        rare = counts <= COMMON
        text = text[order][rare[inverse]]
        begins = np.concatenate([[0], np.cumsum(counts[rare])])
        hashes, seen = distinct[rare], np.zeros(2 ** (len(distinct).bit_length() + SPARE), bool)
        seen[hashes >> shift(seen)] = True
        return cls(hashes, begins, text, np.bincount(text, minlength=len(grams.sizes)), seen)

    def write(self, folder: Path) -> None:
        """As files that processes read together."""
        folder.mkdir(parents=True)
        for name, values in self._asdict().items():
            np.save(folder / f"{name}.npy", values)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What was written."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in cls._fields))

    def overlaps(self, grams: Grams, share: float) -> "Overlaps":
        """The pairs of an indexed text and another one that has at least this share of its n-grams, and one."""
        if not len(self.hashes):
            return Overlaps.none()
        maybe = np.flatnonzero(self.seen[grams.hashes >> shift(self.seen)])
        at = np.minimum(np.searchsorted(self.hashes, grams.hashes[maybe]), len(self.hashes) - 1)
        there = self.hashes[at] == grams.hashes[maybe]
        at, other = at[there], np.searchsorted(np.cumsum(grams.sizes), maybe[there], "right")
        counts = self.begins[at + 1] - self.begins[at]
        places = np.arange(counts.sum()) + np.repeat(self.begins[at] - np.cumsum(counts) + counts, counts)
        pair = np.repeat(other, counts) * len(self.sizes) + self.texts[places]
        pair, shared = np.unique(pair, return_counts=True)
        other, text = np.divmod(pair, len(self.sizes))
        part = shared / self.sizes[text]
        enough = part >= share
        return Overlaps(text[enough], other[enough], part[enough])


class Overlaps(NamedTuple):
    """Pairs: a text that is held out, a training text, and the share of the first one's n-grams that is in it."""

    held: Places
    training: Places
    part: NDArray[np.float64]

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def shift(seen: NDArray[np.bool_]) -> np.uint64:
    """How many bits of a hash are too many for its place in a table of so many."""
    return np.uint64(65 - len(seen).bit_length())


def firsts(same: Hashes) -> Places:
    """Of each text, the first that is equal."""
    _, first, inverse = np.unique(same, return_index=True, return_inverse=True)
    return first[inverse]


def plain(column: pa.Array) -> pa.Array:
    """Words in lower case between single spaces."""
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(column), OTHER, " "))


def digests(column: pa.Array) -> list[int]:
    """64 bits of BLAKE2b for each text."""
    texts = Texts.buffers(column)
    data, places = texts.data.data, pairwise(texts.offsets.tolist())
    return [int.from_bytes(blake2b(data[begin:end], digest_size=8).digest(), "little") for begin, end in places]


def ngrams(columns: Iterable[pa.Array], unit: str, size: int, *, fast: bool) -> Grams:
    """The n-grams of texts; a text without a letter or a digit has none."""
    found: list[Grams] = []
    for column in columns:
        words = plain(column)
        texts = Texts.buffers(words)
        hashes, bounds = sets(texts, unit, size, fast)
        sizes, empty = np.diff(bounds), np.diff(texts.offsets) == 0
        kept = np.repeat(~empty, sizes)
        same = np.array(digests(words), np.uint64)
        found.append(Grams(hashes[kept], np.where(empty, 0, sizes), same))
    return Grams.joined(found)


def ready(unit: str, size: int) -> None:
    """Compiles what n-grams take, so that the processes of an engine find it and don't all compile it at once."""
    ngrams([pa.array(["a"])], unit, size, fast=True)
