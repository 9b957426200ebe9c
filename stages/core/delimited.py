"""CSV, TSV and their dialects, with a header or without: the wanted columns, a few records at a time."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Annotated

from pydantic import Field, field_validator

from stages.core import inputs
from stages.core.faults import Fault, did_you_mean
from stages.core.fields import Batch
from stages.core.inputs import DAMAGED, File, Part
from stages.core.params import Section
from stages.core.records import Reject

BATCH = 5_000  # records that are mapped at once
LONGEST = 2**24  # characters of a field, or of a line at once
# A byte of theirs that looks like a line's end, or a quote, is one.
DIVISIBLE = ("utf-8", "ascii", "iso8859", "cp125")
Character = Annotated[str, Field(min_length=1, max_length=1)]


class Dialect(Section):
    """How a table is written. Without a `header`, its columns are called 1, 2, ...; `quote` and `escape` null: there is
    no such character."""

    encoding: str
    delimiter: Character
    quote: Character | None
    escape: Character | None
    header: bool

    @field_validator("encoding")
    @classmethod
    def encoding_is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise ValueError(f"{error}; utf-8 is the usual one") from None
        return encoding


def parts(files: Sequence[File], paths: Sequence[Path], dialect: Dialect) -> list[Part]:
    """All there is to read, in order of arrival."""
    divisible = codecs.lookup(dialect.encoding).name.startswith(DIVISIBLE) and dialect.escape is None
    return inputs.parts(files, paths, quotes=dialect.quote.encode() if dialect.quote else None, whole=not divisible)


def read(file: File, path: Path, part: Part, dialect: Dialect, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The wanted columns of a part, each record by the line where it begins."""
    header = None
    if part.start and dialect.header:
        with inputs.unzipped(path) as stream:
            _, first = next(records(stream, dialect, file.at, 1))
            header = heading(file.at, first, wanted)
    for place, stream in inputs.opened(file, path, part):
        found = records(stream, dialect, place, part.line)
        if dialect.header:
            names = header or heading(place, next(found, (1, []))[1], wanted)
        else:
            found, names = numbered(found, place, wanted)
        while batch := list(islice(found, BATCH)):
            good, rejects = even(batch, names, place)
            yield from rejects
            values = zip(*(record for _, record in good), strict=True)
            if good:
                columns = {name: one for name, one in zip(names, values, strict=True) if name in wanted}
                yield Batch(columns, [line for line, _ in good], place)


def numbered(
    found: Iterator[tuple[int, list[str] | Reject]], place: str, wanted: Sequence[str]
) -> tuple[Iterator[tuple[int, list[str] | Reject]], list[str]]:
    """The same records; and the names of their columns, 1, 2, ..., as many as the first one has."""
    before: list[tuple[int, list[str] | Reject]] = []
    for one in found:
        before.append(one)
        if isinstance(one[1], list):
            names = [f"{n}" for n in range(1, len(one[1]) + 1)]
            return chain(before, found), heading(place, names, wanted)
    return iter(before), []


def records(stream: IO[bytes], dialect: Dialect, place: str, line: int) -> Iterator[tuple[int, list[str] | Reject]]:
    """The line where each record begins, and its fields; a blank line is no record. Bytes that can't be decoded pass as
    halves of surrogate pairs."""
    # A byte order mark, as spreadsheets write it, is no part of the first column's name.
    encoding = "utf-8-sig" if codecs.lookup(dialect.encoding).name == "utf-8" else dialect.encoding
    text = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")  # pyright: ignore[reportArgumentType]
    csv.field_size_limit(LONGEST)
    reader = csv.reader(
        iter(partial(text.readline, LONGEST), ""),
        delimiter=dialect.delimiter,
        quotechar=dialect.quote,
        escapechar=dialect.escape,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )
    at = line
    try:
        while True:
            try:
                record = next(reader)
            except csv.Error as error:
                yield at, Reject(f"{place}:{at}", f"lines {at} to {line + reader.line_num - 1}: {error}")
            else:
                if record:
                    yield at, record
            at = line + reader.line_num
    except StopIteration:
        return
    except (*DAMAGED, UnicodeError) as error:
        yield at, Reject(f"{place}:{at}", f"the file breaks off here: {error}")
    finally:
        if not text.closed:
            text.detach()  # the stream is its opener's to close


def heading(place: str, header: list[str] | Reject, wanted: Sequence[str]) -> list[str]:
    """The names of the columns, each of the wanted ones there once."""
    if isinstance(header, Reject):
        raise Fault(f"{header.place}: no header, {header.reason}; mend the file or correct `dialect` in params.yaml")
    for name in wanted:
        if name not in header:
            raise Fault(
                f"{place}:1: no column {name!r}; there is: {', '.join(header) or 'nothing'}; "
                f"correct fields or dialect in params.yaml{did_you_mean(name, header)}"
            )
        if header.count(name) > 1:
            raise Fault(f"{place}:1: {header.count(name)} columns are named {name!r}; rename all but one")
    return header


def even(
    batch: Sequence[tuple[int, list[str] | Reject]], names: Sequence[str], place: str
) -> tuple[list[tuple[int, list[str]]], list[Reject]]:
    """The records that have a value for each column and for nothing else; stray delimiters at the end are no values."""
    good, rejects = list[tuple[int, list[str]]](), list[Reject]()
    nameless = [n for n, name in enumerate(names) if not name]
    for line, record in batch:
        if isinstance(record, Reject):
            rejects.append(record)
        elif len(record) < len(names) or any(record[len(names) :]):
            rejects.append(Reject(f"{place}:{line}", f"{len(record)} fields, the header has {len(names)}"))
        elif any(record[n] for n in nameless):
            rejects.append(Reject(f"{place}:{line}", "text in a column without a name: a delimiter too many"))
        else:
            good.append((line, record[: len(names)]))
    return good, rejects
