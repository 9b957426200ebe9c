"""Effective number of documents (Cui et al. 2019): the next document of a large class brings little that is new."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from stages.core.params import Section


class Params(Section):
    beta: Annotated[float, Field(ge=0.0, lt=1.0)]


def effective(count: int, beta: float) -> float:
    """(1 - beta^n) / (1 - beta): n documents that overlap are worth so many that do not."""
    return (1 - beta**count) / (1 - beta)


def targets(counts: Mapping[str, int], p: Params) -> dict[str, float]:
    """As many documents in all as there are, each divided by the effective number of its label."""
    parts = {label: count / effective(count, p.beta) for label, count in counts.items()}
    scale = sum(counts.values()) / sum(parts.values())
    return {label: part * scale for label, part in parts.items()}
