"""What figures of texts are counted from: characters, words, sentences and lines, made once for all who ask."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.core.buffers import Places, Texts, compiled
from stages.core.characters import ALONE, BREAK, MARK, SPACE, TERMINAL, WORD, kinds
from stages.core.stretches import end_of_sentence, spaced

BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2^64
INVERSE = np.uint64(pow(int(BASE), -1, 2**64))


class Stretches(NamedTuple):
    """Where words begin and end among the characters of texts; those of the nth text are bounds[n] to bounds[n + 1]."""

    begins: Places
    ends: Places
    bounds: Places

    @property
    def counts(self) -> Places:
        """How many each text has."""
        return np.diff(self.bounds)


class Batch:
    """Some documents: their ids, their texts, and what several kinds of statistics count from, made once; `fast` where
    the corpus is large enough for numba."""

    def __init__(self, ids: Sequence[str], texts: Texts, fast: bool) -> None:
        self.ids, self.texts, self.fast = ids, texts, fast

    @cached_property
    def text(self) -> str:
        """All of them in a row."""
        return self.texts.data.tobytes().decode()

    @property
    def each(self) -> list[str]:
        """One by one."""
        return [self.text[begin:end] for begin, end in pairwise(self.bounds.tolist())]

    @cached_property
    def codes(self) -> NDArray[np.int32]:
        """Their characters."""
        return coded(self.text)

    @cached_property
    def kinds(self) -> NDArray[np.uint16]:
        """What each of them is."""
        return kinds()[self.codes]

    @cached_property
    def bounds(self) -> Places:
        """The nth text has the characters from bounds[n] up to, but without, bounds[n + 1]."""
        begins = np.flatnonzero((self.texts.data & 0xC0) != 0x80)
        return np.searchsorted(begins, self.texts.offsets)

    @cached_property
    def words(self) -> Stretches:
        """Letters, digits and their marks in a row; a character by itself where no spaces stand."""
        return words(self.kinds, self.bounds)

    @cached_property
    def tokens(self) -> Stretches:
        """What stands between white space, signs included; likewise."""
        begins, ends, bounds = (
            np.zeros(size, np.int64) for size in (len(self.codes), len(self.codes), len(self.bounds))
        )
        begins, ends, bounds = self.run(spaced, self.kinds, self.bounds, begins, ends, bounds)[2:]
        return Stretches(begins[: bounds[-1]], ends[: bounds[-1]], bounds)

    @cached_property
    def sentences(self) -> Places:
        """Of each word, the sentence that it is in, as a number that grows."""
        at = np.flatnonzero(self.kinds & TERMINAL)
        last = self.bounds[np.searchsorted(self.bounds, at, "right")]
        ends = [end_of_sentence(self.codes, self.kinds, *one) for one in zip(at.tolist(), last.tolist(), strict=True)]
        return np.searchsorted(at[np.array(ends, bool)], self.words.begins)

    @cached_property
    def sentence_counts(self) -> Places:
        """How many sentences with a word in them each text has."""
        number, bounds = self.sentences, self.words.bounds
        other = np.append(True, number[1:] != number[:-1])[: len(number)]
        other[bounds[:-1][np.diff(bounds) > 0]] = True
        return np.diff(np.searchsorted(np.flatnonzero(other), bounds))

    @cached_property
    def lines(self) -> Places:
        """How many lines with something in them each text has."""
        ends = np.flatnonzero(self.kinds & BREAK)
        solid = np.flatnonzero(self.kinds & SPACE == 0)
        line, text = np.searchsorted(ends, solid), np.searchsorted(self.bounds, solid, "right")
        other = np.append(True, (line[1:] != line[:-1]) | (text[1:] != text[:-1]))[: len(solid)]
        return np.bincount(text[other] - 1, minlength=len(self.bounds) - 1)

    def counted(self, flag: int) -> Places:
        """How many characters of a kind each text has."""
        return np.diff(np.searchsorted(np.flatnonzero(self.kinds & flag), self.bounds))

    def run(self, loop: Callable[..., Any], *arrays: Any) -> list[Any]:
        """Calls a loop with arrays, some of which it fills, and gives them all. Python reads lists faster."""
        if self.fast:
            compiled(loop)(*arrays)
            return list(arrays)
        lists = [one.tolist() if isinstance(one, np.ndarray) else one for one in arrays]
        loop(*lists)
        return [np.array(one) if isinstance(one, list) else one for one in lists]


# Gives documents of the wanted sources, so many at most, to learn from.
Sample = Callable[[Callable[[str], bool], int], Iterator[Batch]]


def coded(text: str) -> NDArray[np.int32]:
    """The characters of a text as numbers."""
    return np.frombuffer(text.encode("utf-32-le"), np.int32)


def words(kind: NDArray[np.uint16], bounds: Places) -> Stretches:
    """The words of texts, from what their characters are."""
    first = np.zeros(len(kind) + 1, bool)
    first[bounds] = True
    first = first[:-1]
    marks = (kind & MARK != 0) & ~first
    if marks.any():  # they are what stands before them
        kind = kind[np.maximum.accumulate(np.where(marks, 0, np.arange(len(kind))))]
    inside, alone = kind & WORD != 0, kind & ALONE != 0
    begin = inside & ~marks
    begin[1:] &= first[1:] | ~inside[:-1] | alone[1:] | alone[:-1]
    goes_on = np.append(inside[1:] & ~begin[1:], False)
    begins, ends = np.flatnonzero(begin), np.flatnonzero(inside & ~goes_on) + 1
    return Stretches(begins, ends, np.searchsorted(begins, bounds))


def distinct(batch: Batch) -> Places:
    """How many different words each text has, capitals or not: by 64 bits of a polynomial of their characters."""
    lower = coded(batch.text.replace("İ", "i").replace("Σ", "σ").replace("ς", "σ").lower())  # character by character
    sums = np.append(np.uint64(0), np.cumsum(lower.astype(np.uint64) * powers(BASE, len(lower))))
    begins, ends, bounds = batch.words
    value = (sums[ends] - sums[begins]) * powers(INVERSE, len(lower))[begins]
    text = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    order = np.lexsort((value, text))
    value, text = value[order], text[order]
    other = np.append(True, (value[1:] != value[:-1]) | (text[1:] != text[:-1]))[: len(value)]
    return np.bincount(text[other], minlength=len(bounds) - 1)


def powers(base: np.uint64, count: int) -> NDArray[np.uint64]:
    """The first powers of a number, modulo 2^64."""
    each = np.full(count, base)
    each[:1] = 1
    return np.multiply.accumulate(each)


def ratio(part: Any, whole: Any) -> NDArray[np.float64]:
    """Part by whole, 0 where there is nothing."""
    return part / np.maximum(whole, 1)
