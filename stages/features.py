"""Declared statistics per document: for filtering, slices, partial dependence, drift."""

from pathlib import Path

import pyarrow as pa

from stages.core.figures import FEATURES, features
from stages.core.params import Section
from stages.core.records import Document, given, read_documents, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

SCHEMA = pa.schema([("id", pa.string()), *FEATURES.items(), ("given", pa.bool_())])


class Params(Section):
    """No choices yet: all the figures are cheap."""


def described(document: Document) -> dict[str, float | str]:
    """A row of the side table; `given` is what no filter may take."""
    return {"id": document.id, **features(document.text), "given": given(document.split)}


def features_shard(path: Path, out: Path) -> int:
    """One shard; gives the number of documents."""
    rows = [described(document) for document in read_documents(path)]
    write_table(out / path.name, pa.Table.from_pylist(rows, schema=SCHEMA))
    return len(rows)


def stage(e: Engine, _: Params, source: Path, out: Path) -> str:
    """The figures of each cleaned document."""
    out.mkdir()
    return f"{sum(e.map(features_shard, shards(source), out)):,} documents described by {len(FEATURES)} figures"


if __name__ == "__main__":
    run(stage)
