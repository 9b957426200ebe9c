"""Records of web archives, WARC and ARC, plain or in members of gzip; and the answers of servers in them.

What is damaged costs as little as can be: reading goes on with the next record that can be found. FastWARC, which would
read WARC faster, ends there, and takes a file that breaks off for one that ends; pages take far longer than either.
"""

import io
import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa

from stages.core.lines import BROKEN_OFF
from stages.core.streams import DAMAGED, HEAD, Stream, bomb, bound, kind_of, of_the_machine, plain

BLOCK = 2**16
LINES = 1_000  # of headers
LONGEST = 2**13  # characters of the line with which a record of ARC begins
BLANK = re.compile(rb"\s+")
GZIP = b"\x1f\x8b\x08"
# Of ARC: URL, address, time, type and length; later versions have more between the last two, and a URL may hold spaces.
ARC = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:.*?) \S+ (\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d) (\S*) (?:.* )?(\d{1,18})\s*")
WARC = re.compile(r"WARC/\d+\.\d+\s*")
START = re.compile(rb"^(?:WARC/\d|[A-Za-z][A-Za-z0-9+.-]*:\S[^\n]* \d{14} )", re.MULTILINE)
STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


ENDED = zlib.decompressobj()  # has nothing more to give
ENDED.decompress(zlib.compress(b""))


class Broken(Exception):
    """What can't be read, and why."""


class Record(NamedTuple):
    """A record, where in the file it begins (its member of gzip, if it is in one), and its WARC headers, in lower case.
    One that is too long is `cut`."""

    offset: int
    headers: dict[str, str]
    content: bytes
    cut: bool


class Damage(NamedTuple):
    """Where something can't be read, and why."""

    offset: int
    reason: str


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Bytes:
    """The bytes of a file that is not packed, from first to last."""

    def __init__(self, file: Stream) -> None:
        self.file = file
        self.buffer: bytearray = bytearray()
        self.came = 0  # bytes of the file

    @property
    def offset(self) -> int:
        return self.came - len(self.buffer)

    def pull(self) -> bytes:
        """More of the file, if there is more."""
        try:
            block = self.file.read1(BLOCK)
        except DAMAGED as error:
            if of_the_machine(error):
                raise
            raise self.over(f"{error}") from error
        self.came += len(block)
        return block

    def over(self, reason: str) -> Broken:
        """Nothing more is read, and this is why."""
        self.file = io.BufferedReader(io.BytesIO())  # pyright: ignore[reportArgumentType]
        return Broken(f"{BROKEN_OFF}: {reason}")

    def fill(self) -> bool:
        """Whether there is more, which is read then."""
        block = self.pull()
        self.buffer += block
        return bool(block)

    def more(self) -> bool:
        """Goes to what follows blank lines, if anything does."""
        while True:
            if blank := BLANK.match(self.buffer):  # lstrip would copy all that follows, for each record
                del self.buffer[: blank.end()]
            if self.buffer or not self.fill():
                return bool(self.buffer)

    def line(self) -> bytes:
        """The next line, with its end."""
        while (end := self.buffer.find(b"\n") + 1) == 0:
            if len(self.buffer) > BLOCK:
                self.buffer.clear()
                raise Broken(f"a line of more than {BLOCK:,} bytes")
            if not self.fill():
                end = len(self.buffer)
                break
        line = bytes(self.buffer[:end])
        del self.buffer[:end]
        return line

    def take(self, size: int, most: int) -> bytes:
        """So many bytes, of which those after `most` are not kept."""
        found = bytearray()
        while size:
            if not self.buffer and not self.fill():
                raise Broken(f"{BROKEN_OFF}: {size:,} bytes are missing")
            piece = self.buffer[:size]
            del self.buffer[:size]
            found += piece[: max(0, most - len(found))]
            size -= len(piece)
        return bytes(found)

    def resume(self) -> None:
        """Goes to the next place that looks like the beginning of a record."""
        while True:
            if found := START.search(self.buffer):
                del self.buffer[: found.start()]
                return
            # Its first line may have begun.
            del self.buffer[: max(self.buffer.rfind(b"\n"), len(self.buffer) - BLOCK, 0)]
            if not self.fill():
                self.buffer.clear()
                return


class Zipped(Bytes):
    """The bytes in a file of gzip, whose records should be members of their own: the offset is that of the member."""

    def __init__(self, file: Stream) -> None:
        super().__init__(file)
        self.packed = b""
        self.member = self.given = 0
        self.inflater = zlib.decompressobj(31)

    @property
    def offset(self) -> int:
        return self.member

    def fill(self) -> bool:
        packed = self.packed or self.pull()
        if self.inflater.eof:
            if not packed:
                return False
            self.begin(packed)
        try:
            found = self.inflater.decompress(packed, 16 * BLOCK)
            if not (packed or found or self.inflater.eof):
                raise zlib.error("it breaks off")
        except zlib.error as error:
            self.give_up(packed)
            raise Broken(f"a member of gzip that is damaged: {error}") from error
        self.packed = self.inflater.unconsumed_tail or self.inflater.unused_data
        self.given += len(found)
        if self.given > bound(self.came):
            raise self.over(bomb())
        self.buffer += found
        return True

    def over(self, reason: str) -> Broken:
        self.packed, self.inflater = b"", ENDED
        return super().over(reason)

    def begin(self, packed: bytes) -> None:
        self.member, self.inflater = self.came - len(packed), zlib.decompressobj(31)

    def give_up(self, packed: bytes) -> None:
        """Goes to the next member in which a record begins."""
        self.buffer.clear()
        self.packed, self.inflater = b"", ENDED
        while packed:
            at = 0
            while (at := packed.find(GZIP, at + 1)) > 0:
                if begins(packed[at : at + BLOCK]):
                    self.packed = packed[at:]
                    return
            # The next one may begin at the end of it.
            more = self.pull()
            packed = more and packed[max(1, len(packed) - 1024) :] + more


