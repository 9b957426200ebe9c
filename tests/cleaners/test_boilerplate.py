"""Boilerplate: declared lines go, wherever they stand, and nothing else does."""

import pytest

from stages.cleaners import boilerplate
from stages.shell.params import Checked

P = boilerplate.Params(lines=("All rights  reserved.", "Menu"))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Menu\nA text.\n  ALL rights reserved. \n", "A text.\n"),
        ("A menu.\r\n\nAll rights reserved. Or not.", "A menu.\r\n\nAll rights reserved. Or not."),
        ("Menu\r\nA text.", "A text."),
        ("menu", ""),
        ("", ""),
    ],
)
def test_whole_lines_go(text: str, cleaned: str) -> None:
    assert boilerplate.clean(text, P) == cleaned


@pytest.mark.parametrize("line", ["", "  ", "two\nlines"])
def test_a_line_is_one_line_with_something_in_it(line: str) -> None:
    checked = Checked({})
    assert checked.typed(boilerplate.Params, {"lines": (line,)}, "cleaners.boilerplate") is None
    assert checked.faults == [f"cleaners.boilerplate.lines[0]: one line with a word is wanted, not {line!r}"]
