"""Word documents (.docx): the text of their paragraphs and tables, in sections by headings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import dirname, join
from typing import IO, Annotated, Literal
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from pydantic import Field

from stages.core import archives, documents, inputs, markup
from stages.core.documents import Block, Passage
from stages.core.inputs import File, Part
from stages.core.params import Section
from stages.core.records import Reject, Row

OLE = b"\xd0\xcf\x11\xe0"
# Text boxes stand in a document twice, and moved text at its old place too; changes tell the format of before.
UNREAD = {"Fallback", "moveFrom", "pPrChange", "rPrChange"}
BASED = 10  # styles on styles
LEVELS = set("012345678")  # 9 is no heading
MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


class Params(Section):
    """With `unit: section`, a heading and what follows it are a document of their own; with `document`, each file is
    one."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    unit: Literal["document", "section"]


def attributes(p: Params) -> pa.DataType:
    return documents.attributes(p.files, "title", "section", "heading")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        yield from documents.rows(file, place, sections(stream), "section", whole=p.unit == "document")


def sections(stream: IO[bytes]) -> Iterator[Passage]:
    """The sections of a document; what stands before the first heading is one too."""
    content = documents.content(stream)
    if content.startswith(OLE):
        raise BadZipFile("encrypted, or of a Word before 2007: save it as .docx without a password")
    with archives.opened(content) as archive:
        name = main(archive)
        walker = Body(headings(archive, join(dirname(name), "styles.xml")))
        markup.walk(markup.member(archive, name), walker)
        title = next(markup.texts(markup.elements(archive, "docProps/core.xml"), "title"), None)
    yield from documents.sections(walker.around[0], {"title": title})


def main(archive: ZipFile) -> str:
    """The name of the file that has the text."""
    for one in markup.elements(archive, "_rels/.rels"):
        if one.given.get("Type", "").endswith("/officeDocument"):
            return one.given.get("Target", "").removeprefix("/")
    raise BadZipFile("no Word document: nothing says where its text is")


def headings(archive: ZipFile, name: str) -> set[str]:
    """The styles that make a paragraph a heading, by themselves or as the style that they are based on does."""
    found, based, style = set[str](), dict[str, str](), ""
    for one in markup.elements(archive, name):
        value = one.given.get("val", "")
        if one.name == "style":
            style = one.given.get("styleId", "")
        elif one.name == "basedOn":
            based[style] = value
        elif is_heading(one.name, value):
            found.add(style)
    for _ in range(BASED):
        found |= {style for style, other in based.items() if other in found}
    return found


def is_heading(name: str, value: str) -> bool:
    """Word writes the names of its own styles in English, in every language."""
    return (name == "name" and re.fullmatch("heading [1-9]", value, re.IGNORECASE) is not None) or (
        name == "outlineLvl" and value in LEVELS
    )


class Body:
    """Text from a document's XML: a block for each paragraph and for each row of a table, tabs between its cells."""

    def __init__(self, styles: set[str]) -> None:
        self.styles = styles
        self.around: list[list[Block]] = [[]]  # the blocks of the body, and of each cell around
        self.rows: list[list[str]] = []
        self.paragraphs: list[Paragraph] = []  # a text box has its own, within another
        self.runs = self.unread = 0
        self.shown = False

    def start(self, name: str, given: dict[str, str]) -> None:
        value = given.get("val", "")
        if self.unread or name in UNREAD:
            self.unread += 1
        elif name == "p":
            self.paragraphs.append(Paragraph())
        elif name == "tr":
            self.rows.append([])
        elif name == "tc":
            self.around.append([])
        elif name == "r":
            self.runs += 1
        elif name == "t":
            self.shown = True
        elif self.paragraphs:
            self.told(self.paragraphs[-1], name, value)

    def told(self, paragraph: "Paragraph", name: str, value: str) -> None:
        """What stands in a paragraph beside its text."""
        if name == "pStyle":
            paragraph.heading |= value in self.styles
        elif name == "outlineLvl":
            paragraph.heading |= value in LEVELS
        elif name == "numPr":
            paragraph.close = True
        elif name in MARKS and self.runs:  # elsewhere, a tab is a place on the ruler
            paragraph.text.append(MARKS[name])

    def end(self, name: str) -> None:
        if self.unread:
            self.unread -= 1
        elif name == "p":
            self.add(self.paragraphs.pop().block())
        elif name == "tr":
            self.add(Block("\t".join(self.rows.pop()).rstrip(), close=True))
        elif name == "tc":
            cell = " ".join(block.text for block in self.around.pop())
            if self.rows:
                self.rows[-1].append(cell)
        elif name == "r":
            self.runs -= 1
        elif name == "t":
            self.shown = False

    def add(self, block: Block) -> None:
        if block.text.strip():
            self.around[-1].append(block)

    def text(self, text: str) -> None:
        if self.shown and self.paragraphs and not self.unread:
            self.paragraphs[-1].text.append(text)


@dataclass
class Paragraph:
    """A paragraph that is being read."""

    text: list[str] = field(default_factory=list[str])
    heading: bool = False
    close: bool = False

    def block(self) -> Block:
        return Block("".join(self.text).strip(), self.close and not self.heading, self.heading)
