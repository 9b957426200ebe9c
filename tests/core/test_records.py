"""Documents through Parquet: any text comes back, the same rows give the same bytes."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import records
from stages.core.faults import Fault
from stages.core.records import Document, Drop, Row, Span, schema, tabled, texts_of

ATTRIBUTES = pa.struct([("module", pa.string())])
texts = st.text(st.characters(codec="utf-8"))
numbers = st.integers(0, 2**31 - 1)
documents = st.builds(
    Document,
    id=texts,
    text=texts,
    label=st.none() | texts,
    source=texts,
    origin=st.none() | texts,
    group=st.none() | texts,
    attributes=st.fixed_dictionaries({"module": st.none() | texts}),
    spans=st.none() | st.lists(st.builds(Span, numbers, numbers, texts), max_size=3).map(tuple),
)


@given(st.lists(documents))
def test_documents_come_back(tmp_path_factory: pytest.TempPathFactory, written: list[Document]):
    path = tmp_path_factory.getbasetemp() / "shard.parquet"
    records.write_documents(path, written, ATTRIBUTES)
    assert records.read_documents(path) == written
    assert records.attributes_of(path) == ATTRIBUTES


def test_same_rows_same_bytes(tmp_path: Path):
    one = Document("1", "text", None, "docs", None, "g", {"module": "m"}, (Span(0, 4, "x"),))
    for name in ("a", "b"):
        records.write_documents(tmp_path / name, [one] * 3, ATTRIBUTES)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


ODD = [
    "",
    "\0",
    "a\0b",
    "\r\n\u2028",
    "שלום \u202e abc",
    "e\u0301\u0327",
    "𝕏 👩‍👩‍👧",
    "\ue000\U000f0000\U0010ffff",
    "\ufeffx",
    "\ufffe",
]


def test_odd_texts_come_back_and_none_is_not_empty(tmp_path: Path):
    written = [
        Document(f"{n}", text, label, text, None, label, {"module": label}, spans)
        for n, text in enumerate(ODD)
        for label in (None, "", text)
        for spans in (None, (), (Span(0, len(text), text),))
    ]
    records.write_documents(tmp_path / "shard", written, ATTRIBUTES)
    assert records.read_documents(tmp_path / "shard") == written


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_broken_shard_is_told_by_name(tmp_path: Path, content: bytes):
    path = tmp_path / "000-docs-00000.parquet"
    path.write_bytes(content)
    with pytest.raises(Fault, match=r"000-docs-00000\.parquet: not a whole Parquet file .*run `dvc repro` again"):
        records.read_table(path)


def test_a_shard_that_is_not_there_is_told_by_name(tmp_path: Path):
    with pytest.raises(Fault, match=r"gone\.parquet"):
        records.read_documents(tmp_path / "gone.parquet")


def test_drops_are_the_rows_with_a_reason(tmp_path: Path):
    path = tmp_path / "drops.parquet"
    rows = [("1", None, None), ("2", "same text", "1"), ("3", "too short", None)]
    table = [dict(zip(records.DROPS.names, row, strict=True)) | {"jaccard": 1.0} for row in rows]
    records.write_table(path, pa.Table.from_pylist(table))
    assert records.read_drops(path) == [Drop("2", "same text", "1"), Drop("3", "too short")]
    assert records.dropped_ids(path) == {"2", "3"}


def test_drops_come_back(tmp_path: Path):
    drops = [Drop("1", "too short"), Drop("2", "same text", "1")]
    records.write_drops(tmp_path / "drops.parquet", drops)
    assert records.read_drops(tmp_path / "drops.parquet") == drops


def test_reasons_most_first():
    drops = [Drop("1", "b"), Drop("2", "c"), Drop("3", "c"), Drop("4", "a")]
    assert list(records.reasons(drops).items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_shards_in_order_of_arrival_whatever_else_is_there(tmp_path: Path):
    for name in ("001-b-00000.parquet", "000-c-00001.parquet", "000-c-00000.parquet", "rejects.json"):
        records.write_drops(tmp_path / name, [Drop(name, "x")])
    names = ["000-c-00000.parquet", "000-c-00001.parquet", "001-b-00000.parquet"]
    assert [path.name for path in records.shards(tmp_path)] == names
    assert [row["id"] for row in records.side_rows(tmp_path, ["id"])] == names


@given(st.lists(st.sampled_from(["", "a", "bb", "c" * 9]), max_size=20), st.lists(st.integers(0, 20), max_size=4))
def test_row_groups_are_the_same_in_whatever_pieces_rows_come(texts: list[str], cuts: list[int]):
    rows = tabled([Row(None, text, None, None, {}) for text in texts], schema(texts_of(), Row._fields))
    edges = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    pieces = [rows.slice(start, end - start) for start, end in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "ROW_GROUP", 3)
        patch.setattr(records, "LARGE", 10)
        whole, parted = (list(records.grouped(one)) for one in ([rows], pieces))
    assert [one.to_pylist() for one in parted] == [one.to_pylist() for one in whole]
    assert [text for one in whole for text in one.column("text").to_pylist()] == texts
    assert all(len(one) <= 3 and sum(map(len, one.column("text").to_pylist()[:-1])) < 10 for one in whole)


def test_a_shard_is_the_same_bytes_in_whatever_pieces_it_comes(tmp_path: Path):
    kinds = schema(texts_of())
    rows = pa.Table.from_pylist([{"id": f"{n:016x}", "text": f"text {n}" * 9} for n in range(3_000)], schema=kinds)
    records.write_tables(tmp_path / "one", [rows], kinds)
    records.write_tables(tmp_path / "two", [rows.slice(at, 700) for at in range(0, 3_000, 700)], kinds)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    records.rewritten(tmp_path / "two", lambda table: table.slice(1))
    assert records.rows_in(tmp_path / "two") == 2_999


def test_pyarrow_leaves_pandas_alone_until_somebody_wants_it() -> None:
    story = """
import sys, stages.core.records, pyarrow as pa
table = pa.Table.from_pylist([{"a": 1, "b": ["x", None]}])
print("pandas" in sys.modules, table.to_pandas().loc[0, "a"])
"""
    done = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "1"]
