"""Shingles of texts, n-grams of words or of characters, as hashes: over UTF-8 buffers.

A shingle is `size` units of a normalised text in a row: words or characters; a shorter text is one shingle. The hash of
a unit is FNV-1a (Fowler, Noll and Vo), 64 bits, of its UTF-8 bytes, after the 64-bit finalizer of MurmurHash3 (Appleby
2011); that of a shingle is FNV-1a again, of the hashes of its units, each in one step: so each word is read once,
however long the shingles.

Loops over bytes are compiled by numba where there is much to do. To import it, and to load what it has compiled before,
takes longer than a small corpus by numpy, which gives the same bits.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.core.buffers import Bytes, Flags, Places, Texts, compiled

Hashes = NDArray[np.uint64]

BASIS, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
FINAL, FINAL_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
CASED = 0x20000  # no character from there on has case, or is white space
ELSE = 0xFFFFFFFF  # marks a character that `str.lower` makes several of, or that hangs on its neighbours
MANY = 10**7  # bytes of compressed shards, from which numba is worth its start in each process


def normalised(text: str) -> str:
    """Case and white space make no difference."""
    return " ".join(text.lower().split())


def normal(texts: Texts, fast: bool) -> Texts:
    """The texts normalised: by a compiled loop, if `fast`, but for those with a character that only `str.lower` knows
    how to treat."""
    foreign, others = np.zeros(len(texts.offsets) - 1, bool), Texts.of([])
    if not fast:
        return Texts.of([normalised(text) for text in texts.those(~foreign)])
    lower, plain = np.empty(len(texts.data), np.uint8), np.zeros(len(foreign), bool)
    compiled(lower_each)(*texts, lower, plain)
    while True:
        out, offsets = np.empty(len(texts.data) + len(others.data), np.uint8), np.zeros_like(texts.offsets)
        if not compiled(fold)(*texts, lower, plain, small(), foreign, *others, out, offsets):
            return Texts(out[: offsets[-1]], offsets)
        others = Texts.of([normalised(text) for text in texts.those(foreign)])


@cache
def small() -> NDArray[np.uint32]:
    """Of each character the small one, a space for white space; or ELSE, also where the small one takes more bytes."""
    found = np.arange(CASED, dtype=np.uint32)
    for code in range(CASED):
        character = chr(code)
        lower = " " if character.isspace() else character.lower()
        if lower != character:
            longer = len(lower) > 1 or len(lower.encode()) > len(character.encode())
            found[code] = ELSE if longer or character == "Σ" else ord(lower)
    return found


def lower_each(data: Bytes, offsets: Places, lower: Bytes, plain: Flags) -> None:
    """What `normalised` makes of texts that are `plain`: ASCII, and nowhere two white spaces in a row or one at an end.
    There are no branches in its loops, so that many bytes are done at a time."""
    for n in range(len(plain)):
        text, room, every, twice = data[offsets[n] : offsets[n + 1]], lower[offsets[n] :], np.uint8(0), False
        for at in range(len(text)):
            byte = text[at]
            white = (np.uint8(byte - np.uint8(9)) < 5) | (np.uint8(byte - np.uint8(28)) < 4)
            capital = np.uint8(byte - np.uint8(65)) < 26
            room[at] = np.uint8(32) if white else byte + (np.uint8(32) if capital else np.uint8(0))
            every |= byte
        for at in range(1, len(text)):
            twice |= (room[at] == 32) & (room[at - 1] == 32)
        plain[n] = len(text) > 0 and every < 128 and not twice and room[0] != 32 and room[len(text) - 1] != 32


def fold(  # noqa: C901, PLR0912, PLR0915 - numba compiles it as one
    data: Bytes,
    offsets: Places,
    lower: Bytes,
    plain: Flags,
    small: NDArray[np.uint32],
    foreign: Flags,
    others: Bytes,
    at_others: Places,
    out: Bytes,
    ends: Places,
) -> bool:
    """What `normalised` makes of texts; what is `plain` is so already in `lower`, what is `foreign` is taken from the
    others, which are normalised. Whether any other text turned out to be foreign, too."""
    at, other, more = 0, 0, False
    for n in range(len(foreign)):
        begin, last, place, end = at, 32, offsets[n], offsets[n + 1]
        if foreign[n]:
            for known in range(at_others[other], at_others[other + 1]):
                out[at] = others[known]
                at += 1
            other += 1
            place = end
        elif plain[n]:
            out[at : at + end - place] = lower[place:end]
            at, place = at + end - place, end
        while place < end:
            while place < end and data[place] < 0x80:  # the most of the most texts, so in a loop of its own
                letter = small[data[place]]
                out[at] = letter  # the next one takes its place, if this is a space too many
                at += (letter != 32) | (last != 32)
                last, place = np.int64(letter), place + 1
            if place == end:
                break
            code = np.int64(data[place])
            if code < 0xE0:
                code = (code & 0x1F) << 6 | np.int64(data[place + 1]) & 0x3F
                place += 2
            elif code < 0xF0:
                code = (code & 0xF) << 12 | (np.int64(data[place + 1]) & 0x3F) << 6 | np.int64(data[place + 2]) & 0x3F
                place += 3
            else:
                code = (code & 7) << 18 | (np.int64(data[place + 1]) & 0x3F) << 12
                code |= (np.int64(data[place + 2]) & 0x3F) << 6 | np.int64(data[place + 3]) & 0x3F
                place += 4
            if code < CASED:
                code = np.int64(small[code])
            if code < 0x80:
                out[at] = code
                at += (code != 32) | (last != 32)
            elif code == ELSE:
                foreign[n] = more = True
                break
            elif code < 0x800:
                out[at], out[at + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
                at += 2
            elif code < 0x10000:
                out[at], out[at + 1], out[at + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
                at += 3
            else:
                out[at], out[at + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
                out[at + 2], out[at + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
                at += 4
            last = code
        at -= (at > begin) & (last == 32) & (not foreign[n]) & (not plain[n])
        ends[n + 1] = at
    return more


class Units(NamedTuple):
    """Where words or characters begin and end among the bytes of texts; those of the nth are bounds[n] to
    bounds[n + 1]."""

    begins: Places
    ends: Places
    bounds: Places


def words(texts: Texts) -> Units:
    """What stands between single spaces; an empty text is one empty word."""
    spaces = np.flatnonzero(texts.data == ord(" "))
    before = np.searchsorted(spaces, texts.offsets)
    begins = np.insert(spaces + 1, before[:-1], texts.offsets[:-1])
    ends = np.insert(spaces, before[1:], texts.offsets[1:])
    return Units(begins, ends, before + np.arange(len(before)))


def characters(texts: Texts) -> Units:
    """Code points; an empty text has an empty one."""
    begins = np.flatnonzero((texts.data & 0xC0) != 0x80)
    before = np.searchsorted(begins, texts.offsets)
    empty = np.flatnonzero(before[1:] == before[:-1])
    begins = np.insert(begins, before[empty], texts.offsets[empty])
    ends = np.append(begins, texts.offsets[-1])[1:]
    return Units(begins, ends, before + np.searchsorted(empty, np.arange(len(before))))


def shingles(texts: Texts, unit: str, size: int, fast: bool) -> tuple[Hashes, Places]:
    """The hashes of the n-grams of all texts; those of the nth text are bounds[n] to bounds[n + 1]."""
    if fast:
        most = len(texts.data) + len(texts.offsets)
        units, values, found = np.empty(most, np.uint64), np.empty(most, np.uint64), np.zeros_like(texts.offsets)
        compiled(shingle_each)(*texts, unit == "word", size, units, values, found)
        return values[: found[-1]], found
    begins, ends, bounds = (words if unit == "word" else characters)(texts)
    units = hashed(texts.data, begins, ends)
    count = np.maximum(np.diff(bounds) - size + 1, 1)
    found = np.concatenate([[0], np.cumsum(count)])
    values = np.full(found[-1], BASIS)
    first, end = np.arange(found[-1]) + np.repeat(bounds[:-1] - found[:-1], count), np.repeat(bounds[1:], count)
    for place in (first + n for n in range(min(size, np.diff(bounds).max(initial=0)))):
        step = (values ^ units[np.minimum(place, len(units) - 1)]) * PRIME
        values = np.where(place < end, step, values)
    return values, found


def shingle_each(
    data: Bytes, offsets: Places, by_word: bool, size: int, units: Hashes, values: Hashes, bounds: Places
) -> None:
    """The same text by text; `units` is room for the hashes of the units of one."""
    found = 0
    for text in range(len(offsets) - 1):
        count, value, begin = 0, BASIS, offsets[text]
        for at in range(begin, offsets[text + 1]):
            byte = data[at]
            ends = byte == 32 if by_word else (byte & 0xC0) != 0x80 and at > begin
            if ends:
                units[count] = value
                count, value = count + 1, BASIS
            if not (by_word and ends):
                value = (value ^ np.uint64(byte)) * PRIME
        units[count] = value
        count += 1
        for n in range(count):
            value = (units[n] ^ (units[n] >> np.uint64(33))) * FINAL
            value = (value ^ (value >> np.uint64(33))) * FINAL_2
            units[n] = value ^ (value >> np.uint64(33))
        several = values[found : found + max(count - size + 1, 1)]
        several[:] = BASIS
        for step in range(min(size, count)):
            later = units[step:]
            for n in range(len(several)):
                several[n] = (several[n] ^ later[n]) * PRIME
        found += len(several)
        bounds[text + 1] = found


def hashed(data: Bytes, begins: Places, ends: Places) -> Hashes:
    """The hashes of units."""
    values = np.full(len(begins), BASIS)
    order = np.argsort(begins - ends, kind="stable")  # the longest first
    starts, lengths = begins[order], (begins - ends)[order]
    for at in range(-int(lengths[0]) if len(lengths) else 0):
        longer = np.searchsorted(lengths, -at)
        values[:longer] = (values[:longer] ^ data[starts[:longer] + at]) * PRIME
    # Of characters, FNV-1a would leave the most bits of all alike.
    for factor in (FINAL, FINAL_2):
        values = (values ^ (values >> np.uint64(33))) * factor
    back = np.empty_like(values)
    back[order] = values ^ (values >> np.uint64(33))
    return back


def sets(texts: Texts, unit: str, size: int, fast: bool) -> tuple[Hashes, Places]:
    """The different hashes of the shingles of each text, in order, one text after the other; and where each begins."""
    found, sizes = [np.empty(0, np.uint64)], [np.zeros(1, np.int64)]
    for batch in texts.batches():
        hashes, bounds = shingles(batch, unit, size, fast)
        for begin, end in pairwise(bounds.tolist()):
            hashes[begin:end].sort()
        other = np.append(True, hashes[1:] != hashes[:-1])
        other[bounds[:-1]] = True
        found.append(hashes[other])
        sizes.append(np.add.reduceat(other, bounds[:-1], dtype=np.int64))
    return np.concatenate(found), np.cumsum(np.concatenate(sizes))


def jaccard(one: Hashes, other: Hashes) -> float:
    """Size of the intersection by size of the union, of two such sets."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
