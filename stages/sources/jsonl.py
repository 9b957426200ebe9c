"""JSON, a record a line: plain, compressed or in archives; nested fields by path."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import pyarrow as pa
from pydantic import Field

from stages.core import fields, inputs
from stages.core.inputs import File, Part
from stages.core.lines import runs
from stages.core.records import Chunk, Reject, Unwanted


class Params(fields.Table):
    files: Annotated[tuple[File, ...], Field(min_length=1)]


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, p.files)


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    file, kinds = p.files[part.file], attributes(p)
    for place, stream in inputs.opened(file, paths[part.file], part):
        for run in runs(stream, place, part.line):
            if isinstance(run, Reject):
                yield run
                continue
            numbers, records, rejects = parsed(*run, place)
            yield from rejects
            columns = {name: fields.reach(records, name) for name in p.columns()}
            chunk, rejects, unwanted = fields.mapped(columns, numbers, place, p, file.constants, kinds)
            yield from (chunk, *rejects, Unwanted(unwanted))


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
