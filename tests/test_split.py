"""Sides and the label budget: what is tied stays together, shares hold, the budget is spent."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages import split
from stages.core.faults import Fault
from stages.split import Item, Params

P = Params(validation=0.1, test=0.3, labels=0, seed=1)
ITEMS = st.lists(
    st.tuples(st.sampled_from(["x", "y", None]), st.lists(st.integers(0, 8), max_size=2)), min_size=1, max_size=30
)


def items(drawn: list[tuple[str | None, list[int]]]) -> list[Item]:
    """Documents with labels and ties."""
    return [Item(f"{n}", label, tuple(f"group {tie}" for tie in ties)) for n, (label, ties) in enumerate(drawn)]


@given(ITEMS)
def test_what_shares_a_tie_is_on_one_side(drawn: list[tuple[str | None, list[int]]]) -> None:
    documents = items(drawn)
    side = split.sides(split.groups(documents), P)
    assert side.keys() == {item.id for item in documents}
    for tie in {tie for item in documents for tie in item.ties}:
        assert len({side[item.id] for item in documents if tie in item.ties}) == 1


def test_ties_reach_through_others_in_order_of_arrival() -> None:
    a, b, c, d = (
        Item("a", None, ("g 1",)),
        Item("b", None, ("g 2",)),
        Item("c", None, ()),
        Item("d", None, ("g 2", "g 1")),
    )
    assert split.groups([a, b, c, d]) == [[a, b, d], [c]]


def test_each_label_is_split_by_the_shares() -> None:
    documents = [Item(f"{label}{n}", label, (f"text {label}{n}",)) for label in "xy" for n in range(200)]
    side = split.sides(split.groups(documents), P)
    for label in "xy":
        sizes = Counter(side[item.id] for item in documents if item.label == label)
        assert sizes == {"train": 120, "validation": 20, "test": 60}


def test_a_large_group_misses_the_shares_by_no_more_than_its_size() -> None:
    documents = [Item(f"{n}", "x", (f"group {n // 7}",)) for n in range(210)]
    sizes = Counter(split.sides(split.groups(documents), P).values())
    assert all(abs(sizes[side] - wanted) <= 7 for side, wanted in (("train", 126), ("validation", 21), ("test", 63)))


def test_another_seed_is_another_split() -> None:
    tied = [[Item(f"{n}", "x", ())] for n in range(50)]
    assert split.sides(tied, P) == split.sides(tied[::-1], P)
    assert split.sides(tied, P) != split.sides(tied, P.model_copy(update={"seed": 2}))


@pytest.mark.parametrize(
    ("labels", "label"), [(["b", "a", "b"], "b"), (["b", "a"], "a"), ([None, "a"], "a"), ([None], "")]
)
def test_a_group_goes_by_its_commonest_label(labels: list[str | None], label: str) -> None:
    assert split.label_of([Item("1", one, ()) for one in labels]) == label


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=20), st.data())
def test_quotas_sum_to_the_budget(counts: dict[str, int], data: st.DataObject) -> None:
    budget = data.draw(st.integers(len(counts), sum(counts.values())))
    quota = split.quotas(counts, budget)
    assert sum(quota.values()) == budget
    assert all(1 <= quota[label] <= count for label, count in counts.items())


def test_the_budget_is_spent_by_hash_and_none_is_no_limit() -> None:
    train = [Item(f"{n}", "x" if n % 4 else "y", ()) for n in range(40)] + [Item("u", None, ())]
    chosen = split.used(train, P.model_copy(update={"labels": 20}))
    assert Counter(item.label for item in train if item.id in chosen) == {"x": 15, "y": 5}
    assert chosen == split.used(train[::-1], P.model_copy(update={"labels": 20}))
    assert len(split.used(train, P)) == 40


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (1, "1 are fewer than the 2 labels; raise it"),
        (2_001, "2,001 wanted, train has 2,000 labelled documents; lower it, or set 0 to use all"),
    ],
)
def test_a_budget_that_can_not_be_spent_is_a_fault(labels: int, message: str) -> None:
    train = [Item(f"{n}", "xy"[n % 2], ()) for n in range(2_000)]
    with pytest.raises(Fault) as fault:
        split.used(train, P.model_copy(update={"labels": labels}))
    assert str(fault.value) == f"params.yaml: split.labels: {message}"


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"validation and test leave nothing to train; lower them"):
        Params(validation=0.5, test=0.5, labels=0, seed=1)


def test_ties_are_group_cluster_and_cleaned_text() -> None:
    assert split.ties("g", None, "A  b") == ("group g", "text a b")
    assert split.ties(None, "c", "") == ("cluster c", "text ")


def test_a_group_that_would_fill_a_side_alone_goes_to_train() -> None:
    large = [Item(f"large {n}", "x", ("group",)) for n in range(11)]
    small = [Item(f"small {n}", "x", ()) for n in range(89)]
    for seed in range(5):
        side = split.sides(split.groups([*large, *small]), P.model_copy(update={"seed": seed}))
        assert {side[item.id] for item in large} == {"train"}
        assert Counter(side.values()) == {"train": 60, "validation": 10, "test": 30}


def test_validation_and_test_get_groups_of_the_same_size() -> None:
    documents = [Item(f"{n} {m}", "x", (f"group {n}",)) for n in range(400) for m in range(1 + n % 8)]
    tied = split.groups(documents)
    side = split.sides(tied, P)
    sizes = {name: [len(group) for group in tied if side[group[0].id] == name] for name in ("validation", "test")}
    mean = {name: sum(found) / len(found) for name, found in sizes.items()}
    assert abs(mean["validation"] - mean["test"]) < 1


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ([(None, [1])], "no document has a label; two labels are needed: label more, or mend ingest.sources"),
        (
            [("x", [n]) for n in range(9)],
            "all labels are 'x'; two labels are needed: label more, or mend ingest.sources",
        ),
    ],
)
def test_fewer_than_two_labels_are_a_fault(drawn: list[tuple[str | None, list[int]]], message: str) -> None:
    with pytest.raises(Fault) as fault:
        settled(drawn)
    assert str(fault.value) == message


def settled(drawn: list[tuple[str | None, list[int]]]) -> None:
    """The check of labels and sides, on documents with ties."""
    tied = split.groups(items(drawn))
    split.enough(tied, split.sides(tied, P))


REMEDY = "label more of them, merge them with others at the source, or take them away"


def test_all_labels_that_a_side_lacks_are_told_at_once() -> None:
    plenty: list[tuple[str | None, list[int]]] = [(label, []) for label in "xy" for _ in range(40)]
    few: list[tuple[str | None, list[int]]] = [("one", []), ("two", []), ("two", []), ("tied", [1]), ("tied", [1])]
    mixed: list[tuple[str | None, list[int]]] = [("x", [2]), ("x", [2]), ("lost", [2])]
    settled([*plenty, *[("three", [])] * 3])
    with pytest.raises(Fault) as fault:
        settled([*plenty, *few, *mixed])
    assert str(fault.value).splitlines() == [
        f"4 of 6 labels are not on all sides; {REMEDY}:",
        "  'lost': 1 document in 1 group, none for train and test",
        "  'one': 1 document in 1 group, none for validation and test",
        "  'tied': 2 documents in 1 group, none for validation and test",
        "  'two': 2 documents in 2 groups, none for test",
    ]


def test_many_labels_that_a_side_lacks_are_cut() -> None:
    with pytest.raises(Fault) as fault:
        settled([(f"{n:02}", []) for n in range(12)])
    first, *lines, last = str(fault.value).splitlines()
    assert first == f"12 of 12 labels are not on all sides; {REMEDY}:"
    assert len(lines) == 10 and last == "  and 2 more"


def placed(*documents: Item, p: Params = P) -> tuple[dict[str, str], dict[str, str | None]]:
    """Sides of the groups with a given side; and of those that go, for whom."""
    side_of, drops = split.settled(split.groups(documents))
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


@given(ITEMS, st.lists(st.sampled_from([None, "train", "validation", "test"]), min_size=30, max_size=30))
def test_no_tie_straddles_training_and_what_is_given(
    drawn: list[tuple[str | None, list[int]]], given_: list[str | None]
):
    documents = [Item(one.id, one.label, one.ties, side) for one, side in zip(items(drawn), given_, strict=False)]
    side_of, drops = placed(*documents)
    for item in documents:
        if item.given in ("validation", "test"):
            assert side_of[item.id] == item.given
        elif item.given == "train":
            assert side_of.get(item.id, "gone") == ("gone" if item.id in drops else "train")
        for other in documents:
            if set(item.ties) & set(other.ties) and other.given in ("validation", "test"):
                assert side_of.get(item.id) != "train"


def test_shares_of_nothing_make_no_side() -> None:
    tied = [[Item(f"{n}", "x", ())] for n in range(50)]
    none = P.model_copy(update={"test": 0.0})
    assert Counter(split.sides(tied, none).values()) == {"train": 45, "validation": 5}
