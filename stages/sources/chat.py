"""Conversations, one a line of JSON, as plain text: `role: content`, a line a turn.

No marks of a model's own: a tokenizer that is learned from the text learns these, one that is pinned can read them,
and so can people.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

import orjson
import pyarrow as pa
from pydantic import Field, model_validator

from stages.core import inputs
from stages.core.fields import reach
from stages.core.inputs import CONSTANT, File, Part
from stages.core.lines import lines
from stages.core.params import Section
from stages.core.records import Chunk, Reject, chunk

BATCH = 1_000  # conversations that become columns at once


class Params(Section):
    """Where the turns of a conversation are, and what becomes of them.

    `turns` is the path `a.b` to their list, `role` and `content` are what a turn calls its own; `roles` says what each
    role is called in the text: none passes that it does not know. The last turn of `target` (as it is called in the
    text) is the target, the text is what comes before it and ends with `target:`, so that what continues it is an
    answer; null: there is no target, and all turns are text.
    """

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    turns: str
    role: str
    content: str
    roles: Annotated[dict[str, str], Field(min_length=1)]
    target: str | None

    @model_validator(mode="after")
    def target_is_a_role(self) -> Self:
        if self.target is not None and self.target not in self.roles.values():
            raise ValueError(f"target {self.target!r} is none of roles: {', '.join(self.roles.values())}")
        return self


class Conversation(NamedTuple):
    """What is said before the target, the target where there is one, and the number of turns in all."""

    text: str
    target: str | None
    turns: int


def attributes(p: Params) -> pa.DataType:
    return inputs.attributes_of(p.files, "turns")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject]:
    file, kinds = p.files[part.file], attributes(p)
    for place, stream in inputs.opened(file, paths[part.file], part):
        found = lines(stream, place, part.line)
        while batch := list(islice(found, BATCH)):
            good: list[tuple[int, Conversation]] = []
            for one in batch:
                if isinstance(one, Reject):
                    yield one
                elif isinstance(made := conversation(one[1], p), Conversation):
                    good.append((one[0], made))
                elif made:
                    yield Reject(f"{place}:{one[0]}", made)
            yield columns(good, file, place, kinds)


def columns(found: Sequence[tuple[int, Conversation]], file: File, place: str, kinds: pa.DataType) -> Chunk:
    """Conversations as documents-to-be."""
    shared = {name: [value] * len(found) for name, value in file.constants.items()}
    fields: dict[str, Sequence[Any]] = {name: shared[name] for name in CONSTANT if name in shared}
    fields["text"] = [one.text for _, one in found]
    fields["targets"] = [None if one.target is None else [one.target] for _, one in found]
    further = shared | {"turns": [f"{one.turns}" for _, one in found]}
    return chunk(fields, further, [number for number, _ in found], place, kinds)


def conversation(line: bytes, p: Params) -> Conversation | str:
    """A line as a conversation, or why it is none; a blank line is nothing."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error.msg} (column {error.colno})" if line.strip() else ""
    if not isinstance(record, dict):
        return "JSON, but no object with fields"
    (given,) = reach([record], p.turns)
    if not isinstance(given, list) or not given:
        return f"no turns in {p.turns!r}"
    found = [turn(one, p) for one in given]
    if reasons := [one for one in found if isinstance(one, str)]:
        return reasons[0]
    return told([one for one in found if not isinstance(one, str)], p.target)


def turn(given: Any, p: Params) -> tuple[str, str] | str:
    """Who speaks, as they are called in the text, and what; or why nobody knows."""
    if not isinstance(given, dict):
        return "a turn that is no object with fields"
    role, content = given.get(p.role), given.get(p.content)
    if not isinstance(role, str) or role not in p.roles:
        return f"a turn of {role!r}, who is not in `roles`"
    if not isinstance(content, str) or not content.strip():
        return f"a turn without text in {p.content!r}"
    if "\0" in content:
        return "a NUL character: no text"
    return p.roles[role], content


def told(turns: Sequence[tuple[str, str]], target: str | None) -> Conversation | str:
    """Turns as text. What comes after the target answers nothing."""
    rendered = [f"{role}: {content}" for role, content in turns]
    if target is None:
        return Conversation("\n".join(rendered), None, len(turns))
    last = max((n for n, (role, _) in enumerate(turns) if role == target), default=0)
    if last == 0:
        return f"no turn of {target!r} that answers another"
    return Conversation("\n".join([*rendered[:last], f"{target}:"]), turns[last][1], len(turns))
