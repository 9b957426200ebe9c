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
from stages.core.lines import runs
from stages.core.records import Reject

DEEPEST = 1_000  # levels that are parsed at once: of what is nested deeper, orjson makes a reject
# No JSON, but pyarrow takes them for numbers. Two patterns, as each is found by how it begins.
FOREIGN = [re.compile(rb"NaN\s*[,\]}]"), re.compile(rb"Inf(inity)?\s*[,\]}]")]


def read(file: File, path: Path, part: Part, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The values at some paths, each record by its line."""
    for place, stream in inputs.opened(file, path, part):
        for run in runs(stream, place, part.line):
            if isinstance(run, Reject):
                yield run
                continue
            first, lines = run
            if columns := at_once(lines, wanted):
                yield Batch(columns, range(first, first + len(lines)), place)
                continue
            numbers, records, rejects = parsed(first, lines, place)
            yield from rejects
            yield Batch({name: fields.reach(records, name) for name in wanted}, numbers, place)


def at_once(lines: Sequence[bytes], wanted: Sequence[str]) -> dict[str, pa.Array] | None:
    """The columns of lines that are objects in which all that is wanted are texts, which costs a third; else None."""
    import pyarrow.json as reader

    data = b"\n".join(lines)
    # Lines that begin and end like this are an object each, if they are as many objects as lines.
    apart = data.startswith(b"{") and data.endswith(b"}") and data.count(b"}\n{") == len(lines) - 1
    if not apart or any(one.search(data) for one in FOREIGN) or deep(data) or any("." in name for name in wanted):
        return None
    texts = pa.schema([(name, pa.string()) for name in wanted])
    try:
        data.decode()
        table = reader.read_json(
            pa.BufferReader(data),
            reader.ReadOptions(use_threads=False, block_size=len(data) + 1),
            reader.ParseOptions(texts, newlines_in_values=False, unexpected_field_behavior="ignore"),
        )
    except (UnicodeDecodeError, pa.ArrowInvalid):
        return None
    return {name: table.column(name).combine_chunks() for name in wanted} if len(table) == len(lines) else None


def deep(data: bytes) -> bool:
    """Whether a line has so many brackets that it may be nested DEEPEST deep."""
    characters = np.frombuffer(data, np.uint8)
    opening = np.flatnonzero((characters == ord("{")) | (characters == ord("[")))
    lines = np.searchsorted(np.flatnonzero(characters == ord("\n")), opening)
    return bool((lines[DEEPEST:] == lines[:-DEEPEST]).any())


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
