"""What the pages of Parquet and the buffers of Arrow will be once unpacked: they say so, and nothing else knows."""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import ipc

from stages.core.streams import DAMAGED, RATIO

ROOM = 2**28  # bytes that a page, or a batch, may always have
DICTIONARY, DELTA_BYTE_ARRAY = 2, 7  # a kind of page; an encoding that keeps of a value what the one before had not
LENGTH = 2**24  # bytes of a dictionary that is looked through
DEEP = 4  # structs in structs: headers have three
# A codec's name, where Arrow has another one; Hadoop's LZ4 is called the same, and is not that.
CODECS = {"LZ4": "lz4_raw"}
BATCH, DICTIONARIES = "record batch", "dictionary"  # kinds of messages
COMPRESSION = b"ARROW:experimental_compression"  # of Arrow before 1.0, which is still read


def bomb(unpacked: int, packed: int) -> bool:
    """Whether so many bytes, which will be in memory at once, are none of a text."""
    return unpacked > max(ROOM, RATIO * packed)


class Page(NamedTuple):
    """A page by its header: where what it holds begins, and what that is."""

    at: int
    kind: int
    unpacked: int
    packed: int
    values: int
    encoding: int

    @property
    def value(self) -> int:
        """Bytes of a value: of each on the average, or, where one may stand for others, of the longest there can be."""
        repeated = self.kind == DICTIONARY or self.encoding == DELTA_BYTE_ARRAY
        return self.unpacked // (1 if repeated else max(self.values, 1))


def pages(content: pa.NativeFile, chunk: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """The pages of a column chunk, as its reader will find them."""
    at, left = min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset), chunk.num_values
    end = at + chunk.total_compressed_size
    while left > 0 and at < end:
        content.seek(at)
        page = header(content)
        yield page
        left -= 0 if page.kind == DICTIONARY else page.values
        at = page.at + page.packed


def header(content: pa.NativeFile) -> Page:
    """The header of a page that begins here: of a dictionary, of data, or of data in the second version."""
    try:
        found = fields(content)
        kind, unpacked, packed = found[1], found[2], found[3]
        own = found.get(7) or found.get(5) or found.get(8) or {}
        page = Page(content.tell(), kind, unpacked, packed, own.get(1, 0), own.get(4 if 8 in found else 2, 0))
    except (KeyError, AttributeError, struct.error) as error:
        raise OSError(f"no header of a page: {error}") from None
    if min(page) < 0:
        raise OSError("no header of a page: less than nothing")
    return page


def fields(content: pa.NativeFile, deep: int = 0) -> dict[int, Any]:
    """The fields of a struct in Thrift's compact protocol, by number; texts are passed over."""
    found, number = dict[int, Any](), 0
    while first := byte(content):
        number = number + (first >> 4) if first >> 4 else zigzag(content)
        match first & 15:
            case 1 | 2 as truth:
                found[number] = truth == 1
            case 3:
                found[number] = byte(content)
            case 4 | 5 | 6:
                found[number] = zigzag(content)
            case 8:
                content.seek(varint(content), 1)
            case 12 if deep < DEEP:
                found[number] = fields(content, deep + 1)
            case other:
                raise OSError(f"no header of a page: a field of kind {other}")
    return found


def byte(content: pa.NativeFile) -> int:
    return struct.unpack("B", content.read(1))[0]


def varint(content: pa.NativeFile) -> int:
    number = 0
    for shift in range(0, 64, 7):
        one = byte(content)
        number |= (one & 127) << shift
        if one < 128:
            return number
    raise OSError("no header of a page: a number without end")


def zigzag(content: pa.NativeFile) -> int:
    number = varint(content)
    return number >> 1 ^ -(number & 1)


