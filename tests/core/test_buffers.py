"""Loops as machine code: what they call is compiled too, and an edit of it is noticed."""

from typing import Any

import numpy as np

from stages.core.buffers import compiled, fingerprint
from stages.core.stretches import spaced

FACTOR = 2


def multiplied(value: int) -> int:
    return value * FACTOR


def loop(values: Any) -> None:
    for n in range(len(values)):
        values[n] = multiplied(values[n])


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
