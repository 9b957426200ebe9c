"""Archives from outside: members are read by name, within bounds; nothing is laid out by an archive's own paths.

Whatever is wrong with an archive or a member is a `BadZipFile` that says what.
"""

import io
import stat
import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

# zipfile reads the list of members in one go and makes an object of each: 8 MiB are some 100,000 members.
LIST = 2**23
# Of a member there: how it begins, how long that is without its name, and the flag of names in UTF-8.
MEMBER, SIZE, UTF_8 = b"PK\1\2", 46, 0x800
# What zipfile says of damaged, encrypted and unknown members, each in its own words.
DAMAGED = (zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)


class Bounded(io.BufferedReader):
    """A file that, while its list of members is read, gives nobody more than LIST bytes at once."""

    listing = True

    def read(self, size: int | None = -1) -> bytes:
        if not self.listing:
            return super().read(size)
        wanted = LIST + 1 if size is None or size < 0 else size
        content = super().read(min(wanted, LIST + 1))
        if len(content) > LIST:
            raise BadZipFile(f"its list of members is longer than {LIST:,} bytes")
        return decodable(content)


def decodable(listing: bytes) -> bytes:
    """The list of members, in which names that are not the UTF-8 that they say they are have question marks. zipfile
    would take none of the members for one such name; so it refuses that one, whose name is another beside it."""
    content, at = bytearray(listing), 0
    while content.startswith(MEMBER, at) and at + SIZE <= len(content):
        (flags,) = struct.unpack_from("<H", content, at + 8)
        sizes = struct.unpack_from("<3H", content, at + 28)
        name = slice(at + SIZE, at + SIZE + sizes[0])
        if flags & UTF_8 and not utf_8(content[name]):
            content[name] = bytes(byte if byte < 128 else ord("?") for byte in content[name])
        at += SIZE + sum(sizes)
    return bytes(content)


def utf_8(name: bytes | bytearray) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def reading() -> Generator[None]:
    """Whatever zipfile may say of damaged bytes, as one kind of exception."""
    try:
        yield
    except DAMAGED as error:
        raise BadZipFile(f"{error}" or type(error).__name__) from error


@contextmanager
def opened(source: Path | bytes) -> Generator[ZipFile]:
    """The archive in a file, or in these bytes, if its list of members can be read."""
    with Bounded(io.FileIO(source) if isinstance(source, Path) else io.BytesIO(source)) as file:
        with reading():
            archive = ZipFile(file)
        file.listing = False
        with archive:
            yield archive


@contextmanager
def member(archive: ZipFile, info: ZipInfo, most: int) -> Generator[IO[bytes]]:
    """A member to be read: a plain file of at most so many bytes. zipfile gives no more bytes than were declared."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise BadZipFile("a link, no file")
    if info.file_size > most:
        raise BadZipFile(f"{info.file_size:,} bytes are more than {most:,}")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        # Of the others, zipfile unpacks all that a piece holds before it counts.
        raise BadZipFile("neither stored nor deflated")
    with reading(), archive.open(info) as file:
        yield file


def content(archive: ZipFile, info: ZipInfo, most: int) -> bytes:
    """All of a member. A read without a size would unpack whatever there is before it is cut to what was declared."""
    with member(archive, info, most) as file:
        return file.read(info.file_size)
