"""Documents on their way from ingest to their sides, in one process."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from stages import clean, dedup, split
from stages.core.files import read_json
from stages.core.params import Section
from stages.core.records import Document, read_table, side_rows, texts_of, write_documents, write_drops, write_table
from stages.engines.serial import Serial
from stages.shell.engine import Engine
from stages.shell.params import settings
from tests.conftest import ROOT

DEDUP = settings("dedup", ROOT / "params.yaml")
LEAKAGE = split.Leakage(unit="word", ngram=8, share=0.7, remove=())


class Outcome(NamedTuple):
    """Id → side, id → why it is gone, and what leaked."""

    side_of: dict[str, str]
    gone: dict[str, str]
    leakage: dict[str, Any]
    pairs: list[dict[str, Any]]


def parameters(method: str = "stratified", choices: Section | None = None, **other: Any) -> split.Params:
    """Those of the stage, with what a test is about."""
    values: dict[str, Any] = {
        "validation": 0.2,
        "test": 0.3,
        "together": (),
        "labels": 0,
        "leakage": LEAKAGE,
        "seed": 1,
    }
    return split.Params(method=method, settings={method: choices or Section()}, **(values | other))


def outcome(
    root: Path,
    documents: Sequence[Document],
    p: split.Params,
    *,
    size: int = 50,
    benchmarks: dict[str, Iterable[str]] | None = None,
    engine: Any = None,
) -> Outcome:
    """What becomes of documents that come in shards of this size."""
    e = Engine(engine or Serial(), root / "cache")
    ingest, filtered, held = root / "ingest", root / "filter", root / "benchmarks"
    for folder in (ingest, filtered, held):
        folder.mkdir(parents=True)
    kind = texts_of(*(documents[0].attributes or {"none": ""}))
    for n in range(0, len(documents), size):
        write_documents(ingest / f"{n:06}.parquet", documents[n : n + size], kind)
        write_drops(filtered / f"{n:06}.parquet", ())
    for name, texts in (benchmarks or {}).items():
        write_table(held / f"{name}.parquet", pa.table({"text": list(texts)}))
    dedup.stage(e, DEDUP, ingest, root / "dedup")
    clean.stage(e, clean.Params(steps=(), settings={}), ingest, root / "dedup", root / "clean")
    split.stage(e, p, root / "clean", filtered, root / "dedup", held, root / "split", root / "leakage")
    rows = [*side_rows(root / "split")]
    return Outcome(
        {row["id"]: row["side"] for row in rows if row["side"]},
        {row["id"]: row["reason"] for row in rows if row["reason"]},
        read_json(root / "leakage/leakage.json"),
        read_table(root / "leakage/pairs.parquet").to_pylist(),
    )
