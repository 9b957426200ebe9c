"""EPUB books: what is in their chapters, and all that can be wrong with them."""

import struct
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import markup
from stages.sources import epub as source
from tests.conftest import case
from tests.documents import CONTAINER, epub, read, told, xhtml, zipped

BOOK = epub({"o/a.xhtml": xhtml("<h1>One</h1><p>Text.</p>"), "o/b.xhtml": xhtml("<p>More.</p>")})
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><a>&b;</a>'
ELSEWHERE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><a>&a;</a>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><a>text</a>'
LOCKED = '<encryption><CipherReference URI="o/a.xhtml"/></encryption>'


@pytest.mark.parametrize("one", case("sources/epub.yaml"), ids=lambda one: one["comment"])
def test_chapters(tmp_path: Path, one: dict[str, Any]):
    path = tmp_path / "a.epub"
    path.write_bytes(epub({f"o/{name}": xhtml(body) for name, body in one["chapters"].items()}))
    assert told(source, path, unit=one["unit"]) == (one["rows"], one["rejects"])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"o/a.xhtml": LAUGHS}, "it declares an entity, 'a': that may be a bomb"),
        ({"o/a.xhtml": ELSEWHERE}, "it declares an entity, 'a': that may be a bomb"),
        ({"o/a.xhtml": PARAMETER}, "it declares an entity, 'a': that may be a bomb"),
        ({"o/a.xhtml": xhtml("<b>" * 1000)}, "elements within elements, more than 1,000 deep"),
        ({"o/a.xhtml": '<?xml version="1.0" encoding="none"?><a/>'}, "no XML: unknown encoding: none"),
        ({"o/a.xhtml": "<p/>", "META-INF/encryption.xml": LOCKED}, "encrypted: only its seller's program can read it"),
    ],
    ids=["laughs", "elsewhere", "parameter", "deep", "encoding", "encrypted"],
)
def test_a_chapter_that_cant_be_read(tmp_path: Path, files: dict[str, str], reason: str):
    (tmp_path / "a.epub").write_bytes(epub(files))
    assert told(source, tmp_path / "a.epub", unit="chapter") == ([], {"it:chapter 1": reason})


def package(items: str, spine: str) -> bytes:
    return zipped(
        {"META-INF/container.xml": CONTAINER, "o/book.opf": f"<p>{items}{spine}</p>", "a b.xhtml": "<p>A</p>"}
    )


@pytest.mark.parametrize(
    ("content", "rejects"),
    [
        (b"", {"it": "not to be read: File is not a zip file"}),
        (BOOK[:-30], {"it": "not to be read: File is not a zip file"}),
        (zipped({"a": ""}), {"it": "not to be read: no EPUB: nothing says which chapters there are"}),
        (package("", "<itemref/>"), {"it": "not to be read: no EPUB: nothing says which chapters there are"}),
        (package('<item id="a" href="x"/>', '<itemref idref="a"/>'), {"it:chapter 1": "'o/x' is not in it"}),
        (package('<item id="a" href="../a%20b.xhtml#z"/>', '<itemref idref="a"/>' * 2), {}),
    ],
    ids=["empty", "cut", "another zip", "no chapter", "missing", "another folder, twice"],
)
def test_what_says_where_chapters_are(tmp_path: Path, content: bytes, rejects: dict[str, str]):
    (tmp_path / "a.epub").write_bytes(content)
    rows, found = told(source, tmp_path / "a.epub", unit="chapter")
    assert found == rejects
    assert [text for _, text, _ in rows] == [] if rejects else ["A"]


def test_chapters_that_are_a_bomb_together(tmp_path: Path):
    """Each says that it has as much as one may have."""
    content = bytearray(epub({f"o/{n}.xhtml": xhtml("") for n in range(9)}))
    listed = content.index(b"PK\1\2")
    for n in range(9):
        at = content.index(b"o/%d.xhtml" % n, listed) - 46
        content[at + 24 : at + 28] = struct.pack("<L", markup.LARGEST)
    (tmp_path / "a.epub").write_bytes(content)
    told_of = f"not to be read: {9 * markup.LARGEST:,} bytes in {len(content):,}: a bomb, no text"
    assert told(source, tmp_path / "a.epub", unit="document") == ([], {"it": told_of})


def test_books_in_an_archive(tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(zipped({"x/a.epub": BOOK, "x/b.epub": b"broken", "readme": "no book"}))
    rows, rejects = read(source, tmp_path / "a.zip", "x/*", unit="chapter")
    assert [(row.key, row.group) for row in rows] == [("x/a.epub:1", "x/a.epub"), ("x/a.epub:2", "x/a.epub")]
    assert [one.place for one in rejects] == [f"{tmp_path}/a.zip/x/b.epub"]


@given(st.integers(0, len(BOOK)), st.integers(0, len(BOOK)), st.binary(max_size=20))
def test_any_damage(tmp_path_factory: pytest.TempPathFactory, start: int, end: int, other: bytes):
    path = tmp_path_factory.mktemp("damage") / "a.epub"
    path.write_bytes(BOOK[:start] + other + BOOK[end:])
    rows, rejects = read(source, path, unit="chapter")
    assert rows or rejects


@given(st.binary() | st.text("<>/&;!-[]? p\n\"'=").map(str.encode))
def test_any_chapter(tmp_path_factory: pytest.TempPathFactory, chapter: bytes):
    path = tmp_path_factory.mktemp("chapter") / "a.epub"
    path.write_bytes(epub({"o/a.xhtml": chapter, "o/b.xhtml": xhtml("Text.")}))
    rows, rejects = read(source, path, unit="chapter")
    assert [row.text for row in rows[-1:]] == ["Text."]
    assert len(rows) + len(rejects) == 2


@given(st.lists(st.text("ab <>&é漢", min_size=1).filter(str.strip), min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, paragraphs: list[str]):
    path = tmp_path_factory.mktemp("written") / "a.epub"
    path.write_bytes(epub({"o/a.xhtml": xhtml("".join(f"<p>{escape(one)}</p>" for one in paragraphs))}))
    ((row,), _) = read(source, path, unit="document")
    assert row.text == "\n\n".join(" ".join(one.split()) for one in paragraphs)
