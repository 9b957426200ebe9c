"""Who a document is: its id, given once in ingest; seeds, splits, caches and traces hang on it.

`id` = hash of the source's name and the source's own key; where it has none, of all fields, and of how often these very
fields came before, if they did. Ids are 64 bits, numbers here and hexadecimal digits in the record: a column of them is
made at once, as there are millions.
"""

from binascii import unhexlify
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # its functions are made while it is imported
Numbers = np.ndarray[Any, np.dtype[np.uint64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Place = tuple[int, int]  # a part, and a row of it
FIELDS = ("text", "label", "labels", "pair", "targets", "group", "split", "spans")
DIGITS = 16
EACH = 8  # bytes of a part's length
EMPTY = bytes(EACH)  # the part that nothing is in


def identified(source: str, rows: pa.Table) -> tuple[Numbers, Flags]:
    """The number of each row, as it is where nothing like it came before, and which rows have a key."""
    count = len(rows)
    if "key" not in rows.column_names:
        return hashed(source, contents(rows)), np.zeros(count, bool)
    keys = rows.column("key").combine_chunks()
    of_keys = joined(part("", pc.fill_null(keys, "")))
    if not keys.null_count:
        return hashed(source, of_keys), np.ones(count, bool)
    keyed = keys.is_valid()
    return hashed(source, pc.if_else(keyed, of_keys, contents(rows))), keyed.to_numpy(zero_copy_only=False)


def contents(rows: pa.Table) -> pa.Array:
    """All fields that have a value, each with its name: one that has none is as one that is not there. The empty part
    is there for no key to be like it."""
    columns = {name: rows.column(name).combine_chunks() for name in FIELDS if name in rows.column_names}
    attributes = rows.column("attributes").combine_chunks()
    columns |= {f"attributes.{field.name}": pc.struct_field(attributes, n) for n, field in enumerate(attributes.type)}
    filled = [part(f"{name}=", written(column)) for name, column in columns.items() if column.null_count < len(column)]
    return joined([pa.repeat(EMPTY, len(rows))], *filled)


def written(column: pa.Array) -> pa.Array:
    """Lists as texts, in which nothing runs into anything else."""
    if not pa.types.is_list(column.type):
        return column
    values = column.flatten()
    if pa.types.is_struct(values.type):
        *numbers, labels = (pc.cast(one, pa.string()) for one in values.flatten())
        values = pc.binary_join_element_wise(*numbers, labels, " ")
    each = joined(part("", values)) if len(values) else pa.array([], pa.binary())
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, each), b"")
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.binary()))


def part(name: str, values: pa.Array) -> list[pa.Array]:
    """A part of a hash in each row, as `stable_hash` has it: its length and a name, and the value; none where none
    is."""
    begin, count = name.encode(), len(values)
    width = EACH + len(begin)
    heads = np.empty((count, width), np.uint8)
    lengths = pc.fill_null(pc.binary_length(values), 0).to_numpy().astype("<i8") + len(begin)
    heads[:, :EACH] = lengths.view(np.uint8).reshape(count, EACH)
    heads[:, EACH:] = np.frombuffer(begin, np.uint8)
    offsets = np.arange(0, width * count + 1, width, dtype=np.int32)
    found = pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(heads)])
    if values.null_count:
        found = pc.if_else(values.is_valid(), found, pa.scalar(None, pa.binary()))
    return [found, values.cast(pa.binary())]


def joined(*found: Sequence[pa.Array]) -> pa.Array:
    """The parts of each row that are there, together."""
    return pc.binary_join_element_wise(*chain.from_iterable(found), pa.scalar(b""), null_handling="skip")


def hashed(source: str, messages: pa.Array) -> Numbers:
    """64 bits of BLAKE2b of each, after the source's name."""
    name = source.encode()
    begun = blake2b(len(name).to_bytes(EACH, "little") + name, digest_size=8)
    digests = list[bytes]()
    for message in messages.to_pylist():
        one = begun.copy()  # costs half of a new one
        one.update(message)
        digests.append(one.digest())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def again(numbers: Numbers, seen: set[int]) -> list[int]:
    """The rows whose number came before; `seen` are those that did."""
    found = numbers.tolist()
    known, before = seen.intersection(found), len(seen)
    seen.update(found)
    if len(seen) - before == len(found):
        return []
    _, first = np.unique(numbers, return_index=True)
    later = np.isin(numbers, np.fromiter(known, np.uint64, len(known)))
    later[np.delete(np.arange(len(numbers)), first)] = True
    return np.flatnonzero(later).tolist()


def repeated(source: str, these: Sequence[int], times: "Counter[int]") -> Numbers:
    """The numbers of rows without a key whose contents came before; `times` counts how often."""
    counts: list[str] = []
    for content in these:
        times[content] += 1
        counts.append(f"{times[content] + 1}")
    return hashed(source, joined(*(part("", pa.array(one, pa.string())) for one in (map(str, these), counts))))


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
    digits = b"".join(map(characters, ids.chunks))
    return np.frombuffer(unhexlify(digits), ">u8").astype(np.uint64)


def characters(ids: pa.Array) -> bytes:
    """The digits of ids, which lie one after the other."""
    _, offsets, data = ids.buffers()
    start = np.frombuffer(offsets, np.int32)[ids.offset] if len(ids) else 0
    return data[start : start + DIGITS * len(ids)].to_pybytes() if len(ids) else b""
