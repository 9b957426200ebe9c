"""Parquet and Arrow (IPC files and streams, as `datasets` keeps them): the wanted columns, a few rows at a time."""

import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import ipc

from stages.core import fields, inputs, unpacking
from stages.core.faults import Fault, did_you_mean
from stages.core.fields import Batch
from stages.core.inputs import PART, File
from stages.core.lines import BROKEN_OFF, LONGEST, unread
from stages.core.records import Reject
from stages.core.streams import DAMAGED, bomb, bound, of_the_machine

BATCH, HEAVY = 5_000, 2**26  # rows that are mapped at once, and bytes that are read at once
LARGEST = 2**30  # bytes of a file that has no place on the disk, as in a zip
PARQUET, ARROW, STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
FAULTY = (*DAMAGED, UnicodeDecodeError)
UNTOLD = (pa.ArrowException, ValueError, OverflowError)  # bytes that are no UTF-8; nanoseconds, the year 10,000
# Nobody's text: half of a surrogate pair, which `fields.mapped` refuses with the row.
UNREADABLE = "\udc80"


class Part(NamedTuple):
    """What is read as one: files, or row groups of a single one, whose first row has this number."""

    of: inputs.Part
    groups: tuple[int, ...] | None = None
    row: int = 1


class Unreadable(Exception):
    """What is wrong with a file as a whole."""


def parts(files: Sequence[File], paths: Sequence[Path]) -> list[Part]:
    """All there is to read, in order of arrival."""
    found = inputs.parts(files, paths, whole=True)
    return [part for one in found for part in divided(one, files[one.file], paths[one.file])]


def divided(part: inputs.Part, file: File, path: Path) -> list[Part]:
    """A Parquet file as row groups, some PART bytes at a time; what is no such file, or many, as one."""
    if len(part.members) > 1:
        return [Part(part)]
    for _, stream in inputs.opened(file, path, part):
        if stream.seekable():
            try:
                return list(grouped(part, pq.ParquetFile(whole(stream)).metadata)) or [Part(part)]
            except FAULTY:  # `read` tells of it
                break
    return [Part(part)]


def grouped(part: inputs.Part, metadata: pq.FileMetaData) -> Iterator[Part]:
    """Neighbouring row groups that are not too large together."""
    groups, row, rows, size = list[int](), 1, 0, 0
    for n in range(metadata.num_row_groups):
        one = metadata.row_group(n)
        if groups and size + one.total_byte_size > PART:
            yield Part(part, tuple(groups), row)
            groups, row, rows, size = [], row + rows, 0, 0
        groups.append(n)
        rows, size = rows + one.num_rows, size + one.total_byte_size
    if groups:
        yield Part(part, tuple(groups), row)


