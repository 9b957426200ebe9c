"""A user's own table: CSV, TSV or anything else with a header and one delimiter."""

import codecs
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from stages.core.faults import Fault, did_you_mean
from stages.core.hashing import sha256
from stages.core.params import Section, Sha256
from stages.core.records import Reject, Row, Span, Spans
from stages.core.spans import wrong

TRIPLES = TypeAdapter(list[tuple[int, int, Annotated[str, Field(min_length=1)]]], config={"strict": True})


class Columns(Section):
    text: str
    label: str | None
    key: str | None
    group: str | None
    spans: str | None
    attributes: tuple[str, ...]

    def names(self) -> list[str]:
        mapped = (self.text, self.label, self.key, self.group, self.spans, *self.attributes)
        return [name for name in mapped if name is not None]


class Params(Section):
    path: str
    sha256: Sha256
    encoding: str
    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    columns: Columns

    @field_validator("encoding")
    @classmethod
    def encoding_is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
        except LookupError as error:
            raise ValueError(f"{error}; utf-8 is the usual one") from None
        return encoding


def ATTRIBUTES(p: Params) -> pa.DataType:  # noqa: N802
    """The further columns, as text; Parquet has no struct without a field."""
    return pa.struct([(name, pa.string()) for name in p.columns.attributes or ("none",)])


def parts(p: Params) -> list[str]:
    return [p.path]


def read(p: Params, part: str, cache: Path) -> Iterator[Row | Reject]:
    pinned(Path(part), p.sha256)
    # The standard library's limit is 128 KiB a field, which a long document exceeds.
    csv.field_size_limit(sys.maxsize)
    # A byte order mark, as spreadsheets write it, is no part of the first column's name.
    encoding = "utf-8-sig" if codecs.lookup(p.encoding).name == "utf-8" else p.encoding
    with Path(part).open(encoding=encoding, newline="") as file:
        lines = records(file, p.delimiter, part)
        header = heading(part, next(lines, (1, []))[1], p.columns)
        yield from rows(lines, header, part, p.columns)


def pinned(path: Path, expected: str) -> None:
    if not path.is_file():
        raise Fault(f"{path}: no such file; correct `path` in params.yaml (it starts at the project's folder)")
    found = sha256(path)
    if found != expected:
        raise Fault(
            f"{path}: sha256 is {found}, pinned is {expected}; if the change is wanted, pin the new one "
            f"(`sha256sum {path}` prints it)"
        )


def records(file: Iterable[str], delimiter: str, path: str) -> Iterator[tuple[int, list[str] | Reject]]:
    """The line where each record begins, and its fields; a blank line is no record."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, Reject(f"{path}:{line}", f"lines {line} to {reader.line_num}: {error}")
        except UnicodeDecodeError as error:
            raise Fault(
                f"{path}: after line {line - 1}: {error}; name the file's own encoding in params.yaml"
            ) from None
        else:
            if fields:
                yield line, fields


def heading(path: str, header: list[str] | Reject, columns: Columns) -> list[str]:
    """The names of the columns, each of the wanted ones there once."""
    if isinstance(header, Reject):
        raise Fault(f"{header.place}: no header, {header.reason}; mend the file or correct `delimiter` in params.yaml")
    for name in columns.names():
        if name not in header:
            raise Fault(
                f"{path}:1: no column {name!r}; there is: {', '.join(header) or 'nothing'}; "
                f"correct columns or delimiter in params.yaml{did_you_mean(name, header)}"
            )
        if header.count(name) > 1:
            raise Fault(f"{path}:1: {header.count(name)} columns are named {name!r}; rename all but one")
    return header


def rows(
    lines: Iterable[tuple[int, list[str] | Reject]], header: list[str], path: str, columns: Columns
) -> Iterator[Row | Reject]:
    seen: dict[str, int] = {}
    for line, fields in lines:
        found = fields if isinstance(fields, Reject) else row(f"{path}:{line}", header, fields, columns)
        if isinstance(found, Row) and found.key is not None and (first := seen.setdefault(found.key, line)) != line:
            raise Fault(
                f"{path}:{line}: key {found.key!r} stands in line {first} already; "
                "name a column without repetitions as columns.key, or null"
            )
        yield found


def row(place: str, header: list[str], fields: list[str], columns: Columns) -> Row | Reject:
    """The fields as they are mapped; an empty one is none, except in the text and the attributes."""
    if len(fields) != len(header):
        return Reject(place, f"{len(fields)} fields, the header has {len(header)}")
    values = dict(zip(header, fields, strict=True))
    if columns.key is not None and not values[columns.key]:
        return Reject(place, f"no key in column {columns.key!r}")
    mapped = (columns.label, columns.key, columns.group, columns.spans)
    label, key, group, given = (name and (values[name] or None) for name in mapped)
    found = spans(given, values[columns.text])
    if isinstance(found, str):
        return Reject(place, found)
    return Row(key, values[columns.text], label, group, {name: values[name] for name in columns.attributes}, found)


def spans(given: str | None, text: str) -> Spans | str | None:
    """The spans that a field gives; or what is wrong with them."""
    if given is None:
        return None
    try:
        found = tuple(Span(*triple) for triple in TRIPLES.validate_json(given))
    except ValidationError:
        return 'spans that are not JSON of the form [[start, end, "label"], ...]'
    return wrong(found, text) or found
