"""Declared statistics per document: for filtering, slices, partial dependence, drift.

A kind of them, a file of stages/statistics, has COLUMNS, and `described`, which gives these for a batch of documents.
One that learns from documents first has `learned`, which gives a table to keep, and `loaded`, what that stands for.
"""

import heapq
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa

from stages.core.buffers import Texts
from stages.core.figures import Batch
from stages.core.params import Distinct, Plugin, Section, Shared
from stages.core.records import given, read_table, shards, write_table
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run

MANY = 2 * 10**5  # bytes of compressed shards, from which numba is worth its start in each process
LEARNED = "learned"  # the folder of what kinds have learned from documents


class Params(Section):
    statistics: Annotated[tuple[str, ...], Plugin("statistics"), Distinct]
    settings: Annotated[dict[str, Any], Shared("statistics")]


def columns(p: Params) -> dict[str, pa.DataType]:
    """What the side table has of each document, besides its id and whether it is given."""
    return {name: kind for one in p.statistics for name, kind in plugins.load("statistics", one).COLUMNS.items()}


def batches(table: pa.Table, fast: bool) -> Iterator[Batch]:
    """The documents of a table, some at a time."""
    ids, texts = table.column("id").to_pylist(), table.column("text")
    begin = 0
    for part in (batch for chunk in texts.chunks for batch in Texts.buffers(chunk).batches()):
        end = begin + len(part.offsets) - 1
        yield Batch(ids[begin:end], part, fast)
        begin = end


def described(batch: Batch, p: Params, learned: Path) -> pa.Table:
    """A row a document, of all declared kinds."""
    found: dict[str, Any] = {"id": batch.ids}
    for name in p.statistics:
        found |= plugins.load("statistics", name).described(batch, p.settings[name], fitted(name, learned))
    kinds = columns(p)
    arrays = [pa.array(found["id"], pa.string()), *(typed(found[name], kind) for name, kind in kinds.items())]
    return pa.Table.from_arrays(arrays, names=["id", *kinds])


def typed(values: Any, kind: pa.DataType) -> pa.Array:
    """A column; counts may come as floats."""
    return pa.array(values, kind) if kind == pa.string() else pa.array(values).cast(kind)


@cache
def fitted(name: str, learned: Path) -> Any:
    """What a kind has learned, if it does."""
    path = learned / f"{name}.parquet"
    return plugins.load("statistics", name).loaded(read_table(path)) if path.exists() else None


def features_shard(path: Path, p: Params, out: Path, fast: bool) -> int:
    """One shard; gives the number of documents."""
    table = read_table(path, ["id", "text", "split"])
    schema = pa.schema([("id", pa.string()), *columns(p).items()])
    found = pa.concat_tables(
        [schema.empty_table(), *(described(one, p, out / LEARNED) for one in batches(table, fast))]
    )
    sides = pa.array([given(split) for split in table.column("split").to_pylist()], pa.bool_())
    write_table(out / path.name, found.append_column("given", sides).combine_chunks())
    return len(table)


def sampled(paths: list[Path], wanted: Callable[[str], bool], documents: int) -> Iterator[Batch]:
    """So many documents of the wanted sources at most: those with the least ids, which are hashes. What a source gives
    for validation or test is not among them."""
    chosen = set(heapq.nsmallest(documents, (one for path in paths for one in candidates(path, wanted))))
    for path in paths:
        table = read_table(path, ["id", "text"])
        rows = [one in chosen for one in table.column("id").to_pylist()]
        yield from batches(table.filter(pa.array(rows, pa.bool_())), fast=False)


def candidates(path: Path, wanted: Callable[[str], bool]) -> Iterator[str]:
    """The ids of a shard's documents that may be learned from."""
    for row in read_table(path, ["id", "source", "split"]).to_pylist():
        if wanted(row["source"]) and not given(row["split"]):
            yield row["id"]


def learn(paths: list[Path], p: Params, out: Path) -> None:
    """Lets those kinds learn that do."""
    for name in p.statistics:
        kind = plugins.load("statistics", name)
        if hasattr(kind, "learned"):
            write_table(
                out / LEARNED / f"{name}.parquet", kind.learned(p.settings[name], lambda *how: sampled(paths, *how))
            )


def stage(e: Engine, p: Params, source: Path, out: Path) -> str:
    """The statistics of each cleaned document."""
    out.mkdir()
    paths = shards(source)
    fast = sum(path.stat().st_size for path in paths) >= MANY
    learn(paths, p, out)
    if fast:  # compiled once, so that the processes of an engine find it
        described(Batch(["0"], Texts.of(["a"]), fast), p, out / LEARNED)
    count = sum(e.map(features_shard, paths, p, out, fast))
    return f"{count:,} documents described by {len(columns(p))} figures"


if __name__ == "__main__":
    run(stage)
