"""Lines of a stream, as bytes or as text, each with its number; none is longer than memory allows."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Annotated, Protocol

from pydantic import AfterValidator

from stages.core.records import Reject
from stages.core.streams import DAMAGED, Stream, of_the_machine

BLOCK = 2**22
LONGEST = 2**24  # bytes of a line
BATCH, LARGE = 5_000, 2**25  # lines, and bytes of them, that are parsed at once
BOM = b"\xef\xbb\xbf"  # where files were put one after the other, it begins lines too
BROKEN_OFF = "the file breaks off here"
# A byte of theirs that looks like a line's end is one.
DIVISIBLE = ("utf-8", "ascii", "iso8859", "cp125")


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


def lines(stream: Pieces, place: str, number: int = 1) -> Iterator[tuple[int, bytes] | Reject]:
    """Number and content of each line, without its end; a line that is too long, and damage, is a reject."""
    rest, long = b"", False
    while True:
        try:
            block = stream.read1(BLOCK)  # `read` would lose what came before the damage
        except DAMAGED as error:
            if of_the_machine(error):
                raise
            yield Reject(f"{place}:{number}", f"{BROKEN_OFF}: {error}")
            return
        if not block:
            break
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            if long or len(line) > LONGEST:
                yield too_long(place, number)
                long = False
            else:
                yield number, line.removesuffix(b"\r").removeprefix(BOM)
            number += 1
        if len(rest) > LONGEST:
            rest, long = b"", True
    if long:
        yield too_long(place, number)
    elif rest:
        yield number, rest.removesuffix(b"\r").removeprefix(BOM)


def batches(found: Iterable[tuple[int, bytes] | Reject]) -> Iterator[list[tuple[int, bytes] | Reject]]:
    """The same in lists of neither too many nor too large ones."""
    batch, size = list[tuple[int, bytes] | Reject](), 0
    for one in found:
        batch.append(one)
        size += 0 if isinstance(one, Reject) else len(one[1])
        if len(batch) == BATCH or size > LARGE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


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
