"""Models of characters: their probabilities as one would count them by hand, and which half judges whom."""

from collections import Counter
from math import log2

import numpy as np
import pytest

from stages.core import ngrams
from stages.core.buffers import Texts
from stages.core.figures import Batch

EVEN, ODD = "0", "1"


def batch(*texts: tuple[str, str]) -> Batch:
    """Ids and texts."""
    return Batch([one for one, _ in texts], Texts.of([text for _, text in texts]), fast=False)


def by_hand(text: str, read: list[str]) -> float:
    """Bits a character, with counts in dictionaries."""
    counts = Counter[str]()
    for one in (f"\n{text}" for text in read):
        counts.update(one[n : n + order] for order in range(1, 6) for n in range(len(one) - order + 1))
    counts[""] = sum(len(one) + 1 for one in read)
    total = 0.0
    for at in range(1, len(text) + 1):
        likely = 1 / ngrams.ALPHABET
        for order in range(1, min(5, at + 1) + 1):
            gram = f"\n{text}"[at - order + 1 : at + 1]
            likely = (counts[gram] + ngrams.MASS * likely) / (counts[gram[:-1]] + ngrams.MASS)
        total -= log2(likely)
    return total / len(text)


def test_probabilities_are_those_of_the_formula() -> None:
    read = ["the cat sat on the mat", "a cat", "日本"]
    counts = ngrams.counted([batch(*((EVEN, text) for text in read))])
    judged = ["the rat", "x", "日本の", "the cat sat on the mat"]
    found = ngrams.bits(batch(*((ODD, text) for text in judged)), counts)
    assert found == pytest.approx([by_hand(text, read) for text in judged], abs=1e-5)


def test_nobody_is_judged_by_what_it_was_learned_from() -> None:
    known = batch((EVEN, "the cat sat on the mat"))
    counts = ngrams.counted([known])
    alone = ngrams.bits(known, np.zeros(ngrams.SHAPE, np.int32))
    assert ngrams.bits(known, counts) == alone == pytest.approx(log2(ngrams.ALPHABET), abs=1e-5)


def test_what_is_kept_is_the_model() -> None:
    counts = [ngrams.counted([batch((one, "some text"))]) for one in (EVEN, ODD)]
    assert all(map(np.array_equal, ngrams.models(ngrams.table(counts), 2), counts))


def test_texts_beside_each_other_do_not_touch() -> None:
    texts = [(EVEN, "the cat"), (ODD, ""), (ODD, "sat on\nthe"), (EVEN, "m")]
    together, each = ngrams.counted([batch(*texts)]), ngrams.counted(map(batch, texts))
    assert np.array_equal(together, each)
    alone = [float(ngrams.bits(batch(one), together)[0]) for one in texts]
    assert ngrams.bits(batch(*texts), together).tolist() == alone
