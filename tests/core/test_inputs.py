"""Files, folders and archives from outside, in parts that are together what the whole is."""

import gzip
import hashlib
import io
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import inputs, streams, tars
from stages.core.faults import Fault
from stages.core.inputs import File, Part, Quoting
from stages.core.streams import DAMAGED


def pinned(path: Path, members: str | None = None, **constants: str) -> File:
    sha256 = inputs.folder_sha256(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return File(at=str(path), sha256=sha256, members=members, constants=constants)


def content(stream: streams.Stream) -> bytes | str:
    """All of it, or why not."""
    try:
        return b"".join(iter(lambda: stream.read1(2**20), b""))
    except DAMAGED as error:
        return str(error)


def read(file: File, cache: Path, **how: Any) -> list[dict[str, bytes | str]]:
    """Of each part, what is in which file."""
    path = file.fetch(cache)
    found = inputs.parts([file], [path], **how)
    each = [{name: content(stream) for name, stream in inputs.opened(file, path, part)} for part in found]
    return [{name.removeprefix(f"{file.at}/"): one for name, one in part.items()} for part in each]


def written(folder: Path, **files: bytes) -> Path:
    """A folder of files; `_` in a name is a step down."""
    for name, one in files.items():
        path = folder / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one)
    return folder


def zipped(path: Path, *members: tuple[str, bytes], how: int = ZIP_DEFLATED, mode: int = 0) -> Path:
    with ZipFile(path, "w") as archive:
        for name, one in members:
            info = ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, how
            archive.writestr(info, one)
    return path


def tarred(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, one in members:
            info = tarfile.TarInfo(name)
            info.size = len(one)
            archive.addfile(info, io.BytesIO(one))
    return path


FILES = (("b.txt", b"B"), ("a.txt", b"A"), ("deep/c.txt", b"C"), ("d.md", b"D"))
CONTAINERS: dict[str, Callable[..., Path]] = {
    "folder": lambda path, *files: written(path, **{name.replace("/", "_"): one for name, one in files}),
    "zip": zipped,
    "tar": tarred,
}
containers = pytest.mark.parametrize("kind", CONTAINERS)


@containers
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["a.txt", "b.txt", "d.md", "deep/c.txt"]),
        ("*.txt", ["a.txt", "b.txt", "deep/c.txt"]),
        ("deep/*", ["deep/c.txt"]),
        ("[ab].txt", ["a.txt", "b.txt"]),
        ("?.md", ["d.md"]),
    ],
)
def test_members_by_name(tmp_path: Path, kind: str, pattern: str, names: list[str]):
    (part,) = read(pinned(CONTAINERS[kind](tmp_path / "all", *FILES), pattern), tmp_path / "cache")
    assert part == {name: one for name, one in sorted(FILES) if name in names}
    assert list(part) == names


@containers
def test_members_in_groups(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "MEMBERS", 3)
    found = read(pinned(CONTAINERS[kind](tmp_path / "all", *FILES), "*"), tmp_path / "cache")
    assert [list(part) for part in found] == [["a.txt", "b.txt", "d.md"], ["deep/c.txt"]]
    monkeypatch.setattr(inputs, "PART", 1)
    assert len(read(pinned(tmp_path / "all", "*"), tmp_path / "cache")) == 4


@containers
def test_no_member_fits(tmp_path: Path, kind: str):
    path = CONTAINERS[kind](tmp_path / "all", *FILES)
    with pytest.raises(Fault) as told:
        read(pinned(path, "*.csv"), tmp_path / "cache")
    there = ", ".join(one.name for one in inputs.listed(pinned(path, "*").fetch(tmp_path / "cache")))
    assert str(told.value) == f"{path}: no member fits '*.csv'; there is: {there}; correct `members` in params.yaml"


def test_nothing_is_in_a_folder(tmp_path: Path):
    with pytest.raises(Fault, match=r"no member fits '\*'; there is: nothing; correct"):
        read(pinned(tmp_path, "*"), tmp_path / "cache")


