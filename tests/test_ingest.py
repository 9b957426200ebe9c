"""Ids are stable, shards come in order of arrival, what could not be read is written down."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stages import ingest
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.params import Source
from stages.core.records import Document, Reject, Row, Span, read_documents, shards
from stages.engines.serial import Serial
from stages.ingest import Params
from stages.shell.engine import Engine
from stages.sources import csv


def table(path: Path, *lines: str, encoding: str = "utf-8", **columns: Any) -> Source:
    """A CSV source of a file with these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    mapped = {"text": "text", "label": None, "key": None, "group": None, "spans": None, "attributes": ()} | columns
    pinned = hashlib.sha256(path.read_bytes()).hexdigest()
    raw = {"path": str(path), "sha256": pinned, "encoding": encoding, "delimiter": ",", "columns": mapped}
    return Source(name=path.stem, kind="csv", params=csv.Params.model_validate(raw))


def ingested(root: Path, *sources: Source, size: int = 2) -> list[Document]:
    """The documents of the stage's shards."""
    out = root / f"out{len(list(root.glob('out*')))}"
    ingest.stage(Engine(Serial(), root), Params(sources=sources, shard_documents=size), out)
    return [one for path in shards(out) for one in read_documents(path)]


def test_an_id_hangs_on_source_and_key_alone() -> None:
    one, other = (Row("k", text, None, None, {}) for text in ("once", "twice"))
    seen: Counter[int] = Counter()
    assert ingest.identified("a", one, seen).id == ingest.identified("a", other, seen).id
    assert ingest.identified("a", one, seen).id != ingest.identified("b", one, seen).id


def test_without_a_key_repeats_are_numbered_and_every_field_counts() -> None:
    seen: Counter[int] = Counter()
    row = Row(None, "text", "x", "g", {"url": "u"})
    changed = [
        row._replace(text="t"),
        row._replace(label="y"),
        row._replace(group="h"),
        row._replace(attributes={"url": "v"}),
        row._replace(spans=()),
        row._replace(spans=(Span(0, 4, "x"),)),
        row._replace(spans=(Span(0, 4, "y"),)),
    ]
    ids = [ingest.identified("a", one, seen).id for one in (row, row, *changed)]
    assert len(set(ids)) == 9
    assert ingest.identified("a", row, Counter()).id == ids[0]


def test_shards_are_named_in_order_of_arrival(tmp_path: Path) -> None:
    second = table(tmp_path / "b.csv", "text", "one", "two", "three")
    first = table(tmp_path / "a.csv", "text", "four")
    documents = ingested(tmp_path, second, first)
    assert [one.text for one in documents] == ["one", "two", "three", "four"]
    assert [path.name for path in shards(tmp_path / "out0")] == [
        *("000-b-00000.parquet", "000-b-00001.parquet", "001-a-00000.parquet")
    ]


def test_what_is_appended_leaves_what_was_there(tmp_path: Path) -> None:
    old = table(tmp_path / "a.csv", "text", "one", "two")
    new = table(tmp_path / "b.csv", "text", "one")
    before, after = ingested(tmp_path, old), ingested(tmp_path, old, new, size=1)
    assert after[:2] == before and len({one.id for one in after}) == 3


def test_what_could_not_be_read_is_written_down(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "text,label", "one,x", "two", "three,y", label="label")
    assert [one.text for one in ingested(tmp_path, source)] == ["one", "three"]
    assert read_json(tmp_path / "out0/rejects.json") == [
        {"source": "a", "place": f"{tmp_path}/a.csv:3", "reason": "1 fields, the header has 2"}
    ]


def test_a_key_that_comes_twice_is_a_fault(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "id,text", "1,one", key="id")
    with pytest.raises(
        Fault, match=r"ingest.sources: 1 keys came more than once, e.g. id [0-9a-f]{16}; the key must be"
    ):
        ingested(tmp_path, source, source)


def test_half_a_surrogate_pair_is_rejected_wherever_it_stands(tmp_path: Path) -> None:
    lines = ("text,key,more", r"one \ud83d\ude00,1,", r"two,2,\ud800", r"\udfff,3,", r"four,\ud800,", "five,5,é")
    columns = {"key": "key", "attributes": ("more",)}
    source = table(tmp_path / "a.csv", *lines, encoding="raw_unicode_escape", **columns)
    assert [one.text for one in ingested(tmp_path, source)] == ["five"]
    reason = "half of a surrogate pair: no text in any encoding"
    assert read_json(tmp_path / "out0/rejects.json") == [
        {"source": "a", "place": place, "reason": reason} for place in ("1", "2", "3", r"\ud800")
    ]


def test_spans_that_any_source_gives_are_checked() -> None:
    rejects: list[Reject] = []
    rows = [Row(None, "text", None, None, {}, spans) for spans in (None, (), (Span(0, 4, "x"),), (Span(0, 5, "x"),))]
    assert list(ingest.separated(rows, "part", rejects)) == rows[:3]
    assert rejects == [Reject("part: row 4", "a span that is empty or not within the text")]


def test_no_documents_are_a_fault_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(Fault) as nothing:
        ingested(tmp_path, table(tmp_path / "a.csv", "text"))
    assert str(nothing.value) == (
        "ingest.sources: a: no documents came, as nothing is in them; name a source that has some"
    )
    bad = table(tmp_path / "b.csv", "text,key", "one,", "two", "three", key="key")
    with pytest.raises(Fault) as rejected:
        ingested(tmp_path, bad)
    assert str(rejected.value) == (
        "ingest.sources: b: no documents came (1 fields, the header has 2: 2, no key in column 'key': 1; "
        f"the first: {tmp_path}/b.csv:2); mend the source or its parameters"
    )
