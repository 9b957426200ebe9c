"""Parquet and Arrow (IPC files and streams, as `datasets` keeps them): the wanted columns, a few rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from stages.core import columnar, fields
from stages.core.inputs import File
from stages.core.records import Chunk, Reject, Unwanted


class Params(fields.Table):
    files: Annotated[tuple[File, ...], Field(min_length=1)]


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, p.files)


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[columnar.Part]:
    return columnar.parts(p.files, paths)


def read(p: Params, part: columnar.Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    file = p.files[part.of.file]
    found = columnar.read(file, paths[part.of.file], part, p.columns())
    return fields.chunks(found, p, file.constants, attributes(p))
