"""Who a document is: its id, given once in ingest; seeds, splits, caches and traces hang on it.

`id` = hash of the source's name and the source's own key; where it has none, of all fields, and of how often these very
fields came before, if they did. Ids are 64 bits, numbers here and hexadecimal digits in the record: a column of them is
made at once, as there are millions.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Numbers = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Place = tuple[int, int]  # a part, and a row of it
FIELDS = ("text", "label", "labels", "pair", "targets", "group", "split", "spans")
DIGITS = 16


def identified(source: str, rows: pa.Table) -> tuple[Numbers, Flags]:
    """The number of each row, as it is where nothing like it came before, and which rows have a key."""
    count = len(rows)
    if "key" not in rows.column_names:
        return hashed(contents(source, rows)), np.zeros(count, bool)
    keys = rows.column("key").combine_chunks()
    of_keys = joined([common(source, count), parts("", keys)])
    if not keys.null_count:
        return hashed(of_keys), np.ones(count, bool)
    keyed = keys.is_valid()
    return hashed(pc.if_else(keyed, of_keys, contents(source, rows))), keyed.to_numpy(zero_copy_only=False)


def contents(source: str, rows: pa.Table) -> pa.Array:
    """All fields that have a value, each with its name: one that has none is as one that is not there. The empty part
    is there for no key to be like it."""
    columns = {name: rows.column(name).combine_chunks() for name in FIELDS if name in rows.column_names}
    attributes = rows.column("attributes").combine_chunks()
    columns |= {f"attributes.{field.name}": pc.struct_field(attributes, n) for n, field in enumerate(attributes.type)}
    filled = [parts(f"{name}=", written(column)) for name, column in columns.items() if column.null_count < len(column)]
    return joined([common(source, len(rows)), common("", len(rows)), *filled])


def written(column: pa.Array) -> pa.Array:
    """Lists as texts, in which nothing runs into anything else."""
    if not pa.types.is_list(column.type):
        return column
    values = column.flatten()
    if pa.types.is_struct(values.type):
        *numbers, labels = (pc.cast(one, pa.string()) for one in values.flatten())
        values = pc.binary_join_element_wise(*numbers, labels, " ")
    each = joined([parts("", values)]) if len(values) else pa.array([], pa.binary())
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, each), b"")
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.binary()))


def parts(name: str, values: pa.Array) -> pa.Array:
    """A part of a hash in each row, as `stable_hash` has it: its length, a name and the value; none where none is."""
    begin = name.encode()
    lengths = pc.fill_null(pc.binary_length(values), 0).to_numpy().astype("<i8") + len(begin)
    offsets = np.arange(0, 8 * len(values) + 8, 8, dtype=np.int32)
    sizes = pa.BinaryArray.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(lengths)])
    return pc.binary_join_element_wise(sizes, pa.scalar(begin), values.cast(pa.binary()), pa.scalar(b""))


def common(value: str, count: int) -> pa.Array:
    """A part of a hash that rows have in common."""
    return parts(value, pa.array([""] * count, pa.string()))


def joined(found: Sequence[pa.Array]) -> pa.Array:
    """The parts of each row that are there, together."""
    return pc.binary_join_element_wise(*found, pa.scalar(b""), null_handling="skip")


def hashed(messages: pa.Array) -> Numbers:
    """64 bits of BLAKE2b of each."""
    digests = b"".join([blake2b(one, digest_size=8).digest() for one in messages.to_pylist()])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def again(numbers: Numbers, seen: set[int]) -> list[int]:
    """The rows whose number came before; `seen` are those that did."""
    found = numbers.tolist()
    fresh = set(found)
    if len(fresh) == len(found) and fresh.isdisjoint(seen):
        seen |= fresh
        return []
    rows: list[int] = []
    for row, number in enumerate(found):
        if number in seen:
            rows.append(row)
        seen.add(number)
    return rows


def repeated(source: str, these: Sequence[int], times: "Counter[int]") -> Numbers:
    """The numbers of rows without a key whose contents came before; `times` counts how often."""
    counts: list[str] = []
    for content in these:
        times[content] += 1
        counts.append(f"{times[content] + 1}")
    columns = (pa.array(map(str, these), pa.string()), pa.array(counts, pa.string()))
    return hashed(joined([common(source, len(these)), *(parts("", one) for one in columns)]))


def renumbered(
    source: str, found: Sequence[Numbers], keyed: Sequence[Flags]
) -> Iterator[tuple[int, dict[int, int | Place]]]:
    """Parts of a source were numbered each by itself: gives, by the part, the rows that need another number, with it,
    and with where it stands those whose key came in a part before. `found` are the numbers of rows as they are where
    nothing like them came before."""
    twice = doubles(found)
    firsts, times = dict[int, Place](), Counter[int]()
    for part, (numbers, keys) in enumerate(zip(found, keyed, strict=True)):
        changed: dict[int, int | Place] = {}
        later: list[int] = []
        for row in np.flatnonzero(np.isin(numbers, twice)).tolist():
            number = int(numbers[row])
            first = firsts.setdefault(number, (part, row))
            if keys[row] and first != (part, row):
                changed[row] = first
            elif first[0] != part:
                later.append(row)
            elif first[1] != row:
                times[number] += 1
        changed |= zip(later, repeated(source, numbers[later].tolist(), times).tolist(), strict=True)
        if changed:
            yield part, changed


def doubles(found: Sequence[Numbers]) -> Numbers:
    """The numbers that are there more than once, in order."""
    every = np.concatenate([np.array([], np.uint64), *found])
    every.sort()
    return np.unique(every[1:][every[1:] == every[:-1]])


def as_ids(numbers: Numbers) -> pa.Array:
    """Numbers in the digits of the record."""
    digits = numbers.astype(">u8").tobytes().hex().encode()
    offsets = np.arange(0, len(digits) + DIGITS, DIGITS, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits))


def as_numbers(ids: pa.ChunkedArray) -> Numbers:
    """The same back."""
    digits = "".join(ids.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), ">u8").astype(np.uint64)
