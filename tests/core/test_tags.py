"""Tags of tokens and spans of characters: each scheme there and back, and what is wrong is told."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.records import Span, Spans
from stages.core.tags import Scheme, Wrong, places, spans, tags

SCHEMES: list[Scheme] = ["IOB1", "IOB2", "BIOES"]
TOKENS = ["Ada", "Lovelace", "met", "Li", "Bai"]
PLACES = list(places(TOKENS))
ADA, BOTH = Span(0, 12, "PER"), (Span(0, 12, "PER"), Span(17, 23, "PER"))


@st.composite
def tagged(draw: Any) -> tuple[list[tuple[int, int]], Spans]:
    """Tokens with spans of whole ones, some of them neighbours of the same type."""
    tokens = draw(st.lists(st.text(min_size=1, max_size=4), max_size=12))
    found = list(places(tokens))
    cuts = sorted(draw(st.sets(st.integers(0, len(tokens)), max_size=8)))
    label = st.sampled_from(["PER", "creative-work", "B-B", "-", "ט"])
    return found, tuple(
        Span(found[first][0], found[last - 1][1], draw(label)) for first, last in pairwise(cuts) if draw(st.booleans())
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@given(drawn=tagged())
def test_spans_come_back(scheme: Scheme, drawn: tuple[list[tuple[int, int]], Spans]):
    where, given_ = drawn
    found = tags(where, given_, scheme)
    assert not isinstance(found, Wrong)
    assert spans(where, found, scheme) == given_


@pytest.mark.parametrize("scheme", SCHEMES)
@given(given_=st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in "XY")]), max_size=8))
def test_tags_come_back_or_are_wrong(scheme: Scheme, given_: list[str]):
    where = list(places(["x"] * len(given_)))
    found = spans(where, given_, scheme)
    if isinstance(found, Wrong):
        assert 0 <= found.position < len(given_)
    elif scheme != "IOB1":
        assert tags(where, found, scheme) == given_


CASES: list[Any] = [
    ("IOB1", "I-PER I-PER O I-PER I-PER", BOTH),
    ("IOB2", "B-PER I-PER O B-PER I-PER", BOTH),
    ("BIOES", "B-PER E-PER O B-PER E-PER", BOTH),
    ("IOB1", "I-PER B-PER O O O", (Span(0, 3, "PER"), Span(4, 12, "PER"))),
    ("IOB1", "B-PER I-PER O O O", (ADA,)),
    ("IOB1", "I-PER I-ORG O O O", (Span(0, 3, "PER"), Span(4, 12, "ORG"))),
    ("BIOES", "S-PER S-PER O O O", (Span(0, 3, "PER"), Span(4, 12, "PER"))),
    ("IOB2", "O O O O O", ()),
    ("IOB2", "B-PER I-PER I-ORG O O", Wrong(2, "I-ORG after I-PER: not IOB2")),
    ("IOB2", "O I-PER O O O", Wrong(1, "I-PER after O: not IOB2")),
    ("BIOES", "O E-PER O O O", Wrong(1, "E-PER after O: not BIOES")),
    ("BIOES", "B-PER O O O O", Wrong(1, "O after B-PER: not BIOES")),
    ("BIOES", "O O O O B-PER", Wrong(4, "O after B-PER: not BIOES")),
    ("BIOES", "S-PER I-PER O O O", Wrong(1, "I-PER after S-PER: not BIOES")),
    ("IOB2", "S-PER O O O O", Wrong(0, "'S-PER' is no tag of IOB2: O, or one of B, I before -TYPE, is wanted")),
    ("IOB1", "B- O O O O", Wrong(0, "'B-' is no tag of IOB1: O, or one of B, I before -TYPE, is wanted")),
]


@pytest.mark.parametrize(("scheme", "given_", "expected"), CASES)
def test_readings(scheme: Scheme, given_: str, expected: Spans | Wrong):
    assert spans(PLACES, given_.split(), scheme) == expected


def test_an_empty_tag_is_none():
    assert spans(PLACES[:1], [""], "IOB1") == Wrong(
        0, "'' is no tag of IOB1: O, or one of B, I before -TYPE, is wanted"
    )


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((Span(0, 2, "PER"),), Wrong(0, "a span that is not of whole tokens")),
        ((Span(4, 3, "PER"),), Wrong(0, "a span that is not of whole tokens")),
        ((ADA, Span(4, 16, "PER")), Wrong(1, "spans that overlap")),
    ],
)
def test_spans_that_have_no_tags(given_: Spans, expected: Wrong):
    assert tags(PLACES, given_, "IOB2") == expected
