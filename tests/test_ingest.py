"""Ids are stable, shards come in order of arrival, what could not be read is written down, only what is new is read."""

from pathlib import Path
from typing import Any

import pytest

from stages import ingest
from stages.core import inputs
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.hashing import sha256
from stages.core.params import Source
from stages.core.records import Document, Reject, Row, Span, read_documents, schema, shards, tabled, texts_of
from stages.engines import process
from stages.engines.serial import Serial
from stages.ingest import Counted, Numbered, Params
from stages.shell.engine import Engine
from tests.sources import tables

SHARED = ("licence", "quota", "rejects")


def table(path: Path, *lines: str, **settings: Any) -> Source:
    """A CSV source of a file with these lines."""
    shared = {name: settings.pop(name) for name in SHARED if name in settings}
    constants = settings.pop("constants", {})
    made = tables.table(tables.file(path, "\n".join(lines) + "\n", **constants), **settings)
    return tables.source(path.stem, "csv", **made, **shared)


def ingested(root: Path, *sources: Source, size: int = 2) -> list[Document]:
    """The documents of the stage's shards."""
    out = root / f"out{len(list(root.glob('out*')))}"
    ingest.stage(Engine(Serial(), root / "cache"), Params(sources=sources, shard_documents=size), root / "scrape", out)
    return [one for path in shards(out) for one in read_documents(path)]


def ids(source: str, rows: list[Row]) -> list[str]:
    """The ids that rows get."""
    chunk = Counted(texts_of("url"), source).of_rows(rows)
    return Numbered(source).documents(chunk).column("id").to_pylist()


def test_an_id_hangs_on_source_and_key_alone() -> None:
    one, other = (Row("k", text, None, None, {}) for text in ("once", "twice"))
    assert ids("a", [one]) == ids("a", [other]) != ids("b", [one])


def test_without_a_key_repeats_are_numbered_and_every_field_counts() -> None:
    row = Row(None, "text", "x", "g", {"url": "u"})
    changed = [
        row._replace(text="t"),
        row._replace(label="y"),
        row._replace(group="h"),
        row._replace(attributes={"url": "v"}),
        row._replace(spans=()),
        row._replace(spans=(Span(0, 4, "x"),)),
        row._replace(spans=(Span(0, 4, "y"),)),
        row._replace(labels=("x",)),
        row._replace(pair="p"),
        row._replace(targets=("t",)),
        row._replace(split="test"),
    ]
    found = ids("a", [row, row, *changed])
    assert len(set(found)) == 13
    assert ids("a", [row]) == found[:1]


def test_shards_are_named_in_order_of_arrival(tmp_path: Path) -> None:
    second = table(tmp_path / "b.csv", "text", "one", "two", "three")
    first = table(tmp_path / "a.csv", "text", "four")
    documents = ingested(tmp_path, second, first)
    assert [one.text for one in documents] == ["one", "two", "three", "four"]
    assert [path.name for path in shards(tmp_path / "out0")] == [
        *("000-b-00000.parquet", "000-b-00001.parquet", "001-a-00000.parquet")
    ]


def test_a_new_source_costs_what_it_costs_and_leaves_what_was_there(tmp_path: Path) -> None:
    old = table(tmp_path / "a.csv", "text", "one", "two")
    before = ingested(tmp_path, old)
    (tmp_path / "a.csv").unlink()  # nobody asks for it again
    after = ingested(tmp_path, old, table(tmp_path / "b.csv", "text", "one"))
    assert after[:2] == before and len({one.id for one in after}) == 3
    name = "000-a-00000.parquet"
    assert (tmp_path / "out0" / name).read_bytes() == (tmp_path / "out1" / name).read_bytes()
    with pytest.raises(Fault, match=r"a\.csv: no such file"):
        ingested(tmp_path, old, size=1)


def test_warm_and_cold_are_the_same_bytes(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "text,n", "one,1", "two", "three,3")
    ingested(tmp_path, source)
    ingested(tmp_path, source)
    (tmp_path / "cache").rename(tmp_path / "other")
    ingested(tmp_path, source)
    cold, warm, again = ({one.name: one.read_bytes() for one in (tmp_path / f"out{n}").iterdir()} for n in range(3))
    assert cold == warm == again and "rejects.json" in cold


