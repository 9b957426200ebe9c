"""Parallel files: in step or not at all."""

import gzip
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.core import inputs
from stages.core.faults import Fault
from stages.sources import parallel
from tests.sources.reading import cases, file, needs_mirror, read, table, write

SNIPS = "https://raw.githubusercontent.com/MiuLab/SlotGated-SLU/61f0307c729b1fad479ef1de94aa5ac5dee601b0/data/snips"
PINS = {
    "train": {
        "seq.in": "04ad1e3f2121d83c6478f9a4b17d2dbdc21d06d6127f73cb7af835ed733f9855",
        "label": "bfd7df6cf9dd76c5da5d8b61bc85f90386197bdd3d7510c1d324c051537b962f",
        "seq.out": "fd5f2121d8055827e5d6b3d3bac30f3d7e94e82a5d437751960cbdd9e1b4f6d3",
    },
    "valid": {
        "seq.in": "64e0f6d8ad8aab3a3828164d7d53731a0993d3ca1aed437ceaca6d3d568d410e",
        "label": "9c1dd041216f647bcfca838aaf1a48eb5781e4404256d31ff07cd38a5436c52f",
        "seq.out": "712e6d34feb8d52d208b820a5f8bae6e6ff990f08374507dfde22de389088319",
    },
    "test": {
        "seq.in": "c1e341173fcea2951a8ca371956a6f81c76de87b9583c62eb87edd6158fa3a7c",
        "label": "37a26da3ad079bb41c42c85a3a8f827eb47efec4c5917ce5d08f4b2736e4f830",
        "seq.out": "58c07c9097d5e1f78889765c2a535a160f6455b90b3142055c8051847afcca47",
    },
}


# A byte order mark is none where it begins a line.
LINES = (
    st.text(st.characters(exclude_characters="\0\n\r\ufeff", exclude_categories=["Cs"])).map(str.rstrip).filter(bool)
)


def source(*sets: dict[str, Any], encoding: str = "utf-8", **given: Any) -> dict[str, Any]:
    return table(**given) | {"sets": sets, "encoding": encoding}


def pair(folder: Path, members: str | None = None) -> dict[str, Any]:
    """A text and its label, which may be a member."""
    return source({"in": file(folder / "in"), "label": file(folder / "label", members)}, text="in", label="label")


@pytest.mark.parametrize("case", cases("parallel"))
def test_rows_and_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, case["files"], case.get("written", "utf-8"))
    found = read(parallel, source(*case["source"]["sets"], **case["table"]), tmp_path / "cache")
    assert found.rows == case["rows"]
    assert found.rejects == case["rejects"]


def test_files_out_of_step_are_refused(tmp_path: Path):
    write(tmp_path, {"in": "a\n" * 20_000, "label": "b\n" * 19_999})
    with pytest.raises(Fault) as told:
        read(parallel, pair(tmp_path), tmp_path)
    assert str(told.value) == (
        f"{tmp_path}/in has 20,000, {tmp_path}/label has 19,999 lines: "
        "line n of each is row n, so all have as many; mend or replace what is out of step"
    )


def test_members_of_archives(tmp_path: Path):
    """As translations are handed out: all languages in one archive."""
    with ZipFile(tmp_path / "de-en.zip", "w") as archive:
        for name, content in (("x.de", "ja\nnein\n"), ("x.en", "yes\nno\n"), ("LICENSE", "free\n")):
            archive.writestr(name, content)
    at = tmp_path / "de-en.zip"
    p = source({"de": file(at, "*.de"), "en": file(at, "*.en")}, text="de", targets="en")
    assert [(row["text"], row["targets"]) for row in read(parallel, p, tmp_path).rows] == [
        ("ja", ["yes"]),
        ("nein", ["no"]),
    ]


def test_several_members_are_refused(tmp_path: Path):
    write(tmp_path, {"t/b.txt": "b", "t/a.txt": "a"})
    p = source({"text": file(tmp_path / "t", "*.txt")})
    with pytest.raises(Fault) as told:
        read(parallel, p, tmp_path)
    assert str(told.value) == (
        f"{tmp_path}/t: 2 members fit '*.txt': a.txt, b.txt; lines come from one; name it in params.yaml"
    )


