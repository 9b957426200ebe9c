"""The label budget is spent by shares, and no label is missing anywhere."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.faults import Fault
from stages.core.labels import enough, quotas, used
from stages.core.sides import Item, groups
from stages.splitters import stratified
from tests.splits import parameters

REMEDY = "label more of them, merge them with others at the source, or take them away"


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=20), st.data())
def test_quotas_sum_to_the_budget(counts: dict[str, int], data: st.DataObject) -> None:
    budget = data.draw(st.integers(len(counts), sum(counts.values())))
    quota = quotas(counts, budget)
    assert sum(quota.values()) == budget
    assert all(1 <= quota[label] <= count for label, count in counts.items())


def test_the_budget_is_spent_by_hash_and_none_is_no_limit() -> None:
    train = [Item(f"{n}", "x" if n % 4 else "y") for n in range(40)] + [Item("u")]
    chosen = used(train, 20, 1)
    assert Counter(item.label for item in train if item.id in chosen) == {"x": 15, "y": 5}
    assert chosen == used(train[::-1], 20, 1)
    assert len(used(train, 0, 1)) == 40


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (1, "1 are fewer than the 2 labels; raise it"),
        (2_001, "2,001 wanted, train has 2,000 labelled documents; lower it, or set 0 to use all"),
    ],
)
def test_a_budget_that_can_not_be_spent_is_a_fault(labels: int, message: str) -> None:
    with pytest.raises(Fault) as fault:
        used([Item(f"{n}", "xy"[n % 2]) for n in range(2_000)], labels, 1)
    assert str(fault.value) == f"params.yaml: split.labels: {message}"


def checked(*drawn: tuple[str | None, str]) -> None:
    """The check of documents, each with a label and a tie."""
    items = [Item(f"{n}", label, (tie or f"{n}",)) for n, (label, tie) in enumerate(drawn)]
    sizes = parameters(validation=0.1, test=0.3)
    enough(groups(items), stratified.sides(items, sizes, sizes, 1).side_of)


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([(None, "")], "no document has a label; two labels are needed: label more, or mend ingest.sources"),
        ([("x", "")] * 9, "all labels are 'x'; two labels are needed: label more, or mend ingest.sources"),
    ],
)
def test_fewer_than_two_labels_are_a_fault(drawn: list[tuple[str | None, str]], message: str) -> None:
    with pytest.raises(Fault) as fault:
        checked(*drawn)
    assert str(fault.value) == message


def test_all_labels_that_a_side_lacks_are_told_at_once() -> None:
    plenty = [(label, "") for label in "xy" for _ in range(40)]
    few = [("one", ""), ("two", ""), ("two", ""), ("tied", "a"), ("tied", "a")]
    mixed = [("x", "b"), ("x", "b"), ("lost", "b")]
    checked(*plenty, *[("three", "")] * 3)
    with pytest.raises(Fault) as fault:
        checked(*plenty, *few, *mixed)
    assert str(fault.value).splitlines() == [
        f"4 of 6 labels are not on all sides; {REMEDY}:",
        "  'lost': 1 document in 1 group, none for train and test",
        "  'one': 1 document in 1 group, none for validation and test",
        "  'tied': 2 documents in 1 group, none for validation and test",
        "  'two': 2 documents in 2 groups, none for test",
    ]


def test_many_labels_that_a_side_lacks_are_cut() -> None:
    with pytest.raises(Fault) as fault:
        checked(*[(f"{n:02}", "") for n in range(12)])
    first, *lines, last = str(fault.value).splitlines()
    assert first == f"12 of 12 labels are not on all sides; {REMEDY}:"
    assert len(lines) == 10 and last == "  and 2 more"
