"""Bring each source in as shards of documents; ids are given here."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.composition import composition, pins
from stages.core.faults import Fault
from stages.core.files import read_json, write_json
from stages.core.identity import as_numbers, contents, ids, renumbered
from stages.core.params import Positive, Section, Source
from stages.core.records import (
    Chunk,
    Reject,
    Row,
    Unwanted,
    given,
    read_table,
    reasons,
    schema,
    shards,
    tabled,
    write_table,
)
from stages.core.spans import wrong
from stages.shell import memo, plugins
from stages.shell.engine import Engine
from stages.shell.run import run

BATCH = 10_000  # rows that become columns at once
SUMMARY = "source.json"
ROWS = [name for name in Row._fields if name not in ("key", "attributes")]


class Params(Section):
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    shard_documents: Positive


class Read(NamedTuple):
    """What became of a part: the shards it was written to, id and content of each document (content 0 where it has a
    key), what could not be read, and how many rows nobody wants."""

    shards: list[Path]
    ids: Any
    contents: Any
    rejects: list[Reject]
    unwanted: int


def refused(row: Row) -> str | None:
    """Why the row can't be a document, if it can't."""
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair: no text in any encoding"
    if "\0" in row.text:
        return "a NUL character: no text"
    return wrong(row.spans, row.text) if row.spans else None


class Counted:
    """The rows of a part as chunks, while what is none is put aside."""

    def __init__(self, kinds: pa.DataType, name: str) -> None:
        self.kinds, self.name = kinds, name
        self.rejects: list[Reject] = []
        self.unwanted = self.rows = 0

    def chunks(self, items: Iterable[Row | Chunk | Reject | Unwanted]) -> Iterator[Chunk]:
        """Columns as they come, rows in batches, in their order."""
        rows: list[Row] = []
        for item in items:
            match item:
                case Row():
                    rows.append(item)
                case Reject():
                    self.rejects.append(item)
                case Unwanted():
                    self.unwanted += item.rows
                case Chunk():
                    yield self.of_rows(rows)
                    rows = []
                    yield item
            if len(rows) == BATCH:
                yield self.of_rows(rows)
                rows = []
        yield self.of_rows(rows)

    def of_rows(self, rows: Sequence[Row]) -> Chunk:
        """Those of the rows that can be documents."""
        good: list[tuple[int, Row]] = []
        for number, row in enumerate(rows, start=self.rows + 1):
            if reason := refused(row):
                place = row.key or f"{self.name}: row {number}"
                self.rejects.append(Reject(place.encode("utf-8", "backslashreplace").decode(), reason))
            else:
                good.append((number, row))
        self.rows += len(rows)
        table = tabled((row for _, row in good), schema(self.kinds, Row._fields))
        return Chunk(table, [number for number, _ in good], f"{self.name}: row")


def identified(
    source: str, chunk: Chunk, seen: "Counter[int]", first: dict[str, str]
) -> tuple[pa.Table, Any, list[Reject]]:
    """Documents with their ids, and their contents; rows whose key came before are none. `first` is where each key
    stands."""
    rows = chunk.rows
    keys = rows.column("key").to_pylist() if "key" in rows.column_names else [None] * len(rows)
    hashes = [0] * len(rows) if None not in keys else contents(rows)
    found = ids(source, keys, hashes, seen)
    kept, rejects = list[int](), list[Reject]()
    for n, (key, id_) in enumerate(zip(keys, found, strict=True)):
        place = f"{chunk.place}:{chunk.numbers[n]}"
        if key is not None and (other := first.setdefault(id_, place)) != place:
            rejects.append(Reject(place, f"key {key!r} stands at {other} already"))
        else:
            kept.append(n)
    columns = {"id": pa.array(found), "source": pa.array([source] * len(rows))}
    columns |= {name: rows.column(name) for name in (*ROWS, "attributes") if name in rows.column_names}
    kinds = schema(rows.schema.field("attributes").type)
    table = pa.table([columns.get(one.name, pa.nulls(len(rows), one.type)) for one in kinds], schema=kinds)
    numbers = np.array([0 if key is not None else one for key, one in zip(keys, hashes, strict=True)], dtype=np.uint64)
    return (table.take(kept), numbers[kept], rejects) if rejects else (table, numbers, [])


def cut(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The same rows in tables of a size."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        while count >= size:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, size)
            waiting, count = [whole.slice(size)], count - size
    if count:
        yield pa.concat_tables(waiting)


class Task(NamedTuple):
    """A part of a source, where its inputs are, and the names of its shards."""

    source: Source
    part: Any
    inputs: tuple[Path, ...]
    out: Path


def fetched(item: Any, cache: Path) -> Path:
    """A file, or a folder, that a source needs, with the pinned bytes."""
    return item.fetch(cache)


def read_part(task: Task, size: int) -> Read:
    """Reads a part of a source into shards."""
    source, module = task.source, plugins.load("sources", task.source.kind)
    counted = Counted(module.attributes(source.params), source.name)
    tables: list[tuple[Any, Any]] = []
    twice: list[Reject] = []
    seen: Counter[int] = Counter()
    first: dict[str, str] = {}

    def documents() -> Iterator[pa.Table]:
        for chunk in counted.chunks(module.read(source.params, task.part, task.inputs)):
            table, hashes, rejects = identified(source.name, chunk, seen, first)
            tables.append((as_numbers(table.column("id").to_pylist()), hashes))
            twice.extend(rejects)
            if len(table):
                yield table

    written: list[Path] = []
    for number, table in enumerate(cut(documents(), size)):
        written.append(task.out.with_name(f"{task.out.name}-{number}"))
        write_table(written[-1], table)
    none = (np.array([], np.uint64),) * 2
    found, hashes = (np.concatenate(column) for column in zip(*(tables or [none]), strict=True))
    return Read(written, found, hashes, [*counted.rejects, *twice], counted.unwanted)


def read(e: Engine, sources: Sequence[Source], size: int, out: Path) -> list[list[Read]]:
    """All parts of all sources at once, after all that they need from outside."""
    modules = [plugins.load("sources", source.kind) for source in sources]
    wanted = [module.needs(source.params) for module, source in zip(modules, sources, strict=True)]
    came = iter(e.map(fetched, [one for inputs in wanted for one in inputs], e.cache, what="files"))
    inputs = [tuple(islice(came, len(one))) for one in wanted]
    tasks = [
        Task(source, part, paths, out / f"part-{n}-{number}")
        for n, (module, source, paths) in enumerate(zip(modules, sources, inputs, strict=True))
        for number, part in enumerate(module.parts(source.params, paths))
    ]
    results = list(zip(tasks, e.map(read_part, tasks, size, what="sources"), strict=True))
    return [[result for task, result in results if task.source is source] for source in sources]


def settle(source: Source, results: Sequence[Read]) -> tuple[list[Reject], int]:
    """What no part can know alone: repeats in other parts, and the quota. Gives what that makes no documents of."""
    rejects: list[Reject] = []
    for part, changes in renumbered(source.name, [one.ids for one in results], [one.contents for one in results]):
        at = 0
        for path in results[part].shards:
            table = read_table(path)
            old = table.column("id").to_pylist()
            new = [changes.get(at + row, id_) for row, id_ in enumerate(old)]
            rejects += [
                Reject(f"{source.name}: id {one}", "its key came before, in another part")
                for one, other in zip(old, new, strict=True)
                if other is None
            ]
            at += len(old)
            ids_ = pa.array(new, pa.string())
            write_table(path, table.set_column(0, "id", ids_).filter(ids_.is_valid()))
    return rejects, over(source.quota, [path for one in results for path in one.shards])


def over(quota: int | None, paths: Sequence[Path]) -> int:
    """Leaves the documents with the lowest ids, which is as good as drawn, and the same in any order. Sides for
    validation and test that the source brings stay whole. Gives how many went."""
    if quota is None:
        return 0
    rows = {path: read_table(path, ["id", "split"]).to_pylist() for path in paths}
    free = sorted(row["id"] for one in rows.values() for row in one if not given(row["split"]))
    if len(free) <= quota:
        return 0
    for path, one in rows.items():
        stays = [given(row["split"]) or row["id"] <= free[quota - 1] for row in one]
        write_table(path, read_table(path).filter(pa.array(stays)))
    return len(free) - quota


def summary(
    source: Source, paths: Sequence[Path], rejects: Sequence[Reject], unwanted: int, surplus: int
) -> dict[str, Any]:
    """What a data sheet tells of a source; and all that it could not read."""
    brought = composition(paths)
    rows = brought["documents"] + len(rejects)
    if rejects and len(rejects) > source.rejects * rows:
        raise Fault(
            f"ingest.sources: {source.name}: {len(rejects):,} of {rows:,} rows are rejected, "
            f"`rejects` allows {source.rejects:.1%}{why(rejects)}"
        )
    return {
        "name": source.name,
        "kind": source.kind,
        "licence": source.licence,
        **brought,
        "unwanted": unwanted,
        "over_quota": surplus,
        "pins": list(pins(source.params.model_dump(mode="json"))),
        "rejects": [{"source": source.name, "place": one.place, "reason": one.reason} for one in rejects],
    }


def made(e: Engine, source: Source, results: Sequence[Read], key: str, out: Path, prefix: str) -> dict[str, Any]:
    """Names the shards of a source that was read, in order of arrival, and remembers them."""
    rejects, surplus = settle(source, results)
    shards = [out / f"{prefix}-{n:05}.parquet" for n in range(sum(len(one.shards) for one in results))]
    for path, shard in zip((path for one in results for path in one.shards), shards, strict=True):
        path.rename(shard)
    rejects = [*(one for result in results for one in result.rejects), *rejects]
    told = summary(source, shards, rejects, sum(one.unwanted for one in results), surplus)
    with memo.remembering(e.cache, key) as folder:
        for n, shard in enumerate(shards):
            shutil.copyfile(shard, folder / f"{n:05}.parquet")
        write_json(folder / SUMMARY, told)
    return told


def taken(folder: Path, out: Path, prefix: str) -> dict[str, Any]:
    """A source as it was read before."""
    for path in shards(folder):
        shutil.copyfile(path, out / f"{prefix}-{path.name}")
    return read_json(folder / SUMMARY)


def stage(e: Engine, p: Params, out: Path) -> str:
    """Reads the sources that are new; the others are as they were."""
    out.mkdir()
    prefixes = [f"{n:03}-{source.name}" for n, source in enumerate(p.sources)]
    keys = [
        memo.key(["ingest", f"sources.{one.kind}"], "sources", one.model_dump_json(), f"{p.shard_documents}")
        for one in p.sources
    ]
    known = {n: folder for n, key in enumerate(keys) if (folder := memo.recalled(e.cache, key))}
    new = [n for n in range(len(keys)) if n not in known]
    results = dict(zip(new, read(e, [p.sources[n] for n in new], p.shard_documents, out), strict=True))
    summaries = [
        taken(known[n], out, prefixes[n])
        if n in known
        else made(e, p.sources[n], results[n], keys[n], out, prefixes[n])
        for n in range(len(keys))
    ]
    rejects = [one for summary in summaries for one in summary.pop("rejects")]
    write_json(out / "rejects.json", rejects)
    write_json(out / "sources.json", summaries)
    return told(out, [Reject(one["place"], one["reason"]) for one in rejects], [source.name for source in p.sources])


def told(out: Path, rejects: Sequence[Reject], sources: Sequence[str]) -> str:
    """Counts documents and makes sure that no id came twice."""
    ids_ = [one for path in shards(out) for one in read_table(path, ["id"]).column("id").to_pylist()]
    if not ids_:
        raise Fault(f"ingest.sources: {', '.join(sources)}: no documents came{why(rejects)}")
    twice = [one for one, count in Counter(ids_).items() if count > 1]
    if twice:
        raise RuntimeError(f"{len(twice)} ids came more than once, e.g. {twice[0]}")
    return f"{len(ids_):,} documents from {len(sources)} source{'s' * (len(sources) > 1)}, {len(rejects):,} rejected"


def why(rejects: Sequence[Reject]) -> str:
    """The commonest reasons, and where the first reject stands."""
    if not rejects:
        return ", as nothing is in them; name a source that has some"
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in islice(reasons(rejects).items(), 3))
    return f" ({counts}; the first: {rejects[0].place}); mend the source or its parameters"


if __name__ == "__main__":
    run(stage)
