"""The record: one schema for every document, in Parquet shards; and the side tables keyed by its id."""

import errno
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from stages.core.faults import Fault
from stages.core.files import writing


class NoPandas:
    """A finder of modules that says of pandas that it is not there."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def without_pandas() -> None:
    """With its first array, pyarrow looks for pandas, and asks it ever after what kind a value is. None of ours is of
    pandas, and to import that takes each process of each stage half a second; so now, while it is hidden."""
    if "pandas" not in sys.modules:
        sys.meta_path.insert(0, NoPandas)
        pa.array([""])
        sys.meta_path.remove(NoPandas)


without_pandas()
pc: Any = pyarrow.compute  # its functions are made while it is imported
ROW_GROUP = 10_000
# Of the columns of documents, those whose values come again: a dictionary of all texts, or ids, would only cost time,
# as would their least and largest, which nobody asks for.
WRITTEN: Any = {
    "compression": "zstd",
    "store_schema": True,
    "write_statistics": False,
    "use_dictionary": ["label", "source", "group", "split", "spans.list.element.label", "labels.list.element"],
}
LARGE = 2**25  # bytes of columns that are written as one row group


class Span(NamedTuple):
    """A stretch of a text and what it is: from character `start` up to, but without, `end`, in Unicode code points."""

    start: int
    end: int
    label: str


Spans = tuple[Span, ...]


class Row(NamedTuple):
    """What a source gives: a document that has no id yet. Without a `key`, ingest hashes the fields.

    `spans` is None where nobody has looked for any, and empty where there are none; so are `labels`, all that apply
    where several may. `pair` is the second text of a task that has two (a question, a hypothesis), `targets` are the
    texts that may be answered, and `split` is the side on which the source itself has it.
    """

    key: str | None
    text: str
    label: str | None
    group: str | None
    attributes: dict[str, Any]
    spans: Spans | None = None
    labels: tuple[str, ...] | None = None
    pair: str | None = None
    targets: tuple[str, ...] | None = None
    split: str | None = None


class Chunk(NamedTuple):
    """Rows that come as columns: a table of some or all fields of `Row`, and the place of each: `place`:number."""

    rows: pa.Table
    numbers: Sequence[int]
    place: str


class Reject(NamedTuple):
    """What a source could not read: where it stands, and why."""

    place: str
    reason: str


class Unwanted(NamedTuple):
    """How many rows a source leaves out because its parameters say so."""

    rows: int


class Document(NamedTuple):
    """One document on its way to the model.

    `origin` is the id of the document it was made from (augmentation); `group` names what must not straddle splits;
    `attributes` are the source's own fields, typed per source; the fields after them are as in `Row`.
    """

    id: str
    text: str
    label: str | None
    source: str
    origin: str | None
    group: str | None
    attributes: dict[str, Any]
    spans: Spans | None = None
    labels: tuple[str, ...] | None = None
    pair: str | None = None
    targets: tuple[str, ...] | None = None
    split: str | None = None


class Drop(NamedTuple):
    """A document that leaves the corpus, and why; `of` is the document it repeats, if that is the reason."""

    id: str
    reason: str
    of: str | None = None


SPANS = pa.list_(pa.struct([("start", pa.int32()), ("end", pa.int32()), ("label", pa.string())]))
DROPS = pa.schema([("id", pa.string()), ("reason", pa.string()), ("of", pa.string())])


TEXTS = pa.list_(pa.string())
# The columns that are no texts.
NESTED = {"spans": SPANS, "labels": TEXTS, "targets": TEXTS}


def schema(attributes: pa.DataType, names: Sequence[str] = Document._fields) -> pa.Schema:
    """The record's columns; only the struct of attributes differs from source to source."""
    kinds = NESTED | {"attributes": attributes}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def texts_of(*names: str) -> pa.DataType:
    """The type of attributes that are texts; Parquet has no struct without a field."""
    return pa.struct([(name, pa.string()) for name in dict.fromkeys(names or ("none",))])


def shards(folder: Path) -> list[Path]:
    """Shards in order of arrival, which is the order of their names."""
    return sorted(folder.glob("*.parquet"))


def write_table(path: Path, table: pa.Table) -> None:
    """A side table: one Parquet file with the same bytes for the same rows; whole or not at all."""
    with writing(path) as beside:
        pq.write_table(table, beside, compression="zstd", row_group_size=ROW_GROUP, store_schema=True)


def write_tables(path: Path, tables: Iterable[pa.Table], kinds: pa.Schema) -> None:
    """The same of tables that come one after the other: row groups are what they are in whatever pieces they come, and
    none is larger than memory allows."""
    with writing(path) as beside, pq.ParquetWriter(beside, kinds, **WRITTEN) as writer:
        for table in grouped(tables):
            writer.write_table(table.combine_chunks(), row_group_size=ROW_GROUP)


def grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables that end after ROW_GROUP rows, or with the one that makes them LARGE."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        sizes, at = np.cumsum(weights(table)), 0
        while at < len(table):
            before = int(sizes[at - 1]) if at else 0
            end = min(at + ROW_GROUP - rows, int(np.searchsorted(sizes, before + LARGE - size)) + 1, len(table))
            waiting.append(table.slice(at, end - at))
            rows, size, at = rows + end - at, size + int(sizes[end - 1]) - before, end
            if rows == ROW_GROUP or size >= LARGE:
                yield pa.concat_tables(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.concat_tables(waiting)


def weights(table: pa.Table) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """How many bytes the texts of each row have, as a measure of its size."""
    found = np.zeros(len(table), np.int64)
    for column in table.flatten().columns:
        if pa.types.is_string(column.type):
            found += pc.fill_null(pc.binary_length(column), 0).to_numpy()
    return found


def rows_in(path: Path) -> int:
    """How many rows a shard has."""
    with pq.ParquetFile(path) as file:
        return file.metadata.num_rows


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """A shard of documents, row group by row group, with a change."""
    with pq.ParquetFile(path) as file:
        groups = (file.read_row_group(n, use_threads=False) for n in range(file.num_row_groups))
        write_tables(path, map(change, groups), schema(file.schema_arrow.field("attributes").type))


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """The named columns of a shard (all where none is named)."""
    try:
        # pq.read_table would import all of pyarrow.dataset.
        with pq.ParquetFile(path) as file:
            return file.read(columns, use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        if getattr(error, "errno", None) not in {None, errno.ENOENT}:  # the machine's fault, not the file's
            raise
        said = " ".join(str(error).split())
        raise Fault(f"{path}: not a whole Parquet file ({said}); delete it and run `dvc repro` again") from error


def write_documents(path: Path, documents: Iterable[Document], attributes: pa.DataType) -> None:
    """A shard of documents, in the order given."""
    kinds = schema(attributes)
    write_tables(path, [tabled(documents, kinds)], kinds)


def tabled(records: Iterable[Document | Row], kinds: pa.Schema) -> pa.Table:
    """Documents, or rows, as columns."""
    rows = [record._asdict() for record in records]
    for row in rows:
        row["spans"] = row["spans"] and [span._asdict() for span in row["spans"]]
    return pa.Table.from_pylist(rows, schema=kinds)


def chunk(
    columns: Mapping[str, Sequence[Any]],
    attributes: Mapping[str, Sequence[str | None]],
    numbers: Sequence[int],
    place: str,
    kinds: pa.DataType,
    kept: Sequence[int] | None = None,
) -> Chunk:
    """Columns of values as a chunk: all rows, or those with these positions."""
    if kept is not None:
        columns = {name: [values[n] for n in kept] for name, values in columns.items()}
        attributes = {name: [values[n] for n in kept] for name, values in attributes.items()}
        numbers = [numbers[n] for n in kept]
    if "spans" in columns:
        given = columns["spans"]
        columns = {**columns, "spans": [spans and [span._asdict() for span in spans] for spans in given]}
    arrays = {name: pa.array(values, NESTED.get(name, pa.string())) for name, values in columns.items()}
    fields = [pa.array(attributes.get(one.name) or [None] * len(numbers), pa.string()) for one in kinds]
    arrays["attributes"] = pa.StructArray.from_arrays(fields, fields=list(kinds))
    return Chunk(pa.table(arrays), numbers, place)


def read_documents(path: Path) -> list[Document]:
    """A shard as documents."""
    rows = read_table(path).to_pylist()
    for row in rows:
        if row["spans"] is not None:
            row["spans"] = tuple(Span(**span) for span in row["spans"])
        for name in ("labels", "targets"):
            row[name] = None if row[name] is None else tuple(row[name])
    return [Document(**row) for row in rows]


def attributes_of(path: Path) -> pa.DataType:
    """The type of the attributes in a shard, for a stage that writes the same documents again."""
    return pq.read_schema(path).field("attributes").type


def write_drops(path: Path, drops: Iterable[Drop]) -> None:
    """The documents that left in this shard."""
    write_table(path, pa.Table.from_pylist([drop._asdict() for drop in drops], schema=DROPS))


def read_drops(path: Path) -> list[Drop]:
    """The documents that left in this shard: of any table that has the columns of a `Drop`."""
    rows = read_table(path, DROPS.names).to_pylist()
    return [Drop(**row) for row in rows if row["reason"] is not None]


def dropped_ids(path: Path) -> set[str]:
    """The ids that a side table (or a shard of drops) takes out of the corpus."""
    return {drop.id for drop in read_drops(path)}


def side_rows(folder: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of a side table, shard after shard."""
    for path in shards(folder):
        yield from read_table(path, columns).to_pylist()


def given(side: str | None) -> bool:
    """Whether a document is on a validation or test side that its source brings: such a side is never thinned."""
    return side in {"validation", "test"}


def reasons(drops: Iterable[Drop | Reject]) -> dict[str, int]:
    """How many left for which reason, most first, names in order where equal."""
    counted = Counter(drop.reason for drop in drops)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))
