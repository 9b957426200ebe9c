"""Columns of a table as fields of the record: what sources share that know their rows by names."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute
from pydantic import Field, TypeAdapter, ValidationError

from stages.core.inputs import CONSTANT, File, attributes_of
from stages.core.params import Section
from stages.core.records import Chunk, Reject, Span, Spans, Unwanted, chunk
from stages.core.spans import wrong

pc: Any = pyarrow.compute  # its functions are made while it is imported
TRIPLES = TypeAdapter(list[tuple[int, int, Annotated[str, Field(min_length=1)]]], config={"strict": True})
Side = Literal["train", "validation", "test"]
Columns = Mapping[str, Any]  # sequences of values, or arrays of texts
SINGLE = ("label", "pair", "key", "group", "split")


class Fields(Section):
    """Field of the record → the column, or the path `a.b.0` in nested ones, that fills it; null: none does."""

    text: str
    label: str | None
    labels: str | None
    pair: str | None
    targets: str | None
    spans: str | None
    key: str | None
    group: str | None
    split: str | None
    attributes: tuple[str, ...]


class Table(Section):
    """The parameters that tables of all kinds have.

    `separator` parts several labels or targets in one text, and joins a text that is a list; `rename` says what labels
    are called here: none passes that it does not know, unless it is empty; `sides` says the same of the values of
    `split`; `where` has the values by which rows are wanted.
    """

    fields: Fields
    separator: str | None
    rename: dict[str, str]
    sides: dict[str, Side]
    where: dict[str, tuple[str, ...]]

    def columns(self) -> list[str]:
        """The columns that are read, each once."""
        single = [value for name, value in self.fields if name != "attributes" and value is not None]
        return list(dict.fromkeys((*single, *self.fields.attributes, *self.where)))


def attributes(p: Table, files: Sequence[File] = ()) -> pa.DataType:
    """The further columns and constants, as text."""
    return attributes_of(files, *p.fields.attributes)


class Batch(NamedTuple):
    """Rows as a format has them: values by column, and the place of each: `place`:number."""

    columns: Columns
    numbers: Sequence[int]
    place: str


def chunks(
    found: Iterable[Batch | Reject], p: Table, constants: Mapping[str, str], kinds: pa.DataType
) -> Iterator[Chunk | Reject | Unwanted]:
    """Batches as documents-to-be, and all that is none."""
    for one in found:
        if isinstance(one, Reject):
            yield one
        else:
            chunk, rejects, unwanted = mapped(one.columns, one.numbers, one.place, p, constants, kinds)
            yield from (chunk, *rejects, Unwanted(unwanted))


class Faulty:
    """Rows that can't be documents, each with the first reason."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}

    def add(self, row: int, reason: str) -> None:
        self.reasons.setdefault(row, reason)


def mapped(
    columns: Columns, numbers: Sequence[int], place: str, p: Table, constants: Mapping[str, str], kinds: pa.DataType
) -> tuple[Chunk, list[Reject], int]:
    """Rows as documents-to-be, what is wrong with those that can't be, and how many `where` leaves out.

    `numbers` are the rows' own, of their lines as a rule: `place`:number is where a reject stands. `kinds` is the type
    of the attributes.
    """
    if whole := at_once(columns, numbers, place, p, constants, kinds):
        return whole, [], 0
    columns = {name: as_list(one) for name, one in columns.items()}
    columns, numbers, unwanted = wanted(columns, numbers, p.where)
    faulty = Faulty()
    found: dict[str, Sequence[Any]] = single(columns, p.fields, p.separator, faulty) | {
        name: [value or None] * len(numbers) for name, value in constants.items() if name in CONSTANT
    }
    if p.fields.labels is not None:
        parted = several(columns[p.fields.labels], p.separator, "labels", faulty)
        found["labels"] = renamed_all(parted, p.rename, faulty)
    if p.fields.targets is not None:
        found["targets"] = several(columns[p.fields.targets], p.separator, "targets", faulty)
    if "label" in found and p.rename:
        found["label"] = [renamed(n, label, p.rename, faulty) for n, label in enumerate(found["label"])]
    if "split" in found:
        found["split"] = [sided(n, value, p.sides, faulty) for n, value in enumerate(found["split"])]
    if p.fields.spans is not None:
        found["spans"] = [
            spans(n, given, text, faulty)
            for n, (given, text) in enumerate(zip(columns[p.fields.spans], found["text"], strict=True))
        ]
    further = {name: texts(columns[name], name, faulty, nested=True) for name in p.fields.attributes}
    further |= {name: [value] * len(numbers) for name, value in constants.items() if name not in CONSTANT}
    rejects = [Reject(f"{place}:{numbers[n]}", why) for n, why in sorted(faulty.reasons.items())]
    kept = [n for n in range(len(numbers)) if n not in faulty.reasons] if rejects else None
    return chunk(found, further, numbers, place, kinds, kept), rejects, unwanted


