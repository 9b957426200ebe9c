"""Children: a declared share, from a document's own numbers, each with its origin."""

from typing import Any

import pytest

from stages.augment import Params, children
from stages.augmenters import random_word
from stages.core.hashing import uniform
from stages.core.labels import used
from stages.core.records import Document, Span
from stages.core.sides import Item

DOCUMENTS = [
    Document(f"{n:x}", f"{n} solve a linear system of equations", "x", "docs", None, "g", {}) for n in range(40)
]


def p(share: float, action: str = "swap") -> Params:
    settings: Any = {"random_word": random_word.Params.model_validate({"action": action, "share": 0.3})}
    return Params(method="random_word", share=share, seed=1, settings=settings)


def test_a_child_does_not_depend_on_who_came_before() -> None:
    forward, backward = list(children(DOCUMENTS, p(1.0))), list(children(DOCUMENTS[::-1], p(1.0)))
    assert forward == backward[::-1] and len(forward) > 30
    assert list(children(DOCUMENTS, p(1.0).model_copy(update={"seed": 2}))) != forward


def test_a_child_names_its_origin_and_keeps_the_rest() -> None:
    origins = {one.id: one for one in DOCUMENTS}
    born = list(children(DOCUMENTS, p(1.0)))
    for child in born:
        origin = origins[child.origin or ""]
        assert child == origin._replace(id=child.id, text=child.text, origin=origin.id) and child.text != origin.text
    assert len({child.id for child in born} - origins.keys()) == len(born)


def test_the_share_is_drawn_per_document() -> None:
    half = {child.origin for child in children(DOCUMENTS, p(0.5))}
    assert 10 < len(half) < 30
    assert half < {child.origin for child in children(DOCUMENTS, p(1.0))}
    assert list(children(DOCUMENTS, p(0.0))) == []


def test_no_child_where_nothing_changed() -> None:
    assert list(children([DOCUMENTS[0]._replace(text="word")], p(1.0))) == []
    assert list(children([DOCUMENTS[0]._replace(text="")], p(1.0, "delete"))) == []


def test_whom_the_label_budget_picks_says_nothing_of_who_gets_a_child() -> None:
    labelled = [Item(f"{n:x}", "x", ()) for n in range(4000)]
    chosen = used(labelled, 1000, 1)
    drawn = [one for one in chosen if uniform("augment", one, 1) < 0.2]
    assert 150 < len(drawn) < 250


@pytest.mark.parametrize("action", ["swap", "delete"])
def test_spans_go_along_or_there_is_no_child(action: str) -> None:
    """A word can move, or go; two words can be torn."""
    words = ("linear", "system of")
    places = [one.text.index(word) for one in DOCUMENTS for word in words]
    starts = zip(places[::2], places[1::2], strict=True)
    documents = [
        one._replace(spans=tuple(Span(at, at + len(word), word) for at, word in zip(places, words, strict=True)))
        for one, places in zip(DOCUMENTS, starts, strict=True)
    ]
    born = list(children(documents, p(1.0, action)))
    assert 1 < len(born) < 30
    assert all([child.text[span.start : span.end] for span in child.spans or ()] == list(words) for child in born)
    assert all(child.text.isascii() for child in born)