def begins(packed: bytes) -> bool:
    """Whether this is a member of gzip in which a record begins, and not only looks like one."""
    try:
        return bool(START.match(zlib.decompressobj(31).decompress(packed, 1024)))
    except zlib.error:
        return False


def unpack(file: Stream, size: int) -> Stream:
    """A file as `records` wants it: gzip as it is, all else unpacked."""
    return file if kind_of(file.peek(HEAD)) == "gzip" else plain(file, size)


def records(file: Stream, most: int) -> Iterator[Record | Damage]:
    """All records of a file; of each, no more than so many bytes."""
    try:
        zipped = kind_of(file.peek(HEAD)) == "gzip"
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        yield Damage(0, f"not to be read: {error}")
        return
    found, damaged = Zipped(file) if zipped else Bytes(file), False
    while True:
        at = found.offset
        try:
            if damaged:
                found.resume()
            damaged = False
            if not found.more():
                return
            at = found.offset
            yield record(found, most)
        except Broken as error:
            damaged = True
            yield Damage(found.offset if zipped else at, f"{error}")


def record(stream: Bytes, most: int) -> Record:
    """The record that begins here."""
    at, line = stream.offset, stream.line().decode("utf-8", "replace")
    if WARC.fullmatch(line):
        headers = fields(stream.line)
    elif found := len(line) <= LONGEST and ARC.fullmatch(line):
        headers = of_arc(*found.groups())
    else:
        raise Broken("neither a record of WARC nor one of ARC begins here")
    size = headers.get("content-length", "")
    if not (size.isascii() and size.isdecimal() and len(size) < 19):
        raise Broken("no Content-Length")
    return Record(at, headers, stream.take(int(size), most), int(size) > most)


def fields(line: Callable[[], bytes]) -> dict[str, str]:
    """Headers up to a blank line, their names in lower case; the first of each."""
    found: dict[str, str] = {}
    name = ""
    for _ in range(LINES):
        text = line().decode("utf-8", "replace").rstrip()
        if not text:
            return found
        if text[0] in " \t" and name:
            found[name] += f" {text.strip()}"
        else:
            name, _, value = text.partition(":")
            name = name.strip().lower()
            found.setdefault(name, value.strip())
    raise Broken(f"more than {LINES:,} headers")


def of_arc(url: str, *rest: str) -> dict[str, str]:
    """The line of ARC as headers of WARC."""
    *when, kind, size = rest
    scheme = url.partition(":")[0].lower()
    return {
        "warc-type": {"http": "response", "https": "response", "filedesc": "warcinfo"}.get(scheme, "resource"),
        "warc-target-uri": url,
        "warc-date": "{}-{}-{}T{}:{}:{}Z".format(*when),
        "content-type": kind,
        "content-length": size,
    }


def answer(content: bytes) -> Answer | None:
    """What a server answered, if it did so in HTTP."""
    lines = io.BytesIO(content)
    found = STATUS.match(lines.readline(BLOCK))
    return Answer(int(found[1]), fields(lambda: lines.readline(BLOCK)), lines.read()) if found else None


def body(found: Answer, most: int) -> bytes:
    """What the server meant to send: in one piece and unpacked, cut off behind so many bytes. Many crawlers have done
    that already and left the headers as they were."""
    content = found.body
    if "chunked" in found.headers.get("transfer-encoding", "").lower():
        content = joined(content)
    for coding in reversed(found.headers.get("content-encoding", "").lower().split(",")):
        content = unpacked(content, coding.strip(), most)
    return content


def joined(content: bytes) -> bytes:
    """The chunks as one; what does not begin with one has none."""
    pieces, at = list[bytes](), 0
    while found := SIZE.match(content, at):
        size, at = int(found[1], 16), found.end()
        if not size:
            return b"".join(pieces)
        pieces.append(content[at : at + size])
        at += size
        at += len(content[at : at + 2]) - len(content[at : at + 2].lstrip(b"\r\n"))
    if pieces:
        raise Broken("the chunks of its answer break off")
    return content


def unpacked(content: bytes, coding: str, most: int) -> bytes:
    """The content without one of HTTP's codings."""
    import brotli

    try:
        match coding:
            case "gzip" | "x-gzip":
                return inflated(content, 31, most) if content.startswith(GZIP) else content
            case "deflate":
                # Servers send it with the head that it must have, or without.
                return inflated(content, 15 if content[:1] == b"\x78" else -15, most)
            case "br":
                inflater = brotli.Decompressor()
                found = inflater.process(content, output_buffer_limit=most)
                return whole(found[:most], most, ended=inflater.is_finished())
            case "zstd":
                return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(most)
            case "" | "identity" | "none" | "utf-8":
                return content
            case _:
                raise Broken(f"its answer is packed as {coding!r}")
    except (zlib.error, brotli.error, OSError) as error:
        raise Broken(f"its answer is no {coding}") from error


def inflated(content: bytes, window: int, most: int) -> bytes:
    inflater = zlib.decompressobj(window)
    return whole(inflater.decompress(content, most), most, ended=inflater.eof)


def whole(content: bytes, most: int, *, ended: bool) -> bytes:
    """The content, if it is all there, or cut off because there is too much of it."""
    if not ended and len(content) < most:
        raise Broken("its answer breaks off")
    return content
