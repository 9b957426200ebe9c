"""JSON, a record a line: the values at the wanted paths, a few records at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from stages.core import fields, inputs
from stages.core.fields import Batch
from stages.core.inputs import File, Part
from stages.core.lines import batches, lines
from stages.core.records import Reject


def read(file: File, path: Path, part: Part, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The values at some paths, each record by its line."""
    for place, stream in inputs.opened(file, path, part):
        for batch in batches(lines(stream, place, part.line)):
            numbers, records, rejects = parsed(batch, place)
            yield from rejects
            yield Batch({name: fields.reach(records, name) for name in wanted}, numbers, place)


def parsed(
    batch: Sequence[tuple[int, bytes] | Reject], place: str
) -> tuple[list[int], list[dict[str, Any]], list[Reject]]:
    """The objects of some lines, the numbers of these, and what is none; a blank line is nothing."""
    numbers, records, rejects = list[int](), list[dict[str, Any]](), list[Reject]()
    for one in batch:
        if isinstance(one, Reject):
            rejects.append(one)
            continue
        number, line = one
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
