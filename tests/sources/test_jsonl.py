"""Records of JSON, a line each, and all that may stand in a line instead."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.core import fields, inputs, lines
from stages.core.records import Chunk, Reject, Unwanted
from stages.sources import jsonl

CASES = YAML(typ="safe").load(Path(__file__).parent.parent / "cases/sources/jsonl.yaml")
NONE = dict.fromkeys(("label", "labels", "pair", "targets", "spans", "key", "group", "split"))
SETTINGS = ("separator", "rename", "sides", "where")


def params(path: Path, how: dict[str, Any], members: str | None = None, **constants: str) -> jsonl.Params:
    """Parameters for a file: `fields` and settings that are not as usual."""
    sha256 = inputs.folder_sha256(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    chosen: dict[str, Any] = NONE | {"text": "text"} | how.get("fields", {})
    chosen["attributes"] = tuple(chosen.get("attributes", ()))
    return jsonl.Params(
        files=(inputs.File(at=str(path), sha256=sha256, members=members, constants=constants),),
        fields=fields.Fields(**chosen),
        separator=how.get("separator"),
        rename=how.get("rename", {}),
        sides=how.get("sides", {}),
        where={name: tuple(values) for name, values in how.get("where", {}).items()},
    )


def items(p: jsonl.Params, cache: Path) -> Iterator[Chunk | Reject | Unwanted]:
    paths = [file.fetch(cache) for file in jsonl.needs(p)]
    for part in jsonl.parts(p, paths):
        yield from jsonl.read(p, part, paths)


def read(p: jsonl.Params, cache: Path) -> tuple[list[dict[str, Any]], list[Reject], int]:
    """Rows with their places, rejects, and how many are not wanted."""
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    unwanted = 0
    for item in items(p, cache):
        match item:
            case Chunk():
                places = [f"{item.place}:{number}" for number in item.numbers]
                rows += [row | {"place": place} for row, place in zip(item.rows.to_pylist(), places, strict=True)]
            case Reject():
                rejects.append(item)
            case Unwanted():
                unwanted += item.rows
    return rows, sorted(rejects), unwanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    (path := tmp_path / "a.jsonl").write_text(case["content"], encoding="utf-8", newline="")
    rows, rejects, unwanted = read(params(path, case), tmp_path / "cache")
    assert len(rows) == len(case["rows"])
    assert [row | wanted for row, wanted in zip(rows, case["rows"], strict=True)] == rows
    assert rejects == [Reject(f"{path}:{line}", reason) for line, reason in case.get("rejects", {}).items()]
    assert unwanted == case.get("unwanted", 0)


def test_nothing_of_what_is_not_declared_fills_a_field(tmp_path: Path):
    (path := tmp_path / "a.jsonl").write_text('{"text": "a", "label": "x", "key": 1}')
    ((row,), _, _) = read(params(path, {}), tmp_path)
    assert row == {"text": "a", "attributes": {"none": None}, "place": f"{path}:1"}


def test_bytes_that_are_no_utf_8(tmp_path: Path):
    (path := tmp_path / "a.jsonl").write_bytes(b'{"text": "caf\xe9"}\n{"text": "caf\xc3\xa9"}\n')
    rows, (reject,), _ = read(params(path, {}), tmp_path)
    assert [row["text"] for row in rows] == ["café"]
    assert reject.place == f"{path}:1"
    assert reject.reason.startswith("not JSON: str is not valid UTF-8")


@pytest.mark.parametrize("depth", [990, 100_000])
def test_absurd_nesting(tmp_path: Path, depth: int):
    deep = '{"text": "a", "x": ' + "[" * depth + "]" * depth + "}\n"
    (path := tmp_path / "a.jsonl").write_text(deep + '{"text": "b", "x": 1}\n')
    rows, (reject,), _ = read(params(path, {"fields": {"attributes": ["x"]}}), tmp_path)
    assert [row["text"] for row in rows] == ["b"]
    assert reject.reason.startswith(("'x' is nested too deep", "not JSON: depth limit exceeded"))


def test_a_line_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lines, "LONGEST", 1_000)
    monkeypatch.setattr(lines, "BLOCK", 100)
    (path := tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "' + "b" * 10_000 + '"}\n{"text": "c"}\n')
    rows, rejects, _ = read(params(path, {}), tmp_path)
    assert [row["place"] for row in rows] == [f"{path}:1", f"{path}:3"]
    assert rejects == [Reject(f"{path}:2", "a line of more than 1,000 bytes")]


def test_a_packed_file_that_breaks_off(tmp_path: Path):
    whole = "".join(json.dumps({"text": f"{n}"}) + "\n" for n in range(20_000)).encode()
    (path := tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(whole)[:-5_000])
    rows, (reject,), _ = read(params(path, {}), tmp_path)
    assert [row["text"] for row in rows] == [f"{n}" for n in range(len(rows))]
    assert len(rows) > 10_000
    assert reject.place == f"{path}:{len(rows) + 1}"
    assert reject.reason.startswith("the file breaks off here: ")


def test_members_of_a_folder_with_the_constants_of_their_file(tmp_path: Path):
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "b.jsonl").write_text('{"text": "b"}\nno\n')
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    (folder / "README").write_text("nobody asked for this")
    p = params(folder, {"sides": {"held": "test"}}, "*.jsonl*", label="x", split="held", edition="2")
    rows, rejects, _ = read(p, tmp_path / "cache")
    same = {"label": "x", "split": "test", "attributes": {"edition": "2"}}
    assert rows == [
        {"text": "a", "place": f"{folder}/a.jsonl.gz:1"} | same,
        {"text": "b", "place": f"{folder}/b.jsonl:1"} | same,
    ]
    assert rejects == [Reject(f"{folder}/b.jsonl:2", "not JSON: invalid literal, expected 'null' (column 1)")]


def test_few_records_at_once_are_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (path := tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": f"{n}"}) + "\n" for n in range(10)))
    whole = read(p := params(path, {}), tmp_path)
    monkeypatch.setattr(lines, "BLOCK", 3)
    assert read(p, tmp_path) == whole
    assert sum(isinstance(item, Chunk) for item in items(p, tmp_path)) == 10


VALUES = {"text": st.text(max_size=5) | st.none() | st.integers(), "x": st.text(max_size=5), "y": st.lists(st.text())}
records = st.fixed_dictionaries({}, optional=VALUES).map(lambda record: json.dumps(record).encode())
written = st.lists(records | st.binary(max_size=12).map(lambda one: one.replace(b"\n", b"")), max_size=12)


@given(written, st.sampled_from([b"\n", b"\r\n"]), st.integers(2, 40))
def test_parts_are_together_what_the_whole_is(
    tmp_path_factory: pytest.TempPathFactory, found: Sequence[bytes], end: bytes, part: int
):
    (path := tmp_path_factory.getbasetemp() / "parts.jsonl").write_bytes(end.join(found))
    p = params(path, {"fields": {"label": "x", "attributes": ["y"]}})
    whole = read(p, path.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "PART", part)
        assert read(p, path.parent) == whole


@given(written)
def test_every_line_is_a_row_or_told_or_blank(tmp_path_factory: pytest.TempPathFactory, found: Sequence[bytes]):
    (path := tmp_path_factory.getbasetemp() / "lines.jsonl").write_bytes(b"\n".join(found))
    rows, rejects, _ = read(params(path, {"fields": {"label": "x"}}), path.parent)
    blank = {f"{path}:{n}" for n, one in enumerate(found, start=1) if not one.removeprefix(lines.BOM).strip()}
    places = [row["place"] for row in rows] + [one.place for one in rejects]
    assert sorted(places) == sorted({f"{path}:{n}" for n in range(1, len(found) + 1)} - blank)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(st.lists(st.dictionaries(st.sampled_from(["x", "y"]), texts)))
def test_what_was_written_comes_back(tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, str]]):
    path = tmp_path_factory.getbasetemp() / "back.jsonl"
    path.write_text("".join(json.dumps({"text": "t"} | one) + "\n" for one in found))
    rows, rejects, _ = read(params(path, {"fields": {"attributes": ["x", "y"]}}), path.parent)
    assert rejects == []
    assert [{k: v for k, v in row["attributes"].items() if v is not None} for row in rows] == found
