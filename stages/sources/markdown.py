"""Markdown (CommonMark with tables) as plain text, in sections by headings."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Literal

import pyarrow as pa
from pydantic import Field

from stages.core import documents, inputs
from stages.core.documents import Block, Passage
from stages.core.inputs import File, Part
from stages.core.params import Section
from stages.core.records import Reject, Row

if TYPE_CHECKING:
    from markdown_it.token import Token

LARGEST = 2**22  # bytes of a file: all of it becomes objects, some hundred times as large
# Between lines of hyphens (Jekyll) or plus signs (Hugo), and with a key in its first line: else the line is a rule.
FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\n(?=[\w\"'-]+[ \t]*[:=])(.*?)^\1[ \t]*$\n?", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"^(title|date)[ \t]*[:=][ \t]*(.*?)[ \t]*$", re.MULTILINE)
BREAKS = {"softbreak": " ", "hardbreak": "\n"}


class Params(Section):
    """With `unit: section`, a heading and what follows it are a document of their own; with `document`, each file is
    one. `code: drop` leaves out blocks of code; code within a sentence stays."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    unit: Literal["document", "section"]
    code: Literal["keep", "drop"]


def attributes(p: Params) -> pa.DataType:
    return documents.attributes(p.files, "title", "date", "section", "heading")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        found = sections(stream, code=p.code == "keep")
        yield from documents.rows(file, place, found, "section", whole=p.unit == "document")


def sections(stream: IO[bytes], *, code: bool) -> Iterator[Passage]:
    """The sections of a file, with the title and the date of its front matter."""
    from markdown_it import MarkdownIt

    try:
        text = documents.content(stream, LARGEST).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise OSError(f"not UTF-8: {error}") from error
    front = FRONT.match(text)
    known = {name: value.strip("\"'") for name, value in KEY.findall(front[2] if front else "")}
    about = {name: known.get(name) or None for name in ("title", "date")}
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text[front.end() :] if front else text)
    yield from documents.sections(blocks(tokens, code=code), about)


def blocks(tokens: Iterable["Token"], *, code: bool) -> Iterator[Block]:
    """The blocks of a text without their marks; those with nothing else in them are none."""
    return (block for block in found(tokens, code=code) if block.text.strip())


def found(tokens: Iterable["Token"], *, code: bool) -> Iterator[Block]:
    """A row of a table is a block, with tabs between its cells; a heading in a quotation begins no section."""
    row: list[str] | None = None
    opened, heading = False, False
    for token in tokens:
        match token.type:
            case "tr_open":
                row = []
            case "tr_close":
                yield Block("\t".join(row or []).rstrip(), close=True)
                row = None
            case "inline" if row is not None:
                row.append(inline(token))
            case "inline":
                yield Block(inline(token), close=opened, heading=heading)
            case "html_block":
                yield Block(untagged(token.content))
            case "fence" | "code_block" if code:
                yield Block(token.content.strip("\n"))
            case _:
                # What opens before a text says what it is; paragraphs of a list without blank lines are hidden.
                opened, heading = token.hidden, token.type == "heading_open" and token.level == 0


def inline(token: "Token") -> str:
    """A line of text, and what stands for its pictures; HTML's tags go as well."""
    parts = (
        BREAKS.get(one.type, "" if one.type == "html_inline" else inline(one) if one.children else one.content)
        for one in token.children or ()
    )
    return "".join(parts)


def untagged(html: str) -> str:
    """What stands between tags, without comments. Nothing looks for an end that may not be there, again and again."""
    first, *rest = html.split("<!--")
    seen = first + "".join(one.partition("-->")[2] for one in rest)
    return unescape(re.sub(r"<[^<>]*>", "", seen)).strip()
