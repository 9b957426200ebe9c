"""Web pages in folders and archives: the main text of each, without menus, advertisements and comments."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import Field

from stages.core import inputs, pages
from stages.core.inputs import File, Part
from stages.core.lines import unread
from stages.core.params import Positive, Section
from stages.core.records import Reject, Row
from stages.core.streams import DAMAGED, of_the_machine

GROUPS = 32  # a page is much work: a small archive too shall keep several processes busy


class Params(Section):
    """By the `extractor` trafilatura, a page takes some ten times as long as by resiliparse, and goes through rules for
    more kinds of pages. One that takes more than so many `seconds` of computing is a reject."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    extractor: pages.Extractor
    seconds: Positive


def attributes(p: Params) -> pa.DataType:
    return pages.attributes(p.files, "path")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True, groups=GROUPS)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    """A page a file. Its key is its name there: where the folder or the archive lies does not matter."""
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        name = place.removeprefix(f"{file.at}/") if part.members else place.rpartition("/")[2]
        try:
            html = stream.read(pages.LARGEST + 1)
        except DAMAGED as error:
            if of_the_machine(error):
                raise
            yield Reject(place, unread(error))
            continue
        page = pages.extract(html, None, None, p.extractor, p.seconds)
        yield Reject(place, page) if isinstance(page, str) else pages.row(page, name, file, path=name)
