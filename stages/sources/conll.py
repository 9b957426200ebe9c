"""Columns of tokens and their tags, as corpora of names have them: a line a token, a blank line between sentences."""

import codecs
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Annotated, Any, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator, model_validator

from stages.core import inputs
from stages.core.hashing import stable_hash
from stages.core.inputs import DAMAGED, File, Part
from stages.core.lines import BLOCK, BOM, LONGEST
from stages.core.params import Positive, Section
from stages.core.records import SPANS, Chunk, Reject
from stages.core.streams import of_the_machine
from stages.core.tags import Entities, Numbers, Scheme, Wrong, entities

LINE, TAB = ord("\n"), ord("\t")
BLANK = (b"\n\n", b"\n\r\n", b"\n\t\n")
SPACE = re.compile(rb"[ \t]+")
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
WHITE = np.isin(np.arange(256), np.frombuffer(b" \t\r\n", np.uint8))
Mark = Annotated[str, Field(min_length=1)]


class Params(Section):
    """How the files are written, and what of them becomes a document.

    Each line has so many `columns`, parted by one tab, or by any white space; the first is 1. A line that begins with
    `comment` is none (null where tokens may begin so), one that begins with `mark` begins a document: its sentences
    stay on one side of the split (null: nobody says where documents begin). `unit: document` makes one text of all
    sentences between marks, a line each; without marks, of a file.
    """

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    encoding: str
    separator: Literal["tab", "space"]
    columns: Positive
    text: Positive
    tags: Positive
    scheme: Scheme
    comment: Mark | None
    mark: Mark | None
    unit: Literal["sentence", "document"]

    @field_validator("encoding")
    @classmethod
    def encoding_has_lines(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding)
            if "\t\n O".encode(encoding) == b"\t\n O":
                return encoding
        except LookupError as error:
            raise ValueError(f"{error}; utf-8 is the usual one") from None
        raise ValueError(f"{encoding}: its lines and columns are not parted as in ASCII; make the files utf-8")

    @model_validator(mode="after")
    def all_is_there(self) -> Self:
        if max(self.text, self.tags) > self.columns or self.text == self.tags:
            raise ValueError(f"text: {self.text} and tags: {self.tags} are not two of {self.columns} columns")
        for word in (self.mark, self.comment):
            (word or "").encode(self.encoding)
        return self


class Lines(NamedTuple):
    """Lines with their ends, the number of the first, and how many marks came before; where each begins, and which are
    blank, marks and comments."""

    data: bytes
    number: int
    marks: int
    starts: Numbers
    blank: Flags
    mark: Flags
    comment: Flags

    def until(self, line: int) -> Self:
        """The lines before one of them."""
        end = int(self.starts[line]) if line < len(self.starts) else len(self.data)
        return self._replace(
            data=self.data[:end],
            starts=self.starts[:line],
            blank=self.blank[:line],
            mark=self.mark[:line],
            comment=self.comment[:line],
        )


class Rows(NamedTuple):
    """The lines that hold tokens: which of all they are, and the sentence, document and text that each belongs to."""

    lines: Numbers
    sentences: Numbers
    documents: Numbers
    texts: Numbers


class Texts(NamedTuple):
    """What lines say: texts and their spans, the line where each begins, and its document."""

    texts: pa.Array
    spans: pa.Array
    lines: Numbers
    documents: Numbers

    def where(self, these: Flags) -> Self:
        chosen = pa.array(these)
        return type(self)(
            self.texts.filter(chosen), self.spans.filter(chosen), self.lines[these], self.documents[these]
        )


def attributes(p: Params) -> pa.DataType:
    return inputs.attributes_of(p.files, *(["document"] if p.mark else []))


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    """A large file comes in parts where its blank lines divide it, which is where no documents are: where they begin,
    and which one that is, only all lines before tell."""
    found = inputs.parts(p.files, paths, whole=True)
    if p.mark or p.unit == "document":
        return found
    return [one for part in found for one in parted(part, paths[part.file])]