def at_once(
    columns: Columns, numbers: Sequence[int], place: str, p: Table, constants: Mapping[str, str], kinds: pa.DataType
) -> Chunk | None:
    """The same where all values are plain texts and nothing is wrong with any, which is a tenth of the work; else
    None."""
    if p.where or any((p.fields.labels, p.fields.targets, p.fields.spans)):
        return None
    try:
        plain = {name: as_array(columns[name]) for name in p.columns()}
    except (pa.ArrowException, UnicodeEncodeError):
        return None
    single = {name: plain[column] for name, column in p.fields if name in SINGLE and column is not None}
    found = {"text": plain[p.fields.text]} | {name: filled(texts) for name, texts in single.items()}
    if any(map(has_nul, plain.values())) or any(found[name].null_count for name in ("text", "key") if name in found):
        return None
    same = {name: pa.array([value] * len(numbers), pa.string()) for name, value in constants.items()}
    found |= {name: filled(same[name]) for name in CONSTANT if name in same}
    for name, names in (("label", p.rename or None), ("split", p.sides)):
        if name in found and names is not None:
            if not names.keys() >= set(found[name].unique().drop_null().to_pylist()):
                return None
            found[name] = called(found[name], names)
    further = {name: plain[name] for name in p.fields.attributes}
    further |= {name: texts for name, texts in same.items() if name not in CONSTANT}
    arrays = [further.get(one.name, pa.nulls(len(numbers), one.type)) for one in kinds]
    found["attributes"] = pa.StructArray.from_arrays(arrays, fields=list(kinds))
    return Chunk(pa.table(found), numbers, place)


def as_array(values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, pa.string())


def as_list(values: Any) -> Sequence[Any]:
    return values.to_pylist() if isinstance(values, pa.Array) else values


def called(texts: pa.Array, names: Mapping[str, str]) -> pa.Array:
    """What texts are called, each of which has a name."""
    known = texts.dictionary_encode()
    return pa.array([names[one] for one in known.dictionary.to_pylist()], pa.string()).take(known.indices)


def filled(texts: pa.Array) -> pa.Array:
    """An empty text is none."""
    empty = pc.equal(texts, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts) if pc.any(empty).as_py() else texts


def has_nul(texts: pa.Array) -> bool:
    """Whether there is a NUL character in any."""
    data = texts.buffers()[2]
    return data is not None and b"\0" in data.to_pybytes()


def wanted(
    columns: Columns, numbers: Sequence[int], where: Mapping[str, Sequence[str]]
) -> tuple[Columns, Sequence[int], int]:
    """The rows that have one of the wanted values in each of these columns, and how many have not."""
    if not where:
        return columns, numbers, 0
    among = {name: texts(columns[name], name, Faulty()) for name in where}
    keep = [n for n in range(len(numbers)) if all(among[name][n] in values for name, values in where.items())]
    chosen = {name: [values[n] for n in keep] for name, values in columns.items()}
    return chosen, [numbers[n] for n in keep], len(numbers) - len(keep)


def single(columns: Columns, fields: Fields, separator: str | None, faulty: Faulty) -> dict[str, Sequence[str | None]]:
    """The fields that are one text; an empty one is none, except the text itself."""
    whole = joined(columns[fields.text], separator)
    found: dict[str, Sequence[str | None]] = {"text": texts(whole, fields.text, faulty)}
    for n, text in enumerate(found["text"]):
        if text is None:
            faulty.add(n, f"no text in {fields.text!r}")
    for name in ("label", "pair", "key", "group", "split"):
        if (column := getattr(fields, name)) is not None:
            values = joined(columns[column], separator) if name == "pair" else columns[column]
            found[name] = [one or None for one in texts(values, column, faulty)]
    for n, key in enumerate(found.get("key", ())):
        if key is None:
            faulty.add(n, f"no key in {fields.key!r}")
    return found


