"""Bring each source in as shards of documents; ids are given here."""

import json
import shutil
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from stages.core.composition import Figures, composition, figures, of_shard, pins, together
from stages.core.faults import Fault
from stages.core.files import read_json, write_json
from stages.core.identity import (
    Flags,
    Numbers,
    again,
    as_ids,
    as_numbers,
    doubles,
    identified,
    renumbered,
    repeated,
)
from stages.core.inputs import SCRAPE, File
from stages.core.languages import identifier
from stages.core.params import Positive, Section, Source
from stages.core.records import (
    Chunk,
    Reject,
    Row,
    Unwanted,
    given,
    read_table,
    reasons,
    rewritten,
    rows_in,
    schema,
    shards,
    tabled,
    write_tables,
)
from stages.core.spans import wrong
from stages.shell import memo, plugins
from stages.shell.engine import Engine
from stages.shell.run import run

BATCH, LARGE = 10_000, 2**24  # rows, and characters of them, that become columns at once
SUMMARY = "source.json"
CAPTURES = "captures.json"  # of stage scrape: the name of a capture → its sha256
ROWS = [name for name in Row._fields if name not in ("key", "attributes")]


class Params(Section):
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    shard_documents: Positive


class Read(NamedTuple):
    """What became of a part: the shards it was written to; of each document its number where nothing like it came
    before, whether it has a key, and where it stands; what could not be read; how many rows nobody wants; and what its
    data sheet tells."""

    shards: list[Path]
    numbers: Numbers
    keyed: Flags
    places: "Places"
    rejects: list[Reject]
    unwanted: int
    figures: Figures


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
        rows, size = list[Row](), 0
        for item in items:
            match item:
                case Row():
                    rows.append(item)
                    size += len(item.text)
                case Reject():
                    self.rejects.append(item)
                case Unwanted():
                    self.unwanted += item.rows
                case Chunk():
                    yield self.of_rows(rows)
                    rows = []
                    yield item
            if len(rows) == BATCH or size > LARGE:
                yield self.of_rows(rows)
                rows, size = [], 0
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


class Places:
    """Where rows stand: a name and a number each, in little memory where the numbers follow one another."""

    def __init__(self) -> None:
        self.begins = [0]
        self.chunks: list[tuple[str, Sequence[int]]] = []

    def add(self, place: str, numbers: Any) -> None:
        if len(numbers):
            follow = np.all(np.diff(numbers) == 1)
            self.chunks.append((place, range(int(numbers[0]), int(numbers[-1]) + 1) if follow else numbers))
            self.begins.append(self.begins[-1] + len(numbers))

    def at(self, row: int) -> str:
        n = bisect_right(self.begins, row) - 1
        place, numbers = self.chunks[n]
        return f"{place}:{numbers[row - self.begins[n]]}"


