"""Columns of tokens and their tags, as corpora of names have them: a line a token, a blank line between sentences."""

import codecs
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
from stages.core.lines import BLOCK, BOM, LONGEST, unread
from stages.core.params import Positive, Section
from stages.core.records import SPANS, Chunk, Reject
from stages.core.streams import of_the_machine
from stages.core.tags import OUTSIDE, Entities, Numbers, Scheme, Wrong, entities

LINE, TAB, SPACE = b"\n\t "
BLANK = (b"\n\n", b"\n\r\n", b"\n\t\n")
WHITE = " \t\r\n"
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Offsets = np.ndarray[Any, np.dtype[np.int32]]
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
    """The lines that hold tokens: which of all they are, and the sentence and the text that each belongs to."""

    lines: Numbers
    sentences: Numbers
    texts: Numbers


class Stretches(NamedTuple):
    """Where pieces of characters begin and end."""

    starts: Numbers
    ends: Numbers


class Columns(NamedTuple):
    """Where the columns of lines begin and end, line by line, and how many there are up to the end of each."""

    places: Stretches
    upto: Numbers

    def of(self, lines: Numbers, back: int) -> Stretches:
        """The columns of these lines that come so many before the last."""
        these = self.upto[lines] - 1 - back
        return Stretches(self.places.starts[these], self.places.ends[these])


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
        yield Reject(f"{place}:{number}", unread(error))


def looked_at(data: bytes, number: int, marks: int, p: Params) -> Lines:
    """What can be told of lines before they are divided; byte order marks and Windows' ends of lines are gone."""
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if BOM in data:
        data = data.removeprefix(BOM).replace(b"\n" + BOM, b"\n")
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(characters == LINE) + 1
    starts = np.concatenate([[0], ends])[:-1]
    lines = strings(characters, np.concatenate([[0], ends]))
    mark, comment = (beginning(lines, word and word.encode(p.encoding)) for word in (p.mark, p.comment))
    return Lines(data, number, marks, starts, blanks(lines, characters[starts]), mark, comment & ~mark)


def strings(characters: Bytes, edges: Numbers | Offsets) -> pa.Array:
    """Stretches of characters that follow one another; nothing is copied."""
    offsets = pa.py_buffer(edges.astype(np.int32, copy=False))
    return pa.StringArray.from_buffers(len(edges) - 1, offsets, pa.py_buffer(characters))


def blanks(lines: pa.Array, first: Bytes) -> Flags:
    """Which lines are all white space; few begin with it that are not."""
    blank = np.isin(first, np.frombuffer(WHITE.encode(), np.uint8))
    trimmed = pc.call_function("ascii_trim", [lines.filter(pa.array(blank))], pc.TrimOptions(WHITE))
    blank[blank] = pc.call_function("binary_length", [trimmed]).to_numpy() == 0
    return blank


def beginning(lines: pa.Array, word: bytes | str | None) -> Flags:
    """Which lines begin with a word."""
    if not word:
        return np.zeros(len(lines), bool)
    found = pc.call_function("starts_with", [lines], pc.MatchSubstringOptions(word))
    return found.to_numpy(zero_copy_only=False)


def rows_of(lines: Lines, unit: str) -> Rows:
    """The lines that hold tokens. A blank line ends a sentence, and a mark does."""
    (held,) = np.nonzero(~(lines.blank | lines.mark | lines.comment))
    sentences = np.cumsum(lines.blank | lines.mark, dtype=np.int64)[held]
    return Rows(held, sentences, documents_of(lines, held) if unit == "document" else sentences)


def documents_of(lines: Lines, these: Numbers) -> Numbers:
    """The document that each of some lines belongs to."""
    return lines.marks + np.searchsorted(np.flatnonzero(lines.mark), these)


def texts(lines: Lines, rows: Rows, p: Params) -> tuple[Texts, dict[int, str]]:
    """Lines as texts, and what is wrong with which; where one line is wrong, there is no text."""
    characters, reasons = decoded(lines.data, p.encoding)
    columns = columns_of(characters, p.separator)
    held = set(rows.lines.tolist()) if reasons else ()
    reasons = uneven(characters, columns, rows.lines, p.columns) | {n: why for n, why in reasons.items() if n in held}
    rows = without(rows, reasons)
    tokens, tags = (columns.of(rows.lines, p.columns - n) for n in (p.text, p.tags))
    ends, last = ends_of(rows.sentences), ends_of(rows.texts)
    found, wrongs = tagged(characters, tags, ends, p.scheme)
    wrongs += [Wrong(n, "an empty token") for n in np.flatnonzero(tokens.starts == tokens.ends).tolist()]
    more = {int(rows.lines[position]): reason for position, reason in wrongs}
    edges = np.concatenate([[0], last])
    data, begins = joined(characters, tokens, ends, edges)
    spans, first = placed(data, begins, tokens.ends - tokens.starts, edges, found), rows.lines[edges[:-1]]
    made = Texts(strings(data, begins[edges]), spans, first, documents_of(lines, first))
    if more:
        made = made.where(np.isin(rows.texts[edges[:-1]], without(rows, more).texts))
    return made, reasons | more


