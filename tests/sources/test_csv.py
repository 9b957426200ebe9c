"""Tables in text, and all that can be wrong with them."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core import delimited, inputs
from stages.core.faults import Fault
from stages.core.records import Chunk, Reject, Row, Unwanted
from stages.sources import csv
from tests.sources.tables import file, items, parameters, row, table

CASES = Path(__file__).parent.parent / "cases" / "sources"


def read(path: Path, content: str | bytes, **settings: Any) -> list[Row | Reject | Unwanted]:
    constants = settings.pop("constants", {})
    p = parameters("csv", **table(file(path, content, **constants), **settings))
    return list(items("csv", p, path.parent / "cache"))


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "tables.yaml"), ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    path, settings = tmp_path / "table.csv", dict(case)
    rows, rejects, unwanted = settings.pop("rows"), settings.pop("rejects", {}), settings.pop("unwanted", 0)
    settings.pop("comment")
    found = read(path, **settings)
    assert [one for one in found if isinstance(one, Row)] == [row(told) for told in rows]
    told = {one.place: one.reason for one in found if isinstance(one, Reject)}
    assert told == {f"{path}:{line}": reason for line, reason in rejects.items()}
    assert sum(one.rows for one in found if isinstance(one, Unwanted)) == unwanted


def test_tabs_and_another_encoding(tmp_path: Path):
    content = "text\tx\nCafé, noir\t1\n".encode("cp1252")
    found = read(tmp_path / "t.tsv", content, dialect={"encoding": "cp1252", "delimiter": "\t"})
    assert [one.text for one in found if isinstance(one, Row)] == ["Café, noir"]


def test_bytes_that_are_no_text_cost_their_row_alone(tmp_path: Path):
    found = read(tmp_path / "t.csv", b"text\nCaf\xe9\nTea\n")
    assert found[:2] == [
        row({"text": "Tea"}),
        Reject(f"{tmp_path}/t.csv:2", "bytes in 'text' that are no text in this encoding"),
    ]


def test_a_field_may_be_long_but_not_endless(tmp_path: Path):
    long, endless = "x" * 200_000, f"{'y' * 2**23}\n{'y' * 2**23}"
    found = read(tmp_path / "t.csv", f'text,n\n{long},1\n"{endless}",2\nshort,3\n')
    assert [len(one.text) for one in found if isinstance(one, Row)] == [200_000, 5]
    reason = "lines 3 to 4: field larger than field limit (16777216)"
    assert next(one.reason for one in found if isinstance(one, Reject)) == reason


@pytest.mark.parametrize("quote", ["", '"'])
def test_byte_order_marks_of_files_that_were_put_one_after_the_other(tmp_path: Path, quote: str):
    sport = f"{quote}sport{quote}"
    found = read(tmp_path / "t.csv", f"\ufefflabel,text\n{sport},a\n\ufeff{sport},b\n", fields={"label": "label"})
    assert [(one.label, one.text) for one in found if isinstance(one, Row)] == [("sport", "a"), ("sport", "b")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_line_that_is_too_long_is_one_reject_and_no_rows(tmp_path: Path, quote: str) -> None:
    found = read(tmp_path / "t.csv", f"text\n{quote}{'y' * (2 * 2**24 + 9)}{quote}\nshort\n\nlast\n")
    reason = "lines 2 to 2: a line of more than 16,777,216 characters"
    assert [one for one in found if isinstance(one, Reject)] == [Reject(f"{tmp_path}/t.csv:2", reason)]
    assert [one.text for one in found if isinstance(one, Row)] == ["short", "last"]


FAULTS: list[Any] = [
    pytest.param(
        "texts,x\n",
        {},
        ":1: no column 'text'; there is: texts, x; correct fields or dialect in params.yaml; did you mean texts?",
        id="near column",
    ),
    pytest.param(
        "text;x\n",
        {"label": "topic"},
        ":1: no column 'text'; there is: text;x; correct fields or dialect in params.yaml; did you mean text;x?",
        id="delimiter",
    ),
    pytest.param("", {}, ":1: no header, nothing is in it; mend the file or correct `dialect`", id="empty file"),
    pytest.param("\n\n", {}, ":1: no header, nothing is in it; mend the file or correct", id="blank lines"),
    pytest.param('"te"xt\n', {}, ":1: no header, lines 1 to 1: ',' expected after '\"'; mend", id="broken header"),
    pytest.param("text,text\n", {}, ":1: 2 columns are named 'text'; rename all but one", id="twice the column"),
]


@pytest.mark.parametrize(("content", "fields", "message"), FAULTS)
def test_faults(tmp_path: Path, content: str, fields: dict[str, str], message: str):
    with pytest.raises(Fault) as told:
        read(tmp_path / "table.csv", content, fields=fields)
    assert message in str(told.value)


def test_a_member_without_a_header_costs_no_other(tmp_path: Path):
    with ZipFile(path := tmp_path / "t.zip", "w") as archive:
        for name, content in {"a.csv": "", "b.csv": '"te"xt\n', "c.csv": "text\nTea\n"}.items():
            archive.writestr(name, content)
    found = list(items("csv", parameters("csv", **table(file(path, members="*"))), tmp_path))
    assert found[:3] == [
        Reject(f"{path}/a.csv:1", "no header, nothing is in it"),
        Reject(f"{path}/b.csv:1", "no header, lines 1 to 1: ',' expected after '\"'"),
        row({"text": "Tea"}),
    ]


def test_few_records_at_once_where_they_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delimited, "LARGE", 10)
    path = tmp_path / "t.csv"
    text = "text\n" + "Some long text\n" * 3 + "a\nb\n"
    p = parameters("csv", **table(file(path, text), dialect={"encoding": "latin-1"}))
    (part,) = csv.parts(p, [path])
    chunks = [one for one in csv.read(p, part, [path]) if isinstance(one, Chunk)]
    assert [len(one.rows) for one in chunks] == [1, 1, 1, 2]


def test_a_quote_that_the_encoding_lacks_is_refused(tmp_path: Path):
    with pytest.raises(ValidationError, match="'«' can't be written in ascii; correct one of them"):
        read(tmp_path / "t.csv", "text\n", dialect={"encoding": "ascii", "quote": "«"})


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_another_quote_may_be_of_several_bytes(tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "PART", 8)
    content = "text,more\n¨two\nlines¨,a\n¨another, text¨,b\n".encode(encoding)
    found = read(tmp_path / "t.csv", content, dialect={"encoding": encoding, "quote": "¨"})
    assert [one.text for one in found if isinstance(one, Row)] == ["two\nlines", "another, text"]


def test_an_unknown_encoding_is_refused(tmp_path: Path):
    with pytest.raises(ValidationError, match="unknown encoding: utf-88; utf-8 is the usual one"):
        read(tmp_path / "t.csv", "text\n", dialect={"encoding": "utf-88"})


RECORDS = st.lists(st.tuples(st.text(st.sampled_from('a,"\n\r é'), max_size=6), st.text("xy", max_size=2)), max_size=12)


@given(RECORDS, st.integers(4, 40))
def test_in_parts_it_is_what_it_is_as_one(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]], size: int
):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    lines = ['"' + text.replace('"', '""') + f'",{more}\n' for text, more in records]
    content = "text,more\n" + "".join(lines)
    whole = read(path, content, fields={"attributes": ["more"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "PART", size)
        parts = read(path, content, fields={"attributes": ["more"]})
    assert [one for one in parts if isinstance(one, Row)] == [one for one in whole if isinstance(one, Row)]
    assert [one.text for one in whole if isinstance(one, Row)] == [text for text, _ in records]


# A line of its own that ends with \r alone is not counted where parts begin.
PIECES = st.lists(st.sampled_from(["a", "b", ",", '"', "\n", "\r\n"]), max_size=60)


@given(PIECES.map("".join), st.integers(1, 20), st.booleans())
def test_in_parts_it_is_what_it_is_as_one_wherever_quotes_stand(
    tmp_path_factory: pytest.TempPathFactory, content: str, size: int, header: bool
):
    path, settings = tmp_path_factory.mktemp("t") / "t.csv", {"dialect": {"header": header}, "fields": {"text": "a"}}
    if not header:
        settings["fields"] = {"text": "1"}
    whole = read(path, f"a,b\n{content}", **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "PART", size)
        parts = read(path, f"a,b\n{content}", **settings)
    for kind in (Row, Reject):
        assert [one for one in parts if isinstance(one, kind)] == [one for one in whole if isinstance(one, kind)]


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_rejects(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    found = read(tmp_path_factory.mktemp("t") / "t.csv", content, dialect={"header": False}, fields={"text": "1"})
    assert all(isinstance(one, Row | Reject | Unwanted) for one in found)
