"""Tar archives that hold what no archive should: read by number, told by name, nothing lost in silence."""

import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import streams, tars
from stages.core.faults import Fault

REST = tars.REST
LINK = "a link or a device, no file"


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def tar(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode="w", format=form) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def unpacked(folder: Path, content: bytes) -> dict[str, bytes | str]:
    """Name → content, or why there is none."""
    (folder / "a.tar").write_bytes(content)
    index = tars.unpacked(folder / "a.tar", "a.tar", folder / "unpacked" / "0")
    assert {path.name for path in folder.iterdir()} == {"a.tar", "unpacked"}
    found = tars.indexed(index)
    return {name: at if isinstance(at, str) else index.with_name(f"{at}").read_bytes() for name, at in found.items()}


TWO = tar(member("a.txt", b"A"), member("folder/b.txt", b"B" * 1000))
WHOLE = {"a.txt": b"A", "folder/b.txt": b"B" * 1000}


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, lzma.compress, lambda content: pa.compress(content, codec="zstd", asbytes=True)],
    ids=["plain", "gz", "xz", "zst"],
)
def test_the_files_of_an_archive(tmp_path: Path, pack: Callable[[bytes], bytes]):
    assert unpacked(tmp_path, pack(TWO)) == WHOLE


def test_once_is_enough(tmp_path: Path):
    first = unpacked(tmp_path, TWO)
    (tmp_path / "a.tar").write_bytes(b"not looked at")
    assert tars.indexed(tars.unpacked(tmp_path / "a.tar", "a.tar", tmp_path / "unpacked/0")).keys() == first.keys()


def test_names_that_lead_elsewhere_are_names(tmp_path: Path):
    names = ["../../out.txt", "/etc/out.txt", "a/../../out.txt", "C:\\out.txt", "index.json", "0", ".", ""]
    found = unpacked(tmp_path, tar(*(member(name, b"x") for name in names)))
    assert set(found.values()) == {b"x"}
    assert len(found) == len(names)
    assert not (tmp_path.parent / "out.txt").exists()


def test_files_of_one_name_are_all_there(tmp_path: Path):
    found = unpacked(tmp_path, tar(member("a", b"1"), member("a", b"2"), member("a#2", b"3"), member("a", b"4")))
    assert found == {"a": b"1", "a#2": b"2", "a#2#2": b"3", "a#3": b"4"}


@given(st.lists(st.sampled_from(["a", "a#2", "a#2#2", "b", ""])))
def test_distinct_names_are_distinct_and_the_first_ones_stay(names: list[str]):
    found = tars.distinct(names)
    assert len(set(found)) == len(names)
    assert all(new.startswith(old) for new, old in zip(found, names, strict=True))
    assert set(names) <= set(found)


def test_links_are_told_and_hard_ones_followed(tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    content = tar(
        member("a.txt", b"A"),
        member("hard.txt", kind=tarfile.LNKTYPE, link="a.txt"),
        member("outside.txt", kind=tarfile.LNKTYPE, link="../../secret"),
        member("soft.txt", kind=tarfile.SYMTYPE, link=str(tmp_path / "secret")),
        member("device", kind=tarfile.CHRTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("folder", kind=tarfile.DIRTYPE),
    )
    (tmp_path / "secret").unlink()
    found = unpacked(tmp_path, content)
    links = dict.fromkeys(["outside.txt", "soft.txt", "device", "pipe"], LINK)
    assert found == {"a.txt": b"A", "hard.txt": b"A"} | links


def test_a_long_name_and_one_in_another_encoding(tmp_path: Path):
    name = b"caf\xe9/" + b"x" * 300
    info, content = member(os.fsdecode(name), b"A")
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        (folder := tmp_path / f"{form}").mkdir()
        assert unpacked(folder, tar((info, content), form=form)) == {os.fsdecode(name): b"A"}


CUT = [
    pytest.param(TWO[:1024], {"a.txt": b"A"}, "empty header", id="between members"),
    pytest.param(TWO[:1100], {"a.txt": b"A"}, "truncated header", id="in a header"),
    pytest.param(TWO[:1700], {"a.txt": b"A"}, "unexpected end of data", id="in a member"),
    pytest.param(TWO[:1024] + b"x" * 512 + TWO[1536:], {"a.txt": b"A"}, "invalid header", id="a damaged header"),
    pytest.param(TWO + TWO, WHOLE, "there is more after its end", id="an archive behind the archive"),
]


@pytest.mark.parametrize(("content", "found", "why"), CUT)
def test_what_comes_before_the_damage_is_there_and_the_rest_is_told(
    tmp_path: Path, content: bytes, found: dict[str, bytes], why: str
):
    assert unpacked(tmp_path, content) == found | {REST: why}


def test_a_packed_one_that_breaks_off(tmp_path: Path):
    big = tar(member("a.txt", b"A"), member("b.txt", os.urandom(300_000)), member("c.txt", b"C"))
    found = unpacked(tmp_path, gzip.compress(big)[:-1000])
    assert found.keys() == {"a.txt", "b.txt", REST} or found.keys() == {"a.txt", REST}
    assert found[REST] == "Compressed file ended before the end-of-stream marker was reached"


@pytest.mark.parametrize("content", [b"", b"text", bytes(100), b"\x1f\x8b\x08 no", gzip.compress(b"text", mtime=0)])
def test_no_archive(tmp_path: Path, content: bytes):
    with pytest.raises(
        Fault, match=r"^a\.tar: `members` is given, but it is no archive: .+; pin another, or set null$"
    ):
        unpacked(tmp_path, content)
    assert [path.name for path in (tmp_path / "unpacked").iterdir()] == [".0.lock"]


def test_an_empty_archive_has_no_members(tmp_path: Path):
    assert unpacked(tmp_path, tar()) == {}


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "SMALL", 2**20)
    packed = gzip.compress(tar(member("a", b"A"), member("b", bytes(2**24))))
    assert unpacked(tmp_path, packed) == {"a": b"A", REST: "its members are more than 200 times as large as it is"}


def test_a_file_of_holes_counts_by_what_it_claims_to_be(tmp_path: Path):
    info, _ = member("sparse", b"")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "sparse"}
    info.pax_headers |= {"GNU.sparse.map": "0,0", "GNU.sparse.size": f"{2**50}"}
    found = unpacked(tmp_path, tar(member("a", b"A"), (info, b"")))
    assert found == {"a": b"A", REST: "its members are more than 200 times as large as it is"}


def test_a_header_as_large_as_the_memory_is_not_read(tmp_path: Path):
    info, _ = member("x", kind=b"x")
    info.size = 2**30
    content = tar(member("a", b"A"))[:1024] + info.tobuf()
    assert unpacked(tmp_path, content) == {"a": b"A", REST: "a header of 1,073,741,824 bytes"}


def test_a_full_disk_is_not_taken_for_damage(tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(TWO)
    with pytest.raises(FileNotFoundError):
        list(tars.laid_out(tmp_path / "a.tar", tmp_path / "gone"))


@given(st.data())
def test_any_damage_gives_files_and_a_reason(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    content = bytearray(
        tar(member("a.txt", b"A" * 600), member("é" * 200, b"B"), member("c", kind=tarfile.SYMTYPE, link="a"))
    )
    for place, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)
    ):
        content[place] = byte
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    found = list(tars.laid_out(path, path.parent))
    assert all(isinstance(at, str) or (path.parent / f"{at}").is_file() for _, at in found)
