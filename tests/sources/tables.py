"""Sources that tests make: their parameters with nothing chosen but what a test is about, and what comes from them."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.core.params import Source
from stages.core.records import Chunk, Reject, Row, Span, Unwanted
from stages.shell import plugins
from stages.shell.params import frozen

NAMES = ("label", "labels", "pair", "targets", "spans", "key", "group", "split")
FIELDS: dict[str, Any] = {"text": "text", "attributes": []} | dict.fromkeys(NAMES)
TABLE: dict[str, Any] = {"fields": FIELDS, "separator": None, "rename": {}, "sides": {}, "where": {}}
DIALECT: dict[str, Any] = {"encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": None, "header": True}


def file(
    path: Path, content: str | bytes | None = None, members: str | None = None, **constants: str
) -> dict[str, Any]:
    """A file (written, if there is a content) with its pin."""
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"at": str(path), "sha256": digest, "members": members, "constants": constants}


def parameters(kind: str, **raw: Any) -> Any:
    """The typed parameters of a source, from what params.yaml would say."""
    return plugins.load("sources", kind).Params.model_validate(frozen(raw))


def table(*files: dict[str, Any], dialect: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """The parameters of a CSV source: TABLE and DIALECT, but for what is said; `fields` are laid over FIELDS."""
    settings["fields"] = FIELDS | settings.get("fields", {})
    return TABLE | settings | {"files": list(files), "dialect": DIALECT | dict(dialect or {})}


def hub(cache: Path, *paths: Path) -> dict[str, Any]:
    """A dataset of the Hub with these files, which were fetched before."""
    pins = [file(path) | {"at": path.name} for path in paths]
    (cache / "files").mkdir(parents=True, exist_ok=True)
    for path, pin in zip(paths, pins, strict=True):
        shutil.copyfile(path, cache / "files" / pin["sha256"])
    return {"dataset": "ann/texts", "revision": "0" * 40, "config": "default", "files": pins, "classes": {}}


def database(path: Path, *texts: str) -> dict[str, Any]:
    """A file of SQLite with these texts, and what is asked of it."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE texts (id INTEGER PRIMARY KEY, text, area)")
    connection.executemany("INSERT INTO texts (text, area) VALUES (?, 'x')", [(one,) for one in texts])
    connection.commit()
    connection.close()
    pin = file(path)
    return {"at": pin["at"], "sha256": pin["sha256"], "query": "SELECT * FROM texts", "order": ["id"]}


def source(
    name: str, kind: str, licence: str | None = None, quota: int | None = None, rejects: float = 1.0, **raw: Any
) -> Source:
    """An entry of `ingest.sources` that may have as many rejects as it likes, unless it is said."""
    made = parameters(kind, **raw)
    return Source(name=name, kind=kind, licence=licence, quota=quota, rejects=rejects, params=made)


def items(kind: str, p: Any, cache: Path) -> Iterator[Row | Reject | Unwanted]:
    """All that a source gives, its chunks as rows."""
    plugin = plugins.load("sources", kind)
    paths = [one.fetch(cache) for one in plugin.needs(p)]
    for part in plugin.parts(p, paths):
        for item in plugin.read(p, part, paths):
            yield from rows_of(item) if isinstance(item, Chunk) else [item]


def rows_of(chunk: Chunk) -> Iterator[Row]:
    """The rows of a chunk, without attributes where it has none."""
    nothing = {"key": None, "label": None, "group": None}
    for found in chunk.rows.to_pylist():
        if found.get("spans") is not None:
            found["spans"] = tuple(Span(**one) for one in found["spans"])
        for name in ("labels", "targets"):
            if found.get(name) is not None:
                found[name] = tuple(found[name])
        found["attributes"] = {name: one for name, one in found["attributes"].items() if name != "none"}
        yield Row(**nothing | found)


def row(told: Mapping[str, Any]) -> Row:
    """A row as the cases write it."""
    made: dict[str, Any] = {"key": None, "label": None, "group": None, "attributes": {}} | dict(told)
    if "spans" in made:
        made["spans"] = tuple(Span(*one) for one in made["spans"])
    made |= {name: tuple(made[name]) for name in ("labels", "targets") if name in made}
    return Row(**made)