def read(file: File, path: Path, part: Part, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The wanted columns of a part, each row by its number in the file."""
    for place, stream in inputs.opened(file, path, part.of):
        try:
            found = batches(whole(stream), wanted, part.groups, place)
        except Unreadable as error:
            if not part.of.members:
                raise Fault(f"{place}: {error}; fetch it again, or pin another one") from None
            yield Reject(place, f"{error}")
        else:
            yield from told(found, wanted, f"{place}: row", part.row)


def whole(stream: IO[bytes]) -> pa.NativeFile:
    """The bytes of a stream at any place: of a file as they lie on the disk, of all else in memory."""
    if stream.seekable():
        size = stream.seek(0, os.SEEK_END)
        return pa.BufferReader(mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ) if size else b"")
    try:
        content = stream.read(LARGEST + 1)
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        raise Unreadable(unread(error)) from None
    if len(content) > LARGEST:
        raise Unreadable(f"more than {LARGEST:,} bytes, packed as a whole; unpack it")
    return pa.BufferReader(content)


def batches(
    content: pa.NativeFile, wanted: Sequence[str], groups: Sequence[int] | None, place: str
) -> Iterator[pa.RecordBatch]:
    """The wanted columns of a file of any of these formats."""
    magic = content.read(8)
    content.seek(0)
    try:
        if magic.startswith(PARQUET):
            return of_parquet(content, wanted, groups, place)
        if magic.startswith(ARROW):
            return of_arrow(content, wanted, within(content), place)
        if magic.startswith(STREAM):
            return of_arrow(content, wanted, 0, place)
    except FAULTY as error:
        name = "Parquet" if magic.startswith(PARQUET) else "Arrow"
        raise Unreadable(f"not a whole {name} file ({said(error)})") from None
    raise Unreadable("neither Parquet nor Arrow, by its first bytes")


def of_parquet(
    content: pa.NativeFile, wanted: Sequence[str], groups: Sequence[int] | None, place: str
) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(content)
    checked(file.schema_arrow.names, wanted, place)
    leaves = [file.schema.column(n).path for n in range(len(file.schema))]
    columns = [narrowest(leaves, path) for path in wanted]
    chosen = [n for n, leaf in enumerate(leaves) if any(f"{leaf}.".startswith(f"{one}.") for one in columns)]
    chunks = [
        [file.metadata.row_group(n).column(one) for one in chosen]
        for n in (range(file.num_row_groups) if groups is None else groups)
    ]
    row = max((sum(heaviest(content, one) for one in group) for group in chunks), default=0)
    rows = max(1, min(BATCH, HEAVY // max(row, 1)))
    found = file.iter_batches(rows, row_groups=groups, columns=columns, use_threads=False)
    return bounded(found, wanted, sum(one.total_compressed_size for group in chunks for one in group))


def heaviest(content: pa.NativeFile, chunk: pq.ColumnChunkMetaData) -> int:
    """Bytes of a value of a column chunk, of the largest page or the longest in a dictionary, if memory holds it."""
    most = 0
    for page in unpacking.pages(content, chunk):
        if unpacking.bomb(page.unpacked, page.packed):
            raise Unreadable(f"a page of {page.packed:,} bytes would be {page.unpacked:,}: a bomb, no text")
        most = max(most, page.value if page.value * BATCH <= HEAVY else unpacking.longest(content, page, chunk))
    return most


def narrowest(leaves: Sequence[str], path: str) -> str:
    """The longest beginning of a path that Parquet has columns for: of a struct, only what is wanted is read."""
    return next(one for one in beginnings(path) if any(f"{leaf}.".startswith(f"{one}.") for leaf in leaves))


def within(content: pa.NativeFile) -> int:
    """Where the stream begins that an Arrow file holds. What follows it says only where in it what is."""
    content.seek(-len(ARROW), os.SEEK_END)
    if content.read() != ARROW:
        raise OSError("its end is missing")
    return 8


def of_arrow(content: pa.NativeFile, wanted: Sequence[str], start: int, place: str) -> Iterator[pa.RecordBatch]:
    content.seek(start)
    for unpacked, packed in unpacking.messages(content):
        if unpacking.bomb(unpacked, packed):
            raise Unreadable(f"buffers of {packed:,} bytes would be {unpacked:,}: a bomb, no text")
    content.seek(start)
    # Not by `included_fields`, which copies: all columns lie in the file as they would in memory.
    reader = ipc.open_stream(content)
    checked(reader.schema.names, wanted, place)
    names = {located(reader.schema.names, path) for path in wanted}
    return bounded(sliced(reader, sorted(names)), wanted, content.size())


def sliced(found: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some columns of batches, in pieces that are not too long, unless their offsets lead elsewhere."""
    for batch in found:
        chosen = batch.select(names)
        chosen.validate(full=True)
        for start in range(0, len(chosen), BATCH):
            yield chosen.slice(start, BATCH)


def bounded(found: Iterable[pa.RecordBatch], wanted: Sequence[str], packed: int) -> Iterator[pa.RecordBatch]:
    """Batches that are not too large, until they are more than can be in so many bytes."""
    left = bound(packed)
    for batch in found:
        for piece, size in pieces(batch, wanted):
            left -= size
            if left < 0:
                raise OSError(bomb())
            yield piece


def pieces(batch: pa.RecordBatch, wanted: Sequence[str]) -> Iterator[tuple[pa.RecordBatch, int]]:
    """A batch, or halves of halves of it, of which none but a single row is too large, each with its weight."""
    size = weight(batch, wanted)
    if len(batch) <= 1 or size <= LONGEST:
        yield batch, size
    else:
        half = len(batch) // 2
        yield from pieces(batch.slice(0, half), wanted)
        yield from pieces(batch.slice(half), wanted)


def weight(batch: pa.RecordBatch, wanted: Sequence[str]) -> int:
    """Bytes of rows, of which each has at least one."""
    return len(batch) + sum(unpacking.weight(reached(batch, path)[0]) for path in wanted)


def beginnings(path: str) -> list[str]:
    """The path itself, and with ever fewer steps."""
    steps = path.split(".")
    return [".".join(steps[:n]) for n in range(len(steps), 0, -1)]


def located(names: Sequence[str], path: str) -> str:
    """The column that a path begins in: a column that is called `a.b` goes before one that has b within."""
    return next((one for one in beginnings(path) if one in names), path)


def checked(names: Sequence[str], wanted: Sequence[str], place: str) -> None:
    """Each of the wanted columns is there once."""
    for path in wanted:
        name = located(names, path)
        if name not in names:
            raise Fault(
                f"{place}: no column {path!r}; there is: {inputs.some(names)}; "
                f"correct fields in params.yaml{did_you_mean(path, filter(str.isprintable, names))}"
            )
        if names.count(name) > 1:
            raise Fault(f"{place}: {names.count(name)} columns are named {name!r}; rename all but one")


def told(found: Iterator[pa.RecordBatch], wanted: Sequence[str], place: str, row: int) -> Iterator[Batch | Reject]:
    """Batches with values as Python has them, until there are no more."""
    while True:
        try:
            batch = next(found, None)
        except FAULTY as error:
            yield Reject(f"{place}:{row}", f"{BROKEN_OFF}: {said(error)}")
            return
        if batch is None:
            return
        if len(batch) == 1 and weight(batch, wanted) > LONGEST:
            yield Reject(f"{place}:{row}", f"a row of more than {LONGEST:,} bytes")
        else:
            yield Batch({path: column(batch, path) for path in wanted}, range(row, row + len(batch)), place)
        row += len(batch)


def column(batch: pa.RecordBatch, path: str) -> list[Any]:
    """The values at a path: through structs as columns, which is cheap, then through each value."""
    array, steps = reached(batch, path)
    values = listed(array)
    return [fields.inner(value, steps) for value in values] if steps else values


def reached(batch: pa.RecordBatch, path: str) -> tuple[pa.Array, list[str]]:
    """The last column on a path, and the steps that are left in its values."""
    name = located(batch.schema.names, path)
    array, steps = batch.column(name), [step for step in path.removeprefix(name).split(".") if step]
    while steps and pa.types.is_struct(array.type) and array.type.get_field_index(steps[0]) >= 0:
        array, steps = array.flatten()[array.type.get_field_index(steps[0])], steps[1:]
    return array.storage if isinstance(array, pa.ExtensionArray) else array, steps


def listed(array: pa.Array) -> list[Any]:
    """Values as Python has them, all that is not nested as text (dates, decimals, bytes)."""
    try:
        return (array if pa.types.is_nested(array.type) else array.cast(pa.large_string())).to_pylist()
    except UNTOLD:
        return [value(one) for one in array]


def value(scalar: pa.Scalar) -> Any:
    """A value, bytes as the text that they mean; UNREADABLE where Python has none."""
    try:
        found = scalar.as_py()
    except UNTOLD:
        return UNREADABLE
    return found.decode("utf-8", "surrogateescape") if isinstance(found, bytes) else found


def said(error: BaseException) -> str:
    """What a library says, on one line."""
    return " ".join(f"{error}".split())
