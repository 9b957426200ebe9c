"""Temperature sampling: a label is drawn in proportion to the root of its size (Arivazhagan et al. 2019)."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from stages.core.params import Section


class Params(Section):
    temperature: Annotated[float, Field(ge=1.0)]


def targets(counts: Mapping[str, int], p: Params) -> dict[str, float]:
    """As many documents in all as there are, by size^(1 / temperature): 1 changes nothing, much makes labels equal."""
    parts = {label: count ** (1 / p.temperature) for label, count in counts.items()}
    scale = sum(counts.values()) / sum(parts.values())
    return {label: part * scale for label, part in parts.items()}
