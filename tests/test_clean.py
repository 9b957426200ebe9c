"""Cleaning: the declared steps in the declared order; what has no letter left goes with a reason."""

from typing import Any

from stages import clean
from stages.clean import Params
from stages.cleaners import mask
from stages.core.params import Section
from stages.core.records import Document, Drop

SETTINGS: dict[str, Any] = {
    "mask": mask.Params(terms=("numpy", "np"), token="library"),
    "whitespace": Section(),
    "markup": Section(),
}


def document(text: str) -> Document:
    return Document("1", text, "label", "docs", None, None, {})


def test_steps_come_in_the_declared_order() -> None:
    p = Params(steps=("markup", "mask", "whitespace"), settings=SETTINGS)
    assert clean.clean("Use  :func:`dot` of\n``np``.", p) == "Use dot of library."
    assert clean.clean("a  b", Params(steps=(), settings={})) == "a  b"


def test_what_has_no_letter_left_is_dropped_with_a_reason() -> None:
    p = Params(steps=("whitespace",), settings=SETTINGS)
    texts = ["日本", "é", "12 + 3", "", "…"]
    documents = [document(text)._replace(id=str(n)) for n, text in enumerate(texts)]
    kept, dropped = clean.cleaned(documents, p)
    assert [one.text for one in kept] == ["日本", "é"]
    assert dropped == [Drop(one, "no letter left after cleaning") for one in "234"]


def test_only_the_text_changes_and_the_label_is_not_read() -> None:
    p = Params(steps=("mask",), settings=SETTINGS)
    before = document("numpy arrays")
    (after,), _ = clean.cleaned([before], p)
    assert after == before._replace(text="library arrays")
    (other,), _ = clean.cleaned([before._replace(label="numpy")], p)
    assert other.text == after.text and other.label == "numpy"
