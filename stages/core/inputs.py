"""Files from outside: paths, addresses, folders and archives, plain or compressed, in parts that can be read at once.

What a file *is* says its sha256; where it comes from is interchangeable. Members of archives and folders are chosen by
name and never laid out by it.
"""

import hashlib
import io
import json
import lzma
import os
import tarfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, NamedTuple
from zipfile import BadZipFile, is_zipfile

import pyarrow as pa

from stages.core import archives, web
from stages.core.faults import Fault
from stages.core.fetch import verified
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.core.params import Section, Sha256

PART = 2**26  # bytes of a plain file, or of members, that are read as one
MEMBERS = 500  # members that are read as one
BLOCK = 2**20
# Text seldom packs better than 1:20; a bomb does 1:1,000 and more.
RATIO, SMALL = 200, 2**30
INDEX = "index.json"
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz"}
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException, BadZipFile, tarfile.TarError)


class File(Section):
    """A file, a folder or an archive from outside.

    `at` is a path in the project or an address; `members` is a pattern of names where it is a folder or an archive,
    else null; `constants` are fields that all its rows share.
    """

    at: str
    sha256: Sha256
    members: str | None
    constants: dict[str, str]

    def fetch(self, cache: Path) -> Path:
        """The file, or the folder of its members, with the pinned bytes."""
        if self.at.startswith(web.SCHEMES):
            path = web.fetched(self.at, self.sha256, cache)
        elif (path := Path(self.at)).is_dir():
            path = verified_folder(path, self.sha256)
        elif path.is_file():
            path = verified(path, self.sha256, self.at)
        else:
            raise Fault(f"{self.at}: no such file; correct `at` in params.yaml (it starts at the project's folder)")
        if self.members is not None and path.is_file() and not is_zipfile(path):
            return unpacked(path, self.at, cache / "unpacked" / self.sha256)
        return path


class Member(NamedTuple):
    """One of the files in a file: its name to show, and its size, packed or not."""

    name: str
    size: int


class Part(NamedTuple):
    """What is read as one: some members of a file, or bytes of it that begin with a line of this number."""

    file: int
    members: tuple[str, ...] = ()
    start: int = 0
    end: int | None = None
    line: int = 1


def verified_folder(path: Path, expected: str) -> Path:
    """A folder, if it holds the pinned files."""
    found = folder_sha256(path)
    if found != expected:
        raise Fault(
            f"{path}: the files are not the pinned ones: sha256 {found}, pinned {expected}; "
            "if the change is wanted, pin the new hash in params.yaml"
        )
    return path


def folder_sha256(path: Path) -> str:
    """The digest of what `find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum` prints in a folder."""
    digest = hashlib.sha256()
    for name in sorted(plain_files(path), key=os.fsencode):
        digest.update(f"{sha256(path / name)}  ./".encode() + os.fsencode(name) + b"\n")
    return digest.hexdigest()


def plain_files(path: Path) -> Iterator[str]:
    """The files below a folder, without what links lead to."""
    for folder, _, names in os.walk(path):
        for name in names:
            if (one := Path(folder) / name).is_file() and not one.is_symlink():
                yield one.relative_to(path).as_posix()


def unpacked(path: Path, at: str, folder: Path) -> Path:
    """The plain members of a tar archive, by number; `index.json` has their names."""
    if not folder.exists():
        with writing(folder) as beside:
            beside.mkdir()
            try:
                names = list(laid_out(path, beside))
            except DAMAGED as error:
                raise Fault(
                    f"{at}: `members` is given, but it is no archive: {error}; pin another, or set null"
                ) from error
            (beside / INDEX).write_text(json.dumps(names), encoding="utf-8")
    return folder


def laid_out(path: Path, folder: Path) -> Iterator[str]:
    """Writes the members of a tar archive as 0, 1, ...; links and devices are none."""
    most = max(SMALL, RATIO * path.stat().st_size)
    with tarfile.open(path, "r|*") as archive:
        for number, info in enumerate(one for one in archive if one.isfile()):
            most -= info.size
            if most < 0:
                raise tarfile.TarError(f"its members are more than {RATIO} times as large as it is")
            source = archive.extractfile(info)
            with (folder / f"{number}").open("wb") as target:
                while source and (block := source.read(BLOCK)):
                    target.write(block)
            yield info.name


def members(path: Path, pattern: str, at: str) -> list[Member]:
    """The files in a folder or an archive whose names the pattern fits, by name."""
    try:
        there = listed(path)
    except BadZipFile as error:
        raise Fault(f"{at}: no whole archive: {error}; fetch it again, or pin another one") from None
    found = sorted(one for one in there if fnmatchcase(one.name, pattern))
    if not found:
        names = ", ".join(shown(one.name) for one in there[:3]) or "nothing"
        raise Fault(f"{at}: no member fits {pattern!r}; there is: {names}; correct `members` in params.yaml")
    return found


def listed(path: Path) -> list[Member]:
    """All plain files in a folder, an unpacked archive or a zip."""
    if path.is_dir():
        return [Member(name, place.stat().st_size) for name, place in places(path).items()]
    with archives.opened(path) as archive:
        return [Member(one.filename, one.compress_size) for one in archive.infolist() if not one.is_dir()]


