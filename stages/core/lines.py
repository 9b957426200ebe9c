"""Lines of a stream of bytes, each with its number; none is longer than memory allows."""

from collections.abc import Iterable, Iterator

from stages.core.records import Reject
from stages.core.streams import DAMAGED, Stream, of_the_machine

BLOCK = 2**22
LONGEST = 2**24  # bytes of a line
BATCH, LARGE = 5_000, 2**25  # lines, and bytes of them, that are parsed at once
BOM = b"\xef\xbb\xbf"  # where files were put one after the other, it begins lines too


def lines(stream: Stream, place: str, number: int = 1) -> Iterator[tuple[int, bytes] | Reject]:
    """Number and content of each line, without its end; a line that is too long, and damage, is a reject."""
    rest, long = b"", False
    while True:
        try:
            block = stream.read1(BLOCK)  # `read` would lose what came before the damage
        except DAMAGED as error:
            if of_the_machine(error):
                raise
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
