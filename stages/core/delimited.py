"""CSV, TSV and their dialects, with a header or without: the wanted columns, some records at a time."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Annotated, Self

from pydantic import Field, model_validator

from stages.core import inputs, rfc4180
from stages.core.faults import Fault, did_you_mean
from stages.core.fields import Batch
from stages.core.inputs import File, Part, Quoting
from stages.core.lines import Encoding, divisible, unread
from stages.core.params import Section
from stages.core.records import Reject
from stages.core.rfc4180 import Block, Marks, divided
from stages.core.streams import DAMAGED, of_the_machine

BATCH, LARGE = 5_000, 2**24  # records, and characters of them, that are mapped at once
LONGEST = 2**24  # characters of a field, or of a line at once
Character = Annotated[str, Field(min_length=1, max_length=1)]
Record = tuple[int, list[str] | Reject]


class Dialect(Section):
    """How a table is written. Without a `header`, its columns are called 1, 2, ...; `quote` and `escape` null: there is
    no such character."""

    encoding: Encoding
    delimiter: Character
    quote: Character | None
    escape: Character | None
    header: bool

    @model_validator(mode="after")
    def characters_are_in_the_encoding(self) -> Self:
        for one in (self.delimiter, self.quote, self.escape):
            try:
                (one or "").encode(self.encoding)
            except UnicodeEncodeError:
                raise ValueError(f"{one!r} can't be written in {self.encoding}; correct one of them") from None
        return self

    def marks(self) -> Marks | None:
        """What parts records in the usual way, if they are written in it."""
        own = f"{self.delimiter}{self.quote or ''}"
        usual = codecs.lookup(self.encoding).name == "utf-8" and self.escape is None and own.isascii()
        return Marks(self.delimiter, self.quote) if usual and len({*own, *"\r\n\0"}) == len(own) + 3 else None


def parts(files: Sequence[File], paths: Sequence[Path], dialect: Dialect) -> list[Part]:
    """All there is to read, in order of arrival."""
    quote, delimiter = ((one or "").encode(dialect.encoding) for one in (dialect.quote, dialect.delimiter))
    whole = not divisible(dialect.encoding) or dialect.escape is not None or len(quote) > 1 or len(delimiter) > 1
    return inputs.parts(files, paths, quoting=Quoting(quote, delimiter) if quote else None, whole=whole)


def read(file: File, path: Path, part: Part, dialect: Dialect, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The wanted columns of a part, each record by the line where it begins: blocks of records at once, and record by
    record what is not as simple as that."""
    header = None
    if part.start:
        with inputs.unzipped(path) as beginning:
            header, _ = named(records(beginning, dialect, file.at, 1), file.at, dialect, wanted)
    for place, stream in inputs.opened(file, path, part):
        names, marks = header, dialect.marks()
        for block in divided(stream, marks, part.line):
            found, begun = records(block.stream, dialect, place, block.line), 0
            if not names:
                names, found = named(found, place, dialect, wanted)
                begun = int(dialect.header)
            if isinstance(names, Reject):
                if not part.members:
                    raise Fault(f"{names.place}: {names.reason}; mend the file or correct `dialect` in params.yaml")
                yield names
                break
            if isinstance(block, Block) and (columns := rfc4180.columns(block, names, marks)):
                columns = {name: columns[name][begun:] for name in wanted}
                yield Batch(columns, block.numbers[begun:].tolist(), place)
            else:
                yield from one_by_one(found, names, place, wanted)


def one_by_one(
    found: Iterator[Record], names: Sequence[str], place: str, wanted: Sequence[str]
) -> Iterator[Batch | Reject]:
    """Records as columns, less those that have other columns."""
    for batch in batches(found):
        good, rejects = even(batch, names, place)
        yield from rejects
        if good:
            values = zip(*(record for _, record in good), strict=True)
            columns = {name: one for name, one in zip(names, values, strict=True) if name in wanted}
            yield Batch(columns, [line for line, _ in good], place)


