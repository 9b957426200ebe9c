"""Parquet and Arrow files as others write them, whole and damaged."""

import gzip
import io
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import columnar, inputs, streams, unpacking
from stages.core.faults import Fault
from stages.sources import parquet
from tests.sources.reading import divided, file, read, table


def of_parquet(rows: pa.Table, compression: str = "snappy") -> bytes:
    """With row groups of three rows."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, row_group_size=3, compression=compression)
    return sink.getvalue()


def of_arrow(opened: Callable[..., Any], rows: pa.Table, length: int = 3) -> bytes:
    """With batches of three rows."""
    sink = io.BytesIO()
    with opened(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=length)
    return sink.getvalue()


FORMATS: dict[str, Callable[[pa.Table], bytes]] = {
    "parquet": of_parquet,
    "arrow": lambda rows: of_arrow(pa.ipc.new_file, rows),
    "stream": lambda rows: of_arrow(pa.ipc.new_stream, rows),
}
SONGS = pa.table({"text": [f"song {n}" for n in range(20)], "n": range(20), "label": ["a", "b"] * 10})
every_format = pytest.mark.parametrize("name", FORMATS)


def source(*files: dict[str, Any], **given: Any) -> dict[str, Any]:
    return table(**given) | {"files": files}


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [row["text"] for row in rows]


@every_format
def test_columns_are_fields(tmp_path: Path, name: str):
    (tmp_path / "a").write_bytes(FORMATS[name](SONGS))
    p = source(
        file(tmp_path / "a", split="train", artist="Ada"), label="label", attributes=("n",), where={"label": ("a",)}
    ) | {"sides": {"train": "train"}}
    found = read(parquet, p, tmp_path)
    assert found.rows[1] == {
        "text": "song 2",
        "label": "a",
        "split": "train",
        "attributes": {"n": "2", "artist": "Ada"},
    }
    assert (len(found.rows), found.rejects, found.unwanted) == (10, {}, 10)


KINDS: list[Any] = [
    pytest.param(pa.array(["Café", None]), ["Café", None], id="string"),
    pytest.param(pa.array(["Café", None], pa.large_string()), ["Café", None], id="large string"),
    pytest.param(pa.array(["Café", None], pa.string_view()), ["Café", None], id="string view"),
    pytest.param(pa.array(["Café", None]).dictionary_encode(), ["Café", None], id="dictionary"),
    pytest.param(pa.array(["Café".encode(), b"x"]), ["Café", "x"], id="bytes that are text"),
    pytest.param(pa.array([1, None]), ["1", None], id="integer"),
    pytest.param(pa.array([0.1, 2.0], pa.float32()), ["0.1", "2"], id="float"),
    pytest.param(pa.array([True, False]), ["true", "false"], id="boolean"),
    pytest.param(pa.array([None, None]), [None, None], id="null"),
    pytest.param(pa.array([date(1843, 1, 2)] * 2), ["1843-01-02"] * 2, id="date"),
    pytest.param(pa.array([1, None], pa.timestamp("ms")), ["1970-01-01 00:00:00.001", None], id="timestamp"),
    pytest.param(pa.array([1, None], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001", None], id="nanosecond"),
    pytest.param(pa.array([Decimal("1.50"), None]), ["1.50", None], id="decimal"),
    pytest.param(pa.array([["a", "b"], None]), ['["a", "b"]', None], id="list"),
    pytest.param(pa.array([{"a": {"b": "c"}}, None]), ['{"a": {"b": "c"}}', None], id="struct"),
    pytest.param(pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())), ['[["k", 1]]', "[]"], id="map"),
]


@every_format
@pytest.mark.parametrize(("column", "expected"), KINDS)
def test_kinds_of_columns(tmp_path: Path, name: str, column: pa.Array, expected: list[str | None]):
    (tmp_path / "a").write_bytes(FORMATS[name](pa.table({"text": ["one", "two"], "x": column})))
    found = read(parquet, source(file(tmp_path / "a"), attributes=("x",)), tmp_path)
    assert [row.get("attributes", {}).get("x") for row in found.rows] == expected
    assert found.rejects == {}


@every_format
def test_nested_columns_by_path(tmp_path: Path, name: str):
    """As `datasets` has translations, and SQuAD its answers; a column that is called `a.b` goes first."""
    rows = pa.table(
        {
            "translation": [{"en": "yes", "de": "ja"}, None, {"en": "no", "de": None}],
            "answers": [{"text": ["a", "b"], "start": [1, 2]}, {"text": [], "start": []}, None],
            "translation.fr": ["oui", "peut-être", "non"],
            "spans": [[{"start": 0, "end": 2}], [], None],
        }
    )
    (tmp_path / "a").write_bytes(FORMATS[name](rows))
    p = source(
        file(tmp_path / "a"),
        text="translation.fr",
        pair="translation.de",
        targets="answers.text",
        attributes=("answers.start.1", "spans.0.end", "translation.it"),
    )
    assert read(parquet, p, tmp_path).rows == [
        {
            "text": "oui",
            "pair": "ja",
            "targets": ["a", "b"],
            "attributes": {"answers.start.1": "2", "spans.0.end": "2"},
        },
        {"text": "peut-être", "targets": []},
        {"text": "non"},
    ]


def test_only_what_is_wanted_is_read(tmp_path: Path):
    """What nobody asked for may be damaged."""
    content = of_parquet(pa.table({"text": ["one"], "more": [{"a": "aaaa" * 50, "b": "b"}]}))
    broken = content.replace(b"aaaa" * 50, b"\0" * 200)
    assert broken != content
    (tmp_path / "a").write_bytes(broken)
    found = read(parquet, source(file(tmp_path / "a"), attributes=("more.b",)), tmp_path)
    assert found.rows == [{"text": "one", "attributes": {"more.b": "b"}}]


def test_row_groups_are_read_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of plain files, those in folders included; what is packed, and Arrow, is read as one."""
    size = pq.ParquetFile(io.BytesIO(of_parquet(SONGS))).metadata.row_group(0).total_byte_size
    monkeypatch.setattr(columnar, "PART", size * 33 // 10)
    monkeypatch.setattr(inputs, "PART", 100)
    (tmp_path / "t").mkdir()
    for name in ("a", "t/b", "t/c"):
        (tmp_path / name).write_bytes(of_parquet(SONGS))
    (tmp_path / "d").write_bytes(gzip.compress(of_parquet(SONGS)))
    p = source(file(tmp_path / "a"), file(tmp_path / "t", "*"), file(tmp_path / "d"), label="n")
    parts = divided(parquet, p, tmp_path)[2]
    whole = [((0, 1, 2), 1), ((3, 4, 5), 10), ((6,), 19)]
    assert [(part.of.file, part.groups, part.row) for part in parts] == [
        *((0, *one) for one in whole),
        *((1, *one) for one in whole * 2),
        (2, None, 1),
    ]
    assert texts(read(parquet, p, tmp_path).rows) == SONGS["text"].to_pylist() * 4


@every_format
def test_rejects_tell_the_row_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(columnar, "PART", 1)
    monkeypatch.setattr(columnar, "BATCH", 2)
    rows = pa.table({"text": ["a", "b", "c", "d", None, "f\0"], "x": [b"1", b"2", b"\xff", b"", b"5", b"6"]})
    (tmp_path / "a").write_bytes(FORMATS[name](rows))
    found = read(parquet, source(file(tmp_path / "a"), label="x"), tmp_path)
    assert found.rows == [{"text": "a", "label": "1"}, {"text": "b", "label": "2"}, {"text": "d"}]
    assert found.rejects == {
        f"{tmp_path}/a: row:3": "bytes in 'x' that are no text in this encoding",
        f"{tmp_path}/a: row:5": "no text in 'text'",
        f"{tmp_path}/a: row:6": "a NUL character in 'text': no text in this encoding",
    }


def test_texts_that_are_no_utf_8(tmp_path: Path):
    """Parquet takes whatever its writer calls a text."""
    rows = pa.table({"text": [b"a", b"\xff", b"c"]}).cast(pa.schema([("text", pa.binary())]))
    unsafe = pa.Array.from_buffers(pa.string(), 3, rows["text"].chunk(0).buffers())
    (tmp_path / "a").write_bytes(of_parquet(pa.table({"text": unsafe, "more": [[one] for one in unsafe]})))
    found = read(parquet, source(file(tmp_path / "a"), labels="more"), tmp_path)
    assert texts(found.rows) == ["a", "c"]
    assert found.rejects == {f"{tmp_path}/a: row:2": "bytes in 'text' that are no text in this encoding"}


@every_format
def test_packed_files_and_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    content = FORMATS[name](SONGS)
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one", content)
        archive.writestr("two", content[:-30])
        archive.writestr("three", b"text\n")
    found = read(parquet, source(file(tmp_path / "a.gz"), file(tmp_path / "a.zip", "*")), tmp_path)
    assert len(found.rows) >= 40
    assert found.rejects.pop(f"{tmp_path}/a.zip/three") == "neither Parquet nor Arrow, by its first bytes"
    assert all(place.startswith(f"{tmp_path}/a.zip/two") for place in found.rejects)
    monkeypatch.setattr(columnar, "LARGEST", 100)
    with pytest.raises(Fault, match=r"a\.gz: more than 100 bytes, packed as a whole; unpack it; fetch it again, or"):
        read(parquet, source(file(tmp_path / "a.gz")), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (of_parquet(SONGS)[:-20], "not a whole Parquet file (Parquet magic bytes not found in footer."),
        (FORMATS["arrow"](SONGS)[:-20], "not a whole Arrow file ("),
        (FORMATS["stream"](SONGS)[:20], "not a whole Arrow file ("),
        (gzip.compress(of_parquet(SONGS), mtime=0)[:-20], "the file breaks off here: Compressed file ended before"),
        (b"text\none\n", "neither Parquet nor Arrow, by its first bytes; fetch it again, or pin another one"),
        (b"", "neither Parquet nor Arrow, by its first bytes"),
        (
            of_parquet(SONGS.rename_columns(["texts", "n", "label"])),
            "no column 'text'; there is: texts, n, label; correct fields in params.yaml; did you mean texts?",
        ),
        (FORMATS["stream"](pa.table({})), "no column 'text'; there is: nothing; correct fields in params.yaml"),
        (
            FORMATS["stream"](pa.table([["a"], ["b"]], names=["text", "text"])),
            "2 columns are named 'text'; rename all but one",
        ),
    ],
)
def test_files_that_are_none_are_told(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(Fault) as told:
        read(parquet, source(file(tmp_path / "a")), tmp_path)
    assert str(told.value).startswith(f"{tmp_path}/a: {message}")


def packed(opened: Callable[..., Any], rows: pa.Table) -> bytes:
    """Arrow with packed buffers."""
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    return of_arrow(lambda sink, schema: opened(sink, schema, options=options), rows)


@pytest.mark.parametrize(
    ("pack", "what"),
    [
        (partial(of_parquet, compression="zstd"), r"a page of [\d,]+ bytes would be 2,09\d,\d+"),
        (partial(packed, pa.ipc.new_file), r"buffers of [\d,]+ bytes would be 2,09\d,\d+"),
        (partial(packed, pa.ipc.new_stream), r"buffers of [\d,]+ bytes would be 2,09\d,\d+"),
        (lambda rows: packed(pa.ipc.new_stream, dictionaries(rows)), r"buffers of [\d,]+ bytes would be 2,09\d,\d+"),
    ],
    ids=["parquet", "arrow", "stream", "dictionary"],
)
def test_a_bomb_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[pa.Table], bytes], what: str
):
    """One large value among small ones, packed into next to nothing."""
    monkeypatch.setattr(unpacking, "ROOM", 2**20)
    (tmp_path / "a").write_bytes(pack(pa.table({"text": ["a", "b" * 2_090_000, "c"]})))
    assert (tmp_path / "a").stat().st_size < 5_000
    told = rf"^{tmp_path}/a: {what}: a bomb, no text; fetch it again, or pin another one$"
    with pytest.raises(Fault, match=told):
        read(parquet, source(file(tmp_path / "a")), tmp_path)


