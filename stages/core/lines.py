"""Lines of a stream, as bytes or as text, each with its number; none is longer than memory allows."""

import codecs
from collections.abc import Iterator
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import AfterValidator

from stages.core.records import Reject
from stages.core.streams import DAMAGED, Stream, Unopened, of_the_machine

BLOCK = 2**21
LONGEST = 2**24  # bytes of a line
BOM = b"\xef\xbb\xbf"  # where files were put one after the other, it begins lines too
BROKEN_OFF, UNREAD = "the file breaks off here", "not to be read"
Places = np.ndarray[Any, np.dtype[np.int64]]
# A byte of theirs that looks like a line's end is one.
DIVISIBLE = ("utf-8", "ascii", "iso8859", "cp125")


def unread(error: BaseException) -> str:
    """Why nothing more can be read of a file, or nothing at all."""
    return f"{UNREAD if isinstance(error, Unopened) else BROKEN_OFF}: {error}"


class Pieces(Protocol):
    """What gives bytes as they come."""

    def read1(self, size: int, /) -> bytes: ...


def known(encoding: str) -> str:
    """The encoding, if it is one of texts."""
    try:
        " ".encode(encoding)
    except LookupError as error:
        raise ValueError(f"{error}; utf-8 is the usual one") from None
    return encoding


Encoding = Annotated[str, AfterValidator(known)]


def divisible(encoding: str) -> bool:
    """Whether lines can be told apart before they are decoded."""
    return codecs.lookup(encoding).name.startswith(DIVISIBLE)


def blocks(stream: Pieces) -> Iterator[bytes]:
    """All that a stream gives, in pieces that are worth the work; damage is raised after what came before it."""
    pieces, size = list[bytes](), 0
    try:
        while piece := stream.read1(BLOCK):  # `read` would lose what came before the damage
            pieces.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield b"".join(pieces)
                pieces, size = [], 0
    except DAMAGED:
        yield b"".join(pieces)
        raise
    yield b"".join(pieces)


def stretches(stream: Pieces, place: str, number: int = 1) -> Iterator[tuple[int, bytes] | Reject]:
    """Whole lines that follow one another, as they are, and the number of the first; a line that is too long, and
    damage, is a reject."""
    rest, long = b"", False
    try:
        for block in blocks(stream):
            begin, end = 0, block.rfind(b"\n") + 1
            if long and end:
                yield too_long(place, number)
                begin, number, long = block.find(b"\n") + 1, number + 1, False
            if begin < end:
                data = b"".join((rest, memoryview(block)[begin:end]))
                yield from fitting(data, place, number)
                number += data.count(b"\n")
            rest = block[end:] if end else rest + block
            if len(rest) > LONGEST or long:
                rest, long = b"", True
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        yield Reject(f"{place}:{number}", unread(error))
        return
    if long:
        yield too_long(place, number)
    elif rest:
        yield number, rest


def fitting(data: bytes, place: str, number: int) -> Iterator[tuple[int, bytes] | Reject]:
    """The same of lines that are whole."""
    if len(data) <= LONGEST:
        yield number, data
        return
    for at, line in enumerate(split(data), start=number):
        yield too_long(place, at) if len(line) > LONGEST else (at, line)


def newlines(data: bytes) -> Places:
    """Where lines end."""
    return np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))


def split(data: bytes) -> list[bytes]:
    """Lines without their ends."""
    return data.removesuffix(b"\n").split(b"\n")


def bare(data: bytes) -> list[bytes]:
    """Lines without their ends, Windows' too, and without byte order marks."""
    return [line.removesuffix(b"\r").removeprefix(BOM) for line in split(data)]


def lines(stream: Pieces, place: str, number: int = 1) -> Iterator[tuple[int, bytes] | Reject]:
    """The same, each line with its number."""
    for one in stretches(stream, place, number):
        if isinstance(one, Reject):
            yield one
        else:
            yield from enumerate(bare(one[1]), start=one[0])


def too_long(place: str, number: int) -> Reject:
    return Reject(f"{place}:{number}", f"a line of more than {LONGEST:,} bytes")


def texts(stream: Stream, encoding: str, place: str, number: int = 1) -> Iterator[tuple[int, str] | Reject]:
    """Number and content of each line, decoded; one that can't be is a reject."""
    whole, encoding = (stream, encoding) if divisible(encoding) else (Recoded(stream, encoding), "utf-8")
    for one in lines(whole, place, number):
        if isinstance(one, Reject):
            yield one
            continue
        at, line = one
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            yield Reject(f"{place}:{at}", "bytes that are no text in this encoding")
            continue
        yield Reject(f"{place}:{at}", "a NUL character: no text") if "\0" in text else (at, text)


class Recoded:
    """A stream in UTF-8 that is in another encoding; what can't be decoded stays as wrong as it is."""

    def __init__(self, stream: Stream, encoding: str) -> None:
        self.stream, self.decoder = stream, codecs.getincrementaldecoder(encoding)("surrogateescape")

    def read1(self, size: int, /) -> bytes:
        while True:
            data = self.stream.read1(size)
            try:
                text = self.decoder.decode(data, not data)
            except UnicodeError as error:
                raise OSError(error) from error
            if text or not data:
                return text.encode("utf-8", "surrogatepass")