def parted(part: Part, path: Path) -> Iterator[Part]:
    """Stretches of a plain file that end with a blank line."""
    if part.members or inputs.packed(path):
        yield part
        return
    size, start, line, at, lines = path.stat().st_size, 0, 1, 0, 1
    with path.open("rb") as file:
        while at + inputs.PART < size:
            block = file.read(inputs.PART)
            if cut := max((block.rfind(one) + len(one) for one in BLANK if one in block), default=0):
                yield part._replace(start=start, end=at + cut, line=line)
                start, line = at + cut, lines + block.count(b"\n", 0, cut)
            at, lines = at + len(block), lines + block.count(b"\n")
    yield part._replace(start=start, end=size, line=line) if start else part


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject]:
    """Columns at once, as there are millions of lines: what is said of one line stands in arrays over all."""
    file, kinds = p.files[part.file], attributes(p)
    for place, stream in inputs.opened(file, paths[part.file], part):
        groups: dict[int, str] = {}
        for one in stretches(stream, place, part.line, p):
            if isinstance(one, Reject):
                yield one
                continue
            rows = rows_of(one, p.unit)
            found, reasons = texts(one, rows, p)
            yield from (Reject(f"{place}:{one.number + line}", why) for line, why in firsts(reasons, rows))
            yield documents(found, one, groups, file.constants, place, kinds)


def stretches(stream: IO[bytes], place: str, number: int, p: Params) -> Iterator[Lines | Reject]:
    """Lines of whole sentences, or of whole documents where these are wanted; one that is too long, or damage, is a
    reject and the end."""
    marks, rest = 0, b""
    try:
        for block in chain(iter(partial(stream.read, BLOCK), b""), [b""]):
            data = rest + (block or b"\n")
            end = data.rfind(b"\n") + 1
            lines = looked_at(data[:end], number, marks, p)
            cuts = np.flatnonzero(lines.mark if p.unit == "document" else lines.mark | lines.blank)
            cut = (int(cuts[-1]) if len(cuts) else 0) if block else len(lines.starts)
            whole = lines.until(cut)
            if cut:
                yield whole
            number, marks = number + cut, marks + int(whole.mark.sum())
            rest = lines.data[len(whole.data) :] + data[end:]
            if len(rest) > LONGEST:
                reason = f"a {p.unit} of more than {LONGEST:,} bytes; neither it nor what follows is read"
                yield Reject(f"{place}:{number}", reason)
                return
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        number += rest.count(b"\n")
        yield Reject(f"{place}:{number}", f"the file breaks off here: {error}")


def looked_at(data: bytes, number: int, marks: int, p: Params) -> Lines:
    """What can be told of lines before they are divided; byte order marks and Windows' ends of lines are gone."""
    data = data.replace(b"\r\n", b"\n")
    if BOM in data:
        data = data.removeprefix(BOM).replace(b"\n" + BOM, b"\n")
    characters = np.frombuffer(data, np.uint8)
    starts = begins(characters)
    blank = counted(np.flatnonzero(WHITE[characters]), starts) == np.diff(starts, append=len(characters))
    mark, comment = (beginning(data, starts, word and word.encode(p.encoding)) for word in (p.mark, p.comment))
    return Lines(data, number, marks, starts, blank, mark, comment & ~mark)


def begins(characters: Bytes) -> Numbers:
    """Where lines begin, the last of which ends too."""
    return np.concatenate([[0], np.flatnonzero(characters == LINE) + 1])[:-1]


def counted(places: Numbers, starts: Numbers) -> Numbers:
    """How many of these places are in each line."""
    return np.diff(np.searchsorted(places, starts), append=len(places))


def beginning(data: bytes, starts: Numbers, word: bytes | str | None) -> Flags:
    """Which lines begin with a word."""
    if not isinstance(word, bytes) or word not in data:
        return np.zeros(len(starts), bool)
    return np.array([data.startswith(word, at) for at in starts.tolist()], bool)


