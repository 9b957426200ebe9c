"""Tar archives from outside, of any compression: their files are laid out by number, never by their names."""

import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any, Self, cast

from stages.core.faults import Fault
from stages.core.files import alone, writing
from stages.core.streams import DAMAGED, RATIO, blocks, bound, of_the_machine, plain

HEADER = 2**20  # bytes of a header, as tarfile reads it in one go
HEADERS = b"xgXLK"  # the kinds of those that tell of the next member
INDEX = "index.json"
REST = "(the rest of the archive)"


def unpacked(path: Path, at: str, folder: Path) -> Path:
    """The index of a tar archive whose files were laid out beside it, by number."""
    with alone(folder):
        if not folder.exists():
            with writing(folder) as beside:
                beside.mkdir()
                found = list(laid_out(path, beside))
                if [name for name, _ in found] == [REST]:
                    raise Fault(
                        f"{at}: `members` is given, but it is no archive: {found[0][1]}; pin another, or set null"
                    )
                index = zip(distinct(name for name, _ in found), (content for _, content in found), strict=True)
                (beside / INDEX).write_text(json.dumps(list(index)), encoding="utf-8")
    return folder / INDEX


def laid_out(path: Path, folder: Path) -> Iterator[tuple[str, int | str]]:
    """Writes the files of a tar archive as 0, 1, ...; gives the name of each member with its number, or with why there
    is nothing to read."""
    size, numbers, named = path.stat().st_size, count(), dict[str, int]()
    left = bound(size)
    try:
        with path.open("rb") as file, tarfile.open(fileobj=plain(file, size), mode="r|", tarinfo=Header) as archive:
            while info := archive.next():
                cast(Any, archive).members.clear()  # tarfile would keep them all
                left -= info.size
                if left < 0:
                    raise tarfile.TarError(f"its members are more than {RATIO} times as large as it is")
                if info.isfile():
                    named[info.name] = number = next(numbers)
                    save(archive.extractfile(info), folder / f"{number}")
                    yield info.name, number
                elif info.islnk() and info.linkname in named:
                    yield info.name, named[info.linkname]
                elif not info.isdir():
                    yield info.name, "a link or a device, no file"
            if any(block.strip(b"\0") for block in blocks(archive.fileobj)):
                raise tarfile.TarError("there is more after its end")
    except (*DAMAGED, ValueError) as error:
        if of_the_machine(error):
            raise
        yield REST, f"{error}"


class Header(tarfile.TarInfo):
    """What tarfile takes for the end of an archive, or reads into memory whatever its size, is damage."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):
                raise
            raise tarfile.ReadError(f"{error}") from None
        if info.type in HEADERS and info.size > HEADER:
            raise tarfile.ReadError(f"a header of {info.size:,} bytes")
        return info


def save(source: Any, path: Path) -> None:
    with path.open("wb") as target:
        target.writelines(blocks(source))


def distinct(names: Iterable[str]) -> list[str]:
    """The names, with `#2` and so on after those that came before: archives may have several files of a name."""
    counts, found = Counter[str](), list[str]()
    for name in names:
        new = name
        while counts[new]:
            counts[name] += 1
            new = f"{name}#{counts[name]}"
        counts[new] += 1
        found.append(new)
    return found


@lru_cache(maxsize=8)
def indexed(index: Path) -> dict[str, int | str]:
    """Name → number of the file in an unpacked archive, or why there is none."""
    return dict(json.loads(index.read_text(encoding="utf-8")))