def test_where_one_file_breaks_off_the_rows_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "BLOCK", 2**16)
    monkeypatch.setattr("stages.core.lines.BLOCK", 2**16)
    content = "".join(f"line {n * 7919 % 99_991}\n" for n in range(10**5))
    write(tmp_path, {"in": content})
    (tmp_path / "label").write_bytes(gzip.compress(content.encode())[:-20_000])
    found = read(parallel, pair(tmp_path), tmp_path)
    ((place, reason),) = found.rejects.items()
    assert (place, reason) == (
        f"{tmp_path}/label:{len(found.rows) + 1}",
        "the file breaks off here: Compressed file ended before the end-of-stream marker was reached",
    )
    assert len(found.rows) > 50_000
    assert all(row["text"] == row["label"] for row in found.rows)


def test_where_one_is_no_file_there_are_no_rows(tmp_path: Path):
    write(tmp_path, {"in": "one\ntwo\n"})
    (tmp_path / "secret").write_text("one\ntwo\n")
    with tarfile.open(tmp_path / "label", "w") as archive:
        (tmp_path / "link").symlink_to(tmp_path / "secret")
        archive.add(tmp_path / "link", "link")
    found = read(parallel, pair(tmp_path, members="*"), tmp_path)
    assert found.rows == []
    assert found.rejects == {f"{tmp_path}/label/link:1": "not to be read: a link or a device, no file"}


@given(one=st.binary(), other=st.binary())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_any_bytes_are_rows_rejects_or_out_of_step(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes, encoding: str
):
    folder = tmp_path_factory.getbasetemp()
    (folder / "in").write_bytes(one)
    (folder / "label").write_bytes(other)
    try:
        found = read(parallel, pair(folder) | {"encoding": encoding}, folder)
    except Fault as fault:
        assert "out of step" in str(fault)  # noqa: PT017
    else:
        assert all(row["text"] and "\0" not in row["text"] for row in found.rows)
        if encoding == "utf-8":
            assert len(found.rows) + len(found.rejects) == one.count(b"\n") + (one[-1:] not in (b"", b"\n"))


@given(st.lists(st.tuples(LINES, LINES)))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, given: list[tuple[str, str]]):
    folder = tmp_path_factory.getbasetemp()
    write(folder, {"in": "".join(f"{text}\n" for text, _ in given), "label": "\n".join(label for _, label in given)})
    found = read(parallel, pair(folder), folder)
    assert [(row["text"], row["label"]) for row in found.rows] == given


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"sets": [{"in": file("a")}]}, r"sets\[0\]: `fields` and `where` want in, label; there is: in"),
        (
            {"sets": [{"in": file("a", split="train"), "label": file("a", split="test")}]},
            r"sets\[0\]: its files have different values for one constant; keep one of them",
        ),
    ],
)
def test_sets_that_make_no_sense_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: dict[str, Any], message: str
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a": "a", "in": "a", "label": "b"})
    with pytest.raises(ValidationError, match=message):
        read(parallel, pair(Path()) | raw, tmp_path)


@needs_mirror
def test_snips(tmp_path: Path):
    sets = [
        {name: file(f"{SNIPS}/{side}/{name}", None, sha256, split=side) for name, sha256 in files.items()}
        for side, files in PINS.items()
    ]
    sides = {"train": "train", "valid": "validation", "test": "test"}
    p = source(*sets, text="seq.in", label="label", attributes=("seq.out",), sides=sides)
    found = read(parallel, p, tmp_path)
    assert Counter(row["split"] for row in found.rows) == {"train": 13_084, "validation": 700, "test": 700}
    assert found.rejects == {}
    assert len({row["label"] for row in found.rows}) == 7
    assert all(len(row["text"].split()) == len(row["attributes"]["seq.out"].split()) for row in found.rows)
