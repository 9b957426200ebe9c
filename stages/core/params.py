"""What a section of params.yaml may look like: strict, frozen, without hidden defaults."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0.0)]


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
    """An entry of `ingest.sources`: `kind` names the plug-in, whose own typed parameters are `params`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: str
    params: Any
