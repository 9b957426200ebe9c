"""MinHash signatures of word or character n-grams, over UTF-8 buffers.

A shingle is `size` units of a normalised text in a row: words or characters; a shorter text is one shingle. The hash of
a unit is FNV-1a (Fowler, Noll and Vo), 64 bits, of its UTF-8 bytes, after the 64-bit finalizer of MurmurHash3 (Appleby
2011); that of a shingle is FNV-1a again, of the hashes of its units, each in one step: so each word is read once,
however long the shingles. MinHash (Broder 1997) gets the two halves of it xored, which is how the authors of FNV make
32 bits of 64. From there on all is as in datasketch.

Loops over bytes, shingles and pairs are compiled by numba where there is much to do. To import it, and to load what it
has compiled before, takes longer than a small corpus by numpy, which gives the same bits.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.core.buffers import Bytes, Places, Texts, compiled

Hashes = NDArray[np.uint64]
Signatures = NDArray[np.uint32]

SCHEME = "affine32"  # datasketch's family of permutations: hash → a * hash + b mod 2^32, after MurmurHash3's finalizer
HASH = "fnv1a64 by unit, folded"
BASIS, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
SMALL = np.array([ord(chr(n).lower()) if not chr(n).isspace() else 32 for n in range(128)], np.uint8)
MANY = 2 * 10**7  # bytes of compressed shards, from which numba is worth its start in each process


def normalised(text: str) -> str:
    """Case and white space make no difference."""
    return " ".join(text.lower().split())


def normal(column: Any, fast: bool) -> Texts:
    """The texts of an Arrow array, normalised: those of ASCII by a compiled loop, if `fast`."""
    if not fast:
        return Texts.of([normalised(text) for text in column.to_pylist()])
    texts = Texts.buffers(column)
    beyond = np.searchsorted(np.flatnonzero(texts.data >= 0x80), texts.offsets)
    foreign = beyond[1:] > beyond[:-1]
    others = Texts.of([normalised(text) for text in column.filter(pa.array(foreign)).to_pylist()])
    out = np.empty(len(texts.data) + len(others.data), np.uint8)
    offsets = np.zeros(len(texts.offsets), np.int64)
    compiled(fold)(*texts, foreign, *others, out, offsets)
    return Texts(out[: offsets[-1]], offsets)


def fold(
    data: Bytes, offsets: Places, foreign: NDArray[np.bool_], others: Bytes, at_others: Places, out: Bytes, ends: Places
) -> None:
    """What `normalised` makes of ASCII; what is `foreign` to it is taken from the others, which are normalised."""
    at = other = 0
    for n in range(len(foreign)):
        if foreign[n]:
            for place in range(at_others[other], at_others[other + 1]):
                out[at] = others[place]
                at += 1
            other += 1
        else:
            begin, last = at, 32
            for place in range(offsets[n], offsets[n + 1]):
                byte = SMALL[data[place]]
                out[at] = byte  # the next one takes its place, if this is a space too many
                at += (byte != 32) | (last != 32)
                last = byte
            at -= (at > begin) & (last == 32)
        ends[n + 1] = at


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
    begins, ends, bounds = (words if unit == "word" else characters)(texts)
    units = hashed(texts.data, begins, ends, fast)
    count = np.maximum(np.diff(bounds) - size + 1, 1)
    found = np.concatenate([[0], np.cumsum(count)])
    values = np.full(found[-1], BASIS)
    if fast:
        compiled(combine_each)(units, bounds, size, found, values)
        return values, found
    first, end = np.arange(found[-1]) + np.repeat(bounds[:-1] - found[:-1], count), np.repeat(bounds[1:], count)
    for place in (first + n for n in range(min(size, np.diff(bounds).max(initial=0)))):
        step = (values ^ units[np.minimum(place, len(units) - 1)]) * PRIME
        values = np.where(place < end, step, values)
    return values, found


def combine_each(units: Hashes, bounds: Places, size: int, found: Places, values: Hashes) -> None:
    """The loop of it."""
    for text in range(len(bounds) - 1):
        for n in range(found[text], found[text + 1]):
            first = bounds[text] + n - found[text]
            for place in range(first, min(first + size, bounds[text + 1])):
                values[n] = (values[n] ^ units[place]) * PRIME


def hashed(data: Bytes, begins: Places, ends: Places, fast: bool) -> Hashes:
    """The hashes of units."""
    values = np.full(len(begins), BASIS)
    if fast:
        compiled(hash_each)(data, begins, ends, values)
        return finalized(values)
    order = np.argsort(begins - ends, kind="stable")  # the longest first
    starts, lengths = begins[order], (begins - ends)[order]
    for at in range(-int(lengths[0]) if len(lengths) else 0):
        longer = np.searchsorted(lengths, -at)
        values[:longer] = (values[:longer] ^ data[starts[:longer] + at]) * PRIME
    back = np.empty_like(values)
    back[order] = values
    return finalized(back)


def hash_each(data: Bytes, begins: Places, ends: Places, values: Hashes) -> None:
    """The loop of it."""
    for n in range(len(begins)):
        value = values[n]
        for at in range(begins[n], ends[n]):
            value = (value ^ np.uint64(data[at])) * PRIME
        values[n] = value


def finalized(values: Hashes) -> Hashes:
    """The 64-bit finalizer: of characters, FNV-1a would leave the most bits of all alike."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ (values >> np.uint64(33))) * np.uint64(factor)
    return values ^ (values >> np.uint64(33))


def mixed(hashes: Hashes) -> Signatures:
    """The halves of each, xored, and then the 32-bit finalizer of MurmurHash3."""
    values = (hashes ^ (hashes >> np.uint64(32))).astype(np.uint32)
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


