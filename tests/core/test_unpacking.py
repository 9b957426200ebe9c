"""What Parquet and Arrow say of themselves before they are unpacked, by files that others write."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import unpacking

WORDS = ["a", "bb", "word" * 30, None] * 2_000


def written(rows: pa.Table, **how: Any) -> tuple[pa.NativeFile, pq.ColumnChunkMetaData]:
    """A Parquet file, and its first column chunk."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, **how)
    content = pa.BufferReader(sink.getvalue())
    return content, pq.ParquetFile(content).metadata.row_group(0).column(0)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_the_pages_of_a_column(compression: str, version: str):
    content, chunk = written(
        pa.table({"text": WORDS}), compression=compression, data_page_version=version, data_page_size=100
    )
    dictionary, *data = unpacking.pages(content, chunk)
    assert (dictionary.kind, dictionary.unpacked, dictionary.values) == (unpacking.DICTIONARY, 123 + 3 * 4, 3)
    assert len(data) > 3
    assert sum(page.values for page in data) == len(WORDS)
    assert {page.encoding for page in data} == {8}  # of indices into a dictionary
    assert unpacking.longest(content, dictionary, chunk) == 120


def test_a_value_of_a_page():
    many = {"text": pa.array(WORDS), "number": pa.array(range(8_000))}
    content, chunk = written(pa.table(many), use_dictionary=False)
    (page,) = unpacking.pages(content, chunk)
    assert page.value == page.unpacked // 8_000 == 33
    content, chunk = written(pa.table(many), use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
    (page,) = unpacking.pages(content, chunk)
    assert page.value == page.unpacked
    content, chunk = written(pa.table({"number": many["number"]}))
    dictionary, *_ = unpacking.pages(content, chunk)
    assert unpacking.longest(content, dictionary, chunk) == dictionary.unpacked == 64_000


@given(st.binary() | st.binary().map(b"\x15\x00\x15\x10\x15\x20\x2c".__add__))
def test_any_header_is_one_or_none(content: bytes):
    try:
        page = unpacking.header(pa.BufferReader(content))
    except OSError:
        return
    assert min(page) >= 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "unpack requires a buffer of 1 bytes"),
        (b"\x00", "1"),
        (b"\x15\x00\x15\x01\x15\x20\x00", "less than nothing"),
        (b"\x15" + b"\xff" * 10, "a number without end"),
        (b"\x1c" * 100, "a field of kind 12"),
        (b"\x17", "a field of kind 7"),
    ],
)
def test_what_is_no_header(content: bytes, why: str):
    with pytest.raises(OSError, match=f"^no header of a page: {why}"):
        unpacking.header(pa.BufferReader(content))


@pytest.mark.parametrize("how", [{}, {"compression": "zstd"}, {"compression": "lz4"}])
def test_the_messages_of_a_stream(how: dict[str, str]):
    words = pa.array(WORDS)
    rows = pa.table({"text": words, "again": words.dictionary_encode()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(**how)) as writer:
        writer.write_table(rows)
    found = list(unpacking.messages(pa.BufferReader(sink.getvalue())))
    cut = list(unpacking.messages(pa.BufferReader(sink.getvalue()[:-500])))
    assert len(found) == 2 and cut == found[:1]
    (_, of_words), (_, of_rows) = found
    if how:
        assert of_words < 300 < sum(size for size, _ in found) // 200
        assert found[0][0] == words.dictionary_encode().dictionary.nbytes + 4
        assert found[1][0] == words.nbytes + 4 + rows["again"].chunk(0).indices.nbytes
    else:
        assert [size for size, _ in found] == [0, 0] and of_rows > words.nbytes


TEN = pa.array(["a" * 10] * 10)
WEIGHTS: list[Any] = [
    pytest.param(TEN, 10 * 10 + 10 * 4, id="string"),
    pytest.param(TEN[3:5], 2 * 10 + 2 * 4, id="slice"),
    pytest.param(TEN.cast(pa.string_view()), 100, id="views"),
    pytest.param(TEN.dictionary_encode(), 10 * 10 + 10 * 4, id="dictionary"),
    pytest.param(pa.DictionaryArray.from_arrays([1, 1], pa.array([[1], [2, 3]])), 2 * (24 + 12), id="of lists"),
    pytest.param(pa.DictionaryArray.from_arrays([1, 0], pa.array([[1], [2, 3]]))[1:], 8 + 8, id="of a list"),
    pytest.param(pa.StructArray.from_arrays([TEN, TEN.dictionary_encode()], ["a", "b"])[8:], 28 + 28, id="struct"),
    pytest.param(pa.array([["a" * 10], None, ["b"]])[:1], 8 + 10 + 4, id="list"),
    pytest.param(
        pa.array([[("key", "value")], []], pa.map_(pa.string(), pa.string()))[:1], 8 + 3 + 5 + 2 * 4, id="map"
    ),
    pytest.param(pa.array([["a", "b"]], pa.list_(pa.string(), 2)), 2 + 2 * 4, id="fixed list"),
    pytest.param(pa.array([["aaaa"], ["bbbb"]], pa.list_view(pa.string())), 2 * (8 + 2 * 4), id="list views"),
    pytest.param(pa.array([["aaaa"], ["bbbb"]], pa.list_view(pa.string()))[1:], 4 + 4, id="list view"),
    pytest.param(pa.RunEndEncodedArray.from_arrays([3, 9], ["a", "b" * 10])[3:], 6 * (10 + 4), id="runs"),
    pytest.param(pa.nulls(3), 0, id="nothing"),
]


@pytest.mark.parametrize(("array", "bytes_"), WEIGHTS)
def test_what_values_weigh(array: pa.Array, bytes_: int):
    assert unpacking.weight(array) == bytes_
