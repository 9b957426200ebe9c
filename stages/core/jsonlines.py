"""JSON, a record a line: the values at the wanted paths, some records at a time."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from stages.core import fields, inputs
from stages.core.fields import Batch
from stages.core.inputs import File, Part
from stages.core.lines import BOM, Places, bare, newlines, stretches
from stages.core.records import Reject

DEEPEST = 1_000  # levels that are parsed at once: of what is nested deeper, orjson makes a reject
# No JSON, but pyarrow takes them for numbers. Two patterns, as each is found by how it begins.
FOREIGN = [re.compile(rb"NaN\s*[,\]}]"), re.compile(rb"Inf(inity)?\s*[,\]}]")]


def read(file: File, path: Path, part: Part, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The values at some paths, each record by its line."""
    for place, stream in inputs.opened(file, path, part):
        for one in stretches(stream, place, part.line):
            if isinstance(one, Reject):
                yield one
                continue
            first, data = one
            if columns := at_once(data, wanted):
                yield Batch(columns, range(first, first + len(columns[wanted[0]])), place)
                continue
            numbers, records, rejects = parsed(first, bare(data), place)
            yield from rejects
            yield Batch({name: fields.reach(records, name) for name in wanted}, numbers, place)


def at_once(data: bytes, wanted: Sequence[str]) -> dict[str, pa.Array] | None:
    """The columns of lines that are objects in which all that is wanted are texts, which costs a third; else None."""
    import pyarrow.json as reader

    data = (data.replace(b"\r\n", b"\n") if b"\r" in data else data).removeprefix(BOM).removesuffix(b"\n")
    ends = newlines(data)
    if not apart(data, ends) or foreign(data) or deep(data, ends) or any("." in name for name in wanted):
        return None
    texts = pa.schema([(name, pa.string()) for name in wanted])
    try:
        one_text(data).validate(full=True)
        table = reader.read_json(
            pa.BufferReader(data),
            reader.ReadOptions(use_threads=False, block_size=len(data) + 1),
            reader.ParseOptions(texts, newlines_in_values=False, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    return {name: table.column(name).combine_chunks() for name in wanted} if len(table) == len(ends) + 1 else None


def apart(data: bytes, ends: Places) -> bool:
    """Whether lines begin and end as objects do: they are one each, if they are as many objects as lines."""
    if not (data.startswith(b"{") and data.endswith(b"}")):
        return False
    characters = np.frombuffer(data, np.uint8)
    return bool((characters[ends - 1] == ord("}")).all() and (characters[ends + 1] == ord("{")).all())


def one_text(data: bytes) -> pa.Array:
    """All of it as a single text, to be looked at as such."""
    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    return pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data))


def foreign(data: bytes) -> bool:
    """Whether FOREIGN stands in a line, as more than a part of a text."""
    return any(is_none(line_at(data, one.start())) for pattern in FOREIGN for one in pattern.finditer(data))


def line_at(data: bytes, position: int) -> bytes:
    end = data.find(b"\n", position)
    return data[data.rfind(b"\n", 0, position) + 1 : end if end >= 0 else len(data)]


def is_none(line: bytes) -> bool:
    """Whether a line is no JSON."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return True
    return False


def deep(data: bytes, ends: Places) -> bool:
    """Whether a line has so many brackets that it may be nested DEEPEST deep."""
    edges = np.concatenate([[0], ends, [len(data)]])
    long = np.flatnonzero(np.diff(edges) > 2 * DEEPEST)  # what is opened is closed, or no JSON
    return any(
        data.count(b"{", start, end) + data.count(b"[", start, end) > DEEPEST
        for start, end in zip(edges[long].tolist(), edges[long + 1].tolist(), strict=True)
    )


def parsed(first: int, lines: Sequence[bytes], place: str) -> tuple[Sequence[int], list[dict[str, Any]], list[Reject]]:
    """The objects of lines that follow one another, the numbers of these, and what is none; a blank line is nothing."""
    try:
        records = list(map(orjson.loads, lines))
        if set(map(type, records)) == {dict}:
            return range(first, first + len(records)), records, []
    except orjson.JSONDecodeError:
        pass
    return one_by_one(first, lines, place)


def one_by_one(first: int, lines: Sequence[bytes], place: str) -> tuple[list[int], list[dict[str, Any]], list[Reject]]:
    """The same where some line is no object."""
    numbers, records, rejects = list[int](), list[dict[str, Any]](), list[Reject]()
    for number, line in enumerate(lines, start=first):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if line.strip():
                rejects.append(Reject(f"{place}:{number}", f"not JSON: {error.msg} (column {error.colno})"))
            continue
        if isinstance(record, dict):
            numbers.append(number)
            records.append(record)
        else:
            rejects.append(Reject(f"{place}:{number}", "JSON, but no object with fields"))
    return numbers, records, rejects
