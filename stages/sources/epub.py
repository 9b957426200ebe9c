"""EPUB books: the text of their chapters, in the order in which they are to be read."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import IO, Annotated, Literal
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from pydantic import Field

from stages.core import archives, documents, inputs, markup
from stages.core.documents import Block, Passage
from stages.core.inputs import File, Part
from stages.core.params import Section
from stages.core.records import Reject, Row
from stages.core.streams import DAMAGED, bound

HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
CLOSE = {"li", "tr", "dt", "dd"}
BLOCKS = HEADINGS | CLOSE | {
    *("address", "article", "aside", "blockquote", "body", "caption", "div", "dl", "figcaption", "figure", "footer"),
    *("header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"),
}  # fmt: skip
BREAKS = {"br": "\n", "td": "\t", "th": "\t"}
# How a word is read aloud (rt) would stand in the middle of it.
UNREAD = {"head", "rp", "rt", "script", "style", "template"}


class Params(Section):
    """With `unit: chapter`, each file in a book's order of reading is a document of its own; with `document`, each book
    is one."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    unit: Literal["document", "chapter"]


def attributes(p: Params) -> pa.DataType:
    return documents.attributes(p.files, "title", "author", "chapter", "heading")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        found = chapters(stream, place)
        yield from documents.rows(file, place, found, "chapter", whole=p.unit == "document")


def chapters(stream: IO[bytes], place: str) -> Iterator[Passage | Reject]:
    """The chapters of a book."""
    content = documents.content(stream)
    with archives.opened(content) as archive:
        about, names = opened(archive)
        bounded(archive, names, len(content))
        locked = encrypted(archive)
        for number, name in enumerate(names, start=1):
            walker = Chapter()
            try:
                if name in locked:
                    raise BadZipFile("encrypted: only its seller's program can read it")
                markup.walk(markup.member(archive, name), walker)
            except DAMAGED as error:
                yield Reject(f"{place}:chapter {number}", f"{error}")
            else:
                yield Passage(number, documents.joined(walker.blocks), about, walker.heading)


def opened(archive: ZipFile) -> tuple[dict[str, str | None], list[str]]:
    """What a book says of itself, and the names of its chapters."""
    roots = [one.given.get("full-path", "") for one in markup.elements(archive, "META-INF/container.xml")]
    root = next(filter(None, roots), "")
    package = markup.elements(archive, root)
    files = {one.given.get("id"): one.given.get("href", "") for one in package if one.name == "item"}
    order = [files.get(one.given.get("idref")) for one in package if one.name == "itemref"]
    names = [normpath(join(dirname(root), unquote(href.partition("#")[0]))) for href in order if href]
    if not names:
        raise BadZipFile("no EPUB: nothing says which chapters there are")
    about = {"title": next(markup.texts(package, "title"), None), "author": ", ".join(markup.texts(package, "creator"))}
    return {name: value or None for name, value in about.items()}, list(dict.fromkeys(names))


def bounded(archive: ZipFile, names: Sequence[str], size: int) -> None:
    """Chapters may overlap in an archive, so that each is small and all of them are not."""
    whole = sum(archive.NameToInfo[name].file_size for name in names if name in archive.NameToInfo)
    if whole > bound(size):
        raise BadZipFile(f"{whole:,} bytes in {size:,}: a bomb, no text")


def encrypted(archive: ZipFile) -> set[str]:
    """The files that can't be read; fonts that are only hidden are there too."""
    found = markup.elements(archive, "META-INF/encryption.xml")
    return {unquote(one.given.get("URI", "")) for one in found if one.name == "CipherReference"}


class Chapter:
    """Text from XHTML: a block for each paragraph, item and row, tabs between the cells of a table."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.heading: str | None = None
        self.around: list[str] = [""]  # the elements around that are blocks
        self.line: list[str] = []
        self.unread = self.verbatim = 0  # how many elements around say so

    def start(self, name: str, _: dict[str, str]) -> None:
        if self.unread or name in UNREAD:
            self.unread += 1
        elif name in BLOCKS:
            self.add()
            self.around.append(name)
            self.verbatim += name == "pre"
        elif name in BREAKS:
            self.line.append(BREAKS[name])

    def end(self, name: str) -> None:
        if self.unread:
            self.unread -= 1
        elif name in BLOCKS:
            self.add()
            self.around.pop()
            self.verbatim -= name == "pre"

    def text(self, text: str) -> None:
        if not self.unread:
            self.line.append(text if self.verbatim else re.sub(r"[ \t\r\n\f]+", " ", text))

    def add(self) -> None:
        """Ends a block where another one begins, or its element ends."""
        text = "".join(self.line)
        self.line = []
        text = text.strip("\r\n") if self.verbatim else re.sub(r" *([\n\t]) *", r"\1", re.sub(" +", " ", text)).strip()
        if text.strip():
            self.blocks.append(Block(text, close=self.around[-1] in CLOSE))
            if self.heading is None and self.around[-1] in HEADINGS:
                self.heading = " ".join(text.split())
