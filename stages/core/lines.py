"""Lines of a stream of bytes, each with its number; none is longer than memory allows."""

from collections.abc import Iterator
from typing import IO

from stages.core.inputs import DAMAGED
from stages.core.records import Reject

BLOCK = 2**22
LONGEST = 2**24  # bytes of a line
BOM = b"\xef\xbb\xbf"  # where files were put one after the other, it begins lines too


def lines(stream: IO[bytes], place: str, number: int = 1) -> Iterator[tuple[int, bytes] | Reject]:
    """Number and content of each line, without its end; a line that is too long, and damage, is a reject."""
    rest, long = b"", False
    while True:
        try:
            block = stream.read(BLOCK)
        except DAMAGED as error:
            yield Reject(f"{place}:{number}", f"the file breaks off here: {error}")
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


def too_long(place: str, number: int) -> Reject:
    return Reject(f"{place}:{number}", f"a line of more than {LONGEST:,} bytes")