def batches(found: Iterator[Record]) -> Iterator[list[Record]]:
    """Records that are mapped at once: neither too many nor too large together."""
    batch, size = list[Record](), 0
    for one in found:
        batch.append(one)
        size += sum(map(len, one[1]))
        if len(batch) == BATCH or size > LARGE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def named(
    found: Iterator[Record], place: str, dialect: Dialect, wanted: Sequence[str]
) -> tuple[list[str] | Reject, Iterator[Record]]:
    """The names of the columns, or why there are none; and the records that follow."""
    if not dialect.header:
        return numbered(found, place, wanted)
    _, header = next(found, (1, Reject(f"{place}:1", "nothing is in it")))
    if isinstance(header, Reject):
        return Reject(header.place, f"no header, {header.reason}"), found
    return heading(place, header, wanted), found


def numbered(found: Iterator[Record], place: str, wanted: Sequence[str]) -> tuple[list[str], Iterator[Record]]:
    """The names of the columns, 1, 2, ..., as many as the first record has; and the same records."""
    before: list[Record] = []
    for one in found:
        before.append(one)
        if isinstance(one[1], list):
            names = [f"{n}" for n in range(1, len(one[1]) + 1)]
            return heading(place, names, wanted), chain(before, found)
    return [], iter(before)


class Lines:
    """The lines of a table, one a call, counted; one that is too long is an error of its own, and not kept."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text, self.number = text, 0

    def __call__(self) -> str:
        line = self.text.readline(LONGEST).removeprefix("\ufeff")  # where files were put one after the other
        self.number += bool(line)
        if len(line) < LONGEST or line.endswith(("\n", "\r")):
            return line
        while (more := self.text.readline(LONGEST)) and not more.endswith(("\n", "\r")):
            pass
        raise csv.Error(f"a line of more than {LONGEST:,} characters")


def records(stream: IO[bytes], dialect: Dialect, place: str, line: int) -> Iterator[Record]:
    """The line where each record begins, and its fields; a blank line is no record. Bytes that can't be decoded pass as
    halves of surrogate pairs."""
    # A byte order mark, as spreadsheets write it, is no part of the first column's name.
    encoding = "utf-8-sig" if line == 1 and codecs.lookup(dialect.encoding).name == "utf-8" else dialect.encoding
    text = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")  # pyright: ignore[reportArgumentType]
    csv.field_size_limit(LONGEST)
    lines = Lines(text)
    reader = csv.reader(
        iter(lines, ""),
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
                yield at, Reject(f"{place}:{at}", f"lines {at} to {line + lines.number - 1}: {error}")
            else:
                if record:
                    yield at, record
            at = line + lines.number
    except StopIteration:
        return
    except (*DAMAGED, UnicodeError) as error:
        if of_the_machine(error):
            raise
        yield at, Reject(f"{place}:{at}", unread(error))
    finally:
        if not text.closed:
            text.detach()  # the stream is its opener's to close


def heading(place: str, header: list[str], wanted: Sequence[str]) -> list[str]:
    """The names of the columns, each of the wanted ones there once."""
    for name in wanted:
        if name not in header:
            raise Fault(
                f"{place}:1: no column {name!r}; there is: {inputs.some(header)}; "
                f"correct fields or dialect in params.yaml{did_you_mean(name, filter(str.isprintable, header))}"
            )
        if header.count(name) > 1:
            raise Fault(f"{place}:1: {header.count(name)} columns are named {name!r}; rename all but one")
    return header


def even(batch: Sequence[Record], names: Sequence[str], place: str) -> tuple[list[tuple[int, list[str]]], list[Reject]]:
    """The records that have a value for each column and for nothing else; stray delimiters at the end are no values.
    The first column may have no name: so pandas writes its index."""
    good, rejects = list[tuple[int, list[str]]](), list[Reject]()
    nameless = [n for n, name in enumerate(names) if n and not name]
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
