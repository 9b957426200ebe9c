"""Markdown: what is left without its marks, and all that can be wrong with a file."""

import io
import itertools
import operator
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.sources import markdown as source
from tests.conftest import case
from tests.documents import read, told


@pytest.mark.parametrize("one", case("sources/markdown.yaml"), ids=lambda one: one["comment"])
def test_sections(tmp_path: Path, one: dict[str, Any]):
    path = tmp_path / "a.md"
    path.write_bytes(one["content"].encode())
    assert told(source, path, unit=one["unit"], code=one.get("code", "keep")) == (one["rows"], one["rejects"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"caf\xe9",
            "not to be read: not UTF-8: 'utf-8' codec can't decode byte 0xe9 in position 3: unexpected end of data",
        ),
        (b"a" * (source.LARGEST + 1), "not to be read: more than 4,194,304 bytes"),
    ],
    ids=["encoding", "size"],
)
def test_a_file_that_cant_be_read(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "a.md").write_bytes(content)
    assert told(source, tmp_path / "a.md", unit="section", code="keep") == ([], {"it": reason})


def test_a_folder(tmp_path: Path):
    (tmp_path / "docs" / "b").mkdir(parents=True)
    (tmp_path / "docs" / "b" / "x.md").write_text("# One\n\n# Two\n")
    rows, _ = read(source, tmp_path / "docs", "*.md", unit="section", code="keep", constants={"group": "g"})
    assert [(row.key, row.group, row.attributes["path"]) for row in rows] == [
        ("b/x.md:1", "g", "b/x.md"),
        ("b/x.md:2", "g", "b/x.md"),
    ]


MARKS = pytest.mark.parametrize("mark", ["[", "![", "<", "<!--", "*a ", "> ", "`", "a|", "&", "~~", "\\", "- "])


@MARKS
def test_marks_without_end(tmp_path: Path, mark: str):
    """Which regular expressions may take forever about."""
    (tmp_path / "a.md").write_text(mark * 5_000)
    rows, rejects = read(source, tmp_path / "a.md", unit="section", code="keep")
    assert len(rows) + len(rejects) == 1


@MARKS
def test_twice_as_many_marks_are_twice_the_work(mark: str):
    """By the calls of functions, which no busy machine makes more of: what is worse would never end at LARGEST."""
    once, twice = (calls(mark * n) for n in (1_000, 2_000))
    assert twice < 2.2 * once


def calls(text: str) -> int:
    """How many calls a text costs."""
    list(source.sections(io.BytesIO(b"a"), code=True))
    count = itertools.count()
    sys.setprofile(lambda *_: next(count) and None)
    list(source.sections(io.BytesIO(text.encode()), code=True))
    sys.setprofile(None)
    return next(count)


PACKED = st.builds(
    operator.add, st.sampled_from([b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"]), st.binary()
)


@given(st.binary() | PACKED | st.text("#*_[]()<>!-`~|:+&\\ \n\t=ab1.\"'").map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    path = tmp_path_factory.mktemp("any") / "a.md"
    path.write_bytes(content)
    rows, rejects = read(source, path, unit="section", code="keep")
    assert rows or rejects
    assert all(row.text.strip() for row in rows)


@given(st.lists(st.text("abcé漢", min_size=1), min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, paragraphs: list[str]):
    path = tmp_path_factory.mktemp("written") / "a.md"
    path.write_text("\n\n".join(paragraphs))
    ((row,), _) = read(source, path, unit="document", code="keep")
    assert row.text == "\n\n".join(paragraphs)
