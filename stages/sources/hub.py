"""Datasets of the Hugging Face Hub at a pinned commit: Parquet, Arrow, JSON lines and CSV, with the names of classes.

`reprolm pin` asks `datasets` which files make a configuration, and which names its classes have; here they are read
without it, a row that can't be read costs no other, and no code of a dataset is run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote

import pyarrow as pa
from pydantic import AfterValidator, Field

from stages.core import columnar, delimited, fields, inputs, jsonlines
from stages.core.delimited import Dialect
from stages.core.fields import Batch
from stages.core.inputs import File
from stages.core.params import written
from stages.core.records import Chunk, Reject, Unwanted

HUB = "https://huggingface.co/"
Format = Literal["columnar", "jsonlines", "csv", "tsv"]
FORMATS: dict[str, Format] = {
    ".parquet": "columnar",
    ".arrow": "columnar",
    ".jsonl": "jsonlines",
    ".ndjson": "jsonlines",
    ".json": "jsonlines",
    ".csv": "csv",
    ".tsv": "tsv",
}
PACKED = {".gz", ".bz2", ".xz", ".zst"}
# As `datasets` reads them where a dataset's card says nothing else.
DIALECTS = {
    name: Dialect(encoding="utf-8", delimiter=delimiter, quote='"', escape=None, header=True)
    for name, delimiter in (("csv", ","), ("tsv", "\t"))
}
UNKNOWN = -1  # the Hub's class of a row whose class is not told


def format_of(name: str) -> Format | None:
    """By the end of a name, packed or not."""
    suffixes = (one.lower() for one in reversed(PurePosixPath(name).suffixes))
    return FORMATS.get(next((one for one in suffixes if one not in PACKED), ""))


def readable(files: tuple[File, ...]) -> tuple[File, ...]:
    """The files, if their formats are known."""
    for file in files:
        if format_of(file.members or file.at) is None:
            raise ValueError(
                f"{file.at}: {', '.join(FORMATS)} are read; the kind that reads it takes its address in `at`"
            )
    return files


class Params(fields.Table):
    """`dataset` is its name on the Hub, `revision` the commit; `files` stand in it `at` a path. `config` is the
    configuration that `reprolm pin` asks for; what it is made of say `files` alone.

    `classes` says what the numbers of a column stand for, from 0 on; -1 is none.
    """

    dataset: Annotated[str, written(r"\w[\w.-]*(/\w[\w.-]*)?", "a name as the Hub has it, OWNER/NAME, is wanted")]
    revision: Annotated[str, written(r"[0-9a-f]{40}", "the 40 hexadecimal digits of a commit are wanted")]
    config: str
    files: Annotated[tuple[File, ...], Field(min_length=1), AfterValidator(readable)]
    classes: dict[str, tuple[str, ...]]


class Part(NamedTuple):
    """A part of a file, in the terms of its format."""

    file: int
    of: Any


def address(dataset: str, revision: str, path: str = "") -> str:
    """Where the Hub has a file."""
    return f"{HUB}datasets/{dataset}/resolve/{revision}/{quote(path, safe='/=@+,')}"


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p, p.files)


def needs(p: Params) -> list[File]:
    return [file.model_copy(update={"at": address(p.dataset, p.revision, file.at)}) for file in p.files]


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return [Part(n, one) for n, path in enumerate(paths) for one in divided(p.files[n], path)]


def divided(file: File, path: Path) -> Sequence[inputs.Part | columnar.Part]:
    """What of a file can be read at once."""
    match format_of(file.members or file.at):
        case "columnar":
            return columnar.parts([file], [path])
        case "csv" | "tsv" as name:
            return delimited.parts([file], [path], DIALECTS[name])
        case _:
            return inputs.parts([file], [path])


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    file = p.files[part.file]
    found = batches(file, paths[part.file], part.of, p.columns())
    return fields.chunks(named(found, p.classes), p, file.constants, attributes(p))


def batches(file: File, path: Path, part: Any, wanted: Sequence[str]) -> Iterator[Batch | Reject]:
    """The wanted columns of a part."""
    match format_of(file.members or file.at):
        case "columnar":
            return columnar.read(file, path, part, wanted)
        case "csv" | "tsv" as name:
            return delimited.read(file, path, part, DIALECTS[name], wanted)
        case _:
            return jsonlines.read(file, path, part, wanted)


def named(found: Iterable[Batch | Reject], classes: Mapping[str, Sequence[str]]) -> Iterator[Batch | Reject]:
    """The same with classes by their names; a row with a class that there is not is a reject."""
    for one in found:
        if isinstance(one, Reject):
            yield one
            continue
        columns, wrong = dict(one.columns), dict[int, str]()
        for name in classes.keys() & columns.keys():
            columns[name] = [meant(value, classes[name]) for value in fields.as_list(columns[name])]
            for n, value in enumerate(columns[name]):
                if isinstance(value, Nameless):
                    wrong[n] = f"{value} in {name!r} is none of its {len(classes[name])} classes"
        yield from (Reject(f"{one.place}:{one.numbers[n]}", why) for n, why in sorted(wrong.items()))
        yield without(one._replace(columns=columns), wrong)


class Nameless(str):
    """A value that is no class, as a message quotes it."""

    __slots__ = ()


def meant(value: Any, names: Sequence[str]) -> Any:
    """What a class is called: of several classes, what each is."""
    if isinstance(value, list):
        found = [one if isinstance(one, list) else meant(one, names) for one in value]
        return next((one for one in found if isinstance(one, Nameless)), found)
    if value in names:
        return value
    if value is None or value == "":
        return None
    try:
        number = int(f"{value}")
    except ValueError:
        number = len(names)
    if number == UNKNOWN:
        return None
    return names[number] if 0 <= number < len(names) else Nameless(f"{value!r:.40}")


def without(batch: Batch, rows: Mapping[int, str]) -> Batch:
    """A batch less some of its rows."""
    if not rows:
        return batch
    kept = [n for n in range(len(batch.numbers)) if n not in rows]
    columns = {name: fields.as_list(values) for name, values in batch.columns.items()}
    some = {name: [values[n] for n in kept] for name, values in columns.items()}
    return Batch(some, [batch.numbers[n] for n in kept], batch.place)
