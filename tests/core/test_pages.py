"""Main text and metadata of web pages, whatever they hold."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.core import pages
from stages.core.maintext import Page, decoded
from stages.core.pages import Extractor, Process

CASES = YAML(typ="safe").load(Path(__file__).parent.parent / "cases" / "sources" / "pages.yaml")
PASSAGE = "A long sentence that says what this page is about, with commas, and more of them, so that it is its text. "
EXTRACTORS = get_args(Extractor)
SECONDS = 20


@pytest.fixture(scope="module", autouse=True)
def processes_end() -> Iterator[None]:
    yield
    for extractor in EXTRACTORS:
        pages.running(extractor, SECONDS).stop()


def html(case: dict[str, Any]) -> bytes:
    """A page with a menu, a heading and three paragraphs."""
    paragraphs = "".join(f"<p>{number}. {PASSAGE * 3}</p>" for number in ("First", "Second", "Third"))
    menu = "<nav><ul><li><a href=/>Home</a></li><li><a href=/about>About</a></li></ul></nav>"
    head = f"<head><meta charset=utf-8>{case.get('head', '')}</head>"
    body = f"<body>{menu}<article><h1>Heading</h1>{paragraphs}{case.get('body', '')}</article></body>"
    return f"<!doctype html><html {case.get('html', '')}>{head}{body}</html>".encode()


def extract(content: bytes, extractor: Any, charset: str | None = None) -> Page | str:
    return pages.extract(content, charset, "https://example.org/a", extractor, SECONDS)


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_what_pages_declare(case: dict[str, Any], extractor: str):
    found = extract(html(case), extractor)
    assert isinstance(found, Page)
    nothing: dict[str, Any] = dict.fromkeys(Page._fields) | {"url": "https://example.org/a"}
    assert found._asdict() == nothing | case["page"] | {"text": found.text}
    assert all(f"{number}. {PASSAGE}" in found.text for number in ("First", "Second", "Third"))
    assert "About" not in found.text


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_a_page_is_the_same_whatever_came_before(extractor: str):
    contents = [html(case) for case in CASES]
    forwards = [extract(one, extractor) for one in contents]
    assert [extract(one, extractor) for one in reversed(contents)] == forwards[::-1]


@pytest.mark.parametrize(
    "body",
    [
        "<form><label for=a>Name</label><input id=a><select><option>One<option>Two</select></form>",
        "<!-- a --><?a b?><p>\x0b\x1fControl\uffff characters, &amp; &nbsp;an &unknown; entity.</p>",
        "<table><tr><th>A<td>1<tr><th>B<td>2</table><ul><li>One<li>Two</ul>",
    ],
)
def test_the_text_is_what_trafilatura_says_of_itself(body: str):
    """What its process leaves out of the work changes nothing."""
    from trafilatura import extract as theirs

    content = html({"body": body})
    found = extract(content, "trafilatura")
    assert isinstance(found, Page)
    assert found.text == (theirs(content, include_comments=False) or "").strip()


@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("content", [b"", b" ", b"\0", b"<html></html>", b"<p>", b"<script>x</script>", b"<!-- x -->"])
def test_a_page_without_text(content: bytes, extractor: str):
    assert extract(content, extractor) == "no main text"


@pytest.mark.parametrize("content", [b"%PDF-1.7 Some text.", b"PK\3\4 text", b"\x89PNG text", b"PAR1 text"])
def test_what_is_no_page_by_its_first_bytes(content: bytes):
    assert extract(content, EXTRACTORS[0]) == "no web page, by its first bytes"


def test_a_page_that_is_too_large():
    assert extract(b" " * (2**23 + 1), "resiliparse") == "more than 8,388,608 bytes"


def test_a_page_that_would_never_end():
    """Half a megabyte of this takes minutes in C, where no signal handler of Python would be called."""
    process = Process("resiliparse", 1)
    assert process.ask(b"<div>" * 100_000, None, None) == "resiliparse takes more than 1 seconds for it"
    assert isinstance(process.ask(html({}), None, None), Page)
    process.stop()


BOMBS = {
    "elements within elements": b"<div>" * 1_500_000,
    "links that never end": b"<a href=x>x" * 700_000,
    "elements that overlap": b"<i><b></i></b>" * 500_000,
    "attributes": b"<p " + b" ".join(b"a%d=1" % n for n in range(500_000)) + b">x",
    "a comment without an end": b"<!--" + b"x" * 8_000_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("extractor", EXTRACTORS)
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_no_more_than_its_time(bomb: bytes, extractor: Any):
    """Whatever becomes of it, the page after it is read."""
    process = Process(extractor, 2)
    assert isinstance(process.ask(bomb, None, None), Page | str)
    assert isinstance(process.ask(html({}), None, None), Page)
    process.stop()


def test_a_page_that_brings_the_process_down():
    process = Process("resiliparse", 1)
    process.start().kill()
    assert process.ask(b"", None, None) == "resiliparse dies of it: SIGKILL"
    assert process.ask(b"", None, None) == "no main text"
    process.stop()


def test_a_process_that_can_not_work_is_no_fault_of_a_page(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pages, "SERVE", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="the process for web pages ended by itself: 3"):
        Process("resiliparse", 1).ask(b"", None, None)


ENCODINGS: list[Any] = [
    pytest.param("Grüße, 日本", "utf-8", "latin-1", id="UTF-8 by its bytes, whatever the server says"),
    pytest.param("Grüße, 日本", "utf-8-sig", None, id="a byte order mark"),
    pytest.param("Grüße, 日本", "utf-16", "utf-8", id="a byte order mark of UTF-16"),
    pytest.param("Grüße – «x»", "cp1252", "ISO-8859-1", id="latin-1 means Windows in the web"),
    pytest.param("Привет, как дела", "koi8-r", "koi8-r", id="as the server says"),
    pytest.param('<meta charset="windows-1251">Привет', "cp1251", None, id="as the page says"),
    pytest.param('<meta charset="iso-8859-2">Příliš žluťoučký', "iso8859-2", "nonsense", id="not as a server says it"),
    pytest.param("日本語のテキスト", "iso2022_jp", "iso-2022-jp", id="seven bits, escaped"),
    pytest.param("Это довольно длинный русский текст о погоде.", "cp1251", None, id="nobody says anything"),
    pytest.param("Это довольно длинный русский текст о погоде.", "cp1251", "utf-8", id="the server is wrong"),
]


@pytest.mark.parametrize(("text", "encoding", "charset"), ENCODINGS)
def test_encodings(text: str, encoding: str, charset: str | None):
    assert decoded(text.encode(encoding), charset) == text


def test_a_few_damaged_bytes_make_no_other_encoding():
    text = "Grüße, 日本. " * 200
    assert decoded(text.encode() + b"\xff", "utf-8") == text + "\ufffd"


TAGS = ["p", "div", "table", "tr", "td", "li", "ul", "a href=x", "b", "script", "title", "pre", "br", "article", "!--"]
SOUP = st.lists(
    st.one_of(
        st.sampled_from([f"<{tag}>".encode() for tag in TAGS] + [f"</{tag[:3]}>".encode() for tag in TAGS]),
        st.sampled_from([PASSAGE.encode(), b"word ", b"&amp;&#0;&#55296;", b"\0", b"<![CDATA[", b"<?php", b"\xff"]),
    ),
    max_size=40,
).map(b"".join)


@pytest.mark.parametrize("extractor", EXTRACTORS)
@given(content=st.one_of(st.binary(max_size=200), SOUP), charset=st.one_of(st.none(), st.text(max_size=8)))
def test_any_bytes_are_a_page_or_a_reason(extractor: str, content: bytes, charset: str | None):
    found = extract(content, extractor, charset)
    assert isinstance(found, str) or (found.text.strip() and "\0" not in "".join(filter(None, found)))