def dictionaries(rows: pa.Table) -> pa.Table:
    return pa.table({"text": rows["text"].dictionary_encode()})


def test_a_bomb_that_nobody_wants_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unpacking, "ROOM", 2**20)
    (tmp_path / "a").write_bytes(of_parquet(pa.table({"text": ["a"], "other": ["b" * 2**22]}), "zstd"))
    assert texts(read(parquet, source(file(tmp_path / "a")), tmp_path).rows) == ["a"]


@every_format
def test_a_value_that_is_too_long_is_a_reject(tmp_path: Path, name: str):
    """As a line is; the rows around it are read, and a dictionary is none of its rows."""
    long = "b" * (2**24 + 1)
    rows = {"text": ["a", "b", "c", "d"], "one": ["a", long, None, "d"], "many": [None, ["x"], [long, "y"], []]}
    (tmp_path / "a").write_bytes(FORMATS[name](pa.table(rows).append_column("few", pa.array([*"abcd"], KEPT_ONCE))))
    for wanted, place in (("one", 2), ("many", 3)):
        found = read(parquet, source(file(tmp_path / "a"), attributes=(wanted,)), tmp_path)
        assert texts(found.rows) == [one for n, one in enumerate("abcd", 1) if n != place]
        assert found.rejects == {f"{tmp_path}/a: row:{place}": "a row of more than 16,777,216 bytes"}
    assert len(read(parquet, source(file(tmp_path / "a"), attributes=("few",)), tmp_path).rows) == 4


