"""Plain text, in whatever units, encodings and trees it comes."""

import gzip
import io
import os
import tarfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.core import inputs, lines
from stages.core.faults import Fault
from stages.sources import text
from tests.sources.reading import cases, file, needs_mirror, read, write

UNITS = ("line", "paragraph", "file")
SHAKESPEARE = file(
    "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)
NAMES = file(
    "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt",
    sha256="0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
)


def plain(*files: dict[str, Any], unit: str = "line", encoding: str = "utf-8", label: str | None = None) -> Any:
    return {"files": files, "encoding": encoding, "unit": unit, "label": label}


@pytest.mark.parametrize("case", cases("text"))
def test_rows_and_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, case["files"], case.get("written", "utf-8"))
    found = read(text, case["source"], tmp_path / "cache")
    assert found.rows == case["rows"]
    assert found.rejects == case["rejects"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "shift_jis", "euc_jp", "iso2022_jp", "utf-8-sig"]
)
def test_encodings_whose_bytes_are_no_lines(tmp_path: Path, encoding: str):
    """U+0A0D and U+0D0A hold the bytes of line ends."""
    odd = "\u0a0d\u0d0a" if encoding.startswith("utf") else "表"
    (tmp_path / "a.txt").write_bytes(f"日本語 {odd}\r\n二\n".encode(encoding))
    found = read(text, plain(file(tmp_path / "a.txt"), encoding=encoding), tmp_path)
    assert [row["text"] for row in found.rows] == [f"日本語 {odd}", "二"]


def test_half_a_character_at_the_end_breaks_a_file_off(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes("one\ntwo\n".encode("utf-16")[:-1])
    found = read(text, plain(file(path), encoding="utf-16"), tmp_path)
    assert (len(found.rows), list(found.rejects)) == (1, [f"{path}:2"])
    assert found.rejects[f"{path}:2"].startswith("the file breaks off here: 'utf-16-le' codec can't decode")


def test_what_came_before_the_damage_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "BLOCK", 2**16)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress("".join(f"line {hash(n / 7)}\n\n" for n in range(10**5)).encode())[:-20_000])
    by = {unit: read(text, plain(file(path), unit=unit), tmp_path) for unit in UNITS}
    assert 80_000 < len(by["paragraph"].rows) <= len(by["line"].rows) < 10**5
    assert by["file"].rows == []
    assert all(
        [*one.rejects.values()]
        == ["the file breaks off here: Compressed file ended before the end-of-stream marker was reached"]
        for one in by.values()
    )


