"""Parquet and Arrow files as others write them, whole and damaged."""

import gzip
import io
import struct
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import columnar, inputs
from stages.core.faults import Fault
from stages.sources import parquet
from tests.sources.reading import divided, file, read, table


def of_parquet(rows: pa.Table) -> bytes:
    """With row groups of three rows."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, row_group_size=3)
    return sink.getvalue()


def of_arrow(opened: Callable[..., Any], rows: pa.Table) -> bytes:
    """With batches of three rows."""
    sink = io.BytesIO()
    with opened(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=3)
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
        (gzip.compress(of_parquet(SONGS), mtime=0)[:-20], "damaged: "),
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


def test_a_bomb_is_not_unpacked(tmp_path: Path):
    songs = pa.table({"text": ["song"] * 3, "other": pa.array(["a" * 2**26] * 3, pa.large_string())})
    pq.write_table(songs, tmp_path / "a", compression="zstd", use_dictionary=False)
    assert (tmp_path / "a").stat().st_size < 2**16
    with pytest.raises(Fault) as told:
        read(parquet, source(file(tmp_path / "a"), text="other"), tmp_path)
    assert str(told.value).startswith(f"{tmp_path}/a: the 3 rows of row group 0 are 201,3")
    assert str(told.value).endswith(" bytes: a bomb, no text; fetch it again, or pin another one")
    assert texts(read(parquet, source(file(tmp_path / "a")), tmp_path).rows) == ["song"] * 3


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
