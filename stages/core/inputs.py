"""Files from outside: paths, addresses, folders and archives, plain or compressed, in parts that can be read at once.

What a file *is* says its sha256; where it comes from is interchangeable. Members of archives and folders are chosen by
name and never laid out by it.
"""

import hashlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path
from typing import Annotated, NamedTuple, Self, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

import pyarrow as pa
from pydantic import model_validator

from stages.core import archives, web
from stages.core.faults import Fault
from stages.core.fetch import verified
from stages.core.hashing import sha256
from stages.core.lines import BOM
from stages.core.params import Section, written
from stages.core.records import texts_of
from stages.core.streams import (
    BLOCK,
    DAMAGED,
    HEAD,
    Nothing,
    Pieces,
    Stream,
    Stretch,
    Unopened,
    bound,
    kind_of,
    of_the_machine,
    plain,
)
from stages.core.tars import REST, distinct, indexed, unpacked

PART = 2**25  # bytes of a plain file, or of members, that are read as one
MEMBERS = 500  # members that are read as one
NAMES, WIDE = 20, 60  # of the names that others gave, how many a message shows, and how many characters of one
LAID_OUT, SCRAPE = "data/scrape/", "scrape"  # the folder of captures, and what stands for their sha256
# What a stream of so many bytes holds.
Unpack = Callable[[Stream, int], Stream]
ZIP = (b"PK\3\4", b"PK\5\6")


Pinned = Annotated[
    str, written(rf"[0-9a-f]{{64}}|{SCRAPE}", "64 hexadecimal digits are wanted, as `sha256sum FILE` prints them")
]


# Fields of the record that a constant may fill; all other constants are attributes.
CONSTANT = ("label", "group", "split")


class File(Section):
    """A file, a folder or an archive from outside.

    `at` is a path in the project or an address; its `sha256` is `scrape` where that is a capture in data/scrape, which
    is pinned in section `scrape`; `members` is a pattern of names where it is a folder or an archive,
    else null: `*` stands for any characters, `/` too (`*.csv` are those in folders as well); `constants` are fields
    that all its rows share.
    """

    at: web.Place
    sha256: Pinned
    members: str | None
    constants: dict[str, str]

    @model_validator(mode="after")
    def pinned_once(self) -> Self:
        """A capture is pinned in one place, and nothing else is pinned there."""
        if self.at.startswith(LAID_OUT) != (self.sha256 == SCRAPE):
            raise ValueError(f"sha256: {SCRAPE} belongs to a file of {LAID_OUT}, and to no other; correct one of them")
        return self

    @property
    def further(self) -> dict[str, str]:
        """The constants that are attributes."""
        return {name: value for name, value in self.constants.items() if name not in CONSTANT}

    def fetch(self, cache: Path) -> Path:
        """The file or folder with the pinned bytes; of a tar archive, the index of its members."""
        if self.at.startswith(web.SCHEMES):
            path = web.fetched(self.at, self.sha256, cache)
        elif os.path.isdir(self.at):  # Path.is_dir fails where a name is too long to be one
            path = verified_folder(Path(self.at), self.sha256)
        elif os.path.isfile(self.at):
            path = verified(Path(self.at), self.sha256, self.at)
        else:
            what = "no plain file and no folder" if os.path.exists(self.at) else "no such file"
            raise Fault(f"{self.at}: {what}; correct `at` in params.yaml (it starts at the project's folder)")
        if self.members is not None and path.is_file() and not is_zip(path):
            return unpacked(path, self.at, cache / "unpacked" / self.sha256)
        return path


def attributes_of(files: Sequence[File], *names: str) -> pa.DataType:
    """Attributes of these names, and what files have in common, as texts."""
    return texts_of(*names, *(name for file in files for name in file.further))


class Member(NamedTuple):
    """One of the files in a file: its name, which no other has, and its size, packed or not."""

    name: str
    size: int


class Part(NamedTuple):
    """What is read as one: some members of a file, or bytes of it that begin with a line of this number."""

    file: int
    members: tuple[str, ...] = ()
    start: int = 0
    end: int | None = None
    line: int = 1


class Quoting(NamedTuple):
    """The byte around fields in which a line may end, and the one between fields."""

    quote: bytes
    delimiter: bytes


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
    """The digest of what `find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum -z` prints in a folder."""
    digest = hashlib.sha256()
    for name in sorted(plain_files(path), key=os.fsencode):
        digest.update(f"{sha256(path / name)}  ./".encode() + os.fsencode(name) + b"\0")
    return digest.hexdigest()


