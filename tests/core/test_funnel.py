"""The funnel: every document that comes to a stage is in exactly one of kept and dropped, or it is a bug."""

import pytest

from stages.core.funnel import Passage, Step
from stages.core.records import Drop

GONE = (Drop("b", "too short"),)


def test_a_passage_counts_its_reasons() -> None:
    passage = Passage("filter", ["a", "b"], ["a"], GONE).checked()
    assert passage.step == Step("filter", 2, 1, {"too short": 1}, {})


def test_children_come_on_top() -> None:
    passage = Passage("augment", ["a"], ["a", "child"], added=["child"]).checked()
    assert passage.step == Step("augment", 1, 2, {}, {"made from these": 1})


@pytest.mark.parametrize(
    ("left", "gone", "message"),
    [
        (["a"], (), "filter: 1 documents not in exactly one of kept and dropped, e.g. b"),
        (["a", "b"], GONE, "filter: 1 documents not in exactly one of kept and dropped, e.g. b"),
        (["a", "c"], GONE, "filter: 1 documents not in exactly one of kept and dropped, e.g. c"),
        (["a", "a"], GONE, "filter: 0 documents not in exactly one of kept and dropped$"),
    ],
)
def test_a_document_that_nobody_accounts_for_is_a_bug(left: list[str], gone: tuple[Drop, ...], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        Passage("filter", ["a", "b"], left, gone).checked()