def joined(values: Sequence[Any], separator: str | None) -> Sequence[Any]:
    """Lists of texts, such as sentences, as one text each."""
    if separator is None:
        return values
    return [separator.join(one) if isinstance(one, list) and all_texts(one) else one for one in values]


def all_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in values)


def as_text(value: Any) -> str | None:
    """A value as JSON would write it, text without its quotes; what JSON does not know, as Python does."""
    match value:
        case None | str():
            return value
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case bool() | int() | float() | list() | dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


def texts(values: Sequence[Any], name: str, faulty: Faulty, *, nested: bool = False) -> list[str | None]:
    """Values as texts; what is nested is JSON where that is wanted."""
    found: list[str | None] = []
    for n, value in enumerate(values):
        try:
            text = value if type(value) is str else as_text(value)
        except RecursionError:
            faulty.add(n, f"{name!r} is nested too deep")
            text = None
        if text is not None:
            if isinstance(value, dict | list) and not nested:
                faulty.add(n, f"{name!r} is no text but nested")
            if "\0" in text:
                faulty.add(n, f"a NUL character in {name!r}: no text in this encoding")
            if not text.isascii() and broken(text):
                faulty.add(n, f"bytes in {name!r} that are no text in this encoding")
        found.append(text)
    return found


def broken(text: str) -> bool:
    """Whether there are halves of surrogate pairs, as which bytes pass that can't be decoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def several(values: Sequence[Any], separator: str | None, name: str, faulty: Faulty) -> list[list[str] | None]:
    """Values that are lists of texts, or texts to be parted; each of them once."""
    found: list[list[str] | None] = []
    for n, value in enumerate(values):
        match value:
            case None:
                found.append(None)
                continue
            case list():
                given = value
            case str() if separator is not None:
                given = [one.strip() for one in value.split(separator)]
            case _:
                given = [value]
        parted = texts(given, name, inner := Faulty())
        if inner.reasons or None in parted:
            faulty.add(n, f"{name} that are no texts")
        found.append(list(dict.fromkeys(one for one in parted if one)))
    return found


def renamed(row: int, label: str | None, names: Mapping[str, str], faulty: Faulty) -> str | None:
    """What a label is called here."""
    if label is None or label in names:
        return label and names[label]
    faulty.add(row, f"label {label!r} is not in `rename`")
    return None


def renamed_all(
    labels: Sequence[list[str] | None], names: Mapping[str, str], faulty: Faulty
) -> Sequence[Sequence[str | None] | None]:
    """The same of lists of labels."""
    if not names:
        return labels
    return [
        one and list(dict.fromkeys(renamed(n, label, names, faulty) for label in one)) for n, one in enumerate(labels)
    ]


def sided(row: int, value: str | None, sides: Mapping[str, Side], faulty: Faulty) -> str | None:
    """Which side a value of `split` means; a row without one goes where stage `split` puts it."""
    if value is None or value in sides:
        return value and sides[value]
    faulty.add(row, f"split {value!r} is not in `sides`")
    return None


def spans(row: int, given: Any, text: str | None, faulty: Faulty) -> Spans | None:
    """The spans that a value gives: `[[start, end, "label"], ...]`, as such or as JSON."""
    if given is None or given == "":
        return None
    try:
        triples = TRIPLES.validate_json(as_text(given) or "")
    except (ValidationError, RecursionError):
        faulty.add(row, 'spans that are not of the form [[start, end, "label"], ...]')
        return None
    if any("\0" in label for _, _, label in triples):
        faulty.add(row, "a NUL character in the label of a span")
    found = tuple(Span(*triple) for triple in triples)
    if text is not None and (told := wrong(found, text)):
        faulty.add(row, told)
    return found


def reach(records: Sequence[Mapping[str, Any]], path: str) -> list[Any]:
    """The values at `a.b.0` in nested records, None where there is nothing; a key that is called `a.b.0` goes first."""
    steps = path.split(".")
    if len(steps) == 1:
        return [record.get(path) for record in records]
    return [record[path] if path in record else inner(record, steps) for record in records]


def inner(value: Any, steps: Sequence[str]) -> Any:
    """What lies at the end of a path of keys and positions."""
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
