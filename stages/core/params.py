"""What a section of params.yaml may look like: strict, frozen, without hidden defaults."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def written(pattern: str, wanted: str) -> AfterValidator:
    """A check of how a text is written that says what is wanted, where pydantic's own would quote the pattern."""

    def checked(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{wanted}, not {text!r}")
        return text

    return AfterValidator(checked)


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, each of them once."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{', '.join(twice)}: named more than once; once is enough")
    return names


Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0.0)]
Distinct = AfterValidator(distinct)
Sha256 = Annotated[str, written(r"[0-9a-f]{64}", "64 hexadecimal digits are wanted, as `sha256sum FILE` prints them")]


class Section(BaseModel):
    """Base of every `Params`: all keys must be there, no others, each of exactly its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Shared:
    """Marks a field of a stage's `Params` that stands outside the stage's own section.

    `path` is written as in the stage's `params:` in dvc.yaml, `${model.task}` included.
    """

    path: str


@dataclass(frozen=True)
class Plugin:
    """Marks a field whose value names plug-ins: one, or a tuple of them."""

    folder: str


class Model(Section):
    """The section `model`: what several stages must agree on."""

    task: Annotated[str, Plugin("tasks")]
    architecture: Annotated[str, Plugin("architectures")]
    weights: Literal["pinned", "none"]


class Source(Section):
    """An entry of `ingest.sources`: `kind` names the plug-in, whose own typed parameters are `params`.

    `licence` is an SPDX expression (null: unknown); `quota` is how many documents it may bring (null: all); more than
    the share `rejects` of rows that can't be read stop the stage.
    """

    name: Annotated[str, written(r"[a-z0-9_]+", "a-z, 0-9 and _ are wanted, as it becomes part of file names")]
    kind: str
    licence: str | None
    quota: Positive | None
    rejects: Share
    params: Any
