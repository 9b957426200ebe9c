"""Parallel files: line n of each belongs to row n, as translations, intents and slots come."""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field, model_validator

from stages.core import fields, inputs
from stages.core.faults import Fault
from stages.core.inputs import File
from stages.core.lines import BROKEN_OFF, UNREAD, Encoding, texts
from stages.core.records import Chunk, Reject, Unwanted

BATCH = 5_000  # rows that are mapped at once
Line = tuple[int, str] | Reject


class Params(fields.Table):
    """`sets` are files that have their lines in common, by the names that `fields` knows them by; in a folder or an
    archive, `members` names a single one. Their constants together are those of the rows."""

    sets: Annotated[tuple[dict[str, File], ...], Field(min_length=1)]
    encoding: Encoding

    @model_validator(mode="after")
    def all_columns_are_files(self) -> "Params":
        for n, one in enumerate(self.sets):
            if sorted(one) != sorted(self.columns()):
                wanted, there = (", ".join(sorted(names)) for names in (self.columns(), one))
                raise ValueError(f"sets[{n}]: `fields` and `where` want {wanted}; there is: {there}")
            given = [pair for file in one.values() for pair in file.constants.items()]
            if len(dict(given)) < len(set(given)):
                raise ValueError(f"sets[{n}]: its files have different values for one constant; keep one of them")
        return self


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, needs(p))


def needs(p: Params) -> list[File]:
    return [file for one in p.sets for file in one.values()]


def parts(p: Params, paths: Sequence[Path]) -> range:
    return range(len(p.sets))


def read(p: Params, part: int, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    files, kinds = p.sets[part], attributes(p)
    own = paths[part * len(files) : (part + 1) * len(files)]
    streams = [column(file, path, p.encoding) for file, path in zip(files.values(), own, strict=True)]
    constants = {name: value for file in files.values() for name, value in file.constants.items()}
    place, text = files[p.fields.text].at, list(files).index(p.fields.text)
    found = rows(streams, [file.at for file in files.values()])
    while batch := list(islice(found, BATCH)):
        yield from (one for one in batch if isinstance(one, Reject))
        good = [one for one in batch if not isinstance(one, Reject)]
        yield from (Reject(f"{place}:{number}", "a blank line, no text") for number, row in good if not row[text])
        good = [(number, row) for number, row in good if row[text]]
        if good:
            columns = dict(zip(files, zip(*(row for _, row in good), strict=True), strict=True))
            numbers = [number for number, _ in good]
            chunk, rejects, unwanted = fields.mapped(columns, numbers, place, p, constants, kinds)
            yield from (chunk, *rejects, Unwanted(unwanted))


def column(file: File, path: Path, encoding: str) -> Iterator[Line]:
    """The lines of a file, or of the only member that is wanted."""
    found = inputs.parts([file], [path], whole=True)
    names = [name for part in found for name in part.members]
    if len(names) > 1:
        raise Fault(
            f"{file.at}: {len(names)} members fit {file.members!r}: {', '.join(names[:3])}; "
            "lines come from one; name it in params.yaml"
        )
    for place, stream in inputs.opened(file, path, found[0]):
        yield from texts(stream, encoding, place)


def rows(streams: Sequence[Iterator[Line]], places: Sequence[str]) -> Iterator[tuple[int, list[str]] | Reject]:
    """What stands in the same line of each, without the spaces that end it."""
    for number, lines in enumerate(zip_longest(*streams), start=1):
        if None in lines:
            raise Fault(uneven(number, lines, streams, places))
        if wrong := next((one for one in lines if isinstance(one, Reject)), None):
            yield wrong
            if wrong.reason.startswith((BROKEN_OFF, UNREAD)):
                return
        else:
            yield number, [line.rstrip() for _, line in lines]


def uneven(number: int, lines: Sequence[Line | None], streams: Sequence[Iterator[Line]], places: Sequence[str]) -> str:
    """How many lines there are in each, where this is the first that is not in all."""
    counts = [number - (line is None) + sum(1 for _ in rest) for line, rest in zip(lines, streams, strict=True)]
    told = ", ".join(f"{place} has {count:,}" for place, count in zip(places, counts, strict=True))
    return f"{told} lines: line n of each is row n, so all have as many; mend or replace what is out of step"
