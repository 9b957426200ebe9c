"""JSON, a record a line: plain, compressed or in archives; nested fields by path."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import pyarrow as pa
from pydantic import Field

from stages.core import fields, inputs
from stages.core.inputs import File, Part
from stages.core.lines import batches, lines
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
        for batch in batches(lines(stream, place, part.line)):
            numbers, records, rejects = parsed(batch, place)
            yield from rejects
            columns = {name: fields.reach(records, name) for name in p.columns()}
            chunk, rejects, unwanted = fields.mapped(columns, numbers, place, p, file.constants, kinds)
            yield from (chunk, *rejects, Unwanted(unwanted))


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
