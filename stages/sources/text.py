"""Plain text: each line, each paragraph or each file is a document; folders may be labels."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, NamedTuple, get_args

import pyarrow as pa
from pydantic import Field, model_validator

from stages.core import inputs
from stages.core.fields import Side
from stages.core.inputs import CONSTANT, File, Part
from stages.core.lines import LONGEST, Encoding, divisible, texts
from stages.core.params import Section
from stages.core.records import Chunk, Reject, chunk

BATCH = 10_000  # units that become columns at once


class Params(Section):
    """`unit` is what becomes a document: a line, a paragraph (what stands between blank lines), or a file.

    `label: folder` labels it with the name of the folder that its member lies in; null: none, or the files' constant.
    """

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    encoding: Encoding
    unit: Literal["line", "paragraph", "file"]
    label: Literal["folder"] | None

    @model_validator(mode="after")
    def nothing_is_said_twice(self) -> "Params":
        for file in self.files:
            if self.label and file.members is None:
                raise ValueError(f"label: {file.at} has no folders within; name its `members`, or set label to null")
            if self.label and "label" in file.constants:
                raise ValueError(f"label: the constant of {file.at} is one already; keep one of both")
            if "path" in file.constants:
                raise ValueError(f"files: {file.at}: `path` is the name of the file; give the constant another name")
            if (side := file.constants.get("split", "train")) not in get_args(Side):
                raise ValueError(f"files: {file.at}: split is one of {', '.join(get_args(Side))}, not {side!r}")
        return self


class Unit(NamedTuple):
    """A document-to-be: the file it is from, its folder where that is the label, its first line, and its text."""

    path: str
    label: str | None
    line: int
    text: str


def attributes(p: Params) -> pa.DataType:
    """`path`: the member's, or the name of the file; and the constants."""
    return inputs.attributes_of(p.files, "path")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=p.unit != "line" or not divisible(p.encoding))


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject]:
    file, kinds = p.files[part.file], attributes(p)
    found = units(p, part, paths[part.file])
    while batch := list(islice(found, BATCH)):
        yield from (one for one in batch if isinstance(one, Reject))
        if good := [one for one in batch if isinstance(one, Unit)]:
            yield columns(good, file, kinds)


def columns(found: Sequence[Unit], file: File, kinds: pa.DataType) -> Chunk:
    """Units as columns, with the constants of their file."""
    same = {name: [value] * len(found) for name, value in file.constants.items()}
    label = {"label": [one.label for one in found]} if found[0].label else {}
    given = {"text": [one.text for one in found]} | label | {name: same[name] for name in CONSTANT if name in same}
    return chunk(given, same | {"path": [one.path for one in found]}, [one.line for one in found], file.at, kinds)


def units(p: Params, part: Part, path: Path) -> Iterator[Unit | Reject]:
    """All units of a part; blank ones are none."""
    file = p.files[part.file]
    # Without its place, which may change: ids come of it.
    names = part.members or (PurePosixPath(file.at).name,)
    members = [PurePosixPath(inputs.shown(name)) for name in names]
    for member, (place, stream) in zip(members, inputs.opened(file, path, part), strict=True):
        label = member.parent.name or None if p.label else None
        if p.label and label is None:
            yield Reject(place, "in no folder, whose name would be its label")
            continue
        for one in divided(texts(stream, p.encoding, place, part.line), p.unit, place):
            if isinstance(one, Reject):
                yield one
            elif text := one[1].strip():
                yield Unit(str(member), label, one[0], text)


def divided(lines: Iterator[tuple[int, str] | Reject], unit: str, place: str) -> Iterator[tuple[int, str] | Reject]:
    """The units that lines make, each with the number of its first line."""
    if unit == "line":
        return lines
    groups = groupby(lines, blank if unit == "paragraph" else lambda _: False)
    return (joined(group, unit, place) for between, group in groups if not between)


def blank(line: tuple[int, str] | Reject) -> bool:
    return not isinstance(line, Reject) and not line[1].strip()


def joined(lines: Iterable[tuple[int, str] | Reject], unit: str, place: str) -> tuple[int, str] | Reject:
    """Lines as one text; or why it is none: the first that can't be read, or too many."""
    found: list[str] = []
    first = size = 0
    wrong: Reject | None = None
    for one in lines:
        if isinstance(one, Reject):
            wrong = wrong or one
        elif wrong is None:
            first = first or one[0]
            size += len(one[1]) + 1
            found.append(one[1])
            if size > LONGEST:
                wrong, found = Reject(f"{place}:{first}", f"a {unit} of more than {LONGEST:,} characters"), []
    return wrong or (first, "\n".join(found))
