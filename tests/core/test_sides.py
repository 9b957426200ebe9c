"""Sides and sizes: what is tied stays together, what is given stays as it is, sizes are of one kind."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.core.faults import Fault
from stages.core.sides import Item, Sizes, dealt, groups, label_of, moment, settled

SHARES = {"train": 0.6, "validation": 0.1, "test": 0.3}
ITEMS = st.lists(
    st.tuples(
        st.sampled_from(["x", "y", None]),
        st.lists(st.integers(0, 8), max_size=2),
        st.sampled_from([None, None, "train", "validation", "test"]),
    ),
    min_size=1,
    max_size=30,
).map(
    lambda drawn: [
        Item(f"{n}", label, tuple(f"group {tie}" for tie in ties), given)
        for n, (label, ties, given) in enumerate(drawn)
    ]
)


@given(ITEMS)
def test_what_shares_a_tie_is_in_one_part(items: list[Item]) -> None:
    part_of = dealt(groups(items), SHARES, 1)
    assert part_of.keys() == {item.id for item in items}
    for tie in {tie for item in items for tie in item.ties}:
        assert len({part_of[item.id] for item in items if tie in item.ties}) == 1


def test_ties_reach_through_others_in_order_of_arrival() -> None:
    a, b, c, d = Item("a", ties=("g 1",)), Item("b", cluster="2"), Item("c"), Item("d", ties=("g 1",), cluster="2")
    assert groups([a, b, c, d]) == [[a, b, d], [c]]


def test_a_large_group_misses_the_shares_by_no_more_than_its_size() -> None:
    items = [Item(f"{n}", "x", (f"group {n // 7}",)) for n in range(210)]
    sizes = Counter(dealt(groups(items), SHARES, 1).values())
    assert all(abs(sizes[side] - wanted) <= 7 for side, wanted in (("train", 126), ("validation", 21), ("test", 63)))


def test_another_seed_is_another_split() -> None:
    tied = [[Item(f"{n}", "x")] for n in range(50)]
    assert dealt(tied, SHARES, 1) == dealt(tied[::-1], SHARES, 1)
    assert dealt(tied, SHARES, 1) != dealt(tied, SHARES, 2)


@pytest.mark.parametrize(
    ("labels", "label"), [(["b", "a", "b"], "b"), (["b", "a"], "a"), ([None, "a"], "a"), ([None], "")]
)
def test_a_group_goes_by_its_commonest_label(labels: list[str | None], label: str) -> None:
    assert label_of([Item("1", one) for one in labels]) == label


def test_a_group_that_would_fill_a_side_alone_goes_to_train() -> None:
    large = [Item(f"large {n}", "x", ("group",)) for n in range(11)]
    small = [Item(f"small {n}", "x") for n in range(89)]
    for seed in range(5):
        side = dealt(groups([*large, *small]), SHARES, seed)
        assert {side[item.id] for item in large} == {"train"}
        assert Counter(side.values()) == {"train": 60, "validation": 10, "test": 30}


def test_validation_and_test_get_groups_of_the_same_size() -> None:
    tied = groups([Item(f"{n} {m}", "x", (f"group {n}",)) for n in range(400) for m in range(1 + n % 8)])
    side = dealt(tied, SHARES, 1)
    sizes = {name: [len(group) for group in tied if side[group[0].id] == name] for name in ("validation", "test")}
    mean = {name: sum(found) / len(found) for name, found in sizes.items()}
    assert abs(mean["validation"] - mean["test"]) < 1


def test_shares_of_nothing_make_no_side() -> None:
    tied = [[Item(f"{n}", "x")] for n in range(50)]
    assert Counter(dealt(tied, {"train": 0.9, "validation": 0.1, "test": 0.0}, 1).values()) == {
        "train": 45,
        "validation": 5,
    }


def placed(*items: Item) -> tuple[dict[str, str], dict[str, str | None]]:
    """Sides of the groups with a given side; and of those that go, for whom."""
    side_of, drops = settled(groups(items))
    assert not side_of.keys() & drops.keys()
    return side_of, {one: drop.of for one, drop in drops.items()}


def test_a_side_that_a_source_gives_is_kept_and_its_twins_in_training_go() -> None:
    twin, other = ("text same",), ("text other",)
    assert placed(
        Item("a", "x", twin),
        Item("b", "x", twin, "test"),
        Item("c", "x", (*twin, *other), "train"),
        Item("d", "x", other, "validation"),
        Item("e", "x", ("text far",)),
    ) == ({"b": "test", "d": "validation"}, {"a": "b", "c": "b"})


def test_what_is_tied_to_given_training_documents_is_training() -> None:
    assert placed(Item("a", "x", ("g",)), Item("b", None, ("g",), "train")) == ({"a": "train", "b": "train"}, {})


@given(ITEMS)
def test_no_tie_straddles_training_and_what_is_given(items: list[Item]):
    side_of, drops = placed(*items)
    for item in items:
        if item.given in ("validation", "test"):
            assert side_of[item.id] == item.given
        elif item.given == "train":
            assert side_of.get(item.id, "gone") == ("gone" if item.id in drops else "train")
        for other in items:
            if set(item.ties) & set(other.ties) and other.given in ("validation", "test"):
                assert side_of.get(item.id) != "train"


WANTED = 'a share such as 0.1, a count such as 500 or, for method temporal, a date such as "2026-01-31" is wanted'


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (0.5, 0.5, "validation and test leave nothing to train; lower them"),
        (0.1, 500, "validation 0.1 is a share and test 500 is a count; give both in the same way"),
        ("2026", 5, "validation '2026' is a date and test 5 is a count; give both in the same way"),
        (1.0, 0, f"{WANTED}, not 1.0"),
        (-1, 0, f"{WANTED}, not -1"),
        (True, 0, f"{WANTED}, not True"),
        ("half", 0, f"{WANTED}, not 'half'"),
        (None, 0, f"{WANTED}, not None"),
    ],
)
def test_sizes_that_are_none_are_refused(validation: Any, test: Any, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Sizes(validation=validation, test=test)
    assert [str(one["ctx"]["error"]) for one in error.value.errors() if "ctx" in one] == [message]


def test_nothing_goes_with_any_kind_of_size() -> None:
    assert Sizes(validation=0, test=0.2).shares(10) == {"train": 0.8, "validation": 0, "test": 0.2}
    assert Sizes(validation=0.0, test=2).shares(10) == {"train": 0.8, "validation": 0.0, "test": 0.2}


def test_counts_that_leave_nothing_are_a_fault() -> None:
    with pytest.raises(Fault) as fault:
        Sizes(validation=500, test=1_000).shares(1_500)
    assert str(fault.value) == (
        "params.yaml: split: validation 500 and test 1,000 leave nothing to train of 1,500 documents without a side; "
        "lower them"
    )


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2025", "2025-01-02"),
        ("2025-03", "2025-03-02"),
        ("20250301", "2025-03-01T00:00:01"),
        ("2025-03-01T12:00:00+02:00", "2025-03-01T11:00:00Z"),
    ],
)
def test_dates_of_all_lengths_are_compared(earlier: str, later: str) -> None:
    one, other = moment(earlier), moment(later)
    assert one and other and one < other


@pytest.mark.parametrize("text", [None, "", "yesterday", "01/02/2025", "2025-13", "12"])
def test_what_is_no_date(text: str | None) -> None:
    assert moment(text) is None
