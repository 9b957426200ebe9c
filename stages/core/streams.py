"""Streams of bytes from outside: a stretch of a file, or what is packed in one, piece by piece and within bounds."""

import gzip
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from typing import Any, TypeAlias
from zipfile import BadZipFile

import pyarrow as pa

Stream: TypeAlias = "BufferedReader[Any]"
BLOCK = 2**20
PIECE = 2**16  # bytes that are unpacked at once
# Text seldom packs better than 1:20; a bomb does 1:1,000 and more.
RATIO, SMALL = 200, 2**30
HEAD = 10  # bytes that say how a file is packed
PACKED = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
}
# What readers of all kinds say of bytes that they can't read.
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException, BadZipFile, tarfile.TarError)


def of_the_machine(error: BaseException) -> bool:
    """Whether an OSError tells of the machine and not of what a file holds."""
    return getattr(error, "errno", None) is not None


def bound(size: int) -> int:
    """What so many bytes may be unpacked to."""
    return max(SMALL, RATIO * size)


def bomb() -> str:
    """What is said of more than that."""
    return f"more than {RATIO} times as large as it is packed: a bomb, no text"


def kind_of(head: bytes) -> str | None:
    return next((kind for kind, pattern in PACKED.items() if pattern.match(head)), None)


def plain(file: Stream, size: int) -> Stream:
    """What a stream of so many bytes holds, unpacked where its first bytes say that it is packed, within bounds."""
    kind = kind_of(file.peek(HEAD))
    if kind is None:
        return file
    # The standard library gives all that comes before the damage, but takes bz2 that is damaged between two streams for
    # the end; it has no zstd.
    match kind:
        case "gzip":
            stream = gzip.GzipFile(fileobj=file)
        case "xz":
            stream = lzma.LZMAFile(file)  # noqa: SIM115
        case _:
            stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), kind)
    return BufferedReader(Unpacked(stream, bound(size)), PIECE)


def blocks(stream: Any) -> Iterator[bytes]:
    """All that is in a stream."""
    while block := stream.read(BLOCK):
        yield block


class Pieces(RawIOBase):
    """A stream that is made of pieces."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        piece = self.piece(min(len(buffer), PIECE))
        buffer[: len(piece)] = piece
        return len(piece)

    def piece(self, most: int) -> bytes:
        """The next so many bytes, or fewer; none at the end."""
        raise NotImplementedError


class Stretch(Pieces):
    """So many bytes of a file."""

    def __init__(self, file: Stream, left: int) -> None:
        self.file, self.left = file, left

    def piece(self, most: int) -> bytes:
        found = self.file.read(min(most, self.left))
        self.left -= len(found)
        return found


class Unpacked(Pieces):
    """What is unpacked; it breaks off where it gives more than there can be."""

    def __init__(self, stream: Any, left: int) -> None:
        self.stream, self.left = stream, left

    def piece(self, most: int) -> bytes:
        found = self.stream.read1(most)
        self.left -= len(found)
        if self.left < 0:
            raise OSError(bomb())
        return found


class Unopened(OSError):
    """Why nothing of a file can be read."""


class Nothing(Pieces):
    """What can't be read, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def piece(self, most: int) -> bytes:  # noqa: ARG002
        raise Unopened(self.reason)
