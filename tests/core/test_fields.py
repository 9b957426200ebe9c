"""Columns of any values as documents: each row is one, or told why not, or not wanted."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import fields
from stages.core.fields import Fields, Table
from stages.core.inputs import File
from stages.core.records import Reject, Row, schema

NONE: dict[str, Any] = dict.fromkeys(("label", "labels", "pair", "targets", "spans", "key", "group", "split"))


def table(*, separator: str | None = None, **how: Any) -> Table:
    """Parameters: columns by field, and the settings among them."""
    settings = {name: how.pop(name, {}) for name in ("rename", "sides", "where")}
    chosen: dict[str, Any] = NONE | {"text": "text", "attributes": ()} | how
    return Table(fields=Fields(**chosen), separator=separator, **settings)


def mapped(
    columns: Mapping[str, Sequence[Any]], p: Table, constants: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], dict[str, str], int]:
    """Rows, place → reason of the rejects, and how many nobody wants."""
    numbers = range(1, len(columns["text"]) + 1)
    given = dict(constants or {})
    kinds = fields.attributes(p, [File(at="f", sha256="0" * 64, members=None, constants=given)])
    chunk, rejects, unwanted = fields.mapped(columns, numbers, "f", p, given, kinds)
    rows = chunk.rows.to_pylist()
    assert [name for name in chunk.rows.column_names if name not in Row._fields] == []
    return rows, dict(rejects), unwanted


def only(field: str, values: Sequence[Any], p: Table) -> tuple[list[Any], dict[str, str]]:
    """The values of a field for those of its column."""
    rows, rejects, _ = mapped({"text": ["t"] * len(values), "c": values}, p)
    return [row[field] for row in rows], rejects


def test_all_fields():
    columns = {
        "text": ["Ada wrote."],
        "l": ["a"],
        "m": [["x", "y"]],
        "p": ["pair"],
        "t": ["one"],
        "s": [[[0, 3, "who"]]],
        "k": [7],
        "g": ["g"],
        "side": ["dev"],
        "year": [1843],
    }
    names = {"label": "l", "labels": "m", "pair": "p", "targets": "t", "spans": "s", "key": "k", "group": "g"}
    p = table(**names, split="side", attributes=("year",), sides={"dev": "validation"})
    assert p.columns() == ["text", "l", "m", "p", "t", "s", "k", "g", "side", "year"]
    (row,), rejects, unwanted = mapped(columns, p)
    assert (rejects, unwanted) == ({}, 0)
    assert row == {
        "text": "Ada wrote.",
        "label": "a",
        "labels": ["x", "y"],
        "pair": "pair",
        "targets": ["one"],
        "spans": [{"start": 0, "end": 3, "label": "who"}],
        "key": "7",
        "group": "g",
        "split": "validation",
        "attributes": {"year": "1843"},
    }


def test_a_column_may_fill_several_fields():
    assert table(label="c", group="c", attributes=("c",), where={"c": ("x",)}).columns() == ["text", "c"]


VALUES = [
    ("a", "a"),
    ("", None),
    (None, None),
    (1, "1"),
    (1.5, "1.5"),
    (True, "true"),
    (b"caf\xc3\xa9", "café"),
    (date(1843, 9, 1), "1843-09-01"),
    (Decimal("1.10"), "1.10"),
]


@pytest.mark.parametrize(("value", "label"), VALUES)
def test_a_value_as_text(value: Any, label: str | None):
    assert only("label", [value], table(label="c")) == ([label], {})


WRONG = [
    (["a"], "'c' is no text but nested"),
    ({"a": 1}, "'c' is no text but nested"),
    ("a\0b", "a NUL character in 'c': no text in this encoding"),
    ("a\ud800", "bytes in 'c' that are no text in this encoding"),
    (b"caf\xe9", "bytes in 'c' that are no text in this encoding"),
]


@pytest.mark.parametrize(("value", "why"), WRONG)
@pytest.mark.parametrize("field", ["label", "pair", "group", "key"])
def test_a_value_that_is_no_text(value: Any, why: str, field: str):
    assert only(field, ["a", value, "b"], table(**{field: "c"})) == (["a", "b"], {"f:2": why})


def test_what_is_nested_is_json_as_an_attribute_alone():
    rows, rejects, _ = mapped({"text": ["t"], "c": [{"é": [1, None]}]}, table(attributes=("c",)))
    assert (rows[0]["attributes"], rejects) == ({"c": '{"é": [1, null]}'}, {})


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("how", [{"attributes": ("c",)}, {"label": "c"}])
def test_what_is_nested_too_deep_is_told(how: dict[str, Any]):
    rows, rejects, _ = mapped({"text": ["t"] * 2, "c": ["a", nested(100_000)]}, table(**how))
    assert (len(rows), rejects) == (1, {"f:2": "'c' is nested too deep"})
    rows, rejects, unwanted = mapped({"text": ["t"] * 2, "c": ["a", nested(100_000)]}, table(where={"c": ("a",)}))
    assert (len(rows), rejects, unwanted) == (1, {}, 1)


def test_a_text_may_be_empty_and_must_be_there():
    rows, rejects, _ = mapped({"text": ["", None, "t"]}, table())
    assert ([row["text"] for row in rows], rejects) == (["", "t"], {"f:2": "no text in 'text'"})


def test_a_key_must_be_there():
    assert only("key", ["a", "", None], table(key="c")) == (["a"], {"f:2": "no key in 'c'", "f:3": "no key in 'c'"})


def test_a_row_has_one_reason():
    _, rejects, _ = mapped({"text": [None], "c": [None]}, table(key="c"))
    assert rejects == {"f:1": "no text in 'text'"}


SEVERAL = [
    (None, None),
    ([], []),
    (["a", "b", "a"], ["a", "b"]),
    ([1, True], ["1", "true"]),
    ("a | b||a", ["a", "b"]),
    ("", []),
    (7, ["7"]),
]


@pytest.mark.parametrize(("value", "labels"), SEVERAL)
@pytest.mark.parametrize("field", ["labels", "targets"])
def test_several_in_one_value(value: Any, labels: list[str] | None, field: str):
    assert only(field, [value], table(**{field: "c"}, separator="|")) == ([labels], {})


def test_without_a_separator_a_text_is_one():
    assert only("labels", ["a|b", ""], table(labels="c")) == ([["a|b"], []], {})


@pytest.mark.parametrize("value", [["a", None], [["a"]], ["a\0"], "a|b\0", "a\ud800|b", {"a": 1}, b"\xff"])
@pytest.mark.parametrize("separator", ["|", None])
def test_several_that_are_no_texts_reject_their_own_row(value: Any, separator: str | None):
    found = only("labels", ["x", value, "y"], table(labels="c", separator=separator))
    assert found == ([["x"], ["y"]], {"f:2": "labels that are no texts"})


def test_labels_are_called_otherwise_here():
    p = table(label="c", rename={"pos": "good", "neg": "bad"})
    found = only("label", ["pos", None, "neutral", "neg"], p)
    assert found == (["good", None, "bad"], {"f:3": "label 'neutral' is not in `rename`"})


def test_several_labels_too_and_two_may_become_one():
    p = table(labels="c", separator="|", rename={"a": "x", "b": "x", "c": "y"})
    found = only("labels", ["a|b|c", "", None, "a|d"], p)
    assert found == ([["x", "y"], [], None], {"f:4": "label 'd' is not in `rename`"})


def test_sides():
    p = table(split="c", sides={"dev": "validation", "train": "train"})
    found = only("split", ["dev", "", None, "eval", "train"], p)
    assert found == (["validation", None, None, "train"], {"f:4": "split 'eval' is not in `sides`"})


def test_constants_fill_fields_and_attributes():
    p = table(label="c", rename={"neg": "bad"}, sides={"held out": "test"})
    constants = {"label": "neg", "split": "held out", "group": "g", "edition": "2"}
    (row,), rejects, _ = mapped({"text": ["t"], "c": ["pos"]}, p, constants)
    assert rejects == {}
    assert (row["label"], row["split"], row["group"], row["attributes"]) == ("bad", "test", "g", {"edition": "2"})


def test_an_empty_constant_is_none():
    rows, _, _ = mapped({"text": ["t"]}, table(), {"label": "", "group": ""})
    assert (rows[0]["label"], rows[0]["group"]) == (None, None)


def test_only_wanted_rows_are_looked_at():
    columns = {"text": ["a", None, "c", "d"], "n": [1, 2, 1, None], "on": [True, True, False, True]}
    rows, rejects, unwanted = mapped(columns, table(where={"n": ("1", "2"), "on": ("true",)}))
    assert ([row["text"] for row in rows], rejects, unwanted) == (["a"], {"f:2": "no text in 'text'"}, 2)


SPANS = [
    ('[[0, 1, "x"]]', [{"start": 0, "end": 1, "label": "x"}]),
    ([[0, 1, "x"]], [{"start": 0, "end": 1, "label": "x"}]),
    ("[]", []),
    ([], []),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("value", "spans"), SPANS)
def test_spans(value: Any, spans: Any):
    assert only("spans", [value], table(spans="c")) == ([spans], {})


FORM = 'spans that are not of the form [[start, end, "label"], ...]'
NO_SPANS = [
    ("[[0, 1]]", FORM),
    ("no", FORM),
    ('[[0, 1, ""]]', FORM),
    ('[[0, true, "x"]]', FORM),
    ('[[0, 1, "\\ud800"]]', FORM),
    ("\ud800", FORM),
    ([[0, 1, date(1843, 1, 1)]], None),
    ([[0, Decimal(1), "x"]], FORM),
    (nested(100_000), FORM),
    (7, FORM),
    (b"\xff", FORM),
    ('[[0, 1, "a\\u0000"]]', "a NUL character in the label of a span"),
    ('[[0, 2, "x"]]', "a span that is empty or not within the text"),
    (f'[[0, {10**30}, "x"]]', "a span that is empty or not within the text"),
    ('[[0, 1, "x"], [0, 1, "y"]]', "spans that overlap"),
]


@pytest.mark.parametrize(("value", "why"), NO_SPANS)
def test_spans_that_are_none(value: Any, why: str | None):
    found, rejects = only("spans", [None, value], table(spans="c"))
    assert (len(found), rejects) == ((1, {"f:2": why}) if why else (2, {}))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text("ab|\0\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@given(
    rows=st.lists(st.fixed_dictionaries({"text": values, "c": values}), max_size=8),
    filled=st.sets(st.sampled_from([*NONE])),
    further=st.booleans(),
    separator=st.sampled_from([None, "|"]),
    rename=st.sampled_from([{}, {"a": "x", "b": "x", "true": "y"}]),
    where=st.sampled_from([{}, {"c": ("a", "", "1", "[]")}]),
)
def test_every_row_is_a_document_or_told_or_not_wanted(
    rows: list[dict[str, Any]],
    filled: set[str],
    further: bool,
    separator: str | None,
    rename: dict[str, str],
    where: dict[str, tuple[str, ...]],
):
    p = table(
        **dict.fromkeys(filled, "c"),
        attributes=("c",) if further else (),
        separator=separator,
        rename=rename,
        sides={"a": "train", "": "test"},
        where=where,
    )
    columns = {name: [row[name] for row in rows] for name in ("text", "c")}
    kinds = fields.attributes(p)
    chunk, rejects, unwanted = fields.mapped(columns, range(len(rows)), "f", p, {}, kinds)
    places = [f"f:{n}" for n in chunk.numbers] + [one.place for one in rejects]
    assert len(places) == len(set(places)) == len(rows) - unwanted
    assert len(chunk.rows) == len(chunk.numbers)
    assert chunk.rows.schema.equals(schema(kinds, chunk.rows.column_names))
    json.dumps([chunk.rows.to_pylist(), rejects], ensure_ascii=False).encode()
    assert "\0" not in "".join(one for one in chunk.rows.column("text").to_pylist())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", {"b": [{"c": 1}, "x"]}),
        ("a.b", [{"c": 1}, "x"]),
        ("a.b.0.c", 1),
        ("a.b.1", "x"),
        ("a.b.2", None),
        ("a.b.-1", None),
        ("a.b.c", None),
        ("a.b.1.0", None),
        ("a.x.y", None),
        ("x.y", 2),
        ("", None),
        (".", None),
    ],
)
def test_paths_in_nested_records(path: str, value: Any):
    assert fields.reach([{"a": {"b": [{"c": 1}, "x"]}, "x.y": 2, "x": {"y": 3}}, {}], path) == [value, None]


def test_rejects_stand_where_their_rows_do():
    p = table()
    found = fields.mapped({"text": [None, "a", None]}, [3, 5, 9], "f.csv", p, {}, fields.attributes(p))
    assert found[1] == [Reject("f.csv:3", "no text in 'text'"), Reject("f.csv:9", "no text in 'text'")]
    assert list(found[0].numbers) == [5]
