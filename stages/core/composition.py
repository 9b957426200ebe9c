"""What a source is composed of, for its data sheet: how much, how long, of which labels, sides and languages."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute

from stages.core import languages
from stages.core.identity import as_numbers
from stages.core.records import read_table

pc: Any = pyarrow.compute  # its functions are made while it is imported
COMMONEST = 100  # values that are counted apart
DRAWN, LOOKED = 1_000, 200  # documents whose language is told, and the characters that it is told by
FIELDS = ("label", "labels", "spans", "pair", "targets", "group", "split")


class Figures(NamedTuple):
    """Those of some documents: how many texts are how long, how many documents have what, and of the documents with
    the lowest ids, which are as good as drawn, how their texts begin."""

    lengths: Counter[int]
    filled: Counter[str]
    labels: Counter[str]
    sides: Counter[str]
    drawn: list[tuple[int, str]]


def of_shard(path: Path) -> Figures:
    """The figures of a shard."""
    return figures(read_table(path, ["id", "text", *FIELDS]))


def figures(table: pa.Table) -> Figures:
    """The figures of a table of documents."""
    numbers = as_numbers(table.column("id"))
    lowest = np.argpartition(numbers, DRAWN)[:DRAWN] if len(numbers) > DRAWN else np.arange(len(numbers))
    begins = pc.utf8_slice_codeunits(table.column("text").take(pa.array(lowest)), 0, LOOKED).to_pylist()
    return Figures(
        values(pc.utf8_length(table.column("text"))),
        Counter({name: len(table) - table.column(name).null_count for name in FIELDS}),
        labels_of(table),
        values(table.column("split")),
        list(zip(numbers[lowest].tolist(), begins, strict=True)),
    )


def together(found: Sequence[Figures]) -> Figures:
    """The figures of all these documents."""
    lengths, filled, labels, sides = (sum(of, Counter[Any]()) for of in list(zip(*found, strict=True))[:4] or [()] * 4)
    drawn = heapq.nsmallest(DRAWN, chain.from_iterable(one.drawn for one in found))
    return Figures(lengths, filled, labels, sides, drawn)


def composition(found: Figures) -> dict[str, Any]:
    """The same for people."""
    return {
        "documents": found.lengths.total(),
        "characters": quantiles(found.lengths),
        "fields": {name: found.filled[name] for name in FIELDS if found.filled[name]},
        "labels": commonest(found.labels),
        "sides": commonest(found.sides),
        "languages": languages.counted(text for _, text in found.drawn),
    }


def quantiles(counts: Counter[int]) -> list[int] | None:
    """Minimum, quartiles and maximum of counted numbers."""
    if not counts:
        return None
    ranked = sorted(counts)
    last = np.cumsum([counts[one] for one in ranked])  # how many are as small as each, or smaller
    at = np.round(np.array([0, 0.25, 0.5, 0.75, 1]) * (last[-1] - 1)) + 1
    return [ranked[n] for n in np.searchsorted(last, at)]


def labels_of(table: pa.Table) -> Counter[str]:
    """Labels of documents, of those that have several each, and of their spans."""
    spans = pc.struct_field(pc.list_flatten(table.column("spans")), "label")
    return values(table.column("label")) + values(pc.list_flatten(table.column("labels"))) + values(spans)


def values(column: pa.ChunkedArray) -> Counter[Any]:
    """The values of a column, each with its number."""
    found, counts = (one.to_pylist() for one in column.value_counts().flatten())
    return Counter({value: count for value, count in zip(found, counts, strict=True) if value is not None})


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