def least(values: Signatures, bounds: Places, a: Signatures, b: Signatures, fast: bool) -> Signatures:
    """(texts, permutations): the least value of each text under each permutation; 32-bit products wrap around."""
    signature = np.empty((len(bounds) - 1, len(a)), np.uint32)
    if fast:
        compiled(least_each)(values, bounds, a, b, signature)
    elif len(signature):
        for n in range(len(a)):
            signature[:, n] = np.minimum.reduceat(values * a[n] + b[n], bounds[:-1])
    return signature


def least_each(values: Signatures, bounds: Places, a: Signatures, b: Signatures, signature: Signatures) -> None:
    """The loop of it."""
    for text in range(len(bounds) - 1):
        row = signature[text]
        row[:] = np.uint32(0xFFFFFFFF)
        for at in range(bounds[text], bounds[text + 1]):
            value = values[at]
            for n in range(len(a)):
                row[n] = min(row[n], np.uint32(a[n] * value + b[n]))


def signatures(texts: Texts, unit: str, size: int, a: Sequence[int], b: Sequence[int], fast: bool) -> Signatures:
    """(texts, permutations): the MinHash signature of each normalised text, bit for bit that of datasketch."""
    first, second = np.array(a, np.uint32), np.array(b, np.uint32)
    found = [np.empty((0, len(a)), np.uint32)]
    for batch in texts.batches():
        hashes, bounds = shingles(batch, unit, size, fast)
        found.append(least(mixed(hashes), bounds, first, second, fast))
    return np.concatenate(found)


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


def keys(signature: Signatures, bands: int) -> Hashes:
    """(texts, bands): the values of each band as one, FNV-1a with 32 bits a step."""
    parts = signature.reshape(len(signature), bands, signature.shape[1] // bands)
    found = np.full(parts.shape[:2], BASIS)
    for row in range(parts.shape[2]):
        found = (found ^ parts[:, :, row]) * PRIME
    return found ^ (found >> np.uint64(32))


def buckets(key: Hashes) -> NDArray[np.int32]:
    """(texts, bands): the number of the bucket that a text is in, with others; -1 where it is alone."""
    found, before = np.empty(key.shape, np.int32), 0
    for band in range(key.shape[1]):
        _, place, count = np.unique(key[:, band], return_inverse=True, return_counts=True)
        several = count > 1
        found[:, band] = np.where(several, np.cumsum(several) - 1 + before, -1)[place]
        before += int(several.sum())
    return found


def keep_first(  # noqa: C901, PLR0912 - numba compiles it as one
    bucket: NDArray[np.int32],
    hashes: Hashes,
    begins: Places,
    ends: Places,
    held: NDArray[np.bool_],
    threshold: float,
    together: float,
) -> tuple[Places, NDArray[np.float64], Places, Places]:
    """Greedy, in the order given: a text goes if a *kept* earlier one, of one of its buckets, is at least `threshold`
    alike; those that are held never do. Only those that are kept enter the buckets, so a thousand near copies of a text
    are compared with it, but not with each other.

    Of each text the kept one that it repeats (-1: none) and how alike they are; and the first of those kept ones that
    are tied to it by being `together` alike, directly or through others. And pairs: a text, and the first of one of
    those clusters, as they were when it came, that it joined; in clusters of n texts there are n - 1.
    """
    texts, bands = bucket.shape
    joined, pairs = np.empty((texts, 2), np.int64), 0
    of, alike, first = np.full(texts, -1), np.zeros(texts), np.arange(texts)
    latest = np.full(bucket.size // 2, -1, np.int32)  # of each bucket, the last that entered it
    before = np.full((texts, bands), -1, np.int32)  # and of each text, the one that entered before
    compared, tied = np.full(texts, -1), np.empty(texts, np.int64)
    for text in range(texts):
        ties, size = 0, ends[text] - begins[text]
        for band in range(bands):
            other = latest[bucket[text, band]] if bucket[text, band] >= 0 else -1
            while other >= 0:
                known = ends[other] - begins[other]
                if compared[other] != text and min(size, known) / max(size, known) >= together:
                    i, j, shared = begins[text], begins[other], 0
                    while i < ends[text] and j < ends[other]:
                        one, two = hashes[i], hashes[j]
                        shared += one == two
                        i += one <= two
                        j += two <= one
                    similarity = shared / (size + known - shared)
                    if similarity >= threshold and not held[text]:
                        if similarity > alike[text] or (similarity == alike[text] and other < of[text]):
                            of[text], alike[text] = other, similarity
                    elif similarity >= together:
                        tied[ties] = other
                        ties += 1
                compared[other] = text
                other = before[other, band]
        if of[text] >= 0:
            continue
        for band in range(bands):
            if bucket[text, band] >= 0:
                before[text, band] = latest[bucket[text, band]]
                latest[bucket[text, band]] = text
        for n in range(ties):
            one, two = text, tied[n]
            while first[one] != one:
                first[one] = one = first[first[one]]
            while first[two] != two:
                first[two] = two = first[first[two]]
            if one != two:
                joined[pairs, 0], joined[pairs, 1] = text, two
                pairs += 1
            first[max(one, two)] = min(one, two)
    for text in range(texts):  # the first of all is before each other one, so its own first is known
        first[text] = first[first[text]]
    return of, alike, first, joined[:pairs]


def ready(unit: str, size: int) -> None:
    """Compiles what signatures take, so that the processes of an engine find it and don't all compile it at once."""
    signatures(normal(pa.array(["a"]), True), unit, size, [1], [0], True)
