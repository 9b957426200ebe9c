"""PDF files: what is in their pages, and all that can be wrong with them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import pdfium
from stages.sources import pdf as source
from tests.conftest import case
from tests.documents import DOT, lines, pdf, pdf_objects, read, stream, told

TWO = pdf([lines("First page"), lines("Second page")])
ENCRYPTED = b"/ID[(0)(0)]/Encrypt<</Filter/Standard/V 1/R 2/P -4/O(%b)/U(%b)>>" % (b"o" * 32, b"u" * 32)
BREAKS = "the reader breaks down on it (SIGABRT): damaged, or a bomb"


@pytest.mark.parametrize("one", case("sources/pdf.yaml"), ids=lambda one: one["comment"])
def test_pages(tmp_path: Path, one: dict[str, Any]):
    path = tmp_path / "a.pdf"
    pages = [DOT if page == "a picture" else lines(*page) if page else b"" for page in one["pages"]]
    title = b"<</Title(%b)>>" % one.get("title", "").encode()
    path.write_bytes(pdf(pages, b"/Info 4 0 R", [title]))
    assert told(source, path, unit=one["unit"]) == (one["rows"], one["rejects"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no PDF, or damaged"),
        (b"PK no PDF", "no PDF, or damaged"),
        (pdf([lines("secret")], ENCRYPTED), "encrypted: it opens by a password alone"),
        (pdf([]), "no pages"),
    ],
    ids=["empty", "something else", "password", "no pages"],
)
def test_a_file_that_cant_be_read(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "a.pdf").write_bytes(content)
    assert told(source, tmp_path / "a.pdf", unit="page") == ([], {"it": reason})


@pytest.mark.parametrize(
    ("end", "texts", "reason"),
    [
        (b"trailer", [], "no PDF, or damaged"),
        (
            b"startxref",
            ["First page", "Second page"],
            "damaged: the list of what it holds is lost; what was found is read",
        ),
    ],
)
def test_a_file_that_breaks_off(tmp_path: Path, end: bytes, texts: list[str], reason: str):
    (tmp_path / "a.pdf").write_bytes(TWO[: TWO.index(end)])
    rows, rejects = told(source, tmp_path / "a.pdf", unit="page")
    assert [text for _, text, _ in rows] == texts
    assert rejects["it"].startswith(reason)


def test_a_folder_and_what_its_files_have_in_common(tmp_path: Path):
    (tmp_path / "b").mkdir()
    for name in ("x.pdf", "y.pdf"):
        (tmp_path / "b" / name).write_bytes(TWO)
    constants = {"label": "l", "split": "test", "year": "1843"}
    rows, _ = read(source, tmp_path / "b", "*.pdf", unit="page", constants=constants)
    assert [row.key for row in rows] == ["x.pdf:1", "x.pdf:2", "y.pdf:1", "y.pdf:2"]
    assert [row.group for row in rows] == ["x.pdf", "x.pdf", "y.pdf", "y.pdf"]
    assert {(row.label, row.split, row.attributes["year"]) for row in rows} == {("l", "test", "1843")}


def tree(levels: int) -> bytes:
    """A PDF with 10 pages for each page of one that has a level less; all of them are the same page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>"]
    for level in range(levels):
        kids = b" ".join([b"%d 0 R" % (level + 3)] * 10)
        objects.append(b"<</Type/Pages/Count %d/Kids[%b]>>" % (10 ** (levels - level), kids))
    return pdf_objects([*objects, b"<</Type/Page/MediaBox[0 0 612 792]>>"])


def laughs(levels: int) -> bytes:
    """A page with ten drawings of ten drawings of ... each with a word."""
    inner = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>/XObject<</X %d 0 R>>>>"
    forms = [stream(b"/X Do " * 10, inner % (5 + n)) for n in range(levels)]
    return pdf([b"/X Do"], further=[*forms, stream(lines("Ha"), inner % 3)])


@pytest.fixture(scope="module")
def reader() -> Iterator[pdfium.Reader]:
    """With less memory and time than a source gives."""
    with pdfium.reader(memory=2**28, seconds=60) as process:
        yield process


def reasons(reader: pdfium.Reader, content: bytes) -> list[str]:
    return [one["reason"] for one in pdfium.pages(reader, content) if "reason" in one]


def test_drawings_may_be_nested(reader: pdfium.Reader):
    """The same word at the same place is a word in bold."""
    assert [one["text"] for one in pdfium.pages(reader, laughs(1)) if "text" in one] == ["Ha"]


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (tree(6), "1,000,000 pages are more than 100,000: a bomb, no text"),
        (laughs(12), BREAKS),
        (pdf([b" " * 2**28 + lines("a")], packed=True), BREAKS),
    ],
    ids=["pages", "drawings", "a stream"],
)
def test_after_a_bomb_the_next_file_is_read(reader: pdfium.Reader, bomb: bytes, reason: str):
    assert reasons(reader, bomb) == [reason]
    assert [one["text"] for one in pdfium.pages(reader, TWO) if "text" in one] == ["First page", "Second page"]


def test_what_takes_no_end():
    with pdfium.reader(memory=2**32, seconds=1) as process:
        assert reasons(process, laughs(12)) == ["a bomb, no text: reading it takes longer than anything real"]


def test_a_reader_that_is_gone_is_no_damage_to_a_file():
    with pytest.raises(RuntimeError, match="the reader of PDF files ended: exit status -9"), pdfium.reader() as gone:  # noqa: PT012
        gone.kill()
        gone.wait()
        list(pdfium.pages(gone, b""))


def test_the_end_of_a_fork_that_is_a_bug():
    with pytest.raises(RuntimeError, match="reading a PDF file ended with exit status 1"):
        pdfium.ended(1)


@given(st.binary())
def test_any_bytes(reader: pdfium.Reader, content: bytes):
    assert reasons(reader, content) == ["no PDF, or damaged"]


@given(st.integers(0, len(TWO)), st.integers(0, len(TWO)), st.binary(max_size=20))
def test_any_damage(reader: pdfium.Reader, start: int, end: int, other: bytes):
    damaged = TWO[:start] + other + TWO[end:]
    assert all({"reason", "title", "text"} & one.keys() for one in pdfium.pages(reader, damaged))


# Letters below letters would be a line that runs down.
LINE = st.text("abcxyzABCXYZ0123456789.,;()\\", min_size=5, max_size=60)


@given(st.lists(st.lists(LINE, min_size=1, max_size=5), min_size=1, max_size=3))
def test_what_is_written_is_read(reader: pdfium.Reader, pages: list[list[str]]):
    found = [
        source.plain(one["text"]) for one in pdfium.pages(reader, pdf(lines(*page) for page in pages)) if "text" in one
    ]
    assert found == ["\n".join(page) for page in pages]


def test_limits_of_the_machine_stay():
    code = "from stages.core import pdfium; pdfium.bound(2**40, 10**6); import os; os.system('ulimit -t')"
    command = f'ulimit -t 100; "{sys.executable}" -c "{code}"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "100\n"
