"""Tables as columns at once: what csv.reader makes of them, whatever is in them and however they come."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.core import delimited, lines, rfc4180
from stages.core.records import Reject, Row, Unwanted
from tests.sources.tables import file, items, parameters, table

PIECES = ["a", "é", ",", '"', '""', "\n", "\r\n", "\r", " ", "\0", "x,y\n", '"q,\nr",s\n', "\ufeff", "\n\n"]
Found = tuple[list[Row], list[Reject], int]


def found(path: Path, content: bytes, **settings: Any) -> Found:
    every = list(items("csv", parameters("csv", **table(file(path, content), **settings)), path))
    rejects = sorted(one for one in every if isinstance(one, Reject))
    return (
        [one for one in every if isinstance(one, Row)],
        rejects,
        sum(one.rows for one in every if isinstance(one, Unwanted)),
    )


def both(content: bytes, block: int, **settings: Any) -> tuple[Found, Found]:
    """What comes of a table at once, and record by record."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        quick = found(path := Path(name) / "t.csv", content, **settings)
        patch.setattr(delimited.Dialect, "marks", lambda _: None)
        return quick, found(path, content, **settings)


@given(
    st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=30).map(lambda some: "".join(some).encode()),
    st.integers(1, 40),
    st.sampled_from(['"', None]),
)
@example(b"\x1f\x8b\x08", 1, '"').via("damage before the first block")
def test_at_once_is_as_record_by_record(content: bytes, block: int, quote: str | None):
    settings: dict[str, Any] = {"dialect": {"header": False, "quote": quote}, "fields": {"text": "1"}}
    quick, slow = both(content, block, **settings)
    assert quick == slow


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.integers(1, 40))
def test_with_a_header_too(some: list[str], block: int):
    content = ("text,more,\n" + "".join(some)).encode()
    quick, slow = both(content, block, fields={"key": "more"})
    assert quick == slow


def test_the_usual_way_is_taken(tmp_path: Path):
    content = b'\xef\xbb\xbftext,n\n"a ""b"",\r\nc",1\r\n\n,2\nlast,3'
    with (path := tmp_path / "t.csv").open("wb+") as stream:
        stream.write(content)
    with path.open("rb") as stream:
        first, rest = rfc4180.divided(stream, marks := rfc4180.Marks(",", '"'), 1)
        assert isinstance(first, rfc4180.Block) and first.numbers.tolist() == [1, 2, 5]
        columns = rfc4180.columns(first, ["text", "n"], marks)
        assert columns and [one.to_pylist() for one in columns.values()] == [
            ["text", 'a "b",\r\nc', ""],
            ["n", "1", "2"],
        ]
        assert isinstance(rest, rfc4180.Rest) and (rest.line, rest.stream.read()) == (6, b"last,3")


@pytest.mark.parametrize(("columns", "at_once"), [(rfc4180.WIDEST, True), (rfc4180.WIDEST + 1, False)])
def test_what_is_too_wide_is_read_record_by_record(tmp_path: Path, columns: int, *, at_once: bool):
    names = ["text", *(f"{n}" for n in range(1, columns))]
    content = f"{','.join(names)}\na{',' * (columns - 1)}\n".encode()
    (path := tmp_path / "t.csv").write_bytes(content)
    with path.open("rb") as stream:
        first, _ = rfc4180.divided(stream, marks := rfc4180.Marks(",", '"'), 1)
    assert isinstance(first, rfc4180.Block) and bool(rfc4180.columns(first, names, marks)) == at_once
    assert [one.text for one in found(path, content)[0]] == ["a"]


def test_what_comes_before_the_damage_comes_at_once_or_not():
    whole = b"text,n\n" + b"".join(b"%d,x\n" % n for n in range(200_000))
    packed = gzip.compress(whole)
    quick, slow = both(packed[: len(packed) * 9 // 10], lines.BLOCK)
    assert quick == slow
    (told,) = quick[1]
    assert len(quick[0]) > 100_000 and "the file breaks off here" in told.reason
