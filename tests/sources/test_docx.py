"""Word documents: what is in their paragraphs and tables, and all that can be wrong with them."""

from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.sources import docx as source
from tests.conftest import case
from tests.documents import docx, read, told, zipped

PARAGRAPH = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
LETTER = docx(PARAGRAPH.format("Dear Ada,") + PARAGRAPH.format("Yours"))
LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><p>&b;</p>'
ELSEWHERE = '<r><Relationship Type="x/officeDocument" Target="/w/d.xml"/></r>'


@pytest.mark.parametrize("one", case("sources/docx.yaml"), ids=lambda one: one["comment"])
def test_sections(tmp_path: Path, one: dict[str, Any]):
    path = tmp_path / "a.docx"
    path.write_bytes(docx(one["body"], one.get("styles", ""), one.get("title", "")))
    assert told(source, path, unit=one["unit"]) == (one["rows"], one["rejects"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "File is not a zip file"),
        (LETTER[:-30], "File is not a zip file"),
        (b"\xd0\xcf\x11\xe0 old", "encrypted, or of a Word before 2007: save it as .docx without a password"),
        (zipped({"a": ""}), "no Word document: nothing says where its text is"),
        (zipped({"_rels/.rels": ELSEWHERE}), "'w/d.xml' is not in it"),
        (zipped({"_rels/.rels": ELSEWHERE, "w/d.xml": LAUGHS}), "it declares an entity, 'a': that may be a bomb"),
    ],
    ids=["empty", "cut", "old", "another zip", "without text", "entities"],
)
def test_a_file_that_cant_be_read(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "a.docx").write_bytes(content)
    assert told(source, tmp_path / "a.docx", unit="section") == ([], {"it": f"not to be read: {reason}"})


def test_the_text_may_stand_elsewhere(tmp_path: Path):
    (tmp_path / "a.docx").write_bytes(zipped({"_rels/.rels": ELSEWHERE, "w/d.xml": "<p><r><t>Hello</t></r></p>"}))
    assert told(source, tmp_path / "a.docx", unit="document") == ([["it", "Hello", {}]], {})


@given(st.integers(0, len(LETTER)), st.integers(0, len(LETTER)), st.binary(max_size=20))
def test_any_damage(tmp_path_factory: pytest.TempPathFactory, start: int, end: int, other: bytes):
    path = tmp_path_factory.mktemp("damage") / "a.docx"
    path.write_bytes(LETTER[:start] + other + LETTER[end:])
    rows, rejects = read(source, path, unit="section")
    assert rows or rejects


NAMES = ("p", "r", "t", "tab", "br", "tbl", "tr", "tc", "pPr", "pStyle", "numPr", "Fallback", "moveFrom")
TREES = st.recursive(
    st.text("ab "),
    lambda inner: st.builds("<w:{0}>{1}</w:{0}>".format, st.sampled_from(NAMES), st.lists(inner).map("".join)),
)


@given(TREES)
def test_any_elements(tmp_path_factory: pytest.TempPathFactory, body: str):
    path = tmp_path_factory.mktemp("elements") / "a.docx"
    path.write_bytes(docx(body + PARAGRAPH.format("End")))
    ((row,), _) = read(source, path, unit="document")
    assert row.text.endswith("End")


@given(st.lists(st.text("ab <>&é漢", min_size=1).filter(str.strip), min_size=1))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, paragraphs: list[str]):
    path = tmp_path_factory.mktemp("written") / "a.docx"
    path.write_bytes(docx("".join(PARAGRAPH.format(escape(one)) for one in paragraphs)))
    ((row,), _) = read(source, path, unit="document")
    assert row.text == "\n\n".join(one.strip() for one in paragraphs)
