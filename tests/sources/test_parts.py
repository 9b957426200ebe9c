"""However a file is divided into parts: the same documents under the same ids, in the same order."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import ingest
from stages.core import inputs
from stages.core.files import read_json
from stages.core.params import Source
from stages.core.records import Document, read_documents, shards
from stages.engines.serial import Serial
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.params import frozen

FIELDS = dict.fromkeys(("labels", "pair", "targets", "spans", "group", "split"))
TABLE = {"separator": None, "rename": {}, "sides": {}, "where": {}}
DIALECT = {"encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": None, "header": True}
Row = tuple[str, str, str]  # text, label and key


def lines(rows: list[Row]) -> str:
    return "".join(json.dumps({"text": text, "label": label, "key": key}) + "\n" for text, label, key in rows)


def table(rows: list[Row]) -> str:
    writer = csv.writer(file := io.StringIO())
    writer.writerows([("text", "label", "key"), *rows])
    return file.getvalue()


Writer = Callable[[list[Row]], str]
KINDS: dict[str, tuple[Writer, dict[str, Any]]] = {"jsonl": (lines, {}), "csv": (table, {"dialect": DIALECT})}


def source(path: Path, kind: str, *, keys: bool) -> Source:
    fields = FIELDS | {"text": "text", "label": "label", "key": "key" if keys else None, "attributes": []}
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    file = {"at": str(path), "sha256": sha256, "members": None, "constants": {}}
    raw = frozen({"files": [file, file], "fields": fields} | TABLE | KINDS[kind][1])
    params = plugins.load("sources", kind).Params.model_validate(raw)
    return Source(name="s", kind=kind, licence=None, quota=None, rejects=1.0, params=params)


def ingested(root: Path, one: Source) -> tuple[list[Document], list[str]]:
    """The documents, and the reasons of rejects."""
    root.mkdir()
    ingest.stage(
        Engine(Serial(), root / "cache"),
        ingest.Params(sources=(one,), shard_documents=3),
        root / "scrape",
        root / "out",
    )
    found = [document for path in shards(root / "out") for document in read_documents(path)]
    return found, sorted(reject["reason"].partition(" ")[0] for reject in read_json(root / "out/rejects.json"))


texts = st.sampled_from(["a", "b", 'with "quotes"', "two\nlines", "\n\n", ",", ""])
rows = st.lists(st.tuples(texts, st.sampled_from(["x", "y"]), st.sampled_from("123456789")), min_size=1, max_size=15)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(found=rows, part=st.integers(1, 60), keys=st.booleans())
def test_parts_make_no_difference(kind: str, found: list[Row], part: int, keys: bool):
    """The file is there twice: each row comes again in another part."""
    with TemporaryDirectory() as name:
        (path := Path(name) / "file").write_text(KINDS[kind][0](found), newline="")
        whole = ingested(Path(name) / "whole", source(path, kind, keys=keys))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inputs, "PART", part)
            parted = ingested(Path(name) / "parted", source(path, kind, keys=keys))
    assert parted[0] == whole[0]
    assert len(parted[1]) == len(whole[1])
    assert len({document.id for document in whole[0]}) == len(whole[0])
    assert [(one.text, one.label) for one in whole[0]] == expected(found, keys=keys)


def expected(found: list[Row], *, keys: bool) -> list[tuple[str, str]]:
    """All rows twice; with keys, the first of each."""
    first: dict[str, tuple[str, str]] = {}
    for text, label, key in found:
        first.setdefault(key, (text, label))
    return list(first.values()) if keys else [(text, label) for text, label, _ in found * 2]
