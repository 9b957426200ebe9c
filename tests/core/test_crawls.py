"""Records of web archives, whole and damaged."""

import gzip
import io
import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import streams
from stages.core.crawls import Answer, Broken, Damage, Record, answer, body, records, unpack

MOST = 10_000
ABOUT = b"filedesc://x.arc 0.0.0.0 20140216050221 text/plain 4\n1 0\n\n"
ARC = ABOUT + b"http://x.org/a b 1.2.3.4 20140216050222 text/html 5\n"


def warc(content: bytes, kind: str = "resource", **headers: str) -> bytes:
    """A record."""
    told = {"WARC-Type": kind, "Content-Length": f"{len(content)}"} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return b"WARC/1.0\r\n%s\r\n%s\r\n\r\n" % (lines.encode(), content)


def read(content: bytes) -> list[Record | Damage]:
    file = io.BufferedReader(io.BytesIO(content))  # pyright: ignore[reportArgumentType]
    return list(records(unpack(file, len(content)), MOST))


def contents(found: Sequence[Record | Damage]) -> list[bytes | str]:
    return [one.content if isinstance(one, Record) else one.reason for one in found]


def as_it_is(members: Sequence[bytes]) -> bytes:
    return b"".join(members)


def each_zipped(members: Sequence[bytes]) -> bytes:
    return b"".join(map(gzip.compress, members))


def zipped_as_one(members: Sequence[bytes]) -> bytes:
    return gzip.compress(b"".join(members))


def in_zstd(members: Sequence[bytes]) -> bytes:
    return pa.Codec("zstd").compress(b"".join(members)).to_pybytes() if members else b""


@pytest.mark.parametrize("packed", [as_it_is, each_zipped, zipped_as_one, in_zstd])
@given(written=st.lists(st.binary(max_size=60), max_size=5))
def test_what_was_written_is_read(packed: Callable[[Sequence[bytes]], bytes], written: list[bytes]):
    assert contents(read(packed([warc(one) for one in written]))) == written


def test_headers_and_where_a_record_begins():
    first, second = read(warc(b"a") + warc(b"b", "response", X="1\r\n 2", x="3", nothing=""))
    assert second == Record(
        len(warc(b"a")), {"warc-type": "response", "content-length": "1", "x": "1 2", "nothing": ""}, b"b", cut=False
    )
    assert first.offset == 0


def test_arc():
    about, page = read(ARC + b"<p>x\n\n\n")
    assert isinstance(about, Record)
    assert about.headers["warc-type"] == "warcinfo"
    assert page == Record(
        58,
        {
            "warc-type": "response",
            "warc-target-uri": "http://x.org/a b",
            "warc-date": "2014-02-16T05:02:22Z",
            "content-type": "text/html",
            "content-length": "5",
        },
        b"<p>x\n",
        cut=False,
    )


def test_a_record_is_cut_off_where_it_is_too_long():
    long = b"x" * (MOST + 1)
    found = [one for one in read(warc(long) + warc(long[1:]) + warc(b"c")) if isinstance(one, Record)]
    assert [(one.content, one.cut) for one in found] == [(long[:MOST], True), (long[:MOST], False), (b"c", False)]