@containers
def test_members_may_be_packed_themselves(tmp_path: Path, kind: str):
    long = b"".join(b"%d\n" % n for n in range(50_000))
    files = (("a.gz", gzip.compress(long)), ("b.gz", gzip.compress(long)[:-9]), ("c", b""))
    (part,) = read(pinned(CONTAINERS[kind](tmp_path / "all", *files), "*"), tmp_path / "cache")
    assert part["a.gz"] == long
    assert part["b.gz"] == "Compressed file ended before the end-of-stream marker was reached"
    assert part["c"] == b""


def test_a_zip_in_a_tar_is_not_taken_for_the_archive(tmp_path: Path):
    inner = zipped(tmp_path / "inner", ("x", b"X")).read_bytes()
    (part,) = read(pinned(tarred(tmp_path / "a.tar", ("a.txt", b"A"), ("inner.zip", inner)), "*"), tmp_path / "cache")
    assert part == {"a.txt": b"A", "inner.zip": inner}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_of_one_name_in_a_zip_are_all_there(tmp_path: Path):
    (part,) = read(pinned(zipped(tmp_path / "a.zip", ("a", b"1"), ("a", b"2")), "a*"), tmp_path / "cache")
    assert part == {"a": b"1", "a#2": b"2"}


def test_what_is_wrong_with_a_member_of_a_zip_is_told_of_it(tmp_path: Path):
    link = zipped(tmp_path / "link", ("a", b"/etc/passwd"), mode=0o120777)
    assert read(pinned(link, "*"), tmp_path / "cache") == [{"a": "a link, no file"}]
    other = zipped(tmp_path / "other", ("a", b"A"), how=ZIP_BZIP2)
    assert read(pinned(other, "*"), tmp_path / "cache") == [{"a": "neither stored nor deflated"}]
    path = zipped(tmp_path / "wrong", ("a", b"A" * 99), ("b", b"B"), how=ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"A" * 99, b"A" * 98 + b"X"))
    assert read(pinned(path, "*"), tmp_path / "cache") == [{"a": "Bad CRC-32 for file 'a'", "b": b"B"}]


def test_a_large_member_of_a_zip_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "SMALL", 2**20)
    long = random.Random(0).randbytes(2**21)
    (part,) = read(pinned(zipped(tmp_path / "a.zip", ("a", long), ("b", bytes(2**24))), "*"), tmp_path / "cache")
    assert part["a"] == long
    assert str(part["b"]).startswith("16,777,216 bytes are more than ")


@pytest.mark.parametrize("content", [b"PK\3\4 and no more", b"PK\5\6"])
def test_a_zip_without_its_list_is_told(tmp_path: Path, content: bytes):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(Fault) as told:
        read(pinned(tmp_path / "a.zip", "*"), tmp_path / "cache")
    assert str(told.value) == f"{tmp_path}/a.zip: no whole archive: File is not a zip file; pin another"


def test_damage_of_a_tar_is_in_it_whatever_is_wanted(tmp_path: Path):
    path = tarred(tmp_path / "a.tar", ("a.txt", b"A"), ("b.md", b"B"))
    path.write_bytes(path.read_bytes()[:1024])
    (part,) = read(pinned(path, "*.txt"), tmp_path / "cache")
    assert part == {"a.txt": b"A", tars.REST: "empty header"}


