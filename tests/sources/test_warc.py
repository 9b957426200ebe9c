"""Web archives as documents."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core import pages, web
from stages.core.records import Reject, Row, Unwanted
from tests.core.test_crawls import warc
from tests.sources.reading import CASES, needs_mirror
from tests.sources.tables import file, items, parameters

TEXT = "A long sentence that says what this page is about, with commas, and more of them, so that it is its text."
PAGE = f"<html lang=en><head><title>Title</title><link rel=canonical href=/b></head><body><p>{TEXT}</p></body></html>"
EVERY = ["response", "resource", "conversion"]
ABOUT = {"WARC-Record-ID": "<urn:1>", "WARC-Target-URI": "<https://example.org/a>", "WARC-Date": "2024-05-18T01:58:10Z"}


@pytest.fixture(scope="module", autouse=True)
def process_ends() -> Iterator[None]:
    yield
    pages.running("resiliparse", 30).stop()


def read(path: Path, content: bytes, records: list[str]) -> list[Any]:
    p = parameters("warc", files=[file(path, content, site="s")], records=records, extractor="resiliparse", seconds=30)
    return list(items("warc", p, path.parent / "cache"))


def answer(content: str, status: str = "200 OK", kind: str = "text/html") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n{content}".encode()


def test_a_page_that_a_server_sent(tmp_path: Path):
    (found,) = read(tmp_path / "x.warc.gz", gzip.compress(warc(answer(PAGE), "response", **ABOUT)), EVERY)
    assert found == Row(
        "urn:1",
        TEXT,
        None,
        None,
        {
            "target": "https://example.org/a",
            "fetched": "2024-05-18T01:58:10Z",
            "type": "text/html",
            "title": "Title",
            "author": None,
            "date": None,
            "language": "en",
            "url": "https://example.org/b",
            "site": "s",
        },
    )


PLAIN = "Some text\nthat is all there is"
OTHERS: list[Any] = [
    pytest.param("response", answer(PLAIN, kind='Text/Plain; charset="UTF-8"'), {}, id="plain text"),
    pytest.param("resource", f"  {PLAIN}\n".encode(), {"Content-Type": "text/plain"}, id="a resource"),
    pytest.param("conversion", PLAIN.encode(), {"Content-Type": "text/plain"}, id="what WET has"),
    pytest.param(
        "response", b"HTTP/1.0 200 OK\n\n" + PLAIN.encode(), {"WARC-Identified-Payload-Type": "text/plain"}, id="found"
    ),
]


@pytest.mark.parametrize(("kind", "content", "headers"), OTHERS)
def test_text_that_needs_no_extractor(tmp_path: Path, kind: str, content: bytes, headers: dict[str, str]):
    (found,) = read(tmp_path / "x.warc", warc(content, kind, **ABOUT | headers), [kind])
    assert (found.text, found.attributes["type"]) == (PLAIN, "text/plain")


LOG = {"WARC-Target-URI": "<metadata://gnu.org/software/wget/warc/wget.log>", "Content-Type": "text/plain"}
UNWANTED: list[Any] = [
    pytest.param("request", b"GET / HTTP/1.1\r\n\r\n", id="another type"),
    pytest.param("conversion", b"x", id="a type that is not asked for"),
    pytest.param("response", answer(PAGE, "404 Not Found"), id="not found"),
    pytest.param("response", answer("x", kind="image/png"), id="no text"),
    pytest.param("response", answer("x", kind=""), id="who knows"),
]


def test_the_log_of_a_crawler_is_no_document(tmp_path: Path):
    assert read(tmp_path / "x.warc", warc(b"--2017-01-28-- http://x.org", "resource", **LOG), EVERY) == [Unwanted(1)]


@pytest.mark.parametrize(("kind", "content"), UNWANTED)
def test_what_nobody_wants(tmp_path: Path, kind: str, content: bytes):
    assert read(tmp_path / "x.warc", warc(content, kind, **ABOUT), ["response"]) == [Unwanted(1)]


LARGE = "<p>x</p>" * 2**20
PACKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 2**24)
REJECTS: list[Any] = [
    pytest.param("response", b"", "no answer of a server, though it is called one", id="no answer"),
    pytest.param("response", answer("<p>"), "no main text", id="no main text"),
    pytest.param("response", answer(" ", kind="text/plain"), "no text", id="no text"),
    pytest.param("response", answer(LARGE), "more than 8,388,608 bytes", id="HTML that is too large"),
    pytest.param("resource", LARGE.encode() + b"x", "more than 8,388,608 bytes", id="a resource that is too large"),
    pytest.param("response", PACKED, "more than 8,388,608 bytes", id="text that is too large, unpacked"),
    pytest.param(
        "response",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n\r\n<p>hello",
        "its answer is no br",
        id="not unpacked",
    ),
]


@pytest.mark.parametrize(("kind", "content", "reason"), REJECTS)
def test_what_can_not_be_read(tmp_path: Path, kind: str, content: bytes, reason: str):
    path, before = tmp_path / "x.warc", warc(b"", "request")
    about = ABOUT | {"Content-Type": "text/html"}
    found = read(path, before + warc(content, kind, **about) + warc(answer(PAGE), "response"), ["response", "resource"])
    assert found[1] == Reject(f"{path}:{len(before)}", reason)
    assert [one.key for one in found[2:]] == ["None None"]


def test_a_type_of_records_is_named_once(tmp_path: Path):
    with pytest.raises(ValidationError, match="resource: named more than once; once is enough"):
        read(tmp_path / "x.warc", b"", ["resource", "resource"])


@given(st.binary(max_size=80), st.sampled_from(["text/html", "text/plain"]))
def test_any_content_is_a_row_or_a_reject(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str):
    record = warc(content, "resource", **{"Content-Type": kind})
    (found,) = read(tmp_path_factory.mktemp("t") / "x.warc", record, EVERY)
    assert isinstance(found, Row | Reject)


@given(st.data())
def test_damaged_bytes_are_rows_and_rejects(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    pack = data.draw(st.sampled_from([bytes, gzip.compress]))
    content = bytearray(pack(warc(b"", "warcinfo")) + pack(warc(answer(PAGE), "response", **ABOUT)) * 2)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    found = read(tmp_path_factory.mktemp("t") / "x.warc", bytes(content[:cut]), EVERY)
    assert all(isinstance(one, Row | Reject | Unwanted) for one in found)


ARCHIVES = YAML(typ="safe").load(CASES / "archives.yaml")


@needs_mirror
@pytest.mark.parametrize("case", ARCHIVES, ids=lambda case: case["at"].rpartition("/")[2])
def test_real_archives(tmp_path: Path, case: dict[str, Any]):
    if not Path(web.mirrored(case["at"], web.mirrors())).is_file():
        pytest.skip(f"the mirror has no {case['at']}")
    declared = {"at": case["at"], "sha256": case["sha256"], "members": None, "constants": {}}
    p = parameters("warc", files=[declared], records=EVERY, extractor="resiliparse", seconds=30)
    found = list(items("warc", p, tmp_path))
    assert len([one for one in found if isinstance(one, Row)]) == case["rows"]
    assert sum(one.rows for one in found if isinstance(one, Unwanted)) == case["unwanted"]
    assert [one.reason for one in found if isinstance(one, Reject)] == case["rejects"]