def test_what_is_no_file_in_an_archive_is_told_as_that(tmp_path: Path):
    """The rest goes through; so it does where a name is not in the encoding that it says."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("link", tarfile.SYMTYPE), ("device", tarfile.CHRTYPE), ("whole", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", 4 if name == "whole" else 0
            archive.addfile(info, io.BytesIO(b"text"))
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        link = ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("caf\xe9", "no")
        archive.writestr("whole", "more")
    content = (tmp_path / "a.zip").read_bytes().replace("caf\xe9".encode(), b"caf\xff\xfe")
    (tmp_path / "a.zip").write_bytes(content)
    found = read(text, plain(file(tmp_path / "a.tar", "*"), file(tmp_path / "a.zip", "*")), tmp_path / "cache")
    assert [row["text"] for row in found.rows] == ["text", "more"]
    assert {place.removeprefix(f"{tmp_path}/"): why for place, why in found.rejects.items()} == {
        "a.tar/device:1": "not to be read: a link or a device, no file",
        "a.tar/link:1": "not to be read: a link or a device, no file",
        "a.zip/caf??:1": "not to be read: 'utf-8' codec can't decode byte 0xff in position 3: invalid start byte",
        "a.zip/link:1": "not to be read: a link, no file",
    }


@pytest.mark.parametrize("unit", UNITS[1:])
def test_what_is_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: str):
    monkeypatch.setattr(text, "LONGEST", 100)
    (tmp_path / "a.txt").write_text("\n" * 200 + "x" * 50 + "\n" + "x" * 50 + "\nand\n")
    found = read(text, plain(file(tmp_path / "a.txt"), unit=unit), tmp_path)
    first = 201 if unit == "paragraph" else 1
    assert found == ([], {f"{tmp_path}/a.txt:{first}": f"a {unit} of more than 100 characters"}, 0)


def test_names_of_members_may_be_in_any_encoding(tmp_path: Path):
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name in (os.fsdecode(b"./caf\xe9/a.txt"), "./thé/a.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"one"))
    found = read(text, plain(file(tmp_path / "t.tar", "*"), label="folder"), tmp_path / "cache")
    assert [(row["label"], row["attributes"]["path"]) for row in found.rows] == [
        ("caf\\udce9", "caf\\udce9/a.txt"),
        ("thé", "thé/a.txt"),
    ]


def test_an_archive_whose_list_is_damaged_is_none(tmp_path: Path):
    path = tmp_path / "a.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "one")
    path.write_bytes(path.read_bytes().replace(b"PK\1\2", b"PK\1\3"))
    with pytest.raises(Fault) as told:
        read(text, plain(file(path, "*.txt")), tmp_path)
    assert str(told.value) == (f"{path}: no whole archive: Bad magic number for central directory; pin another")


def test_large_files_are_read_in_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    content = "".join(f"line {n}\n" + "\n" * (n % 3) for n in range(5000)) + "bad \xe9\nend"
    write(tmp_path, {"a.txt": content}, "latin-1")
    p = {unit: plain(file(tmp_path / "a.txt"), unit=unit) for unit in UNITS}
    whole = {unit: read(text, p[unit], tmp_path) for unit in UNITS}
    monkeypatch.setattr(inputs, "PART", 1000)
    assert {unit: read(text, p[unit], tmp_path) for unit in UNITS} == whole


@given(content=st.binary() | st.text().map(str.encode), unit=st.sampled_from(UNITS))
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "utf-16", "utf-7", "gb18030", "cp037"])
def test_any_bytes_are_texts_or_rejects(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, unit: str, encoding: str
):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(content)
    found = read(text, plain(file(path), unit=unit, encoding=encoding), path.parent)
    texts = [row["text"] for row in found.rows]
    assert all(one == one.strip() != "" and "\0" not in one and one.encode() for one in texts)
    if not found.rejects and encoding == "utf-8":
        assert "".join("".join(texts).split()) == "".join(content.decode().replace("\ufeff", "").split())


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"label": "folder"}, "label: a.txt has no folders within; name its `members`, or set label to null"),
        (
            {"label": "folder", "files": [file("a.txt", "*", label="x")]},
            "label: the constant of a.txt is one already; keep one of both",
        ),
        (
            {"files": [file("a.txt", path="x")]},
            "files: a.txt: `path` is the name of the file; give the constant another name",
        ),
        (
            {"files": [file("a.txt", split="dev")]},
            "files: a.txt: split is one of train, validation, test, not 'dev'",
        ),
        ({"encoding": "utf-88"}, "unknown encoding: utf-88; utf-8 is the usual one"),
        ({"encoding": "hex"}, "'hex' is not a text encoding"),
    ],
)
def test_what_is_said_twice_or_wrong_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: dict[str, Any], message: str
):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").touch()
    with pytest.raises(ValidationError, match=message):
        read(text, plain(file("a.txt")) | raw, tmp_path)


@needs_mirror
def test_shakespeare(tmp_path: Path):
    found = {unit: read(text, plain(SHAKESPEARE, unit=unit), tmp_path) for unit in UNITS}
    assert {unit: len(one.rows) for unit, one in found.items()} == {"line": 32777, "paragraph": 7222, "file": 1}
    assert all(one.rejects == {} for one in found.values())
    assert found["paragraph"].rows[1]["text"] == "All:\nSpeak, speak."
    assert len(found["file"].rows[0]["text"]) == 1_115_394 - 1


@needs_mirror
def test_names(tmp_path: Path):
    found = read(text, plain(NAMES), tmp_path)
    assert (len(found.rows), found.rejects) == (32_033, {})
