"""CSV as it is usually written (RFC 4180): blocks of whole records, as columns at once. What is not is not touched."""

from collections.abc import Iterator, Sequence
from io import BufferedReader, BytesIO
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from stages.core.lines import BOM, LONGEST, Places, blocks, newlines
from stages.core.streams import DAMAGED, Pieces, Stream

CACHED = 2**19  # bytes that pyarrow parses at once, and none of a record is longer: more take half as long again
WIDEST = 2_000  # columns; each costs some 10 kB, whatever is in it
LF, CR = ord("\n"), ord("\r")


class Marks(NamedTuple):
    """What parts fields, and what they stand in."""

    delimiter: str
    quote: str | None


class Block(NamedTuple):
    """Whole records from a line on, and the line where each begins."""

    data: bytes
    line: int
    numbers: Places

    @property
    def stream(self) -> BytesIO:
        return BytesIO(self.data)


class Rest(NamedTuple):
    """What is left of a stream from a line on, where the usual ways end or the bytes do."""

    stream: Stream
    line: int


class After(Pieces):
    """Bytes that were read too early, and what comes after them."""

    def __init__(self, head: bytes, blocks: Iterator[bytes]) -> None:
        self.block, self.blocks = BytesIO(head), blocks

    def piece(self, most: int) -> bytes:
        while not (found := self.block.read(most)):
            if (block := next(self.blocks, None)) is None:
                break
            self.block = BytesIO(block)
        return found


def divided(stream: Stream, marks: Marks | None, line: int) -> Iterator[Block | Rest]:
    """A table in UTF-8 in blocks, and what is left of it; all of it where there are no marks."""
    if marks is None:
        yield Rest(stream, line)
        return
    rest, coming = b"", blocks(stream)
    try:
        for block in coming:
            rest += block if line > 1 or rest else block.removeprefix(BOM)
            every = newlines(rest)
            ends = record_ends(rest, every, marks)
            if ends is None or len(rest) > LONGEST:
                break
            if len(ends):
                whole = numbered(rest[: ends[-1] + 1], every, ends, line)
                if len(whole.numbers):
                    yield whole
                line += int(np.searchsorted(every, ends[-1], side="right"))
                rest = rest[ends[-1] + 1 :]
    except DAMAGED as error:
        coming = raising(error)
    yield Rest(BufferedReader(After(rest, coming)), line)


def raising(error: Exception) -> Iterator[bytes]:
    """Nothing but an error, for who reads on."""
    raise error
    yield b""


def record_ends(data: bytes, every: Places, marks: Marks) -> Places | None:
    """Of every newline those that end records; none at all where quotes, or ends of lines, are not where they usually
    are."""
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n") + data.endswith(b"\r"):
        return None
    if marks.quote is None or marks.quote.encode() not in data:
        return every
    characters = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(characters == ord(marks.quote))
    ends = every[np.searchsorted(quotes, every) % 2 == 0]
    quotes = quotes[: np.searchsorted(quotes, ends[-1])] if len(ends) else quotes[:0]
    opening, closing = quotes[::2], quotes[1::2]
    # Two quotes in a quoted field stand for one: the first closes it, the second opens it again.
    edge = np.isin(np.arange(256), list(f"{marks.delimiter}{marks.quote}\r\n".encode()))
    begins = edge[characters[opening - 1]] & (characters[opening - 1] != CR) | (opening == 0)
    return ends if begins.all() and edge[characters[closing + 1]].all() else None


def numbered(data: bytes, every: Places, ends: Places, line: int) -> Block:
    """Whole records with the line of each; a blank line is none."""
    begins = np.concatenate([[0], ends[:-1] + 1])
    blank = (begins == ends) | (begins + 1 == ends) & (np.frombuffer(data, np.uint8)[begins] == CR)
    return Block(data, line, line + np.searchsorted(every, begins)[~blank])


def columns(block: Block, names: Sequence[str], marks: Marks | None) -> dict[str, pa.Array] | None:
    """The columns by their names; none at all where a record has more or fewer, or text in one without a name, which
    only the first may have."""
    import pyarrow.csv as reader

    odd = b"\0" in block.data or block.data.startswith(BOM) or b"\n" + BOM in block.data
    if marks is None or odd or len(names) > WIDEST:
        return None
    positions = [f"{n}" for n in range(len(names))]
    try:
        table = reader.read_csv(
            pa.BufferReader(block.data),
            reader.ReadOptions(use_threads=False, block_size=CACHED, column_names=positions),
            reader.ParseOptions(
                delimiter=marks.delimiter,
                quote_char=marks.quote or False,
                double_quote=marks.quote is not None,
                newlines_in_values=marks.quote is not None,
            ),
            reader.ConvertOptions(column_types=dict.fromkeys(positions, pa.string())),
        )
    except pa.ArrowInvalid:
        return None
    found = [column.combine_chunks() for column in table.columns]
    nameless = [one for name, one in zip(names[1:], found[1:], strict=True) if not name]
    if len(table) != len(block.numbers) or any(one.unique().to_pylist() not in ([""], []) for one in nameless):
        return None
    return dict(zip(names, found, strict=True))
