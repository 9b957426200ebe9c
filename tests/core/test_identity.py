"""Ids over the parts of a source, however its rows are spread over them."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stages.core import identity
from stages.core.hashing import document_id
from stages.core.records import Row, Span, schema, tabled, texts_of

# A key, or the content of a row that has none; few of each, so that they repeat.
Key = tuple[str | None, int]
ROWS = st.lists(st.tuples(st.none(), st.integers(1, 4)) | st.tuples(st.sampled_from("ab"), st.just(0)), max_size=30)


def numbered(part: Sequence[Key]) -> tuple[list[str], list[int]]:
    """Ids and contents of a part by itself; a key that came before is left out, as ingest does."""
    first = [(key, content) for n, (key, content) in enumerate(part) if key is None or (key, content) not in part[:n]]
    found = identity.ids("s", [key for key, _ in first], [content for _, content in first], Counter())
    return found, [content for _, content in first]


def over(parts: Sequence[Sequence[Key]]) -> list[list[str]]:
    """The ids of all parts after they were numbered again."""
    each = [numbered(part) for part in parts]
    contents = [np.array(hashes, dtype=np.uint64) for _, hashes in each]
    found = [list[str | None](ids) for ids, _ in each]
    for part, changes in identity.renumbered("s", [identity.as_numbers(ids) for ids, _ in each], contents):
        for row, id_ in changes.items():
            assert found[part][row] != id_
            found[part][row] = id_
    return [[one for one in part if one is not None] for part in found]


def spread(rows: Sequence[Key], cuts: Sequence[int]) -> list[Sequence[Key]]:
    places = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    return [rows[start:end] for start, end in pairwise(places)]


@given(ROWS, st.lists(st.integers(0, 30), max_size=4), st.randoms(use_true_random=False))
def test_the_ids_are_the_same_however_rows_are_spread_over_parts(rows: list[Key], cuts: list[int], drawn: Random):
    whole = [one for part in over([rows]) for one in part]
    parted = [one for part in over(spread(rows, cuts)) for one in part]
    assert parted == whole
    assert len(set(whole)) == len(whole)
    drawn.shuffle(shuffled := list(rows))
    assert {one for part in over(spread(shuffled, cuts)) for one in part} == set(whole)


def test_a_repeat_in_another_part_is_numbered_and_a_key_there_goes():
    first, second = over([[(None, 7), ("a", 0)], [(None, 7), ("a", 0), ("b", 0)]])
    assert first == [document_id("s", 7, 1), document_id("s", "a")]
    assert second == [document_id("s", 7, 2), document_id("s", "b")]


def test_no_parts_no_changes():
    assert list(identity.renumbered("s", [], [])) == []
    assert over([[], []]) == [[], []]


def test_the_order_of_arrival_numbers_equal_rows():
    seen: Counter[int] = Counter()
    assert identity.ids("s", [None, "k", None], [5, 0, 5], seen) == [
        document_id("s", 5, 1),
        document_id("s", "k"),
        document_id("s", 5, 2),
    ]


def contents(*rows: Row) -> list[int]:
    return identity.contents(tabled(rows, schema(texts_of("year", "none"), Row._fields)))


BARE = Row(None, "text", None, None, {"year": None, "none": None})


def test_each_field_counts_and_the_key_does_not():
    others = [
        BARE._replace(text="other"),
        BARE._replace(label="x"),
        BARE._replace(labels=("x",)),
        BARE._replace(labels=()),
        BARE._replace(pair="x"),
        BARE._replace(targets=("x",)),
        BARE._replace(group="x"),
        BARE._replace(split="test"),
        BARE._replace(spans=()),
        BARE._replace(spans=(Span(0, 1, "x"),)),
        BARE._replace(attributes={"year": "x", "none": None}),
        BARE._replace(attributes={"year": None, "none": "x"}),
    ]
    assert len(set(contents(BARE, *others))) == len(others) + 1
    assert contents(BARE._replace(key="k")) == contents(BARE)


def test_rows_count_the_same_alone_and_among_others():
    """Columns that are empty in one part may be filled in another."""
    rich = Row(None, "a", "b", "c", {"year": "d", "none": "e"}, (Span(0, 1, "x"),), ("f",), "g", ("h",), "test")
    assert contents(BARE, rich) == [*contents(BARE), *contents(rich)]


def test_a_field_that_is_none_is_as_one_that_is_not_there():
    (bare,) = contents(BARE)
    table = pa.table({"text": ["text"], "attributes": pa.array([{"none": None}], texts_of())})
    assert identity.contents(table) == [bare]


def test_a_part_of_a_table_counts_as_it_does_in_the_whole():
    rows = tabled(
        [BARE._replace(attributes={"year": f"{n}", "none": None}) for n in range(5)],
        schema(texts_of("year", "none"), Row._fields),
    )
    assert identity.contents(rows.slice(2, 2)) == identity.contents(rows)[2:4]
    assert identity.contents(rows.slice(0, 0)) == []
