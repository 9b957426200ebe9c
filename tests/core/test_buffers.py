"""Texts some at a time; loops as machine code: what they call is compiled too, and an edit of it is noticed."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core import buffers
from stages.core.buffers import Texts, compiled, fingerprint
from stages.core.stretches import spaced

FACTOR = 2


def multiplied(value: int) -> int:
    return value * FACTOR


def loop(values: Any) -> None:
    for n in range(len(values)):
        values[n] = multiplied(values[n])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=5), st.integers(1, 12))
def test_it_does_not_matter_how_many_texts_are_in_memory_at_a_time(texts: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffers, "BATCH", size)
        batches = list(Texts.of(texts).batches())
    assert all(len(batch.data) <= size or len(batch.offsets) == 2 for batch in batches)
    found = [batch.data[a:b].tobytes().decode() for batch in batches for a, b in pairwise(batch.offsets)]
    assert found == texts


def test_some_texts_are_chosen() -> None:
    texts = Texts.of(["é", "", "日本", "a"])
    assert texts.those(np.array([True, True, False, True])) == ["é", "", "a"]


def test_a_loop_calls_others() -> None:
    values = np.arange(4)
    compiled(loop)(values)
    assert values.tolist() == [0, 2, 4, 6]


def test_what_it_is_made_from_has_a_name_of_its_own(monkeypatch: Any) -> None:
    before = {fingerprint(loop)}
    monkeypatch.setitem(globals(), "FACTOR", 3)
    before.add(fingerprint(loop))
    monkeypatch.setitem(globals(), "multiplied", lambda value: value)
    before.add(fingerprint(loop))
    assert len(before) == 3
    assert fingerprint(spaced) == fingerprint(spaced)
