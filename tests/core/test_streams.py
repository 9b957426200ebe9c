"""Packed bytes, whole and damaged: what comes before the damage comes, and no more than there can be."""

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import streams
from stages.core.streams import DAMAGED

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
packers = pytest.mark.parametrize("kind", PACK)
# Hard to pack, so that damage lies in the middle of it.
LONG = random.Random(0).randbytes(1_000_000).hex().encode()


def read(packed: bytes) -> tuple[bytes, str]:
    """What comes, and what is told of its end."""
    content = b""
    with io.BufferedReader(io.BytesIO(packed)) as file:  # pyright: ignore[reportArgumentType]
        stream = streams.plain(file, len(packed))
        try:
            while piece := stream.read1(2**20):
                content += piece
        except DAMAGED as error:
            return content, str(error)
    return content, ""


@packers
@given(content=st.binary(max_size=5_000))
def test_what_was_packed_comes_back(kind: str, content: bytes):
    assert read(PACK[kind](content)) == (content, "")


@packers
def test_long_ones_and_several_streams_in_one_file(kind: str):
    packed = PACK[kind](LONG)
    assert streams.kind_of(packed[: streams.HEAD]) == kind
    assert read(packed + PACK[kind](b"more")) == (LONG + b"more", "")


@packers
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_of_one_that_breaks_off_comes_what_is_there(kind: str, share: float):
    packed = PACK[kind](LONG)
    content, told = read(packed[: int(share * len(packed))])
    assert told
    assert LONG.startswith(content)
    # Bytes come in blocks: of bz2 in such of 900,000. What lies in a piece with the end is lost where arrow unpacks.
    assert len(content) > share * len(LONG) - {"bz2": 900_000, "zstd": 2**17}.get(kind, 2**16) - streams.PIECE


@pytest.mark.parametrize("kind", ["gzip", "bz2", "zstd"])
def test_what_follows_and_is_not_packed_is_damage(kind: str):
    content, told = read(PACK[kind](LONG) + b"more and more")
    assert told
    assert len(LONG) - len(content) < streams.PIECE


@pytest.mark.xfail(reason="lzma takes what it can't read after a stream for padding", strict=True)
def test_what_follows_xz_is_damage():
    assert read(lzma.compress(LONG) + b"more and more")[1]


@packers
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_wrong_byte_anywhere_gives_bytes_or_damage(kind: str, place: int, byte: int):
    packed = bytearray(PACK[kind](LONG[:2_000]))
    packed[place % len(packed)] = byte
    read(bytes(packed))


@given(st.sampled_from([PACK[kind](b"x") for kind in PACK]), st.integers(1, 12), st.binary(max_size=200))
def test_a_beginning_and_anything_after_it(packed: bytes, length: int, rest: bytes):
    read(packed[:length] + rest)


@pytest.mark.parametrize("content", [b"", b"B", b"BZhang Wei wrote:\n", b"BZh9 is no stream", b"\x1f\x8b", b"\xfd7zXY"])
def test_what_only_begins_alike_is_plain(content: bytes):
    assert read(content) == (content, "")


@packers
def test_a_bomb_ends(kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "SMALL", 2**20)
    monkeypatch.setattr(streams, "RATIO", 3)
    content, told = read(PACK[kind](bytes(2**23)))
    assert told == "more than 3 times as large as it is packed: a bomb, no text"
    assert 2**20 - streams.PIECE <= len(content) <= 2**20


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300), st.integers(1, 50))
def test_a_stretch_of_a_file(content: bytes, start: int, length: int, size: int):
    with io.BytesIO(content) as file:
        file.seek(start)
        stretch = io.BufferedReader(streams.Stretch(file, length), size)  # pyright: ignore[reportArgumentType]
        assert b"".join(iter(lambda: stretch.read1(7), b"")) == content[start : start + length]


def test_what_the_machine_says_is_not_what_a_file_is(tmp_path: Path):
    with pytest.raises(FileNotFoundError) as told:
        (tmp_path / "gone").open()
    assert streams.of_the_machine(told.value)
    assert not streams.of_the_machine(OSError("Truncated compressed stream"))
    assert not streams.of_the_machine(gzip.BadGzipFile("Not a gzipped file"))
