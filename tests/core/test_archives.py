"""Archives of somebody who means harm, made here byte by byte: refused with the reason, within bounds."""

import struct
import subprocess
import sys
from pathlib import Path
from random import Random
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, BadZipFile, ZipFile, ZipInfo

import pytest

from stages.core import archives

MOST = 1000
LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"


def made(path: Path, content: bytes = b"text", how: int = ZIP_DEFLATED, mode: int = 0) -> Path:
    """An archive of one member, a.py."""
    info = ZipInfo("a.py")
    info.external_attr, info.compress_type = mode << 16, how
    with ZipFile(path, "w") as archive:
        archive.writestr(info, content)
    return path


def patched(path: Path, offset: int, value: bytes) -> Path:
    """The archive with a field of its member changed, in the list and beside the member (offset in the list)."""
    content = bytearray(path.read_bytes())
    for place in (content.index(CENTRAL) + offset, content.index(LOCAL) + offset - 2):
        content[place : place + len(value)] = value
    path.write_bytes(content)
    return path


def read(path: Path) -> bytes:
    """The content of a.py."""
    with archives.opened(path) as archive:
        return archives.content(archive, archive.getinfo("a.py"), MOST)


def test_a_member_is_read(tmp_path: Path) -> None:
    assert read(made(tmp_path / "a.zip", b"x" * MOST)) == b"x" * MOST


def test_a_member_may_be_longer_than_a_list(tmp_path: Path) -> None:
    """And an archive may be bytes, as one inside of another is."""
    content = Random(0).randbytes(archives.LIST + 1)
    path = made(tmp_path / "a.zip", content)
    with archives.opened(path.read_bytes()) as archive:
        assert archives.content(archive, archive.getinfo("a.py"), len(content)) == content


def test_a_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", bytes(10**8))
    assert path.stat().st_size < 10**6
    with pytest.raises(BadZipFile, match=r"^100,000,000 bytes are more than 1,000$"):
        read(path)


def test_a_bomb_that_lies_about_its_size_gives_no_more_than_it_declared(tmp_path: Path) -> None:
    path = patched(made(tmp_path / "a.zip", bytes(10**8)), 24, struct.pack("<L", MOST))
    with pytest.raises(BadZipFile, match=r"Bad CRC-32 for file 'a.py'"):
        read(path)


@pytest.mark.parametrize("how", [ZIP_BZIP2, ZIP_LZMA])
def test_other_ways_to_pack_unpack_more_than_one_asked_for(tmp_path: Path, how: int) -> None:
    with pytest.raises(BadZipFile, match=r"^neither stored nor deflated$"):
        read(made(tmp_path / "a.zip", how=how))


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [(8, b"\1\0", "encrypted"), (10, b"\x09\0", "neither"), (8, b"\x20\0", "patched"), (42, b"\xf0\xff", "magic")],
    ids=["encrypted", "unknown method", "patch", "elsewhere"],
)
def test_what_zipfile_cannot_read(tmp_path: Path, offset: int, value: bytes, reason: str) -> None:
    with pytest.raises(BadZipFile, match=reason):
        read(patched(made(tmp_path / "a.zip"), offset, value))


def test_a_damaged_member(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", bytes(range(256)))
    content = bytearray(path.read_bytes())
    content[34:40] = b"\xff" * 6
    path.write_bytes(content)
    with pytest.raises(BadZipFile, match="invalid"):
        read(path)


def test_a_link_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadZipFile, match=r"^a link, no file$"):
        read(made(tmp_path / "a.zip", b"../../secret.py", mode=0o120777))


def test_a_name_that_is_no_utf_8_costs_its_member_alone(tmp_path: Path) -> None:
    """Its flag says that it is; zipfile would refuse them all."""
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.py", "caf\xe9.py", "na\xefve.py"):
            archive.writestr(name, name)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace("caf\xe9".encode(), b"caf\xff\xfe"))
    assert read(tmp_path / "a.zip") == b"a.py"
    with archives.opened(tmp_path / "a.zip") as archive:
        one, wrong, other = archive.infolist()
        assert [info.filename for info in (one, wrong, other)] == ["a.py", "caf??.py", "na\xefve.py"]
        assert archives.content(archive, other, MOST) == "na\xefve.py".encode()
        with pytest.raises(BadZipFile, match="'utf-8' codec can't decode byte 0xff in position 3"):
            archives.content(archive, wrong, MOST)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\5\6" + bytes(10)])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BadZipFile, match="not a zip file"):
        read(tmp_path / "a.zip")


def million(path: Path) -> Path:
    """An archive whose list has a million members, all of them the same one."""
    content = made(path).read_bytes()
    start, end = content.index(CENTRAL), content.index(b"PK\5\6")
    size = (end - start) * 10**6
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, start, 0)
    path.write_bytes(content[:start] + content[start:end] * 10**6 + last)
    return path


LIMITED = """
import resource, sys
from pathlib import Path
from zipfile import BadZipFile
from stages.core import archives
resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
try:
    with archives.opened(Path(sys.argv[1])): pass
except BadZipFile as error:
    print(error)
"""


def test_a_million_members_are_not_read_into_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(million(tmp_path / "a.zip"))]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"its list of members is longer than {archives.LIST:,} bytes\n"
