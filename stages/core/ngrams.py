"""Small language models of characters: n-grams with hierarchical Dirichlet smoothing (MacKay and Peto 1995).

The probability of a character c after the characters h is (count(hc) + m p(c | h')) / (count(h) + m), where h' is h
without its first character and m is MASS; before any is known, each of ALPHABET is as likely. Before a text stands a
newline. Counts of each order are kept in BUCKETS buckets of a hash, so a model is small whatever it has read; n-grams
that share one count together, which makes rare ones seem likelier than they are.

A model has halves: one of documents whose id is even, one of the others. Each document is judged by the half that has
not read it, so what was learned from is no better for that.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.core.characters import NEWLINE
from stages.core.figures import Batch

ORDER = 5  # characters of the longest n-gram, the one that it predicts included
BITS = 20
BUCKETS = 2**BITS
ALPHABET = 2**12
MASS = 4.0
HALVES = 2
STEPS = 2.0**20  # a bit: as multiples of so small a step, logarithms add up to the same in any order
MIX = np.uint64(0x9E3779B97F4A7C15)
Counts = NDArray[np.int32]  # (halves, orders, buckets); order 0 has one n-gram, which comes with each character
SHAPE = (HALVES, ORDER + 1, BUCKETS)
SCHEMA = pa.schema([("place", pa.int32()), ("count", pa.int32())])


def half(ids: Sequence[str]) -> NDArray[np.int64]:
    """The half that may learn from each document: ids are hexadecimal digits of a hash."""
    return np.array([int(one[-1], 16) % HALVES for one in ids], np.int64)


def buckets(batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(orders, characters), those newlines included: the bucket of the n-gram that ends there; how many characters
    stand before each in its text; and which text it is in."""
    codes = np.insert(batch.codes, batch.bounds[:-1], NEWLINE)
    begins = batch.bounds[:-1] + np.arange(len(batch.ids))
    text = np.repeat(np.arange(len(batch.ids)), np.diff(batch.bounds) + 1)
    value = (codes.astype(np.uint64) + np.uint64(1)) * MIX
    value ^= value >> np.uint64(32)
    found, total = np.zeros((ORDER + 1, len(codes)), np.int64), np.zeros(len(codes), np.uint64)
    for order in range(1, ORDER + 1):
        # The hash of an n-gram is that of the one before, without its first character, and of its last one.
        total = (np.append(np.uint64(0), total)[:-1] * MIX + value) * MIX
        found[order] = (total >> np.uint64(64 - BITS)).astype(np.int64)
        total ^= total >> np.uint64(29)
    return found, np.arange(len(codes)) - begins[text], text


def counted(batches: Iterable[Batch]) -> Counts:
    """What a model learns from documents."""
    counts = np.zeros(SHAPE, np.int32)
    for batch in batches:
        found, before, text = buckets(batch)
        reader = half(batch.ids)[text] * (ORDER + 1)
        for order in range(ORDER + 1):
            whole = before >= order - 1
            np.add.at(counts.reshape(-1), ((reader + order) * BUCKETS + found[order])[whole], 1)
    return counts


def bits(batch: Batch, counts: Counts) -> NDArray[np.float64]:
    """Bits a character that each text takes, by the half of a model that has not read it; 0 without a character."""
    found, before, text = buckets(batch)
    flat, other = counts.reshape(HALVES, -1), 1 - half(batch.ids)[text]
    likely = np.full(len(text), 1 / ALPHABET)
    context = flat[other, 0]
    for order in range(1, ORDER + 1):
        times = np.minimum(flat[other, order * BUCKETS + found[order]], context)
        likely = np.where(before >= order - 1, (times + MASS * likely) / (context + MASS), likely)
        context = np.append(0, flat[other, order * BUCKETS + found[order]])[:-1]
    surprise = np.where(before > 0, np.rint(-np.log2(likely) * STEPS), 0.0)
    return np.bincount(text, surprise, len(batch.ids)) / STEPS / np.maximum(np.diff(batch.bounds), 1)


def table(models: Sequence[Counts]) -> pa.Table:
    """Models as they are kept: the places where something was counted."""
    flat = np.concatenate([one.ravel() for one in models])
    place = np.flatnonzero(flat)
    return pa.Table.from_arrays([pa.array(place, pa.int32()), pa.array(flat[place])], schema=SCHEMA)


def models(kept: pa.Table, count: int) -> list[Any]:
    """The models of a table."""
    flat = np.zeros(count * int(np.prod(SHAPE)), np.int32)
    flat[kept.column("place").to_numpy()] = kept.column("count").to_numpy()
    return list(flat.reshape(count, *SHAPE))
