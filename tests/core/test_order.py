"""What may not depend on the order in which documents come, whichever stage decides it."""

import random
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages import ingest
from stages.core import minhash
from stages.core.labels import used
from stages.core.records import Row, Span, texts_of
from stages.core.sides import Item, dealt, groups

SHARES = {"train": 0.5, "validation": 0.2, "test": 0.3}
DRAWN = st.tuples(st.sampled_from(["x", "y", None]), st.lists(st.sampled_from("abcde"), max_size=2))
FIELDS = st.text(st.sampled_from("a\0="), max_size=3)
SPANS = st.sampled_from([None, (), (Span(0, 1, "x"),)])
# A field that is empty is none: no source tells the two apart.
OPTIONAL = st.none() | FIELDS.filter(bool)
ROWS = st.builds(Row, st.none(), FIELDS, OPTIONAL, OPTIONAL, st.fixed_dictionaries({"a": FIELDS}), SPANS)


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[list[Item], list[Item]]:
    """Documents with labels and ties, and the same ones in another order."""
    drawn = draw(st.lists(DRAWN, min_size=1, max_size=25))
    items = [Item(f"{n}", label, tuple(ties)) for n, (label, ties) in enumerate(drawn)]
    return items, draw(st.permutations(items))


@given(shuffled())
def test_who_is_tied_to_whom(orders: tuple[list[Item], list[Item]]):
    one, other = ({frozenset(group) for group in groups(items)} for items in orders)
    assert one == other


@given(shuffled(), st.randoms(use_true_random=False))
def test_the_side_of_a_group(orders: tuple[list[Item], list[Item]], rng: random.Random):
    """Its first document stands for it, so that one has to stay the first."""
    tied = groups(orders[0])
    other = [[group[0], *rng.sample(group[1:], len(group) - 1)] for group in rng.sample(tied, len(tied))]
    assert dealt(other, SHARES, 1) == dealt(tied, SHARES, 1)


@given(shuffled(), st.data())
def test_which_labelled_documents_are_used(orders: tuple[list[Item], list[Item]], data: st.DataObject):
    label_of = {item.id: item.label for item in orders[0] if item.label is not None}
    budget = data.draw(st.integers(len(set(label_of.values())), len(label_of)))
    one, other = (used(items, budget, 1) for items in orders)
    assert one == other
    assert one <= label_of.keys() and len(one) == (budget or len(label_of))


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=1, max_size=12), st.data())
def test_which_documents_are_compared(signatures: list[tuple[int, ...]], data: st.DataObject):
    order = data.draw(st.permutations(range(len(signatures))))
    matrix = np.array(signatures, dtype=np.uint32)
    pairs = compared(minhash.keys(matrix[order], bands=2))
    assert {frozenset(order[n] for n in pair) for pair in pairs} == compared(minhash.keys(matrix, bands=2))


def compared(keys: minhash.Hashes) -> set[frozenset[int]]:
    """Who is in a bucket with whom."""
    members: dict[int, set[int]] = {}
    for document, row in enumerate(minhash.buckets(keys).tolist()):
        for bucket in row:
            members.setdefault(bucket, set()).add(document)
    members.pop(-1, None)
    return {frozenset(pair) for bucket in members.values() for pair in combinations(bucket, 2)}


@given(st.lists(ROWS, max_size=8), st.data())
def test_the_ids_of_rows_without_a_key(rows: list[Row], data: st.DataObject):
    """Equal rows are numbered as they come, so that their ids are the same ones in any order; and never the same."""
    rows = [row for row in rows if ingest.refused(row) is None]
    one, other = documents(rows), documents(data.draw(st.permutations(rows)))
    assert len({document["id"] for document in one}) == len(rows)
    assert sorted(one, key=lambda document: document["id"]) == sorted(other, key=lambda document: document["id"])


def documents(rows: list[Row]) -> list[dict[str, Any]]:
    """The rows with their ids."""
    chunk = ingest.Counted(texts_of("a"), "s").of_rows(rows)
    return ingest.Numbered("s").documents(chunk).to_pylist()
