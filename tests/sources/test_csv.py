"""A user's own table, and all that can be wrong with it."""

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core.faults import Fault
from stages.core.records import Reject, Row, Span
from stages.sources import csv

CASES = Path(__file__).parent.parent / "cases" / "sources"
TEXT_ONLY: dict[str, Any] = {
    "text": "text",
    "label": None,
    "key": None,
    "group": None,
    "spans": None,
    "attributes": (),
}


def table(file: Path, content: str | bytes, columns: dict[str, Any], **settings: Any) -> csv.Params:
    """Parameters for a table that is written to `file`."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    columns = columns | {"attributes": tuple(columns["attributes"])}
    declared: dict[str, Any] = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "encoding": "utf-8"}
    declared |= {"path": str(file), "delimiter": ",", "columns": csv.Columns(**columns)}
    return csv.Params(**(declared | settings))


def read(p: csv.Params) -> list[Row | Reject]:
    return [one for part in csv.parts(p) for one in csv.read(p, part, Path("unused"))]


def expected(*fields: Any) -> Row:
    """A row as the cases write it: its fields, and its spans where there are some."""
    *rest, spans = fields if len(fields) == len(Row._fields) else (*fields, None)
    return Row(*rest, spans=None if spans is None else tuple(Span(*one) for one in spans))


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "tables.yaml"), ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    path = tmp_path / "table.csv"
    found = read(table(path, case["content"], case["columns"], delimiter=case.get("delimiter", ",")))
    assert [one for one in found if isinstance(one, Row)] == [expected(*fields) for fields in case["rows"]]
    assert [one for one in found if isinstance(one, Reject)] == [
        Reject(f"{path}:{line}", reason) for line, reason in case["rejects"].items()
    ]


def test_tabs_and_another_encoding(tmp_path: Path):
    p = table(
        tmp_path / "t.tsv", "text\tx\nCafé, noir\t1\n".encode("cp1252"), TEXT_ONLY, encoding="cp1252", delimiter="\t"
    )
    assert [row.text for row in read(p) if isinstance(row, Row)] == ["Café, noir"]


def test_a_field_may_be_long(tmp_path: Path):
    (row,) = read(table(tmp_path / "t.csv", "text\n" + "x" * 200_000 + "\n", TEXT_ONLY))
    assert isinstance(row, Row)
    assert len(row.text) == 200_000


@pytest.mark.parametrize("extra", [(), ("year",)])
def test_attributes_can_be_written(tmp_path: Path, extra: tuple[str, ...]):
    p = table(tmp_path / "t.csv", "text,year\na,1843\n", TEXT_ONLY | {"attributes": extra})
    rows = [{"attributes": row.attributes} for row in read(p) if isinstance(row, Row)]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema([("attributes", csv.ATTRIBUTES(p))])), tmp_path / "t.parquet"
    )
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 1


FAULTS: list[Any] = [
    pytest.param("text\na\n", {"path": "gone.csv"}, {}, "gone.csv: no such file; correct `path`", id="no file"),
    pytest.param(
        "text\na\n",
        {"sha256": "0" * 64},
        {},
        f"sha256 is {hashlib.sha256(b'text' + bytes([10]) + b'a' + bytes([10])).hexdigest()}, pinned is {'0' * 64}; "
        "if the change is wanted, pin the new one (`sha256sum ",
        id="other bytes",
    ),
    pytest.param(
        "texts,x\n",
        {},
        {},
        ":1: no column 'text'; there is: texts, x; correct columns or delimiter in params.yaml; did you mean texts?",
        id="near column",
    ),
    pytest.param(
        "text;x\n",
        {},
        {"label": "topic"},
        ":1: no column 'text'; there is: text;x; correct columns or delimiter in params.yaml; did you mean text;x?",
        id="delimiter",
    ),
    pytest.param("", {}, {}, ":1: no column 'text'; there is: nothing; correct", id="empty file"),
    pytest.param('"te"xt\n', {}, {}, ":1: no header, lines 1 to 1: ',' expected after '\"'; mend", id="broken header"),
    pytest.param("text,text\n", {}, {}, ":1: 2 columns are named 'text'; rename all but one", id="twice the column"),
    pytest.param(
        "text,id\na,7\nb,8\nc,7\n",
        {},
        {"key": "id"},
        ":4: key '7' stands in line 2 already; name a column without repetitions as columns.key, or null",
        id="twice the key",
    ),
    pytest.param(
        b"text\nCaf\xe9\n",
        {},
        {},
        ": after line 0: 'utf-8' codec can't decode byte 0xe9 in position 8: invalid continuation byte; name the",
        id="other encoding",
    ),
]


@pytest.mark.parametrize(("content", "settings", "columns", "message"), FAULTS)
def test_faults(tmp_path: Path, content: str | bytes, settings: dict[str, str], columns: dict[str, str], message: str):
    p = table(tmp_path / "table.csv", content, TEXT_ONLY | columns, **settings)
    with pytest.raises(Fault) as told:
        read(p)
    assert message in str(told.value)


def test_an_unknown_encoding_is_refused(tmp_path: Path):
    with pytest.raises(ValidationError, match="unknown encoding: utf-88; utf-8 is the usual one"):
        table(tmp_path / "t.csv", "text\n", TEXT_ONLY, encoding="utf-88")
