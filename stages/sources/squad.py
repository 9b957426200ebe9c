"""Questions and where their answers stand, as SQuAD has them: the text is the context, the pair is the question."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

import orjson
import pyarrow as pa
from pydantic import Field

from stages.core import inputs
from stages.core.fields import as_text
from stages.core.hashing import stable_hash
from stages.core.inputs import CONSTANT, File, Part
from stages.core.lines import BOM, unread
from stages.core.params import Count, Section
from stages.core.records import Reject, Row, Span
from stages.core.streams import DAMAGED, of_the_machine

LARGEST = 2**28  # bytes of a file, some times SQuAD 2.0; parsed, it takes several times as much memory
LABEL = "answer"
LISTS = ("data", "paragraphs", "qas")
Object = dict[str, Any]


class Answer(NamedTuple):
    """Where an answer stands, and how far from where it should."""

    start: int
    end: int
    moved: int


class Params(Section):
    """An answer that does not stand at its offset is looked for up to `shift` characters away (0: it is rejected): as
    it is written, then with any white space for its own, then in upper or lower case. Attribute `moved` tells how far
    away the first one was."""

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    shift: Count


def attributes(p: Params) -> pa.DataType:
    return inputs.attributes_of(p.files, "title", "moved")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part):
        content = loaded(stream, place)
        if isinstance(content, Reject):
            yield content
            continue
        for where, found in inside(content, LISTS, place):
            row = found if isinstance(found, str) else question(found, p.shift, file.constants)
            yield Reject(where, row) if isinstance(row, str) else row


def loaded(stream: IO[bytes], place: str) -> Any:
    """What the JSON of a file says, or why it is none."""
    try:
        content = stream.read(LARGEST + 1)
    except DAMAGED as error:
        if of_the_machine(error):
            raise
        return Reject(place, unread(error))
    if len(content) > LARGEST:
        return Reject(place, f"more than {LARGEST:,} bytes; divide the file")
    try:
        return orjson.loads(content.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        return Reject(f"{place}:{error.lineno}", f"not JSON: {error.msg} (column {error.colno})")


def inside(
    value: Any, lists: Sequence[str], where: str, *above: Object
) -> Iterator[tuple[str, tuple[Object, ...] | str]]:
    """The objects in lists in lists: the place of each, and it with those around it, or what is wrong there."""
    if not isinstance(value, dict):
        yield where, "no object with fields"
    elif not lists:
        yield where, (*above, value)
    elif not isinstance(inner := value.get(lists[0]), list):
        yield where, f"no list {lists[0]!r}"
    else:
        for n, one in enumerate(inner):
            yield from inside(one, lists[1:], f"{where}{'.' if above else ':'}{lists[0]}.{n}", *above, value)


def question(found: Sequence[Object], shift: int, constants: Mapping[str, str]) -> Row | str:
    """A question as a row, or why it is none. All on one context are a group: who has read it knows their answers."""
    _, article, paragraph, asked = found
    context, pair, key = paragraph.get("context"), asked.get("question"), asked.get("id")
    if not isinstance(context, str) or not context:
        return "no text in 'context'"
    if not isinstance(pair, str) or not pair:
        return "no text in 'question'"
    if not isinstance(key, str | int) or key == "":
        return "no 'id'"
    places = answers(context, asked, shift)
    if isinstance(places, str):
        return places
    fields = {"label": None, "group": f"{stable_hash(context):016x}", "split": None} | dict(constants)
    fields["title"] = as_text(article.get("title"))
    fields["moved"] = f"{places[0].moved}" if places and places[0].moved else None
    return Row(
        key=f"{key}",
        text=context,
        attributes={name: value for name, value in fields.items() if name not in CONSTANT},
        pair=pair,
        spans=tuple(Span(one.start, one.end, LABEL) for one in places[:1]),
        targets=tuple(dict.fromkeys(context[one.start : one.end] for one in places)),
        label=fields["label"],
        group=fields["group"],
        split=fields["split"],
    )


def answers(context: str, asked: Object, shift: int) -> list[Answer] | str:
    """Where the answers to a question stand, none where there is no answer; or why one does not."""
    given = asked.get("answers")
    if not isinstance(given, list):
        return "no list 'answers'"
    if given and asked.get("is_impossible"):
        return "impossible to answer, and yet answered"
    found: list[Answer] = []
    for one in given:
        text, start = (one.get("text"), one.get("answer_start")) if isinstance(one, dict) else (None, None)
        if not isinstance(text, str) or not text.strip() or type(start) is not int:
            return "an answer without text or place"
        if (place := stands(context, text, start, shift)) is None:
            return f"an answer that is not in the context within {shift} characters of its place"
        found.append(place)
    return found


def stands(context: str, text: str, start: int, shift: int) -> Answer | None:
    """Where an answer stands nearest to its place, the earlier of two as near."""
    if start >= 0 and context.startswith(text, start):
        return Answer(start, start + len(text), 0)
    if not shift or not -shift <= start <= len(context):
        return None
    exact, loose = re.escape(text), r"\s+".join(map(re.escape, text.split()))
    for pattern, flags in ((exact, 0), (loose, 0), (loose, re.IGNORECASE)):
        # Looked ahead for, so that one may begin within another; white space may be wider there than here.
        near = re.compile(f"(?=({pattern}))", flags).finditer(
            context, max(0, start - shift), start + shift + 2 * len(text)
        )
        places = [Answer(*one.span(1), one.start() - start) for one in near if one.start() <= start + shift]
        if places:
            return min(places, key=lambda one: abs(one.moved))
    return None
