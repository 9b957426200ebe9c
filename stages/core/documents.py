"""Files that are documents of pages, chapters or sections: what the sources share that read such files whole."""

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

import pyarrow as pa

from stages.core.inputs import File, attributes_of
from stages.core.lines import BROKEN_OFF, UNREAD
from stages.core.records import Reject, Row
from stages.core.streams import DAMAGED, of_the_machine

LARGEST = 2**30  # bytes of a file: it is read into memory
LONGEST = 2**24  # characters of a text
EMPTY = "no text in it"


class Block(NamedTuple):
    """A paragraph or a heading, or an item of a list or a row of a table: these stand `close` together."""

    text: str
    close: bool = False
    heading: bool = False


class Passage(NamedTuple):
    """A page, a chapter or a section, by its number; `about` is what is known of the whole document. An empty text
    says that there was none to be read."""

    number: int
    text: str
    about: dict[str, str | None]
    heading: str | None = None


def attributes(files: Sequence[File], *names: str) -> pa.DataType:
    """The attributes of a kind's documents, as text, and what their files have in common."""
    return attributes_of(files, "path", *names)


def content(stream: IO[bytes], most: int = LARGEST) -> bytes:
    """All of a file, if it is not too large."""
    found = stream.read(most + 1)
    if len(found) > most:
        raise OSError(f"more than {most:,} bytes")
    return found


def joined(blocks: Sequence[Block]) -> str:
    """Blocks as a text: a blank line between them, none within a list or a table."""
    parts: list[str] = []
    for n, block in enumerate(blocks):
        parts += ["\n" if block.close and blocks[n - 1].close else "\n\n", block.text]
    return "".join(parts[1:])


def sections(blocks: Iterable[Block], about: dict[str, str | None]) -> Iterator[Passage]:
    """A section begins with each heading; what stands before the first one is one too."""
    found: list[list[Block]] = []
    for block in blocks:
        if block.heading or not found:
            found.append([])
        found[-1].append(block)
    for number, one in enumerate(found or [[]], start=1):
        heading = " ".join(one[0].text.split()) if one and one[0].heading else None
        yield Passage(number, joined(one), about, heading)


def rows(
    file: File, place: str, found: Iterable[Passage | Reject], part: str, *, whole: bool
) -> Iterator[Row | Reject]:
    """The passages of a document as rows of their own, or as one; `part` is what they are: page, chapter, section.

    All of a document is one group: its passages must not straddle splits.
    """
    name = file.at if file.members is None else place.removeprefix(f"{file.at}/")
    passages: list[Passage] = []
    try:
        for one in found:
            if isinstance(one, Reject) or len(one.text) > LONGEST:
                yield one if isinstance(one, Reject) else too_long(f"{place}:{part} {one.number}")
            elif whole:
                passages.append(one)
            elif not one.text:
                yield Reject(f"{place}:{part} {one.number}", EMPTY)
            else:
                own = {part: f"{one.number}"} | ({"heading": one.heading} if one.heading is not None else {})
                yield row(file, name, f"{name}:{one.number}", one.text, one.about | own)
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        yield Reject(place, f"{BROKEN_OFF if passages else UNREAD}: {error}")
    text = "\n\n".join(one.text for one in passages if one.text)
    if len(text) > LONGEST:
        yield too_long(place)
    elif text:
        yield row(file, name, name, text, passages[0].about)
    elif passages:
        yield Reject(place, EMPTY)


def too_long(place: str) -> Reject:
    return Reject(place, f"more than {LONGEST:,} characters")


def row(file: File, name: str, key: str, text: str, known: dict[str, str | None]) -> Row:
    """A document-to-be, with what its file says of all that it holds."""
    shared = file.constants
    # Soft hyphens say where a word may be divided, and are no part of it.
    return Row(
        key,
        text.replace("\xad", ""),
        shared.get("label"),
        shared.get("group", name),
        {"path": name} | known | file.further,
        split=shared.get("split"),
    )