def test_a_link_in_a_tar_is_told(tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert read(pinned(tmp_path / "a.tar", "*"), tmp_path / "cache") == [{"a.txt": "a link or a device, no file"}]


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_names_that_are_no_text_are_told_as_one(tmp_path: Path, kind: str):
    name = "caf\udce9.txt"
    if kind == "tar":
        path = tarred(tmp_path / "all", (name, b"A"))
    else:
        path = written(tmp_path / "all", x=b"A")
        (path / "x").rename(path / name)
    assert read(pinned(path, "*.txt"), tmp_path / "cache") == [{"caf\\udce9.txt": b"A"}]
    with pytest.raises(Fault, match=r"there is: caf\\udce9\.txt; correct"):
        read(pinned(path, "*.csv"), tmp_path / "cache")


def test_names_of_others_are_shown_within_bounds():
    assert inputs.some([]) == "nothing"
    assert inputs.some(["text", "Größe", "a\nb\x1b[2J", "caf\udce9"]) == r"text, Größe, a\nb\x1b[2J, caf\udce9"
    assert inputs.some(["x" * 10**6]) == f"{'x' * 60}…"
    assert inputs.some([f"{n}" for n in range(1_025)]).endswith(", 18, 19, and 1,005 more")


def test_links_in_a_folder_lead_nowhere(tmp_path: Path):
    folder = written(tmp_path / "all", a=b"A")
    (tmp_path / "secret").write_text("secret")
    before = inputs.folder_sha256(folder)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    assert inputs.folder_sha256(folder) == before
    assert read(pinned(folder, "*"), tmp_path / "cache") == [{"a": b"A"}]


def test_the_sha256_of_a_folder_is_what_the_shell_says(tmp_path: Path):
    folder = written(tmp_path / "all", a=b"A", b_c=b"", b_d_e=b"E", É=b"x")
    for name in ("a b", "line\nline", "back\\slash", "'quotes\"", "-r", "a-b", "a.b", "B"):
        (folder / name).write_text(name)
    (docstring,) = (line for line in (inputs.folder_sha256.__doc__ or "").split("`") if line.startswith("find"))
    told = subprocess.run(f"{docstring} | sha256sum", shell=True, cwd=folder, capture_output=True, check=True)  # noqa: S602
    assert told.stdout.decode().split()[0] == inputs.folder_sha256(folder)


def test_the_sha256_of_nothing(tmp_path: Path):
    assert inputs.folder_sha256(tmp_path) == hashlib.sha256(b"").hexdigest()


def test_fetch_takes_what_has_the_pinned_bytes(tmp_path: Path):
    file = pinned(written(tmp_path, x=b"X") / "x")
    assert file.fetch(tmp_path / "cache") == tmp_path / "x"
    (tmp_path / "x").write_bytes(b"Y")
    with pytest.raises(Fault, match=r"/x: the bytes are not the pinned ones: sha256 .*, pinned .*; if the change"):
        file.fetch(tmp_path / "cache")
    (tmp_path / "x").unlink()
    with pytest.raises(Fault) as told:
        file.fetch(tmp_path / "cache")
    wanted = f"{tmp_path}/x: no such file; correct `at` in params.yaml (it starts at the project's folder)"
    assert str(told.value) == wanted


def test_what_is_no_file_is_told(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "no plain file and no folder"), ("x" * 300, "no such file")):
        with pytest.raises(Fault, match=f"{name}: {said}; correct `at`"):
            File(at=f"{tmp_path / name}", sha256="0" * 64, members=None, constants={}).fetch(tmp_path / "cache")


def test_fetch_takes_the_pinned_folder(tmp_path: Path):
    file = pinned(written(tmp_path / "all", x=b"X"), "*")
    assert file.fetch(tmp_path / "cache") == tmp_path / "all"
    written(tmp_path / "all", y=b"")
    with pytest.raises(Fault) as told:
        file.fetch(tmp_path / "cache")
    assert str(told.value) == (
        f"{tmp_path}/all: the files are not the pinned ones: sha256 {inputs.folder_sha256(tmp_path / 'all')}, pinned "
        f"{file.sha256}; if the change is wanted, pin the new hash in params.yaml"
    )


def test_fetch_takes_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://a.example/ {tmp_path}/")
    file = pinned(written(tmp_path, x=b"X") / "x").model_copy(update={"at": "https://a.example/x"})
    assert file.fetch(tmp_path / "cache") == tmp_path / "x"
    archive = pinned(tarred(tmp_path / "a.tar", *FILES), "*").model_copy(update={"at": "https://a.example/a.tar"})
    index = archive.fetch(tmp_path / "cache")
    assert index == tmp_path / "cache/unpacked" / archive.sha256 / tars.INDEX


def test_a_folder_without_members(tmp_path: Path):
    with pytest.raises(Fault) as told:
        read(pinned(written(tmp_path / "all", x=b"X")), tmp_path / "cache")
    wanted = f"{tmp_path}/all: a folder; say in `members` which of its files are wanted, such as '*'"
    assert str(told.value) == wanted