def places(folder: Path) -> dict[str, Path]:
    """Name → file in a folder or an unpacked archive."""
    index = folder.parent.name == "unpacked" and folder / INDEX
    if index and index.exists():
        return {name: folder / f"{n}" for n, name in enumerate(json.loads(index.read_text(encoding="utf-8")))}
    return {name: folder / name for name in plain_files(folder)}


def parts(
    files: Sequence[File], paths: Sequence[Path], *, quotes: bytes | None = None, whole: bool = False
) -> list[Part]:
    """All there is to read, in order of arrival: members in groups, large plain files in stretches of whole lines.

    With `quotes`, a line does not end within them; with `whole`, files are not divided.
    """
    found: list[Part] = []
    for n, (file, path) in enumerate(zip(files, paths, strict=True)):
        if file.members is not None:
            found += [Part(n, group) for group in grouped(members(path, file.members, file.at))]
        elif path.is_dir():
            raise Fault(f"{file.at}: a folder; say in `members` which of its files are wanted, such as '*'")
        elif whole or path.stat().st_size <= PART or packed(path):
            found.append(Part(n))
        else:
            found += [Part(n, (), *stretch) for stretch in stretches(path, quotes)]
    return found


def grouped(found: Sequence[Member]) -> Iterator[tuple[str, ...]]:
    """Members that are read as one: neighbours, neither too many nor too large together."""
    group: list[str] = []
    size = 0
    for one in found:
        if group and (len(group) == MEMBERS or size + one.size > PART):
            yield tuple(group)
            group, size = [], 0
        group.append(one.name)
        size += one.size
    if group:
        yield tuple(group)


def packed(path: Path) -> str | None:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(6)
    return next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)


def stretches(path: Path, quotes: bytes | None) -> list[tuple[int, int, int]]:
    """Start, end and first line of stretches of some PART bytes that end with a line, and outside of quotes: after an
    even number of them (RFC 4180). Where a file has an odd number, nothing is sure, and it is read as one."""
    found, start, line, lines, odd = list[tuple[int, int, int]](), 0, 1, 1, False
    with path.open("rb") as file:
        at = 0
        while block := file.read(PART):
            cut = end_of_line(block, quotes, odd)
            if cut is not None and at + cut > start:
                found.append((start, at + cut, line))
                start, line = at + cut, lines + block.count(b"\n", 0, cut)
            lines += block.count(b"\n")
            odd ^= bool(quotes) and block.count(quotes or b"") % 2 == 1
            at += len(block)
    if odd:
        return [(0, at, 1)]
    return [*found, (start, at, line)] if start < at else found


def end_of_line(block: bytes, quotes: bytes | None, odd: bool) -> int | None:
    """The place after the last line of a block that ends outside of quotes."""
    cut = block.rfind(b"\n") + 1
    while cut:
        if not quotes or (odd + block.count(quotes, 0, cut)) % 2 == 0:
            return cut
        cut = block.rfind(b"\n", 0, cut - 1) + 1
    return None


def opened(file: File, path: Path, part: Part) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of each file of a part, unpacked, one after the other; to be read before the next is asked for.

    Damage shows while reading, as one of DAMAGED.
    """
    if not part.members:
        with unzipped(path, part.start, part.end) as stream:
            yield file.at, stream
    elif path.is_dir():
        known = places(path)
        for name in part.members:
            with unzipped(known[name]) as stream:
                yield f"{file.at}/{shown(name)}", stream
    else:
        with archives.opened(path) as archive:
            for name in part.members:
                yield f"{file.at}/{shown(name)}", io.BufferedReader(Late(archive, name), BLOCK)


def shown(name: str) -> str:
    """A name as text: those of folders and tar archives are bytes, in whatever encoding."""
    return name.encode("utf-8", "backslashreplace").decode()


class Late(io.RawIOBase):
    """A member of a zip that is opened when it is read, so that damage is told of it and not of the archive."""

    def __init__(self, archive: "archives.ZipFile", name: str) -> None:
        self.archive, self.name = archive, name
        self.content: IO[bytes] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.content is None:
            info = self.archive.getinfo(self.name)
            most = max(SMALL, RATIO * info.compress_size)
            with archives.member(self.archive, info, most) as content:
                self.content = plain(io.BytesIO(content.read()))
        data = self.content.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def unzipped(path: Path, start: int = 0, end: int | None = None) -> Generator[IO[bytes]]:
    """A file, or a stretch of it, without its compression."""
    with path.open("rb") as file:
        if end is not None:
            file.seek(start)
            yield io.BytesIO(file.read(end - start))
        else:
            yield plain(file)


def plain(file: IO[bytes]) -> IO[bytes]:
    """What a stream holds, unpacked where its first bytes say that it is packed, within bounds."""
    head = file.read(6)
    file.seek(0)
    kind = next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)
    if kind is None:
        return file
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    stream: IO[bytes] = lzma.open(file) if kind == "xz" else pa.CompressedInputStream(pa.PythonFile(file), kind)  # noqa: SIM115
    return io.BufferedReader(Bounded(stream, max(SMALL, RATIO * size)), BLOCK)


class Bounded(io.RawIOBase):
    """A stream that breaks off where it gives more than there can be."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.left = stream, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = self.stream.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise OSError(f"more than {RATIO} times as large as it is packed: a bomb, no text")
        buffer[: len(data)] = data
        return len(data)