def rows_of(lines: Lines, unit: str) -> Rows:
    """The lines that hold tokens. A blank line ends a sentence, and a mark does."""
    (held,) = np.nonzero(~(lines.blank | lines.mark | lines.comment))
    sentences = np.cumsum(lines.blank | lines.mark, dtype=np.int64)[held]
    documents = (lines.marks + np.cumsum(lines.mark, dtype=np.int64))[held]
    return Rows(held, sentences, documents, documents if unit == "document" else sentences)


def texts(lines: Lines, rows: Rows, p: Params) -> tuple[Texts, dict[int, str]]:
    """Lines as texts, and what is wrong with which; where one line is wrong, there is no text."""
    characters, reasons = divided(lines.data, p)
    held = set(rows.lines.tolist()) if reasons else ()
    reasons = uneven(characters, rows.lines, p.columns) | {n: why for n, why in reasons.items() if n in held}
    rows = without(rows, reasons)
    tokens, tags = cells(characters, rows.lines, p)
    ends, last = ends_of(rows.sentences), ends_of(rows.texts)
    found, wrongs = entities(tags, ends, p.scheme)
    (empty,) = np.nonzero(pc.call_function("binary_length", [tokens]).to_numpy() == 0)
    wrongs += [Wrong(n, "an empty token") for n in empty.tolist()]
    more = {int(rows.lines[position]): reason for position, reason in wrongs}
    sentences = joined(joined(tokens, ends, " "), np.searchsorted(ends, last) + 1, "\n")
    first = np.concatenate([[0], last])[:-1]
    made = Texts(sentences, placed(tokens, last, found), rows.lines[first], rows.documents[first])
    if more:
        made = made.where(np.isin(rows.texts[first], without(rows, more).texts))
    return made, reasons | more


def divided(data: bytes, p: Params) -> tuple[Bytes, dict[int, str]]:
    """Lines in UTF-8, a tab between columns; and which of them are no text."""
    reasons: dict[int, str] = {}
    try:
        data = recoded(data, p.encoding)
    except UnicodeError:
        lines = data.split(b"\n")
        for n, line in enumerate(lines):
            try:
                lines[n] = recoded(line, p.encoding)
            except UnicodeError:
                lines[n], reasons[n] = b"", f"bytes that are no text in {p.encoding}"
        data = b"\n".join(lines)
    if p.separator == "space":
        data = SPACE.sub(b"\t", data).replace(b"\t\n", b"\n").replace(b"\n\t", b"\n").removeprefix(b"\t")
    return np.frombuffer(data, np.uint8), reasons


def recoded(data: bytes, encoding: str) -> bytes:
    """Lines in UTF-8, where some encodings can't write halves of surrogate pairs nor further lines."""
    text = data.decode(encoding)
    if text.count("\n") != data.count(b"\n"):
        raise UnicodeError
    return text.encode()


def uneven(characters: Bytes, lines: Numbers, columns: int) -> dict[int, str]:
    """Which of some lines don't have all columns and no more, or have a NUL."""
    starts = begins(characters)
    counts, zeros = (counted(np.flatnonzero(characters == one), starts)[lines] for one in (TAB, 0))
    counts += 1
    reasons = {int(lines[n]): "a NUL character: no text" for n in np.flatnonzero(zeros)}
    return reasons | {
        int(lines[n]): f"{counts[n]} columns, `columns` says {columns}" for n in np.flatnonzero(counts != columns)
    }


def without(rows: Rows, lines: Collection[int]) -> Rows:
    """The rows of texts that have none of these lines."""
    if not lines:
        return rows
    good = ~np.isin(rows.texts, rows.texts[np.isin(rows.lines, list(lines))])
    return Rows(*(column[good] for column in rows))


