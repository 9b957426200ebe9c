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
from stages.core.hashing import document_id, stable_hash
from stages.core.records import Row, Span, schema, tabled, texts_of

# A key, or the content of a row that has none; few of each, so that they repeat.
Key = tuple[str | None, str]
ROWS = st.lists(st.tuples(st.none() | st.sampled_from("ab"), st.sampled_from("xyz")), max_size=30)


def table(rows: Sequence[Key]) -> pa.Table:
    return tabled((Row(key, text, None, None, {}) for key, text in rows), schema(texts_of(), Row._fields))


def numbered(part: Sequence[Key]) -> tuple[identity.Numbers, identity.Flags, list[int]]:
    """A part by itself, as ingest does it: numbers, which have a key, and ids; a key that came before is left out."""
    numbers, keyed = identity.identified("s", table(part))
    ids, before = numbers.copy(), identity.again(numbers, set())
    ids[before] = identity.repeated("s", numbers[before].tolist(), Counter())
    stay = [row for row in range(len(part)) if not (keyed[row] and row in before)]
    return numbers[stay], keyed[stay], ids[stay].tolist()


def over(parts: Sequence[Sequence[Key]]) -> list[list[int]]:
    """The ids of all parts after they were numbered again."""
    each = [numbered(part) for part in parts]
    found = [list[int | None](ids) for _, _, ids in each]
    for part, changes in identity.renumbered("s", [one for one, _, _ in each], [keyed for _, keyed, _ in each]):
        for row, new in changes.items():
            assert found[part][row] != new
            found[part][row] = new if isinstance(new, int) else None
            if not isinstance(new, int):
                assert each[part][0][row] == each[new[0]][0][new[1]]
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
    first, second = over([[(None, "x"), ("a", "x")], [(None, "x"), ("a", "x"), ("b", "x")]])
    content = stable_hash("s", "", "text=x")
    assert first == [content, stable_hash("s", "a")]
    assert second == [stable_hash("s", content, 2), stable_hash("s", "b")]


def test_no_parts_no_changes():
    assert list(identity.renumbered("s", [], [])) == []
    assert over([[], []]) == [[], []]


@given(ROWS)
def test_ids_of_keys_are_those_of_one_key_alone(rows: list[Key]):
    numbers, keyed = identity.identified("s", table(rows))
    assert keyed.tolist() == [key is not None for key, _ in rows]
    expected = [document_id("s", *(("", f"text={text}") if key is None else (key,))) for key, text in rows]
    ids = identity.as_ids(numbers)
    assert ids.to_pylist() == expected
    for cut in range(len(rows) + 1):
        assert identity.as_numbers(pa.chunked_array([ids[:cut], ids[cut:]])).tolist() == numbers.tolist()


def test_what_came_before_is_told_within_a_part_and_over_them():
    seen = set[int]()
    assert identity.again(np.array([1, 2, 3], np.uint64), seen) == []
    assert identity.again(np.array([4, 2, 4, 5], np.uint64), seen) == [1, 2]
    assert seen == {1, 2, 3, 4, 5}


def contents(*rows: Row) -> list[bytes]:
    return identity.contents(tabled(rows, schema(texts_of("year", "none"), Row._fields))).to_pylist()


BARE = Row(None, "text", None, None, {"year": None, "none": None})


def test_each_field_counts_and_the_key_does_not():
    others = [
        BARE._replace(text="other"),
        BARE._replace(label="x"),
        BARE._replace(labels=("x",)),
        BARE._replace(labels=("x", "y")),
        BARE._replace(labels=("x\x01y",)),
        BARE._replace(labels=("",)),
        BARE._replace(labels=()),
        BARE._replace(pair="x"),
        BARE._replace(targets=("x",)),
        BARE._replace(group="x"),
        BARE._replace(split="test"),
        BARE._replace(spans=()),
        BARE._replace(spans=(Span(0, 1, "x"),)),
        BARE._replace(spans=(Span(0, 1, "x"), Span(1, 2, "x"))),
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
    assert identity.contents(table).to_pylist() == [bare]


def test_a_part_of_a_table_counts_as_it_does_in_the_whole():
    rows = tabled(
        [BARE._replace(attributes={"year": f"{n}", "none": None}) for n in range(5)],
        schema(texts_of("year", "none"), Row._fields),
    )
    whole = identity.contents(rows)
    assert identity.contents(rows.slice(2, 2)) == whole[2:4]
    assert len(identity.contents(rows.slice(0, 0))) == 0
