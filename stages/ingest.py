"""Bring each source in as shards of documents; ids are given here."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field

from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.hashing import document_id, stable_hash
from stages.core.params import Positive, Section, Source
from stages.core.records import Document, Reject, Row, read_table, reasons, shards, write_documents
from stages.core.spans import wrong
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run


class Params(Section):
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    shard_documents: Positive


def identified(source: str, row: Row, seen: "Counter[int]") -> Document:
    """The row with its id: hash of source and key; without a key, of all fields and how often they came before."""
    key: list[str | int] = [row.key] if row.key is not None else content_key(row, seen)
    id_ = document_id(source, *key)
    return Document(id_, row.text, row.label, source, None, row.group, row.attributes, row.spans)


def content_key(row: Row, seen: "Counter[int]") -> list[str | int]:
    """What stands for a key where the source has none."""
    fields = [row.text, row.label or "", row.group or "", *(f"{k}={v}" for k, v in sorted(row.attributes.items()))]
    if row.spans is not None:
        fields.append(json.dumps(row.spans))
    content = stable_hash(*fields)
    seen[content] += 1
    return [*fields, seen[content]]


def batches(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Documents in shards of a size."""
    documents = iter(documents)
    while batch := list(islice(documents, size)):
        yield batch


def separated(items: Iterable[Row | Reject], name: str, rejects: list[Reject]) -> Iterator[Row]:
    """The rows of a part; what could not be read, or could not be a document, goes to `rejects`."""
    for n, item in enumerate(items, start=1):
        if isinstance(item, Reject):
            rejects.append(item)
        elif reason := refused(item):
            place = item.key or f"{name}: row {n}"
            rejects.append(Reject(place.encode("utf-8", "backslashreplace").decode(), reason))
        else:
            yield item


def refused(row: Row) -> str | None:
    """Why the row can't be a document, if it can't."""
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair: no text in any encoding"
    return wrong(row.spans, row.text) if row.spans else None


def read_part(task: tuple[int, Source, int, str], p: Params, cache: Path, out: Path) -> tuple[int, list[Reject]]:
    """Reads one part of a source into shards `{source}-{part}-{n}` of documents; gives their number and the rejects."""
    position, source, part, name = task
    module = plugins.load("sources", source.kind)
    rejects: list[Reject] = []
    seen: Counter[int] = Counter()
    rows = separated(module.read(source.params, name, cache), name, rejects)
    documents = (identified(source.name, row, seen) for row in rows)
    written = 0
    for written, batch in enumerate(batches(documents, p.shard_documents), start=1):
        write_documents(out / f"{position}-{part}-{written}", batch, attributes(module, source.params))
    return written, rejects


def attributes(module: ModuleType, params: Any) -> Any:
    """The type of a source's attributes: fixed, or a matter of its parameters."""
    return module.ATTRIBUTES(params) if callable(module.ATTRIBUTES) else module.ATTRIBUTES


def stage(e: Engine, p: Params, out: Path) -> str:
    """Reads all parts of all sources at once, then names their shards in order of arrival."""
    out.mkdir()
    tasks = [
        (position, source, part, name)
        for position, source in enumerate(p.sources)
        for part, name in enumerate(plugins.load("sources", source.kind).parts(source.params))
    ]
    results = e.map(read_part, tasks, p, e.cache, out, what="sources")
    numbers: Counter[int] = Counter()
    for (position, source, part, _), (written, _) in zip(tasks, results, strict=True):
        for n in range(1, written + 1):
            (out / f"{position}-{part}-{n}").rename(out / f"{position:03}-{source.name}-{numbers[position]:05}.parquet")
            numbers[position] += 1
    rejects = [
        {"source": source.name, "place": reject.place, "reason": reject.reason}
        for (_, source, _, _), (_, rejected) in zip(tasks, results, strict=True)
        for reject in rejected
    ]
    write_json(out / "rejects.json", rejects)
    return told(out, [reject for _, rejected in results for reject in rejected], [source.name for source in p.sources])


def told(out: Path, rejects: list[Reject], sources: list[str]) -> str:
    """Counts documents and makes sure that no id came twice."""
    ids = [one for path in shards(out) for one in read_table(path, ["id"]).column("id").to_pylist()]
    if not ids:
        raise Fault(f"ingest.sources: {', '.join(sources)}: no documents came{why(rejects)}")
    twice = [one for one, count in Counter(ids).items() if count > 1]
    if twice:
        raise Fault(
            f"ingest.sources: {len(twice)} keys came more than once, e.g. id {twice[0]}; the key must be unique"
        )
    return f"{len(ids):,} documents from {len(sources)} source{'s' * (len(sources) > 1)}, {len(rejects):,} rejected"


def why(rejects: list[Reject]) -> str:
    """The commonest reasons, and where the first reject stands."""
    if not rejects:
        return ", as nothing is in them; name a source that has some"
    counts = ", ".join(f"{reason}: {count:,}" for reason, count in islice(reasons(rejects).items(), 3))
    return f" ({counts}; the first: {rejects[0].place}); mend the source or its parameters"


if __name__ == "__main__":
    run(stage)
