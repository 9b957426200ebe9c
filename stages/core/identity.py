"""Who a document is: its id, given once in ingest; seeds, splits, caches and traces hang on it.

`id` = hash of the source's name and the source's own key; where it has none, of a hash of all fields and how often
these very fields came before.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.hashing import document_id, stable_hash

Numbers = np.ndarray[Any, np.dtype[np.uint64]]
FIELDS = ("text", "label", "labels", "pair", "targets", "group", "split", "spans")


def contents(rows: pa.Table) -> list[int]:
    """A hash of all fields of each row that has a value: a field that is none is as one that is not there."""
    columns = {name: rows.column(name) for name in FIELDS if name in rows.column_names}
    attributes = rows.column("attributes").combine_chunks()
    columns |= {f"attributes.{field.name}": attributes.field(field.name) for field in attributes.type}
    filled = {name: column.to_pylist() for name, column in columns.items() if column.null_count < len(column)}
    values = zip(*filled.values(), strict=True) if filled else iter([()] * len(rows))
    return [stable_hash(*written(filled, row)) for row in values]


def written(names: Sequence[str] | dict[str, Any], row: Sequence[Any]) -> Iterator[str]:
    """The fields that have a value, each with its name."""
    for name, value in zip(names, row, strict=True):
        if value is not None:
            yield f"{name}={value}"


def ids(source: str, keys: Sequence[str | None], hashes: Sequence[int], seen: "Counter[int]") -> list[str]:
    """The ids of rows in order of arrival; `seen` counts the contents that came before."""
    return [
        document_id(source, key) if key is not None else numbered(source, content, seen)
        for key, content in zip(keys, hashes, strict=True)
    ]


def numbered(source: str, content: int, seen: "Counter[int]") -> str:
    """The id of a row without a key."""
    seen[content] += 1
    return document_id(source, content, seen[content])


def renumbered(
    source: str, found: Sequence[Numbers], hashes: Sequence[Numbers]
) -> Iterator[tuple[int, dict[int, str | None]]]:
    """Parts of a source were numbered each by itself: gives, by the part, the rows that need another id, with it, and
    with None those whose key came in a part before. `hashes` are the contents, 0 where a row has a key."""
    every = np.concatenate(found) if found else np.array([], np.uint64)
    values, counts = np.unique(every, return_counts=True)
    twice = values[counts > 1]
    if not len(twice):
        return
    repeated = np.unique(np.concatenate([one[np.isin(of, twice)] for of, one in zip(found, hashes, strict=True)]))
    seen: Counter[int] = Counter()
    keys: set[int] = set()
    for part, (of, one) in enumerate(zip(found, hashes, strict=True)):
        changed: dict[int, str | None] = {}
        for row in np.flatnonzero(np.isin(one, repeated) & (one != 0) | (one == 0) & np.isin(of, twice)).tolist():
            if content := int(one[row]):
                changed[row] = numbered(source, content, seen)
            elif (id_ := int(of[row])) in keys:
                changed[row] = None
            else:
                keys.add(id_)
        new = {row: id_ for row, id_ in changed.items() if id_ is None or int(id_, 16) != int(of[row])}
        if new:
            yield part, new


def as_numbers(found: Sequence[str]) -> Numbers:
    """Ids as 64 bits each: a tenth of the memory."""
    return np.array([int(one, 16) for one in found], dtype=np.uint64)
