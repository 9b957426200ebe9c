"""JSON, a record a line: the values at the wanted paths, some records at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from stages.core import fields, inputs
from stages.core.fields import Batch
from stages.core.inputs import File, Part
from stages.core.lines import runs
from stages.core.records import Reject


def read(file: File, path: Path, part: Part, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The values at some paths, each record by its line."""
    for place, stream in inputs.opened(file, path, part):
        for run in runs(stream, place, part.line):
            if isinstance(run, Reject):
                yield run
                continue
            numbers, records, rejects = parsed(*run, place)
            yield from rejects
            yield Batch({name: fields.reach(records, name) for name in wanted}, numbers, place)


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
