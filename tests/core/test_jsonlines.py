"""JSON lines as columns at once: what orjson makes of each, whatever is in them."""

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.core import fields, jsonlines
from stages.core.lines import BOM

WANTED = ("a", "b")
PIECES = (
    *(b'{"a": "x"}', b'{"a": "x", "b": "\\u00e9\\n"}', b'{"a": "1", "c": [{"d": 1.5e3}, null, true]}', b'{"b": null}'),
    *(
        b'{"a": 1}',
        b'{"a": "x", "a": "y"}',
        b'{"a": {"b": "x"}}',
        b'{"a": "x"} ',
        b"[]",
        b"null",
        b"",
        b"{}",
        b"}",
        b"{",
    ),
    *(
        b'{"a": "x"}{"b": "y"}',
        b'{"c": {}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xff"}',
        b'{"c": "\xff"}',
        b'{"a": "\\u0000"}',
    ),
    *(
        b'{"a": "x",}',
        b'{"c": NaN}',
        b'{"c": 01}',
        b'{"c": 1}',
        b"{'a': 1}",
        b'{"a": "\t"}',
        b'{"a": "}',
        b'{"c": [{}',
        b"{}]}",
    ),
    *(
        b'{"c": "\x00"}',
        b'{"a": "x" /* y */}',
        b'\xef\xbb\xbf{"a": "x"}',
        b'{"c": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    ),
    *(
        b'{"a": "\\/"}',
        b'{"a": "\\x"}',
        b'{"c": 1e999}',
        b'{"c": -}',
        b'{"a": "2020-01-01"}',
        b'{"a": true}',
        b'{"a": []}',
    ),
)


def found(lines: list[bytes]) -> dict[str, list[object]] | None:
    columns = jsonlines.at_once(b"".join(line + b"\n" for line in lines), WANTED)
    return columns and {name: one.to_pylist() for name, one in columns.items()}


LINES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4) | st.lists(st.binary(max_size=20), min_size=1)


@given(LINES)
@example([b'{"c": {}', b"{}}"])
def test_at_once_is_as_one_by_one_or_not_at_all(lines: list[bytes]) -> None:
    compare(lines)


def compare(lines: list[bytes]) -> None:
    numbers, records, rejects = jsonlines.one_by_one(1, [line.removeprefix(BOM) for line in lines], "f")
    slow = {name: fields.reach(records, name) for name in WANTED}
    quick = found(lines)
    assert quick is None or (quick, rejects, numbers) == (slow, [], list(range(1, len(lines) + 1)))


@pytest.mark.parametrize("piece", range(len(PIECES)))
def test_each_piece_alone_and_among_plain_ones(piece: int) -> None:
    compare([PIECES[piece]])
    compare([PIECES[0], PIECES[piece], PIECES[0]])


TEXT = st.none() | st.text()


@given(st.lists(st.fixed_dictionaries({}, optional={"a": TEXT, "b": TEXT, "c": TEXT | st.integers()}), min_size=1))
def test_plain_texts_come_at_once(rows: list[dict[str, object]]) -> None:
    try:
        lines = [orjson.dumps(row) for row in rows]
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return
    assert found(lines) == {name: [row.get(name) for row in rows] for name in WANTED}


def test_what_pyarrow_takes_for_a_number_may_stand_in_a_text() -> None:
    assert found([b'{"a": "x"}', b'{"a": "NaN, Inf]"}']) == {"a": ["x", "NaN, Inf]"], "b": [None, None]}
    assert found([b'{"a": "NaN, x", "c": NaN}']) is None


def test_texts_may_have_any_number_of_brackets_but_not_in_one_line() -> None:
    assert found([b'{"a": "[[["}'] * 5_000) == {"a": ["[[["] * 5_000, "b": [None] * 5_000}
    assert found([b'{"a": "' + b"[" * 2_000 + b'"}']) is None


def test_paths_go_the_long_way() -> None:
    assert jsonlines.at_once(b'{"a": {"b": "x"}}', ["a.b"]) is None