TEXT = st.lists(st.sampled_from([b"a", b"b\n", b"\n", b'"', b'""', b"\r\n"]), max_size=60).map(b"".join)
QUOTES = st.none() | st.just(b'"')


def stretched(path: Path, quoting: Quoting | None, part: int) -> list[tuple[int, bytes]]:
    """First line and content of each stretch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "PART", part)
        file = pinned(path)
        found: list[tuple[int, bytes]] = []
        for one in inputs.parts([file], [path], quoting=quoting):
            ((_, stream),) = [(place, content(stream)) for place, stream in inputs.opened(file, path, one)]
            assert isinstance(stream, bytes)
            found.append((one.line, stream))
        return found


@given(TEXT, st.none() | st.just(Quoting(b'"', b",")), st.integers(1, 40))
def test_stretches_are_the_whole_and_end_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, quoting: Quoting | None, part: int
):
    (path := tmp_path_factory.getbasetemp() / "stretches").write_bytes(text)
    found = stretched(path, quoting, part)
    assert b"".join(one for _, one in found) == text
    at = 0
    for line, one in found:
        assert line == 1 + text.count(b"\n", 0, at)
        assert at == 0 or text[at - 1 : at] == b"\n"
        assert quoting is None or text.count(quoting.quote, 0, at) % 2 == 0
        at += len(one)


@given(TEXT, st.booleans(), QUOTES)
def test_the_last_line_that_ends_outside_of_quotes(block: bytes, odd: bool, quotes: bytes | None):
    ends = [n + 1 for n, byte in enumerate(block) if byte == 10]
    outside = [end for end in ends if not quotes or (odd + block.count(quotes, 0, end)) % 2 == 0]
    assert inputs.end_of_line(block, quotes, odd) == (outside[-1] if outside else None)


PLACED = [
    pytest.param(b'\xef\xbb\xbf"a"\n"b\nb"\n""\n"c""",d\n', True, id="in their places"),
    pytest.param(b'a\n5" disks\n"b\nb"\n6" disks\n', False, id="not at the start of a field"),
    pytest.param(b'a\n5"\n"b\nb"\n6"\n', False, id="at the end of one that has none at its start"),
    pytest.param(b'a\n"b"b\n"c"c\n', False, id="not at the end of a field"),
]


@pytest.mark.parametrize(("text", "divided"), PLACED)
@pytest.mark.parametrize("part", [4, 5, 6])
def test_a_file_is_divided_where_its_quotes_are_sure(tmp_path: Path, text: bytes, divided: bool, part: int):
    (path := tmp_path / "t.csv").write_bytes(text)
    assert (len(stretched(path, Quoting(b'"', b","), part)) > 1) is divided


def test_a_quote_too_many_costs_no_more_than_one_look():
    assert inputs.end_of_line(b"\n" * 2**22, b'"', odd=True) is None


def test_small_packed_and_whole_files_are_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plain, packed = written(tmp_path, a=b"1\n2\n3\n") / "a", written(tmp_path, b=gzip.compress(b"1\n2\n")) / "b"
    assert inputs.parts([pinned(plain)], [plain]) == [Part(0)]
    monkeypatch.setattr(inputs, "PART", 2)
    assert inputs.parts([pinned(plain)], [plain], whole=True) == [Part(0)]
    assert inputs.parts([pinned(packed), pinned(plain)], [packed, plain])[:2] == [Part(0), Part(1, (), 0, 2, 1)]


def test_an_empty_file(tmp_path: Path):
    assert read(pinned(written(tmp_path, x=b"") / "x"), tmp_path / "cache") == [{f"{tmp_path}/x": b""}]


def test_the_parts_of_a_tar_are_there_without_the_tar(tmp_path: Path):
    """As for an address: only the cache has it."""
    file = pinned(tarred(tmp_path / "a.tar", *FILES), "*")
    index = file.fetch(tmp_path / "cache")
    shutil.move(tmp_path / "a.tar", tmp_path / "away")
    (part,) = inputs.parts([file], [index])
    assert [name for name, _ in inputs.opened(file, index, part)] == [f"{file.at}/{name}" for name, _ in sorted(FILES)]
