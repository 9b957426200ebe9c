"""MinHash signatures, and who goes for whom: texts that share a band are compared, the first is kept.

MinHash (Broder 1997) gets the two halves of a shingle's hash xored, which is how the authors of FNV make 32 bits of 64.
From there on signatures are datasketch's to the bit. Candidates share one of several bands of some values each
(Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.core.buffers import Flags, Places, Texts, compiled
from stages.core.shingles import BASIS, PRIME, Hashes, shingles

Signatures = NDArray[np.uint32]
Buckets = NDArray[np.int32]

SCHEME = "affine32"  # datasketch's family of permutations: hash → a * hash + b mod 2^32, after MurmurHash3's finalizer
HASH = "fnv1a64 by unit, folded"
MOST = 1_000  # kept texts of a bucket that one is compared with, the latest: so time stays linear, whatever the texts


def banding(permutations: int, threshold: float, recall: float) -> tuple[int, int]:
    """How many bands of how many values: the longest that bring at least the share `recall` of the pairs together whose
    similarity is the threshold; or, where none do, those that bring the most."""
    ways = ((permutations // rows, rows) for rows in range(permutations, 0, -1))
    return next((way for way in ways if met(threshold, *way) >= recall), (permutations, 1))


def met(similarity: float, bands: int, rows: int) -> float:
    """Which share of the pairs that are so similar have a band in common."""
    return 1 - (1 - similarity**rows) ** bands


def mixed(hashes: Hashes) -> Signatures:
    """The halves of each, xored, and then the 32-bit finalizer of MurmurHash3."""
    values = (hashes ^ (hashes >> np.uint64(32))).astype(np.uint32)
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


def least(hashes: Hashes, bounds: Places, a: Signatures, b: Signatures, fast: bool) -> Signatures:
    """(texts, permutations): the least value of each text under each permutation; 32-bit products wrap around."""
    signature = np.empty((len(bounds) - 1, len(a)), np.uint32)
    if fast:
        compiled(least_each)(mixed(hashes), bounds, a, b, signature)
    elif len(signature):
        values = mixed(hashes)
        for n in range(len(a)):
            signature[:, n] = np.minimum.reduceat(values * a[n] + b[n], bounds[:-1])
    return signature


def least_each(values: Signatures, bounds: Places, a: Signatures, b: Signatures, signature: Signatures) -> None:
    """The loop of it, four shingles a step: the row is read and written less often."""
    for text in range(len(bounds) - 1):
        row, last = signature[text], bounds[text + 1] - 1
        row[:] = np.uint32(0xFFFFFFFF)
        for at in range(bounds[text], bounds[text + 1], 4):
            one, two = values[at], values[min(at + 1, last)]
            three, four = values[min(at + 2, last)], values[min(at + 3, last)]
            for n in range(len(a)):
                first = min(np.uint32(a[n] * one + b[n]), np.uint32(a[n] * two + b[n]))
                second = min(np.uint32(a[n] * three + b[n]), np.uint32(a[n] * four + b[n]))
                least = min(first, second)
                row[n] = min(row[n], least)


def signatures(texts: Texts, unit: str, size: int, a: Sequence[int], b: Sequence[int], fast: bool) -> Signatures:
    """(texts, permutations): the MinHash signature of each normalised text, bit for bit that of datasketch."""
    first, second = np.array(a, np.uint32), np.array(b, np.uint32)
    found = [np.empty((0, len(a)), np.uint32)]
    for batch in texts.batches():
        hashes, bounds = shingles(batch, unit, size, fast)
        found.append(least(hashes, bounds, first, second, fast))
    return np.concatenate(found)


def keys(signature: Signatures, bands: int) -> Hashes:
    """(texts, bands): the values of each band as one, FNV-1a with 32 bits a step."""
    parts = signature.reshape(len(signature), bands, signature.shape[1] // bands)
    found = np.full(parts.shape[:2], BASIS)
    for row in range(parts.shape[2]):
        found = (found ^ parts[:, :, row]) * PRIME
    return found ^ (found >> np.uint64(32))


def buckets(key: Hashes) -> Buckets:
    """(texts, bands): the number of the bucket that a text is in, with others; -1 where it is alone."""
    found, before = np.empty(key.shape, np.int32), 0
    for band in range(key.shape[1]):
        own = key[:, band]
        ordered = np.sort(own)  # many times as quick as to sort places, and few keys come twice
        several = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        place = np.searchsorted(several, own)
        shared = np.append(several, np.uint64(0))[place] == own
        shared &= place < len(several)
        found[:, band] = np.where(shared, place + before, -1)
        before += len(several)
    return found


def keep_first(  # noqa: C901, PLR0912 - numba compiles it as one
    bucket: Buckets,
    hashes: Hashes,
    begins: Places,
    ends: Places,
    held: Flags,
    threshold: float,
    together: float,
    most: int,
) -> tuple[Places, NDArray[np.float64], Places, Places, Flags]:
    """Greedy, in the order given: a text goes if a *kept* earlier one, of one of its buckets, is at least `threshold`
    alike; those that are held never do. Only those that are kept enter the buckets, so a thousand near copies of a text
    are compared with it, but not with each other; and of a bucket with the latest `most`.

    Of each text the kept one that it repeats (-1: none) and how alike they are; and the first of those kept ones that
    are tied to it by being `together` alike, directly or through others. And pairs: a text, and the first of one of
    those clusters, as they were when it came, that it joined; in clusters of n texts there are n - 1. And of each text
    whether a bucket had more than `most`.
    """
    texts, bands = bucket.shape
    joined, pairs = np.empty((texts, 2), np.int64), 0
    of, alike, first, full = np.full(texts, -1), np.zeros(texts), np.arange(texts), np.zeros(texts, np.bool_)
    latest = np.full(bucket.size // 2, -1, np.int32)  # of each bucket, the last that entered it
    before = np.full((texts, bands), -1, np.int32)  # and of each text, the one that entered before
    compared, tied = np.full(texts, -1), np.empty(texts, np.int64)
    for text in range(texts):
        ties, size = 0, ends[text] - begins[text]
        for band in range(bands):
            other, left = latest[bucket[text, band]] if bucket[text, band] >= 0 else -1, most
            while other >= 0 and left > 0:
                known = ends[other] - begins[other]
                if compared[other] != text and min(size, known) / max(size, known) >= together:
                    # More shingles than `apart` that only one of both has, and they can't be `together` alike.
                    i, j, shared = begins[text], begins[other], 0
                    apart = (size + known) * (1 - together) / (1 + together) + begins[text] + begins[other] + 2
                    while i < ends[text] and j < ends[other] and i + j - 2 * shared <= apart:
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
                other, left = before[other, band], left - 1
            full[text] |= other >= 0
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
    return of, alike, first, joined[:pairs], full