class Numbered:
    """The rows of a part as documents with their ids, while those whose key came before are put aside."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.seen, self.times = set[int](), Counter[int]()
        self.numbers, self.keyed = list[Any](), list[Any]()
        self.places, self.rejects = Places(), list[Reject]()
        self.rows, self.looked, self.counted = dict[int, int](), 0, 0

    def documents(self, chunk: Chunk) -> pa.Table:
        numbers, keyed = identified(self.source, chunk.rows)
        known = numbers.copy()
        before = again(numbers, self.seen)
        gone, later = ([row for row in before if keyed[row] == one] for one in (True, False))
        known[later] = repeated(self.source, numbers[later].tolist(), self.times)
        table = documents(self.source, as_ids(known), chunk.rows)
        stay = np.delete(np.arange(len(numbers)), gone)
        self.numbers.append(numbers[stay])
        self.keyed.append(keyed[stay])
        self.places.add(chunk.place, np.asarray(chunk.numbers, dtype=np.int64)[stay])
        for row in gone:
            key, place = chunk.rows.column("key")[row].as_py(), f"{chunk.place}:{chunk.numbers[row]}"
            self.rejects.append(Reject(place, f"key {key!r} stands at {self.first(int(numbers[row]))} already"))
        return table.take(stay) if gone else table

    def first(self, number: int) -> str:
        """Where the row with a number stands; only who asks pays for the memory."""
        while self.looked < len(self.numbers):
            of = self.numbers[self.looked].tolist()
            for row, one in enumerate(of, start=self.counted):
                self.rows.setdefault(one, row)
            self.looked, self.counted = self.looked + 1, self.counted + len(of)
        return self.places.at(self.rows[number])


def documents(source: str, ids: pa.Array, rows: pa.Table) -> pa.Table:
    """Rows with their ids, in the schema of the record."""
    columns = {"id": ids, "source": pa.array([source] * len(rows), pa.string())}
    columns |= {name: rows.column(name) for name in (*ROWS, "attributes") if name in rows.column_names}
    kinds = schema(rows.schema.field("attributes").type)
    return pa.table([columns.get(one.name, pa.nulls(len(rows), one.type)) for one in kinds], schema=kinds)


def cut(tables: Iterable[pa.Table], size: int) -> Iterator[tuple[int, pa.Table]]:
    """The same rows in tables that end where a shard of this size does, each with the number of its shard."""
    row = 0
    for table in tables:
        end = row + len(table)
        while row < end:
            more = table.slice(len(table) - (end - row), size - row % size)
            yield row // size, more
            row += len(more)


def pinned(source: Source, scrape: Path) -> Source:
    """The source with the sha256 of the captures among its files, which are pinned in section `scrape`."""
    files: tuple[File, ...] = getattr(source.params, "files", ())
    if not any(one.sha256 == SCRAPE for one in files):
        return source
    known = read_json(scrape / CAPTURES)
    found = tuple(one.model_copy(update={"sha256": digest(one, source, known)}) for one in files)
    return source.model_copy(update={"params": source.params.model_copy(update={"files": found})})


def digest(file: File, source: Source, known: Mapping[str, str]) -> str:
    """The sha256 of a file; of a capture, what stage `scrape` says."""
    if file.sha256 != SCRAPE:
        return file.sha256
    if (name := Path(file.at).name) not in known:
        told = ", ".join(known) or "none"
        raise Fault(
            f"ingest.sources: {source.name}: {file.at}: no crawl of that name in scrape.crawls; captures: {told}"
        )
    return known[name]


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
    kinds = module.attributes(source.params)
    counted, numbered = Counted(kinds, source.name), Numbered(source.name)
    chunks = counted.chunks(module.read(source.params, task.part, task.inputs))
    written, found = list[Path](), list[Figures]()
    for number, tables in groupby(cut(looked_at(map(numbered.documents, chunks), found), size), key=itemgetter(0)):
        written.append(task.out.with_name(f"{task.out.name}-{number}"))
        write_tables(written[-1], (table for _, table in tables), schema(kinds))
    return Read(
        written,
        np.concatenate([np.array([], np.uint64), *numbered.numbers]),
        np.concatenate([np.array([], np.bool_), *numbered.keyed]),
        numbered.places,
        [*counted.rejects, *numbered.rejects],
        counted.unwanted,
        together(found),
    )


def looked_at(tables: Iterable[pa.Table], found: list[Figures]) -> Iterator[pa.Table]:
    """The same tables, while their figures are taken."""
    for table in tables:
        found.append(figures(table))
        yield table


def read(e: Engine, sources: Sequence[Source], size: int, out: Path) -> list[list[Read]]:
    """All parts of all sources at once, after all that they need from outside."""
    modules = [plugins.load("sources", source.kind) for source in sources]
    wanted = [module.needs(source.params) for module, source in zip(modules, sources, strict=True)]
    came = e.map(fetched, [one for inputs in wanted for one in inputs], e.cache, what="files")
    each = iter(came)
    inputs = [tuple(islice(each, len(one))) for one in wanted]
    tasks = [
        Task(source, part, paths, out / f"part-{n}-{number}")
        for n, (module, source, paths) in enumerate(zip(modules, sources, inputs, strict=True))
        for number, part in enumerate(module.parts(source.params, paths))
    ]
    results = list(zip(tasks, e.map(read_part, tasks, size, what="sources"), strict=True))
    memo.bounded(e.cache, came)
    return [[result for task, result in results if task.source is source] for source in sources]


def settle(e: Engine, source: Source, results: Sequence[Read]) -> tuple[list[Reject], int]:
    """What no part can know alone: repeats in other parts, and the quota. Gives what that makes no documents of."""
    rejects: list[Reject] = []
    changes: list[tuple[Path, dict[int, int | None]]] = []
    numbers, keyed = ([one.numbers for one in results], [one.keyed for one in results])
    for part, changed in renumbered(source.name, numbers, keyed):
        for row, first in changed.items():
            if not isinstance(first, int):
                there = results[first[0]].places.at(first[1])
                rejects.append(Reject(results[part].places.at(row), f"its key stands at {there} already"))
        changes += by_shard(
            results[part].shards, {row: one if isinstance(one, int) else None for row, one in changed.items()}
        )
    e.map(change, changes)
    return rejects, over(e, source.quota, [path for one in results for path in one.shards])


def by_shard(paths: Sequence[Path], changed: dict[int, int | None]) -> Iterator[tuple[Path, dict[int, int | None]]]:
    """The changes of the rows of a part, for each of its shards that has some."""
    rows, begin, at = sorted(changed), 0, 0
    for path in paths:
        end = begin + rows_in(path)
        first, at = at, bisect_left(rows, end)
        if first < at:
            yield path, {row - begin: changed[row] for row in rows[first:at]}
        begin = end


def change(of: tuple[Path, dict[int, int | None]]) -> None:
    """Gives rows of a shard other ids; those that get none go."""
    path, changed = of
    ids = as_numbers(read_table(path, ["id"]).column("id")).copy()
    stay = np.ones(len(ids), bool)
    for row, number in changed.items():
        stay[row] = number is not None
        ids[row] = number or 0
    done = 0

    def other(table: pa.Table) -> pa.Table:
        nonlocal done
        these = slice(done, done := done + len(table))
        changed = table.set_column(0, "id", as_ids(ids[these]))
        return changed if stay[these].all() else changed.filter(pa.array(stay[these]))

    rewritten(path, other)


def over(e: Engine, quota: int | None, paths: Sequence[Path]) -> int:
    """Leaves the documents with the lowest ids, which is as good as drawn, and the same in any order. Sides for
    validation and test that the source brings stay whole. Gives how many went."""
    if quota is None:
        return 0
    free = np.sort(np.concatenate([np.array([], np.uint64), *e.map(free_of, paths)]))
    if len(free) <= quota:
        return 0
    e.map(thinned, paths, int(free[quota - 1]))
    return len(free) - quota


def free_of(path: Path) -> Numbers:
    """The numbers of a shard's documents that a quota is for."""
    table = read_table(path, ["id", "split"])
    return as_numbers(table.column("id"))[~is_given(table)]


