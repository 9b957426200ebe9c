"""XML from outside, and the zips full of it that documents are: walked with expat, within bounds.

Nothing that a document declares is expanded, and nothing that it names is fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import Any, Protocol
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from stages.core import archives

LARGEST = 2**27  # bytes of a file with text
LISTING = 2**24  # bytes of one that says where things are
DEEPEST = 1_000  # elements within elements
# What HTML calls characters; a file that gives names a meaning of its own is refused.
NAMES = {name.removesuffix(";"): text for name, text in html5.items()}


class Broken(OSError):
    """XML that can't be read: one of inputs.DAMAGED."""


class Walker(Protocol):
    """Is told the elements and the text of a file, in order; names come without their namespaces."""

    def start(self, name: str, given: dict[str, str], /) -> None: ...
    def end(self, name: str, /) -> None: ...
    def text(self, text: str, /) -> None: ...


@dataclass
class Element:
    """An element, and the text that stands in it but in no other one."""

    name: str
    given: dict[str, str]
    text: str = ""


@dataclass
class Elements:
    """A walker that keeps all elements, in the order in which they begin."""

    found: list[Element] = field(default_factory=list[Element])
    around: list[Element] = field(default_factory=list[Element])

    def start(self, name: str, given: dict[str, str]) -> None:
        self.found.append(Element(name, given))
        self.around.append(self.found[-1])

    def end(self, _: str) -> None:
        self.around.pop()

    def text(self, text: str) -> None:
        self.around[-1].text += text


def walk(content: bytes, walker: Walker) -> None:
    """Tells a walker what is in an XML file."""
    # Read at once: in pieces, expat before 2.6 takes the square of the time for a long tag.
    parser, depth = expat.ParserCreate(namespace_separator="}"), 0

    def start(name: str, given: dict[str, str]) -> None:
        nonlocal depth
        if (depth := depth + 1) > DEEPEST:
            raise Broken(f"elements within elements, more than {DEEPEST:,} deep")
        walker.start(local(name), {local(key): value for key, value in given.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        walker.end(local(name))

    def named(name: str, parameter: bool) -> None:
        if not parameter:
            walker.text(NAMES.get(name, f"&{name};"))

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.SkippedEntityHandler = walker.text, named
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    # Else a name that is declared elsewhere, as all of HTML's are, would be an error.
    parser.UseForeignDTD(True)
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Broken(f"no XML: {error}") from error


def local(name: str) -> str:
    return name.rpartition("}")[2]


def refuse(name: str, *_: Any) -> None:
    raise Broken(f"it declares an entity, {name!r}: that may be a bomb")


def elements(archive: ZipFile, name: str) -> list[Element]:
    """The elements of a file that says where things are; none, where there is no such file."""
    walker = Elements()
    if name in archive.NameToInfo:
        walk(archives.content(archive, archive.getinfo(name), LISTING), walker)
    return walker.found


def texts(found: list[Element], name: str) -> Iterator[str]:
    """What stands in the elements of a name, without the empty ones."""
    return (text for one in found if one.name == name and (text := " ".join(one.text.split())))


def member(archive: ZipFile, name: str) -> bytes:
    """A file with text."""
    if name not in archive.NameToInfo:
        raise BadZipFile(f"{name!r} is not in it")
    return archives.content(archive, archive.getinfo(name), LARGEST)