def plain_files(path: Path) -> Iterator[str]:
    """The files below a folder, without what links lead to."""
    for folder, _, names in os.walk(path):
        for name in names:
            if (one := Path(folder) / name).is_file() and not one.is_symlink():
                yield one.relative_to(path).as_posix()


def is_zip(path: Path) -> bool:
    """By its beginning: what ends like a zip may be a tar archive with a zip in it."""
    with path.open("rb") as file:
        return file.read(4) in ZIP


def members(path: Path, pattern: str, at: str) -> list[Member]:
    """The files in a folder or an archive whose names the pattern fits, by name; and what is damaged of it."""
    try:
        there = listed(path)
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        raise Fault(f"{at}: no whole archive: {error}; pin another") from None
    found = sorted(one for one in there if one.name == REST or fnmatchcase(one.name, pattern))
    if not found:
        there_is = some([one.name for one in there])
        raise Fault(f"{at}: no member fits {pattern!r}; there is: {there_is}; correct `members` in params.yaml")
    return found


def listed(path: Path) -> list[Member]:
    """All plain files in a folder, a zip or an unpacked archive."""
    if path.is_dir():
        return [Member(name, (path / name).stat().st_size) for name in plain_files(path)]
    if is_zip(path):
        with archives.opened(path) as archive:
            return [Member(name, info.compress_size) for name, info in zipped(archive).items()]
    index = indexed(path)
    return [
        Member(name, path.with_name(f"{n}").stat().st_size if isinstance(n, int) else 0) for name, n in index.items()
    ]


def zipped(archive: ZipFile) -> dict[str, ZipInfo]:
    """Name → file in a zip."""
    infos = [one for one in archive.infolist() if not one.is_dir()]
    return dict(zip(distinct(one.filename for one in infos), infos, strict=True))


def parts(
    files: Sequence[File],
    paths: Sequence[Path],
    *,
    quoting: Quoting | None = None,
    whole: bool = False,
    groups: int = 1,
) -> list[Part]:
    """All there is to read, in order of arrival: members in groups, large plain files in stretches of whole lines.

    With `quoting`, a line does not end within quotes; with `whole`, files are not divided. Where a member is much work,
    `groups` says in how many they shall come at least, for more than one process to have some.
    """
    found: list[Part] = []
    for n, (file, path) in enumerate(zip(files, paths, strict=True)):
        if file.members is not None:
            found += [Part(n, group) for group in grouped(members(path, file.members, file.at), groups)]
        elif path.is_dir():
            raise Fault(f"{file.at}: a folder; say in `members` which of its files are wanted, such as '*'")
        elif whole or path.stat().st_size <= PART or packed(path):
            found.append(Part(n))
        else:
            found += [Part(n, (), *stretch) for stretch in stretches(path, quoting)]
    return found