def test_what_is_remembered_is_only_taken_whole(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "text", "one")
    before = ingested(tmp_path, source)
    (kept,) = (tmp_path / "cache/memo").glob("*/*.parquet")
    kept.write_bytes(b"bad")
    assert ingested(tmp_path, source) == before


def test_what_could_not_be_read_is_written_down(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "text,label", "one,x", "two", "three,y", fields={"label": "label"}, licence="X")
    assert [one.text for one in ingested(tmp_path, source)] == ["one", "three"]
    assert read_json(tmp_path / "out0/rejects.json") == [
        {"source": "a", "place": f"{tmp_path}/a.csv:3", "reason": "1 fields, the header has 2"}
    ]
    assert read_json(tmp_path / "out0/sources.json") == [
        {
            "name": "a",
            "kind": "csv",
            "licence": "X",
            "documents": 2,
            "characters": [3, 3, 3, 5, 5],
            "fields": {"label": 2},
            "labels": {"x": 1, "y": 1},
            "sides": {},
            "languages": {"too short to tell": 2},
            "unwanted": 0,
            "over_quota": 0,
            "pins": [{"of": f"{tmp_path}/a.csv", "sha256": sha256(tmp_path / "a.csv")}],
        }
    ]


def test_more_rejects_than_declared_stop_the_stage(tmp_path: Path) -> None:
    lines = ["text,label", *("one,x",) * 6, "two", "three", "four,y,z"]
    assert len(ingested(tmp_path, table(tmp_path / "a.csv", *lines, rejects=0.4))) == 6
    with pytest.raises(Fault) as told:
        ingested(tmp_path, table(tmp_path / "a.csv", *lines, rejects=0.3))
    assert str(told.value) == (
        "ingest.sources: a: 3 of 9 rows are rejected, `rejects` allows 30.0% (1 fields, the header has 2: 2, "
        f"3 fields, the header has 2: 1; the first: {tmp_path}/a.csv:8); mend the source or its parameters"
    )


def test_a_key_that_comes_twice_is_rejected_the_second_time(tmp_path: Path) -> None:
    source = table(tmp_path / "a.csv", "id,text", "1,one", "2,two", "1,three", fields={"key": "id"})
    assert [one.text for one in ingested(tmp_path, source)] == ["one", "two"]
    path = f"{tmp_path}/a.csv"
    assert read_json(tmp_path / "out0/rejects.json") == [
        {"source": "a", "place": f"{path}:4", "reason": f"key '1' stands at {path}:2 already"}
    ]


@pytest.mark.parametrize("part", [4, 9, 30, 10**6])
def test_repeats_in_different_parts_are_as_in_one(tmp_path: Path, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{n % 3},{'same' if n % 2 else n}" for n in range(12)]
    monkeypatch.setattr(inputs, "PART", part)
    without = ingested(tmp_path, table(tmp_path / "a.csv", "id,text", *rows))
    keyed = ingested(tmp_path, table(tmp_path / "b.csv", "id,text", *rows, fields={"key": "id"}))
    assert [one.text for one in without] == [row.partition(",")[2] for row in rows]
    assert len({one.id for one in without}) == 12
    assert ids("a", [Row(None, "same", None, None, {})] * 6) == [one.id for one in without if one.text == "same"]
    assert [one.text for one in keyed] == ["0", "same", "2"]
    assert len(read_json(tmp_path / "out1/rejects.json")) == 9


def test_a_key_that_comes_again_in_another_part_says_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = ["1,one", '"2","two', 'lines"', "1,three", "3,four", "2,five"]
    monkeypatch.setattr(inputs, "PART", 8)
    source = table(tmp_path / "a.csv", "id,text", *rows, fields={"key": "id"})
    assert [one.text for one in ingested(tmp_path, source)] == ["one", "two\nlines", "four"]
    path = f"{tmp_path}/a.csv"
    assert [(one["place"], one["reason"]) for one in read_json(tmp_path / "out0/rejects.json")] == [
        (f"{path}:5", f"its key stands at {path}:2 already"),
        (f"{path}:7", f"its key stands at {path}:3 already"),
    ]


def test_two_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PART", 100)
    rows = [f"{n},{'same' if n % 3 else n}" for n in range(60)]
    p = Params(sources=(table(tmp_path / "a.csv", "id,text", *rows, quota=40),), shard_documents=7)
    with process.executor() as several:
        for name, executor in (("one", Serial()), ("two", several)):
            ingest.stage(Engine(executor, tmp_path / f"cache-{name}"), p, tmp_path / "scrape", tmp_path / name)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two and len(one) > 7


def test_rows_become_columns_before_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "LARGE", 10)
    found = Counted(texts_of(), "part").chunks([Row(None, "x" * 6, None, None, {})] * 5)
    assert [len(one.rows) for one in found] == [2, 2, 1]