KEPT_ONCE = pa.dictionary(pa.int8(), pa.string())
MEGABYTE = pa.array(["a" * 2**20])
# Each says 500 times the same megabyte, and has it at most once.
REPEATED: dict[str, Callable[[Path], Any]] = {
    "parquet": lambda path: pq.write_table(repeated(), path, store_schema=False),
    "parquet of dictionaries": lambda path: pq.write_table(repeated(), path),
    "parquet of differences": lambda path: pq.write_table(
        repeated().cast(pa.schema([("text", pa.string())])),
        path,
        use_dictionary=False,
        column_encoding={"text": "DELTA_BYTE_ARRAY"},
    ),
    "arrow": lambda path: path.write_bytes(of_arrow(pa.ipc.new_file, repeated(), 500)),
    "arrow of views": lambda path: path.write_bytes(of_arrow(pa.ipc.new_stream, views(), 500)),
}


def repeated() -> pa.Table:
    return pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * 500, pa.int16()), MEGABYTE)})


def views() -> pa.Table:
    _, view, text = MEGABYTE.cast(pa.string_view()).buffers()
    many = pa.py_buffer(view.to_pybytes()[:16] * 500)
    return pa.table({"text": pa.Array.from_buffers(pa.string_view(), 500, [None, many, text])})


