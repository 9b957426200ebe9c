"""Contamination: what is found by indexes is what one finds by comparing all with all."""

import math
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.contamination import COMMON, Grams, Index, digests, firsts, ngrams, plain

TEXTS = st.lists(st.lists(st.sampled_from("abcdeÄ日"), max_size=9).map(" ".join), max_size=12)


def grams(texts: list[str], size: int = 2, unit: str = "word") -> Grams:
    return ngrams([pa.array(texts, pa.string())], unit, size, fast=False)


def shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[n : n + size]) for n in range(max(len(words) - size + 1, 1))} if words else set()


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_overlaps_are_those_of_all_pairs(held: list[str], training: list[str], size: int, share: float) -> None:
    mine, theirs = ([shingles(text, size) for text in texts] for texts in (held, training))
    spread = Counter(one for text in {text.lower() for text in held} for one in shingles(text, size))
    rare = [{one for one in some if spread[one] <= COMMON} for some in mine]
    found = Index.of(grams(held, size)).overlaps(grams(training, size), share)
    pairs = {(text, other): part for text, other, part in zip(*(one.tolist() for one in found), strict=True)}
    first = firsts(grams(held, size).same).tolist()
    assert {text for text, _ in pairs} <= set(first)
    for n, wanted in enumerate(rare):
        for m, there in enumerate(theirs):
            part = len(wanted & there) / len(wanted) if wanted else 0.0
            if part and part >= share:
                assert math.isclose(pairs[first[n], m], part)
            else:
                assert (first[n], m) not in pairs


def test_an_index_can_be_read_by_others(tmp_path: Path) -> None:
    index = Index.of(grams(["a b c", "c d", ""]))
    index.write(tmp_path / "index")
    again = Index.read(tmp_path / "index")
    assert all((one == other).all() for one, other in zip(index, again, strict=True))


def test_what_many_texts_say_is_no_leak() -> None:
    held = [f"yours truly w{n} x{n}" for n in range(COMMON + 1)]
    index = Index.of(grams(held))
    assert index.sizes.tolist() == [2] * len(held)
    assert len(index.overlaps(grams(["yours truly"]), 0.0).held) == 0
    assert index.overlaps(grams(["truly w3 and so on"]), 0.0).held.tolist() == [3]


def test_equal_texts_are_one() -> None:
    held = grams(["A b!", "a, b", "c d"] * 20)
    assert firsts(held.same).tolist() == [0, 0, 2] * 20
    assert Index.of(held).overlaps(grams(["a b"]), 1.0).held.tolist() == [0]


def test_without_spaces_characters_tell() -> None:
    index = Index.of(grams(["今日は天気がいい。"], 3, "character"))
    assert index.overlaps(grams(["昨日は、天気がいい！", "雨"], 3, "character"), 0.5).training.tolist() == [0]


@pytest.mark.parametrize(
    ("text", "words"), [("Don't  stop, NOW!", "don t stop now"), (" Ärger, naïve\n", "ärger naïve"), ("...", "")]
)
def test_plain(text: str, words: str) -> None:
    assert plain(pa.array([text])).to_pylist() == [words]


def test_digests_are_of_whole_texts() -> None:
    one, other, same = digests(pa.array(["ab", "a", "ab"]))
    assert one == same != other