def cells(characters: Bytes, lines: Numbers, p: Params) -> tuple[pa.Array, pa.Array]:
    """The tokens and the tags of lines that have all columns."""
    starts = begins(characters)
    held = np.zeros(len(starts), bool)
    held[lines] = True
    characters = characters[np.repeat(held, np.diff(starts, append=len(characters)))]
    ends = np.flatnonzero((characters == TAB) | (characters == LINE))
    starts = np.concatenate([[0], ends + 1])[:-1]
    tokens, tags = (column(characters, starts[n - 1 :: p.columns], ends[n - 1 :: p.columns]) for n in (p.text, p.tags))
    return tokens, tags


def column(characters: Bytes, starts: Numbers, ends: Numbers) -> pa.Array:
    """Stretches of characters as texts."""
    edges = np.concatenate([[0], np.column_stack([starts, ends]).ravel()])
    inside = np.repeat(np.arange(len(edges)) % 2 == 1, np.diff(edges, append=len(characters)))
    offsets = np.concatenate([[0], np.cumsum(ends - starts)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(characters[inside]))


def ends_of(numbers: Numbers) -> Numbers:
    """Where runs of equal numbers end."""
    return np.append(np.flatnonzero(np.diff(numbers)) + 1, len(numbers)) if len(numbers) else numbers


def joined(texts: pa.Array, ends: Numbers, between: str) -> pa.Array:
    """Runs of texts as one text each."""
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return pc.call_function("binary_join", [pa.ListArray.from_arrays(offsets, texts), between])


def placed(tokens: pa.Array, ends: Numbers, found: Entities) -> pa.Array:
    """The entities of each text as spans of characters: between two tokens there is always one."""
    lengths = pc.call_function("utf8_length", [tokens]).to_numpy().astype(np.int64)
    after = np.cumsum(lengths + 1)
    begins = np.concatenate([[0], after[ends[:-1] - 1]])[np.searchsorted(ends, found.first, side="right")]
    starts = after[found.first] - lengths[found.first] - 1 - begins
    columns = (starts, after[found.last] - 1 - begins, found.labels)
    kinds = list(SPANS.value_type)
    arrays = [pa.array(one, kind.type) for one, kind in zip(columns, kinds, strict=True)]
    offsets = pa.array(np.searchsorted(found.first, np.concatenate([[0], ends])), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=kinds))


def firsts(reasons: Mapping[int, str], rows: Rows) -> list[tuple[int, str]]:
    """The first line of each text that something is wrong with, and what."""
    found: dict[int, int] = {}
    for line in sorted(reasons):
        found.setdefault(int(rows.texts[np.searchsorted(rows.lines, line)]), line)
    return [(line, reasons[line]) for line in found.values()]


def documents(
    found: Texts, lines: Lines, groups: dict[int, str], constants: Mapping[str, str], place: str, kinds: pa.DataType
) -> Chunk:
    """Texts as documents-to-be. `groups` has those of the file's documents that came before."""
    count = len(found.texts)
    columns = {"text": found.texts, "spans": found.spans}
    columns |= {name: pa.array([value] * count, pa.string()) for name, value in constants.items()}
    if "document" in kinds.names:
        columns["document"] = pa.array(found.documents).cast(pa.string())
        columns = {"group": pa.array(grouped(found, groups), pa.string())} | columns
    further = [columns.pop(one.name, pa.nulls(count, pa.string())) for one in kinds]
    columns["attributes"] = pa.StructArray.from_arrays(further, fields=list(kinds))
    return Chunk(pa.table(columns), (lines.number + found.lines).tolist(), place)


def grouped(found: Texts, groups: dict[int, str]) -> list[str]:
    """What the texts of a document share: a hash of its number and its first text, which neither what comes after it
    changes nor where the file is."""
    numbers = found.documents.tolist()
    for n, document in enumerate(numbers):
        if document not in groups:
            groups[document] = f"{stable_hash(document, found.texts[n].as_py()):016x}"
    return [groups[document] for document in numbers]
