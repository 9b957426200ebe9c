"""JSON, a record a line: plain, compressed or in archives; nested fields by path."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from stages.core import fields, inputs, jsonlines
from stages.core.inputs import File, Part
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
    file = p.files[part.file]
    found = jsonlines.read(file, paths[part.file], part, p.columns())
    return fields.chunks(found, p, file.constants, attributes(p))