PEAK = r"""
import re, sys
from pathlib import Path
from stages.core import columnar
from stages.core.inputs import File
path = Path(sys.argv[1])
file = File(at=sys.argv[1], sha256="0" * 64, members=None, constants={})
(part,) = columnar.parts([file], [path])
rows = sum(len(batch.numbers) for batch in columnar.read(file, path, part, ["text"]))
print(rows, int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("name", REPEATED)
def test_one_value_of_many_rows_is_not_in_memory_as_often(tmp_path: Path, name: str):
    REPEATED[name](tmp_path / "a")
    assert (tmp_path / "a").stat().st_size < 2**21
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path / "a")], capture_output=True, check=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == 500
    assert peak < 500  # MiB, as many as are read


@pytest.mark.parametrize("name", REPEATED)
def test_there_is_an_end_to_what_a_small_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setattr(streams, "SMALL", 2**26)
    monkeypatch.setattr(streams, "RATIO", 4)
    REPEATED[name](tmp_path / "a")
    found = read(parquet, source(file(tmp_path / "a")), tmp_path)
    assert 32 <= len(found.rows) <= 64
    assert found.rejects == {
        f"{tmp_path}/a: row:{len(found.rows) + 1}": "the file breaks off here: more than 4 times as large as it is "
        "packed: a bomb, no text"
    }


def test_what_came_before_the_damage_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(columnar, "BATCH", 2)
    content = FORMATS["stream"](SONGS)
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    found = read(parquet, source(file(tmp_path / "a")), tmp_path)
    assert texts(found.rows) == SONGS["text"].to_pylist()[: len(found.rows)]
    ((place, reason),) = found.rejects.items()
    assert place == f"{tmp_path}/a: row:{len(found.rows) + 1}"
    assert len(found.rows) > 3
    assert reason.startswith("the file breaks off here: ")


def test_offsets_that_lead_elsewhere_are_damage(tmp_path: Path):
    """Arrow's files are memory as it is: whoever believes them reads what is not theirs."""
    content = FORMATS["stream"](pa.table({"text": ["a", "b"]}))
    wrong = content.replace(struct.pack("<3i", 0, 1, 2), struct.pack("<3i", 0, 1, 10**6))
    assert wrong != content
    (tmp_path / "a").write_bytes(wrong)
    found = read(parquet, source(file(tmp_path / "a")), tmp_path)
    assert (found.rows, list(found.rejects)) == ([], [f"{tmp_path}/a: row:1"])


@given(data=st.data())
@every_format
def test_any_damage_is_rows_rejects_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
):
    content = bytearray(FORMATS[name](SONGS))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=5)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        found = read(parquet, source(file(path), label="label", attributes=("n",)), path.parent)
    except Fault as fault:
        assert str(fault).startswith(f"{path}: ")  # noqa: PT017
    else:
        assert all("\0" not in row["text"] for row in found.rows)


@given(given=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))))
@every_format
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str, given: list[str]):
    path = tmp_path_factory.getbasetemp() / "texts"
    path.write_bytes(FORMATS[name](pa.table({"text": pa.array(given, pa.string())})))
    assert texts(read(parquet, source(file(path)), path.parent).rows) == given
