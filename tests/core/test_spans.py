"""Spans through an edit of their text: where they were, or nowhere."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Span, Spans
from stages.core.spans import BRACKETS, LETTERS, surfaces, through, wrong

# Letters that repeat, white space, what composes, what is beyond 16 bits; and now and then anything.
CHARACTERS = st.sampled_from(
    [*"aab A\n\u00a0é", "\u0301", "𝕏", "ש", chr(BRACKETS[0]), chr(LETTERS[0])]
) | st.characters(codec="utf-8")
MARKS = st.sampled_from([BRACKETS, LETTERS])


@st.composite
def annotated(draw: Any) -> tuple[str, Spans]:
    """A text with spans that do not overlap, in any order."""
    text = draw(st.text(CHARACTERS, max_size=30))
    ends = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [Span(start, end, f"{start}") for start, end in pairwise(ends) if draw(st.booleans())]
    return text, tuple(draw(st.permutations(spans)))


@given(annotated(), MARKS)
def test_an_edit_that_does_nothing_moves_nothing(drawn: tuple[str, Spans], marks: range):
    text, spans = drawn
    assert wrong(spans, text) is None
    blank = not all(surfaces(text, spans))
    made = through(lambda text: text, text, spans, marks)
    if blank:
        assert made is None
    else:
        assert made is not None and made[0] == text
        assert [span.label for span in made[1] or ()] == [span.label for span in spans]
        assert [text[span.start : span.end] for span in made[1] or ()] == surfaces(text, spans)


@given(annotated(), st.sampled_from(["a", "b", " ", "é"]), st.text(CHARACTERS, max_size=3), MARKS)
def test_what_is_put_in_or_taken_out_moves_what_follows(drawn: tuple[str, Spans], old: str, new: str, marks: range):
    """Where each span stands is known here: behind the edited text that stood before it."""
    text, spans = drawn
    made = through(lambda text: text.replace(old, new), text, spans, marks)
    for before, after in zip(spans, made[1] or (), strict=True) if made else ():
        start = before.end - len(text[before.start : before.end].lstrip())
        inner = text[start : before.end].rstrip().replace(old, new)
        assert after.start == len(text[:start].replace(old, new)) + len(inner) - len(inner.lstrip())
        assert made is not None and made[0][after.start : after.end] == inner.strip()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda text: text.replace("Paris", ""), id="taken out"),
        pytest.param(lambda text: text.encode("ascii", "ignore").decode(), id="taken out, and the marks"),
        pytest.param(lambda text: text + text, id="there twice"),
        pytest.param(lambda text: text[::-1], id="turned round"),
    ],
)
def test_a_span_that_is_lost(edit: Any):
    assert through(edit, "To Paris", (Span(3, 8, "city"),), BRACKETS) is None


def test_of_two_equal_words_the_one_that_goes_takes_its_span_along():
    second = (Span(8, 13, "city"),)
    made = through(lambda text: text.removeprefix("Paris"), "Paris, (Paris)", second, BRACKETS)
    assert made == (", (Paris)", (Span(3, 8, "city"),))
    first = (Span(0, 5, "city"),)
    assert through(lambda text: text[8:], "Paris, (Paris)", first, BRACKETS) is None


def test_more_spans_than_marks_are_lost_and_not_wrong():
    count = len(BRACKETS) // 2 + 1
    assert through(str, "x" * count, tuple(Span(n, n + 1, "") for n in range(count)), BRACKETS) is None


def test_without_spans_the_edit_sees_the_text_as_it_is():
    assert through(str.upper, "a", None, BRACKETS) == ("A", None)
    assert through(str.upper, "a", (), BRACKETS) == ("A", ())


def test_brackets_part_words_and_letters_are_words():
    assert not any(chr(mark).isalnum() or chr(mark).isspace() for mark in BRACKETS)
    assert all(chr(mark).isalnum() and not chr(mark).isupper() for mark in LETTERS)
