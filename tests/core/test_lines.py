"""Lines of whatever there is: each once, with its number, or told."""

import gzip
import io
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.core import lines, streams
from stages.core.records import Reject

Line = tuple[int, bytes] | Reject


def read(content: bytes, number: int = 1) -> list[Line]:
    with io.BufferedReader(io.BytesIO(content)) as stream:  # pyright: ignore[reportArgumentType]
        return list(lines.lines(streams.plain(stream, len(content)), "f", number))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", []),
        (b"\n", [(1, b"")]),
        (b"a", [(1, b"a")]),
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\r\n\r\nb\r", [(1, b"a"), (2, b""), (3, b"b")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", [(1, b"a"), (2, b"b")]),
        (b"a\0b\xff\n", [(1, b"a\0b\xff")]),
    ],
)
def test_lines_without_their_ends(content: bytes, found: list[Line]):
    assert read(content) == found


def test_numbers_go_on_from_where_a_part_begins():
    assert read(b"a\nb", 7) == [(7, b"a"), (8, b"b")]


@given(st.lists(st.binary(max_size=30).map(lambda one: one.replace(b"\n", b"")), max_size=20), st.integers(1, 50))
def test_every_line_comes_once_however_the_bytes_come(texts: list[bytes], size: int):
    assume(streams.kind_of(b"\n".join(texts)) is None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", size)
        patch.setattr(lines, "LONGEST", 20)
        found = read(b"".join(one + b"\n" for one in texts))
    assert found == [
        Reject(f"f:{n}", "a line of more than 20 bytes")
        if len(one) > 20
        else (n, one.removesuffix(b"\r").removeprefix(lines.BOM))
        for n, one in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\nb"])
def test_a_line_that_is_too_long_is_not_kept(end: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "LONGEST", 2**10)
    monkeypatch.setattr(lines, "BLOCK", 2**9)
    assert read(b"a\n" + b"x" * 2**20 + end) == [
        (1, b"a"),
        Reject("f:2", "a line of more than 1,024 bytes"),
        *([(3, b"b")] if end == b"\nb" else []),
    ]


def test_what_comes_before_the_damage_comes_and_the_damage_is_told_once():
    whole = b"".join(b"%d\n" % n for n in range(500_000))
    packed = gzip.compress(whole)
    *found, last = read(packed[: len(packed) * 9 // 10])
    assert found == [(n + 1, b"%d" % n) for n in range(len(found))]
    assert len(found) > 400_000
    why = "the file breaks off here: Compressed file ended before the end-of-stream marker was reached"
    assert last == Reject(f"f:{len(found) + 1}", why)


def test_what_the_machine_refuses_is_no_reject():
    with Path("/proc/self/mem").open("rb") as file, pytest.raises(OSError, match="Input/output error"):
        list(lines.lines(file, "f"))