def grouped(found: Sequence[Member], groups: int = 1) -> Iterator[tuple[str, ...]]:
    """Members that are read as one: neighbours, neither too many nor too large together."""
    group: list[str] = []
    size, most = 0, min(MEMBERS, -(-len(found) // groups))
    for one in found:
        if group and (len(group) == most or size + one.size > PART):
            yield tuple(group)
            group, size = [], 0
        group.append(one.name)
        size += one.size
    if group:
        yield tuple(group)


def packed(path: Path) -> str | None:
    """How a file is compressed, by its first bytes."""
    with path.open("rb") as file:
        return kind_of(file.read(HEAD))


def stretches(path: Path, quoting: Quoting | None) -> list[tuple[int, int, int]]:
    """Start, end and first line of stretches of some PART bytes that end with a line, and outside of quotes: after an
    even number of them (RFC 4180). Where a quote is out of place, nothing is sure, and the file is read as one."""
    quotes = quoting.quote if quoting else None
    found, start, line, lines, odd, last = list[tuple[int, int, int]](), 0, 1, 1, False, b"\n"
    with path.open("rb") as file:
        at = 0
        while block := file.read(min(PART, BLOCK)):
            after = file.peek(1)[:1] or b"\n"
            if quoting and stray(block if at else block.removeprefix(BOM), last + after, quoting, int(odd)):
                return [(0, path.stat().st_size, 1)]
            enough = at + len(block) >= start + PART
            cut = end_of_line(block, quotes, odd) if enough else None
            if cut is not None and at + cut > start:
                found.append((start, at + cut, line))
                start, line = at + cut, lines + block.count(b"\n", 0, cut)
            lines += block.count(b"\n")
            odd ^= bool(quotes) and block.count(quotes or b"") % 2 == 1
            at, last = at + len(block), block[-1:]
    if odd:
        return [(0, at, 1)]
    return [*found, (start, at, line)] if start < at else found


def stray(block: bytes, around: bytes, quoting: Quoting, odd: int) -> bool:
    """Whether a quote opens a field elsewhere than at its start, or closes it elsewhere than at its end; two within one
    close and open it. `around` is the byte before the block and the one after it."""
    import numpy as np

    data = np.frombuffer(block, np.uint8)
    edge = np.isin(np.arange(256), list(b"\r\n" + quoting.quote + quoting.delimiter))
    at = np.flatnonzero(data == quoting.quote[0])
    opening, closing = at[odd::2], at[1 - odd :: 2]
    before, after = data[opening - 1], data[(closing + 1) % len(data)]
    before[opening == 0], after[closing == len(data) - 1] = around
    return not (edge[before].all() and edge[after].all())


def end_of_line(block: bytes, quotes: bytes | None, odd: bool) -> int | None:
    """The place after the last line of a block that ends outside of quotes."""
    if quotes is None:
        return block.rfind(b"\n") + 1 or None
    end, within = len(block), (odd + block.count(quotes)) % 2 == 1
    while end >= 0:
        start = block.rfind(quotes, 0, end)
        if not within and (cut := block.rfind(b"\n", max(start, 0), end) + 1):
            return cut
        end, within = start, not within
    return None


def shown(name: str) -> str:
    """A name as text: those of folders and tar archives are bytes, in whatever encoding."""
    return name.encode("utf-8", "backslashreplace").decode()


def some(names: Sequence[str]) -> str:
    """Names that anybody gave, for a message: not all of very many, no terminal's control characters in them."""
    cut = [one if len(one) <= WIDE else f"{one[:WIDE]}…" for one in names[:NAMES]]
    told = ["".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in one) for one in cut]
    return ", ".join(told + [f"and {len(names) - NAMES:,} more"] * (len(names) > NAMES)) or "nothing"


def opened(file: File, path: Path, part: Part, unpack: Unpack = plain) -> Iterator[tuple[str, Stream]]:
    """Name and content of each file of a part, unpacked, one after the other; to be read before the next is asked for.

    Damage shows while reading, as one of DAMAGED; `read1` gives all that comes before it, `read` may not.
    """
    if not part.members:
        with unzipped(path, part.start, part.end, unpack=unpack) as stream:
            yield file.at, stream
        return
    with container(path, unpack) as content:
        for name in part.members:
            with content(name) as stream:
                yield f"{file.at}/{shown(name)}", stream


@contextmanager
def container(path: Path, unpack: Unpack = plain) -> Generator[Callable[[str], AbstractContextManager[Stream]]]:
    """What opens a file in a folder or an archive by its name."""
    if path.is_dir():
        yield lambda name: unzipped(path / name, unpack=unpack)
    elif is_zip(path):
        with archives.opened(path) as archive:
            infos = zipped(archive)
            yield lambda name: BufferedReader(Late(archive, infos[name], unpack))
    else:
        index = indexed(path)
        yield lambda name: laid_out(path, index[name], unpack)


def laid_out(index: Path, file: int | str, unpack: Unpack) -> AbstractContextManager[Stream]:
    """A file of an unpacked archive, or why there is none."""
    if isinstance(file, str):
        return BufferedReader(Nothing(file))
    return unzipped(index.with_name(f"{file}"), unpack=unpack)


@contextmanager
def unzipped(path: Path, start: int = 0, end: int | None = None, *, unpack: Unpack = plain) -> Generator[Stream]:
    """A file, or a stretch of it, without its compression."""
    with path.open("rb") as file:
        if end is not None:
            file.seek(start)
            yield BufferedReader(Stretch(file, end - start), BLOCK)
        else:
            yield unpack(file, path.stat().st_size)


class Late(Pieces):
    """A member of a zip that is opened when it is read, so that damage is told of it and not of the archive."""

    def __init__(self, archive: ZipFile, info: ZipInfo, unpack: Unpack) -> None:
        self.archive, self.info, self.unpack = archive, info, unpack
        self.stack = ExitStack()
        self.content: Stream | None = None

    def piece(self, most: int) -> bytes:
        with archives.reading():
            if self.content is None:
                self.content = self.unpack(self.opened(), self.info.file_size)
            return self.content.read1(most)

    def opened(self) -> Stream:
        member = archives.member(self.archive, self.info, bound(self.info.compress_size))
        try:
            return cast(Stream, self.stack.enter_context(member))
        except BadZipFile as error:
            raise Unopened(f"{error}") from None

    def close(self) -> None:
        self.stack.close()
        super().close()
