"""What brute force says of near-duplicates, and of the decisions about them."""

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import nearness
from stages.core.nearness import Pairs, Sets
from stages.core.planted import EDITS

SETS = st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=6)
TEXT = "In 1987, Zoë’s café had 12 tables: not one of them, as they say, was ever free on a Sunday before noon."


def stored(drawn: list[set[int]]) -> Sets:
    """Sets one after the other."""
    hashes = np.array([one for each in drawn for one in sorted(each)], np.uint64)
    return Sets(hashes, np.cumsum([0, *map(len, drawn)]))


@given(SETS, SETS, st.sampled_from([0.1, 0.5, 1.0]), st.integers(1, 30))
def test_all_pairs_that_are_alike_are_found(
    sample: list[set[int]], texts: list[set[int]], floor: float, cells: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearness, "CELLS", cells)
        found = nearness.alike(stored(sample), stored(texts), floor)
    every = {
        (n, m): len(one & other) / len(one | other)
        for (n, one), (m, other) in product(enumerate(sample), enumerate(texts))
    }
    near = {pair: jaccard for pair, jaccard in every.items() if jaccard >= floor}
    assert {(n, m): jaccard for n, m, jaccard in zip(*map(list, found), strict=True)} == near


def test_decisions_are_judged() -> None:
    """Of five documents the last four are looked at: 1 went for 0, 2 for nothing, 3 is still there beside 0, and 4 is
    held, as a test set is."""
    pairs = Pairs(np.array([0, 1, 2, 3]), np.array([0, 3, 0, 0]), np.array([0.9, 0.9, 0.8, 0.9]))
    kept, held = np.array([True, False, False, True, True]), np.array([False] * 4 + [True])
    met = np.array([True, True, False, True])
    assert nearness.judged(pairs, met, kept, held, np.array([1, 2, 3, 4]), 0.8) == {
        "documents": 4,
        "removed": 2,
        "removed_without_reason": 0.5,
        "kept_despite_one": 1.0,
        "pairs": 4,
        "recall": 0.75,
    }
    assert nearness.swept(pairs, met, 0.9, 7) == {"threshold": 0.9, "removed": 7, "pairs": 3, "recall": 1.0}


def test_of_nothing_there_is_no_share() -> None:
    assert nearness.share(np.zeros(0, bool)) is None


def test_clusters_are_counted_with_what_was_removed() -> None:
    kept = np.array([True, False, True, True, False])
    assert nearness.clusters(np.array([0, 0, 0, 3, 0]), kept, ["a", "b", "c", "d", "e"]) == [
        {"first": "a", "documents": 4, "kept": 2}
    ]


def test_lines_of_several_documents_are_named() -> None:
    texts = ["Cookies?\n  All  rights reserved", "Text\nAll rights reserved\nCookies?", "Cookies?", "Text\nmore"]
    assert nearness.lines(texts) == [
        {"line": "All rights reserved", "share": 0.5},
        {"line": "Cookies?", "share": 0.5},
        {"line": "Text", "share": 0.5},
    ]


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_makes_another_text_and_always_the_same(edit: str) -> None:
    made = {EDITS[edit](TEXT, random.Random(1)) for _ in range(3)}
    assert len(made) == 1 and made != {TEXT}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_take_every_text(edit: str) -> None:
    for text in ("", " ", "a", "\n", "日本"):
        assert isinstance(EDITS[edit](text, random.Random(1)), str)
