"""PDF files: the text of their pages, as PDFium finds it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Annotated, Literal

import pyarrow as pa
from pydantic import Field

from stages.core import documents, inputs, pdfium
from stages.core.documents import Passage
from stages.core.inputs import File, Part
from stages.core.params import Section
from stages.core.records import Reject, Row

CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f]")
SCAN = "no text: a scan needs OCR first"


class Params(Section):
    """With `unit: page`, each page is a document of its own; with `document`, each file is one."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    unit: Literal["document", "page"]


def attributes(p: Params) -> pa.DataType:
    return documents.attributes(p.files, "title", "page")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    file = p.files[part.file]
    with pdfium.reader() as reader:
        for place, stream in inputs.opened(file, paths[part.file], part):
            found = pages(reader, stream, place)
            yield from documents.rows(file, place, found, "page", whole=p.unit == "document")


def pages(reader: pdfium.Reader, stream: IO[bytes], place: str) -> Iterator[Passage | Reject]:
    """The pages of a file that can be read, and why others can't."""
    about: dict[str, str | None] = {}
    for one in pdfium.pages(reader, documents.content(stream)):
        where = f"{place}:page {one['page']}" if "page" in one else place
        if "reason" in one:
            yield Reject(where, one["reason"])
        elif "title" in one:
            about = {"title": one["title"] or None}
        elif (text := plain(one["text"])) or one["blank"]:
            yield Passage(one["page"], text, about)
        else:
            yield Reject(where, SCAN)


def plain(text: str) -> str:
    """The text of a page, in its lines. PDFium has put U+FFFE where a hyphen divides a word between two of them, and
    taken these for one; a control character is a glyph of which the file does not say what it stands for."""
    return CONTROL.sub("\ufffd", text.replace("\r\n", "\n").replace("\ufffe", "")).strip()
