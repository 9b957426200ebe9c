"""Web archives as documents."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.core import pages
from stages.core.records import Reject, Row, Unwanted
from tests.core.test_crawls import warc
from tests.sources.reading import needs_mirror
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


UNWANTED: list[Any] = [
    pytest.param("request", b"GET / HTTP/1.1\r\n\r\n", id="another type"),
    pytest.param("conversion", b"x", id="a type that is not asked for"),
    pytest.param("response", answer(PAGE, "404 Not Found"), id="not found"),
    pytest.param("response", answer("x", kind="image/png"), id="no text"),
    pytest.param("response", answer("x", kind=""), id="who knows"),
]


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


WEBRECORDER = "https://raw.githubusercontent.com/webrecorder/warcio/2a797aa8c6d67e70966ce9d1a690208ab250fbe7/test/data"
WHIRLWIND = (
    "https://raw.githubusercontent.com/commoncrawl/whirlwind-python/08dcfbe4d579a7b1ee27e7ce39a019de6292c1c7/whirlwind"
)
# Rows, unwanted records and rejects of each; some are damaged, have spaces in addresses or chunks that are none.
SHORT = "the file breaks off here: 12 bytes are missing"
REAL = [
    (
        f"{WEBRECORDER}/example-bad.warc.gz.bad",
        "1031dd5e89139b2195863a934aa2d27e2a525c675ad90bf3ccab470953f46e22",
        1,
        5,
        [],
    ),
    (
        f"{WEBRECORDER}/example-digest.warc",
        "bfaf8596b743a8fc018abe7fd47f8e63598dd126f77cebe7142dd896c09f96cd",
        0,
        4,
        [],
    ),
    (
        f"{WEBRECORDER}/example-iana.org-chunked.warc",
        "539c746feb63bd12da81375485e906115b874899d68e4f190f5d70d1785c3933",
        1,
        2,
        [],
    ),
    (
        f"{WEBRECORDER}/example-resource.warc.gz",
        "9d3f830f757a3733d56de5b76b5a3ccabb5de4cfdfed2559205b9c719ee6cbdb",
        1,
        2,
        [],
    ),
    (
        f"{WEBRECORDER}/example-space-in-target-uri.warc.gz",
        "86e0039c4dadb395a1ba1101b964e2524771bbadd9837af1fd1f3ef1c873b5f4",
        0,
        2,
        [],
    ),
    (
        f"{WEBRECORDER}/example-space-in-url.arc",
        "477418dd57d018092a4b6f23de8bfc335f46e67df04ed7f52318c59c04b095de",
        0,
        1,
        [SHORT],
    ),
    (
        f"{WEBRECORDER}/example-wget-bad-target-uri.warc.gz",
        "46c5ac2c893a5e2036b45821ca373fcb3c57bb4de69ea47bb5a18878248a1fa0",
        3,
        3,
        [],
    ),
    (f"{WEBRECORDER}/example.arc", "433c37ee6dd684849ecde16d566f65545c93fd8d0b3297c1735eb76f0a0cf496", 1, 1, []),
    (f"{WEBRECORDER}/example.arc.gz", "d6d0d772521e89dc461235ddbefae4888a20a47b1c0a45e69ec8ec086f4d3c7c", 1, 1, []),
    (f"{WEBRECORDER}/example.warc", "5cc2724ab2969d5fd00a9b9293cce2a50ba0471ea03822e03f513715171ca0d3", 1, 5, []),
    (f"{WEBRECORDER}/example.warc.gz", "5144459799b3bcb894d5143e0d8171c20c591a41733608e8392346e95e0bcf6b", 1, 5, []),
    (f"{WEBRECORDER}/post-test.warc.gz", "4a889c4d15f5624557f5fad4026b4346f33c514f0aae1e18c7823b4c6943dce4", 0, 6, []),
    (f"{WHIRLWIND}.warc", "377f2b8ef02d64dfad65649e8459cecd92787ab824a86461be3c74fb91e35acf", 1, 3, []),
    (f"{WHIRLWIND}.warc.gz", "2219c8d0fe743f47657de4921eed91fabdbab6dba4bd7497e37b3e96d89648f8", 1, 3, []),
    (f"{WHIRLWIND}.warc.wat", "7d075fc889e6cc42ed41c67a9a1b5aec429b623bebdb44406bdd0de9259c453b", 0, 2, []),
    (f"{WHIRLWIND}.warc.wat.gz", "7ed4e56a1ddebeedac3ede06ccd61e256f319d90d722f8cda5f5b48c9e45c99a", 0, 2, []),
    (f"{WHIRLWIND}.warc.wet", "20dc2c125edb83b10e3b0f16356d0c00420725b21b59d6c2f95d3316ba129771", 1, 1, []),
    (f"{WHIRLWIND}.warc.wet.gz", "b2f1db3943b2bfbb34ad807c36e5eff315cc28efd474edf5a91cbb4962a1deef", 1, 1, []),
]


@needs_mirror
@pytest.mark.parametrize(("at", "sha256", "rows", "unwanted", "rejects"), REAL, ids=lambda value: str(value)[-30:])
def test_real_archives(tmp_path: Path, at: str, sha256: str, rows: int, unwanted: int, rejects: list[str]):
    declared = {"at": at, "sha256": sha256, "members": None, "constants": {}}
    p = parameters("warc", files=[declared], records=EVERY, extractor="resiliparse", seconds=30)
    found = list(items("warc", p, tmp_path))
    assert len([one for one in found if isinstance(one, Row)]) == rows
    assert sum(one.rows for one in found if isinstance(one, Unwanted)) == unwanted
    assert [one.reason for one in found if isinstance(one, Reject)] == rejects
