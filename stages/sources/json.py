"""JSON documents: the records lie in one, at a path; keys above them may be fields."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import pyarrow as pa
from pydantic import Field

from stages.core import fields, inputs
from stages.core.faults import Fault
from stages.core.inputs import File, Part
from stages.core.lines import unread
from stages.core.params import Section
from stages.core.records import Chunk, Reject, Unwanted
from stages.core.streams import DAMAGED, of_the_machine

BATCH = 5_000  # records that are mapped at once
LARGEST = 2**28  # bytes of a document, all of which becomes objects at once, some ten times as large
NOWHERE: Any = object()


class Unreadable(Exception):
    """What is wrong with a document as a whole."""


class Ends(Section):
    """The keys of spans that are objects."""

    start: str
    end: str
    label: str


class Params(fields.Table):
    """`records` is the path to the records: `data.0.items`, where `*` stands for every entry of a list or an object,
    and null for the document itself; a list at its end stands for its entries. The key of the first `*` is the column
    $1, that of the second $2, and $value is the record itself, which need be no object.

    `ends` names the keys where `spans` are objects; null: they are triples.
    """

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    records: str | None
    ends: Ends | None


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, p.files)


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        try:
            found = records(document(stream), p.records)
        except Unreadable as error:
            if not part.members:
                raise Fault(f"{place}: {error}; mend the file, or correct `records` in params.yaml") from None
            yield Reject(place, f"{error}")
        else:
            yield from mapped(found, f"{place}: record", p, file.constants)


def document(stream: IO[bytes]) -> Any:
    """All that is in a file."""
    try:
        content = stream.read(LARGEST + 1)
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        raise Unreadable(unread(error)) from None
    if len(content) > LARGEST:
        raise Unreadable(f"more than {LARGEST:,} bytes in one document; write a record a line, for kind jsonl")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return lenient(content)


def lenient(content: bytes) -> Any:
    """The same with NaN, halves of surrogate pairs and in UTF-16: for one such record, the others are not lost."""
    try:
        return json.loads(content)
    except RecursionError:
        raise Unreadable("not JSON: nested too deep") from None
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from None


def records(document: Any, path: str | None) -> Iterator[dict[str, Any]]:
    """The records at a path, with the keys on the way; NOWHERE is the value of those that the path does not reach."""
    steps = path.split(".") if path is not None else []
    plain = steps.index("*") if "*" in steps else len(steps)
    start = at(document, steps[:plain])
    if start is NOWHERE or (plain < len(steps) and not isinstance(start, dict | list)):
        there = f"; there is: {inputs.some(list(document))}" if isinstance(document, dict) else ""
        raise Unreadable(f"nothing at {path!r}{there}")
    return (recorded(keys, value) for keys, value in reached(start, steps[plain:], ()))


def at(value: Any, steps: Sequence[str]) -> Any:
    """What lies behind keys and positions."""
    for step in steps:
        value = entries(value).get(step, NOWHERE)
    return value


def entries(value: Any) -> Mapping[str, Any]:
    """What is in an object by its key, in a list by its position; in all else is nothing."""
    if isinstance(value, list):
        return {f"{n}": one for n, one in enumerate(value)}
    return value if isinstance(value, dict) else {}


def reached(value: Any, steps: Sequence[str], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values at the end of a path, each with the keys that stand for its `*`."""
    if not steps:
        yield from ((keys, one) for one in value) if isinstance(value, list) else [(keys, value)]
    elif steps[0] != "*":
        yield from reached(at(value, steps[:1]), steps[1:], keys)
    elif isinstance(value, dict | list):
        for key, one in entries(value).items():
            yield from reached(one, steps[1:], (*keys, key))
    else:
        yield keys, NOWHERE


def recorded(keys: Sequence[str], value: Any) -> dict[str, Any]:
    """A record as its fields, and what is known of it besides."""
    own = value if isinstance(value, dict) else {}
    return own | {f"${n}": key for n, key in enumerate(keys, start=1)} | {"$value": value}


def mapped(
    found: Iterator[dict[str, Any]], place: str, p: Params, constants: Mapping[str, str]
) -> Iterator[Chunk | Reject | Unwanted]:
    """Records as columns, each by its number in the file."""
    numbered, kinds = enumerate(found, start=1), attributes(p)
    while batch := list(islice(numbered, BATCH)):
        yield from (Reject(f"{place}:{n}", f"nothing at {p.records!r}") for n, one in batch if one["$value"] is NOWHERE)
        good = [(n, one) for n, one in batch if one["$value"] is not NOWHERE]
        columns = {name: fields.reach([one for _, one in good], name) for name in p.columns()}
        if p.ends and p.fields.spans:
            columns[p.fields.spans] = [triples(value, p.ends) for value in columns[p.fields.spans]]
        chunk, rejects, unwanted = fields.mapped(columns, [n for n, _ in good], place, p, constants, kinds)
        yield from (chunk, *rejects, Unwanted(unwanted))


def triples(spans: Any, ends: Ends) -> Any:
    """Spans that are objects as [start, end, label]; what is none stays, to be refused."""
    if not isinstance(spans, list):
        return spans
    return [
        [one.get(ends.start), one.get(ends.end), one.get(ends.label)] if isinstance(one, dict) else one for one in spans
    ]