def thinned(path: Path, highest: int) -> None:
    """Leaves a shard's documents whose number is not higher, and what a quota is not for."""
    rewritten(path, lambda table: table.filter(pa.array(is_given(table) | (as_numbers(table.column("id")) <= highest))))


def is_given(table: pa.Table) -> Any:
    """Which documents are on a side that their source brings and that is never thinned."""
    return np.array([given(side) for side in table.column("split").to_pylist()], bool)


def summary(source: Source, found: Figures, rejects: Sequence[Reject], unwanted: int, surplus: int) -> dict[str, Any]:
    """What a data sheet tells of a source; and all that it could not read."""
    brought = composition(found)
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
    repeats, surplus = settle(e, source, results)
    shards = [out / f"{prefix}-{n:05}.parquet" for n in range(sum(len(one.shards) for one in results))]
    for path, shard in zip((path for one in results for path in one.shards), shards, strict=True):
        path.rename(shard)
    rejects = [*(one for result in results for one in result.rejects), *repeats]
    fewer = bool(repeats or surplus)
    found = e.map(of_shard, shards, what="data sheet") if fewer else [result.figures for result in results]
    told = summary(source, together(found), rejects, sum(one.unwanted for one in results), surplus)
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


def stage(e: Engine, p: Params, scrape: Path, out: Path) -> str:
    """Reads the sources that are new; the others are as they were."""
    out.mkdir()
    sources = [pinned(source, scrape) for source in p.sources]
    prefixes = [f"{n:03}-{source.name}" for n, source in enumerate(sources)]
    keys = [
        memo.key(["ingest", f"sources.{one.kind}"], "sources", one.model_dump_json(), f"{p.shard_documents}")
        for one in sources
    ]
    known = {n: folder for n, key in enumerate(keys) if (folder := memo.recalled(e.cache, key))}
    new = [n for n in range(len(keys)) if n not in known]
    with ThreadPoolExecutor(1) as beside:  # none outlives the stage: two threads can't both parse code (gh-106905)
        if new:
            beside.submit(identifier)
        results = dict(zip(new, read(e, [sources[n] for n in new], p.shard_documents, out), strict=True))
    summaries = [
        taken(known[n], out, prefixes[n]) if n in known else made(e, sources[n], results[n], keys[n], out, prefixes[n])
        for n in range(len(keys))
    ]
    rejects = [one for summary in summaries for one in summary.pop("rejects")]
    write_json(out / "rejects.json", rejects)
    write_json(out / "sources.json", summaries)
    return told(out, [Reject(one["place"], one["reason"]) for one in rejects], [source.name for source in sources])


def told(out: Path, rejects: Sequence[Reject], sources: Sequence[str]) -> str:
    """Counts documents and makes sure that no id came twice."""
    numbers = [as_numbers(read_table(path, ["id"]).column("id")) for path in shards(out)]
    documents = sum(map(len, numbers))
    if not documents:
        raise Fault(f"ingest.sources: {', '.join(sources)}: no documents came{why(rejects)}")
    if len(twice := doubles(numbers)):
        raise RuntimeError(f"{len(twice)} ids came more than once, e.g. {as_ids(twice)[0]}")
    return f"{documents:,} documents from {len(sources)} source{'s' * (len(sources) > 1)}, {len(rejects):,} rejected"


def why(rejects: Sequence[Reject]) -> str:
    """The commonest reasons, and where the first reject stands."""
    if not rejects:
        return ", as nothing is in them; name a source that has some"
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in islice(reasons(rejects).items(), 3))
    return f" ({counts}; the first: {rejects[0].place}); mend the source or its parameters"


if __name__ == "__main__":
    run(stage)
