"""Tables in text: CSV, TSV and their dialects, with a header or without, plain, compressed or in archives."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from stages.core import delimited, fields
from stages.core.delimited import Dialect
from stages.core.inputs import File, Part
from stages.core.records import Chunk, Reject, Unwanted


class Params(fields.Table):
    files: Annotated[tuple[File, ...], Field(min_length=1)]
    dialect: Dialect


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, p.files)


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return delimited.parts(p.files, paths, p.dialect)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    file = p.files[part.file]
    found = delimited.read(file, paths[part.file], part, p.dialect, p.columns())
    return fields.chunks(found, p, file.constants, attributes(p))