def decoded(data: bytes, encoding: str) -> tuple[Bytes, dict[int, str]]:
    """Lines in UTF-8, and which of them are no text."""
    reasons: dict[int, str] = {}
    try:
        data = recoded(data, encoding)
    except UnicodeError:
        lines = data.split(b"\n")
        for n, line in enumerate(lines):
            try:
                lines[n] = recoded(line, encoding)
            except UnicodeError:
                lines[n], reasons[n] = b"", f"bytes that are no text in {encoding}"
        data = b"\n".join(lines)
    return np.frombuffer(data, np.uint8), reasons


def recoded(data: bytes, encoding: str) -> bytes:
    """Lines in UTF-8, where some encodings can't write halves of surrogate pairs nor further lines."""
    text = data.decode(encoding)
    found = text.encode()
    if found != data and text.count("\n") != data.count(b"\n"):
        raise UnicodeError
    return found


def columns_of(characters: Bytes, separator: str) -> Columns:
    """All that is between two tabs, or what is between white space."""
    edges = (characters == LINE) | (characters == TAB)
    if separator == "space":
        edges |= characters == SPACE
    ends = np.flatnonzero(edges)
    starts = np.concatenate([[0], ends + 1])[:-1]
    upto = np.flatnonzero(characters[ends] == LINE) + 1
    if separator == "space":
        held = starts < ends
        starts, ends, upto = starts[held], ends[held], np.cumsum(held, dtype=np.int64)[upto - 1]
    return Columns(Stretches(starts, ends), upto)


def uneven(characters: Bytes, columns: Columns, lines: Numbers, wanted: int) -> dict[int, str]:
    """Which of some lines don't have all columns and no more, or have a NUL."""
    (zeros,) = np.nonzero(characters == 0)
    of = np.searchsorted(np.flatnonzero(characters == LINE), zeros) if len(zeros) else zeros
    reasons = dict.fromkeys(lines[np.isin(lines, of)].tolist(), "a NUL character: no text")
    counts = np.diff(columns.upto, prepend=0)[lines]
    return reasons | {
        int(lines[n]): f"{counts[n]} columns, `columns` says {wanted}" for n in np.flatnonzero(counts != wanted)
    }


def without(rows: Rows, lines: Collection[int]) -> Rows:
    """The rows of texts that have none of these lines."""
    if not lines:
        return rows
    good = ~np.isin(rows.texts, rows.texts[np.isin(rows.lines, list(lines))])
    return Rows(*(column[good] for column in rows))


def ends_of(numbers: Numbers) -> Numbers:
    """Where runs of equal numbers end."""
    return np.append(np.flatnonzero(np.diff(numbers)) + 1, len(numbers)) if len(numbers) else numbers


def tagged(characters: Bytes, tags: Stretches, ends: Numbers, scheme: Scheme) -> tuple[Entities, list[Wrong]]:
    """What the tags of sentences say, and where they are wrong. Most are O, of which no text is made."""
    starts, stops = tags
    (others,) = np.nonzero((characters[starts] != ord(OUTSIDE)) | (stops - starts != 1))
    return entities(pieces(characters, starts[others], stops[others]), others, ends, scheme)


def joined(characters: Bytes, tokens: Stretches, ends: Numbers, edges: Numbers) -> tuple[Bytes, Offsets]:
    """Tokens as texts, of which each is those from an edge to the next, and where each token begins in them: a space
    after each, a line's end after each sentence, nothing after a text."""
    characters, after = characters.copy(), tokens.ends + 1
    characters[tokens.ends] = SPACE
    characters[tokens.ends[ends - 1]] = LINE
    after[edges[1:] - 1] -= 1
    _, begins, data = pieces(characters, tokens.starts, after).buffers()
    return np.frombuffer(data, np.uint8), np.frombuffer(begins, np.int32)


def placed(data: Bytes, begins: Offsets, lengths: Numbers, edges: Numbers, found: Entities) -> pa.Array:
    """The entities of each text as spans of characters."""
    begin = begins[edges[np.searchsorted(edges, found.first, side="right") - 1]]
    # Bytes of UTF-8 that go on with a character are none.
    (further,) = np.nonzero((data & 0xC0) == 0x80)
    places = (begin, begins[found.first], begins[found.last] + lengths[found.last])
    begin, start, end = (place - np.searchsorted(further, place) for place in places)
    columns = (start - begin, end - begin, found.labels)
    kinds = list(SPANS.value_type)
    arrays = [pa.array(one, kind.type) for one, kind in zip(columns, kinds, strict=True)]
    offsets = pa.array(np.searchsorted(found.first, edges), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=kinds))


def pieces(characters: Bytes, starts: Numbers, ends: Numbers) -> pa.Array:
    """Stretches of characters as texts."""
    edges = np.append(np.column_stack([starts, ends]), len(characters))
    return strings(characters, edges).take(pa.array(np.arange(0, len(edges) - 1, 2)))


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
