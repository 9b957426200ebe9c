"""What a source is composed of, for its data sheet: how much, how long, of which labels, sides and languages."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stages.core import languages
from stages.core.records import read_table

COMMONEST = 100  # values that are counted apart
DRAWN = 1_000  # documents whose language is told
FIELDS = ("label", "labels", "spans", "pair", "targets", "group", "split")


def composition(paths: Sequence[Path]) -> dict[str, Any]:
    """The figures of all shards of a source; one shard at a time is in memory."""
    lengths = list[Any]()
    filled, labels, sides = (Counter[str]() for _ in range(3))
    drawn = list[tuple[str, str]]()
    for path in paths:
        table = read_table(path, ["id", "text", *FIELDS])
        lengths.append(pc.utf8_length(table.column("text")).to_numpy())
        filled += Counter({name: len(table) - table.column(name).null_count for name in FIELDS})
        labels += labels_of(table)
        sides += values(table.column("split"))
        lowest = table.take(pc.sort_indices(table.column("id"))[:DRAWN])
        pairs = zip(lowest.column("id").to_pylist(), lowest.column("text").to_pylist(), strict=True)
        drawn = heapq.nsmallest(DRAWN, [*drawn, *pairs])
    characters = np.concatenate([np.zeros(0, np.int32), *lengths])
    quantiles = np.quantile(characters, [0, 0.25, 0.5, 0.75, 1], method="nearest").tolist() if len(characters) else None
    return {
        "documents": len(characters),
        "characters": quantiles,
        "fields": {name: filled[name] for name in FIELDS if filled[name]},
        "labels": commonest(labels),
        "sides": commonest(sides),
        # The lowest ids are as good as drawn.
        "languages": languages.counted(text for _, text in drawn),
    }


def labels_of(table: pa.Table) -> Counter[str]:
    """Labels of documents, of those that have several each, and of their spans."""
    spans = pc.struct_field(pc.list_flatten(table.column("spans")), "label")
    return values(table.column("label")) + values(pc.list_flatten(table.column("labels"))) + values(spans)


def values(column: pa.ChunkedArray) -> Counter[str]:
    """The values of a column, each with its number."""
    counts = column.value_counts()
    return Counter({one["values"]: one["counts"] for one in counts.to_pylist() if one["values"] is not None})


def commonest(counts: Counter[str]) -> dict[str, int]:
    """The COMMONEST; of those that are as common, the first by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:COMMONEST])


def pins(said: Any) -> Iterator[dict[str, str]]:
    """What a source's parameters pin by a sha256, each `of` its place, or of its name and version."""
    if isinstance(said, Mapping):
        if said.get("sha256"):
            of = said["at"] if "at" in said else "==".join(said[name] for name in ("name", "version") if name in said)
            yield {"of": of, "sha256": said["sha256"]}
        yield from chain.from_iterable(map(pins, said.values()))
    elif isinstance(said, Sequence) and not isinstance(said, str):
        yield from chain.from_iterable(map(pins, said))