NEITHER = "neither a record of WARC nor one of ARC begins here"
DAMAGES = [
    pytest.param(warc(b"a") + b"\0\1\n\nnothing\n" + warc(b"b"), [b"a", NEITHER, b"b"], id="something between"),
    pytest.param(b"nothing", [NEITHER], id="no web archive"),
    pytest.param(b"x" * 200_000 + b"\n" + warc(b"b"), ["a line of more than 65,536 bytes", b"b"], id="a line too long"),
    pytest.param(b"WARC/1.0\r\n\r\n" + warc(b"b"), ["no Content-Length", b"b"], id="no length"),
    pytest.param(warc(b"", **{"Content-Length": "-1"}), ["no Content-Length"], id="a length below zero"),
    pytest.param(b"WARC/1.0\n" + b"a:b\n" * 1000 + b"\n" + warc(b"b"), ["more than 1,000 headers", b"b"], id="headers"),
    pytest.param(warc(b"abc")[:-6], ["the file breaks off here: 2 bytes are missing"], id="the end is missing"),
    pytest.param(
        warc(b"a") + warc(b"b", **{"Content-Length": "9"}) + warc(b"c") + warc(b"d"),
        [b"a", b"b\r\n\r\nWARC", NEITHER, b"d"],
        id="a wrong length costs the next record too",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("content", "found"), DAMAGES)
def test_damage(content: bytes, found: list[bytes | str]):
    assert contents(read(content)) == found


def test_a_damaged_member_of_gzip_costs_no_other():
    members = [gzip.compress(warc(bytes(range(n, n + 100)))) for n in range(3)]
    start = len(members[0])
    members[1] = members[1][:40] + b"\xff\xff\xff\xff" + members[1][44:]
    first, damage, third = read(b"".join(members))
    assert [first.offset, damage.offset, third.offset] == [0, start, start + len(members[1])]
    assert isinstance(damage, Damage)
    assert damage.reason.startswith("a member of gzip that is damaged: Error -3 while decompressing data")


def test_what_only_looks_like_a_member_of_gzip_is_none():
    broken = gzip.compress(warc(b"a"))[:30] + b"\x1f\x8b\x08" + b"x" * 3000
    assert contents(read(broken + gzip.compress(warc(b"b"))))[1:] == [b"b"]


def test_a_file_of_gzip_that_breaks_off():
    content = gzip.compress(warc(b"a")) + gzip.compress(warc(b"b"))
    reason = "a member of gzip that is damaged: it breaks off"
    assert contents(read(content[:-30])) == [b"a", reason]
    assert contents(read(content[:-1])) == [b"a", b"b", reason]


def test_a_file_in_zstd_that_breaks_off():
    assert contents(read(in_zstd([warc(bytes(range(200)))])[:-20])) == ["not to be read: Truncated compressed stream"]
    long = random.Random(0).randbytes(300_000)
    first, reason = contents(read(in_zstd([warc(b"a"), warc(long)])[:-20]))
    assert [first, reason] == [b"a", "the file breaks off here: Truncated compressed stream"]


def test_a_file_of_gzip_that_is_a_bomb(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "SMALL", 2**20)
    bomb = gzip.compress(warc(bytes(2**24)))
    reason = "the file breaks off here: more than 200 times as large as it is packed: a bomb, no text"
    assert contents(read(gzip.compress(warc(b"a")) + bomb + gzip.compress(warc(b"b")))) == [b"a", reason]


def test_what_the_machine_refuses_is_no_damage():
    with Path("/proc/self/mem").open("rb") as file, pytest.raises(OSError, match="Input/output error"):
        list(records(file, MOST))


@given(st.data())
def test_damaged_bytes_are_told(data: st.DataObject):
    pack = data.draw(st.sampled_from([as_it_is, each_zipped, zipped_as_one]))
    content = bytearray(pack([ARC + b"<p>x\n", warc(b"abc", "response"), warc(b"\r\n\r\nWARC/1.0\r\n")]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = read(bytes(content[: data.draw(st.integers(0, len(content)))]))
    assert all(isinstance(one, Record | Damage) for one in found)


@given(st.binary(max_size=100))
def test_any_bytes_are_read(content: bytes):
    assert all(isinstance(one, Record | Damage) for one in read(content))


def got(headers: dict[str, str], content: bytes) -> bytes:
    return body(Answer(200, headers, content), MOST)


def test_an_answer():
    found = answer(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nX: a\r\n b\r\n\r\n<p>\r\n\r\nx")
    assert found == Answer(404, {"content-type": "text/html", "x": "a b"}, b"<p>\r\n\r\nx")
    assert answer(b"HTTP/2 200\n\nx") == Answer(200, {}, b"x")
    assert answer(b"<p>x") is None


CHUNKED = {"transfer-encoding": "chunked"}
ZSTD = pa.Codec("zstd").compress(b"hello").to_pybytes()
RAW = zlib.compressobj(wbits=-15)
CODINGS = [
    pytest.param({}, b"hello", id="plain"),
    pytest.param(CHUNKED, b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", id="chunked"),
    pytest.param(CHUNKED, b"hello", id="no more chunked"),
    pytest.param({"content-encoding": "gzip"}, gzip.compress(b"hello"), id="gzip"),
    pytest.param({"content-encoding": "gzip"}, b"hello", id="no more gzip"),
    pytest.param({"content-encoding": "deflate"}, zlib.compress(b"hello"), id="deflate"),
    pytest.param({"content-encoding": "deflate"}, RAW.compress(b"hello") + RAW.flush(), id="deflate without a head"),
    pytest.param({"content-encoding": "br"}, brotli.compress(b"hello"), id="brotli"),
    pytest.param({"content-encoding": "zstd"}, ZSTD, id="zstd"),
    pytest.param({"content-encoding": "br, GZIP"}, gzip.compress(brotli.compress(b"hello")), id="twice"),
]


@pytest.mark.parametrize(("headers", "content"), CODINGS)
def test_what_a_server_meant_to_send(headers: dict[str, str], content: bytes):
    assert got(headers, content) == b"hello"


BROKEN = [
    pytest.param(CHUNKED, b"2\r\nhe\r\nllo", "the chunks of its answer break off", id="chunks"),
    pytest.param({"content-encoding": "gzip"}, gzip.compress(b"hello")[:-9], "its answer breaks off", id="gzip"),
    pytest.param({"content-encoding": "br"}, b"<p>hello", "its answer is no br", id="brotli"),
    pytest.param({"content-encoding": "zstd"}, b"<p>hello", "its answer is no zstd", id="zstd"),
    pytest.param({"content-encoding": "lzma"}, b"", "its answer is packed as 'lzma'", id="unknown"),
]


@pytest.mark.parametrize(("headers", "content", "reason"), BROKEN)
def test_what_a_server_did_not_manage_to_send(headers: dict[str, str], content: bytes, reason: str):
    with pytest.raises(Broken, match=reason):
        got(headers, content)


BOMBS: list[Any] = [("gzip", gzip.compress), ("br", brotli.compress), ("deflate", zlib.compress)]


@pytest.mark.parametrize(("coding", "pack"), BOMBS)
def test_a_bomb_is_cut_off(coding: str, pack: Callable[[bytes], bytes]):
    assert got({"content-encoding": coding}, pack(b"\0" * 1_000_000)) == b"\0" * MOST