def longest(content: pa.NativeFile, page: Page, chunk: pq.ColumnChunkMetaData) -> int:
    """Bytes of the longest value of a dictionary, as far as one can tell."""
    if chunk.physical_type != "BYTE_ARRAY" or page.unpacked > LENGTH:
        return page.value
    content.seek(page.at)
    values: Any = content.read(page.packed)
    if chunk.compression != "UNCOMPRESSED":
        try:
            codec = CODECS.get(chunk.compression, chunk.compression.lower())
            values = pa.decompress(values, page.unpacked, codec)
        except (ValueError, OSError, pa.ArrowException):
            return page.value
    at = most = 0
    while at + 4 <= page.unpacked:
        (size,) = struct.unpack_from("<I", values, at)
        at, most = at + 4 + size, max(most, size)
    return most


def messages(content: pa.NativeFile) -> Iterator[tuple[int, int]]:
    """Of each message in a stream of Arrow that has buffers, what they are unpacked, and what they are here; until it
    breaks off, which its reader tells."""
    reader = ipc.MessageReader.open_stream(content)
    while True:
        try:
            message = reader.read_next_message()
        except (StopIteration, *DAMAGED):
            return
        if message.type in (BATCH, DICTIONARIES):
            try:
                yield declared(message), message.body.size
            except struct.error as error:
                raise OSError(f"a message of buffers that are not in it: {error}") from None


def declared(message: ipc.Message) -> int:
    """What the buffers of a message say that they are; nothing, where they are as they will be."""
    data = message.metadata
    batch = followed(data, field(data, followed(data, 0), 2))
    if message.type == DICTIONARIES:
        batch = followed(data, field(data, batch, 1))
    if not field(data, batch, 3) and COMPRESSION not in data.to_pybytes():
        return 0
    buffers = followed(data, field(data, batch, 2))
    (count,) = struct.unpack_from("<I", data, buffers)
    places = (struct.unpack_from("<qq", data, buffers + 4 + 16 * n) for n in range(count))
    return sum(max(struct.unpack_from("<q", message.body, at)[0], 0) for at, size in places if size)


def field(data: pa.Buffer, table: int, number: int) -> int:
    """Where a field of a table stands in FlatBuffers, or 0."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    there = 4 + 2 * number < struct.unpack_from("<H", data, fields)[0]
    offset = struct.unpack_from("<H", data, fields + 4 + 2 * number)[0] if there else 0
    return table + offset if offset else 0


def followed(data: pa.Buffer, at: int) -> int:
    """Where what stands here leads."""
    return at + struct.unpack_from("<I", data, at)[0]


def weight(array: pa.Array) -> int:
    """Bytes of values if each stood for itself, where one is kept for many; no more than that, if it is one."""
    kind = array.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        views = np.frombuffer(array.buffers()[1] or b"", "<i4")[::4]
        return int(views[array.offset : array.offset + len(array)].clip(0).sum(dtype=np.int64))
    if pa.types.is_dictionary(kind) and (sizes := lengths(array.dictionary)) is not None:
        return array.indices.nbytes + (sizes.take(array.indices).sum().as_py() or 0)
    if pa.types.is_struct(kind):
        return sum(map(weight, array.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return array.offsets.nbytes + weight(array.values.slice(first, last - first))
    many = shared(array)
    return array.nbytes if many is None else len(array) * weight(many)


def lengths(array: pa.Array) -> pa.Array | None:
    """Bytes of each value, if these are texts or bytes."""
    try:
        return pc.call_function("binary_length", [array])
    except pa.ArrowNotImplementedError:
        return None


def shared(array: pa.Array) -> pa.Array | None:
    """What any value of an array may be all of, if there is such a thing."""
    kind = array.type
    if pa.types.is_run_end_encoded(kind):
        return array.values.slice(array.find_physical_offset(), array.find_physical_length())
    if pa.types.is_dictionary(kind):
        return array.dictionary.take(array.indices) if len(array) == 1 else array.dictionary
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return array.flatten() if len(array) == 1 else array.values
    return None
