"""What the tests of sources share: parameters as params.yaml has them, but for the pins, and what is read with them."""

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from stages.core.hashing import sha256
from stages.core.inputs import folder_sha256
from stages.core.records import Chunk, Reject, Row, Unwanted
from stages.shell.params import frozen

CASES = Path(__file__).parent.parent / "cases" / "sources"
FIELDS = ("label", "labels", "pair", "targets", "spans", "key", "group", "split")
needs_mirror = pytest.mark.skipif(
    "REPROLM_MIRRORS" not in os.environ, reason="REPROLM_MIRRORS names no mirror of the public data"
)


class Found(NamedTuple):
    """What came of a source: rows without what they lack, rejects by their place, and how many rows nobody wants."""

    rows: list[dict[str, Any]]
    rejects: dict[str, str]
    unwanted: int


def cases(name: str) -> list[Any]:
    """Cases as data, each called by its comment."""
    return [pytest.param(case, id=case["comment"]) for case in YAML(typ="safe").load(CASES / f"{name}.yaml")]


def write(folder: Path, files: dict[str, str], encoding: str = "utf-8") -> None:
    """Files with these texts."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode(encoding))


def file(at: Path | str, members: str | None = None, sha256: str | None = None, **constants: str) -> dict[str, Any]:
    """A file as an entry has it; without a pin, it gets its own."""
    return {"at": str(at), "sha256": sha256, "members": members, "constants": constants}


def table(**given: Any) -> dict[str, Any]:
    """What tables have in common, here only what a test is about."""
    fields = {"text": "text", "attributes": ()} | dict.fromkeys(FIELDS)
    further = {"separator": None, "rename": {}, "sides": {}, "where": {}}
    return {
        "fields": fields | {name: value for name, value in given.items() if name in fields},
        **(further | {name: value for name, value in given.items() if name not in fields}),
    }


def pinned(raw: Any) -> Any:
    """The same with the sha256 of each file that lies here."""
    if isinstance(raw, dict) and "at" in raw:
        path = Path(raw["at"])
        digest = raw.get("sha256") or (folder_sha256(path) if path.is_dir() else sha256(path))
        return {"members": None, "constants": {}} | raw | {"sha256": digest}
    if isinstance(raw, dict):
        return {key: pinned(one) for key, one in raw.items()}
    return [pinned(one) for one in raw] if isinstance(raw, list | tuple) else raw


def read(kind: ModuleType, raw: dict[str, Any], cache: Path) -> Found:
    """All parts of a source, one after the other."""
    p, paths, parts = divided(kind, raw, cache)
    items = list(chain.from_iterable(kind.read(p, part, paths) for part in parts))
    rejects = [one for one in items if isinstance(one, Reject)]
    assert len({one.place for one in rejects}) == len(rejects)
    return Found(
        [row for one in items for row in rows(one)],
        {one.place: one.reason for one in rejects},
        sum(one.rows for one in items if isinstance(one, Unwanted)),
    )


def divided(kind: ModuleType, raw: dict[str, Any], cache: Path) -> tuple[Any, tuple[Path, ...], list[Any]]:
    """Typed parameters, what they need, and the parts."""
    p = kind.Params.model_validate(frozen(pinned(raw)))
    paths = tuple(one.fetch(cache) for one in kind.needs(p))
    return p, paths, list(kind.parts(p, paths))


def rows(item: Chunk | Row | Reject | Unwanted) -> Sequence[dict[str, Any]]:
    """Rows as they would stand in a case: what is none is not there."""
    found = item.rows.to_pylist() if isinstance(item, Chunk) else [item._asdict()] if isinstance(item, Row) else []
    for row in found:
        row["attributes"] = lacking_nothing(row["attributes"])
    return [lacking_nothing(row) for row in found]


def lacking_nothing(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and value != {}}