def test_a_quota_takes_the_lowest_ids_and_leaves_given_sides_whole(tmp_path: Path) -> None:
    rows = [f"{n},{'test' if n % 4 == 0 else ''}" for n in range(20)]
    settings: dict[str, Any] = {"fields": {"split": "side"}, "sides": {"test": "test"}}
    whole = ingested(tmp_path, table(tmp_path / "a.csv", "text,side", *rows, **settings))
    some = ingested(tmp_path, table(tmp_path / "a.csv", "text,side", *rows, **settings, quota=6))
    lowest = sorted(one.id for one in whole if one.split is None)[:6]
    assert some == [one for one in whole if one.split == "test" or one.id in lowest]
    assert read_json(tmp_path / "out1/sources.json")[0]["over_quota"] == 9
    assert ingested(tmp_path, table(tmp_path / "a.csv", "text,side", *rows, **settings, quota=60)) == whole


def test_half_a_surrogate_pair_is_rejected_wherever_it_stands(tmp_path: Path) -> None:
    lines = ("text,key,more", r"one \ud83d\ude00,1,", r"two,2,\ud800", r"\udfff,3,", r"four,\ud800,", "five,5,é")
    fields, dialect = {"key": "key", "attributes": ["more"]}, {"encoding": "raw_unicode_escape"}
    source = table(tmp_path / "a.csv", *lines, fields=fields, dialect=dialect)
    assert [one.text for one in ingested(tmp_path, source)] == ["five"]
    assert [one["place"] for one in read_json(tmp_path / "out0/rejects.json")] == [
        f"{tmp_path}/a.csv:{line}" for line in (2, 3, 4, 5)
    ]


def test_rows_that_any_source_gives_are_checked() -> None:
    nothing: tuple[Any, ...] = (None, None, {})
    spans = [None, (), (Span(0, 4, "x"),), (Span(0, 5, "x"),)]
    rows = [Row(None, "text", *nothing, spans=one) for one in spans]
    rows += [Row("k\ud800", "text", *nothing), Row(None, "a\0", *nothing)]
    counted = Counted(texts_of(), "part")
    assert counted.of_rows(rows).rows.equals(tabled(rows[:3], schema(texts_of(), Row._fields)))
    assert counted.rejects == [
        Reject("part: row 4", "a span that is empty or not within the text"),
        Reject("k\\ud800", "half of a surrogate pair: no text in any encoding"),
        Reject("part: row 6", "a NUL character: no text"),
    ]


def test_no_documents_are_a_fault_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(Fault) as nothing:
        ingested(tmp_path, table(tmp_path / "a.csv", "text"))
    assert str(nothing.value) == (
        "ingest.sources: a: no documents came, as nothing is in them; name a source that has some"
    )
    bad = table(tmp_path / "b.csv", "text,key", "one,", "two", "three", fields={"key": "key"})
    with pytest.raises(Fault) as rejected:
        ingested(tmp_path, bad)
    assert str(rejected.value) == (
        "ingest.sources: b: no documents came (1 fields, the header has 2: 2, no key in 'key': 1; "
        f"the first: {tmp_path}/b.csv:3); mend the source or its parameters"
    )
