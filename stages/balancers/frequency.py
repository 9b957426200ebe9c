"""By frequency: a document counts by the size of its label to the power of minus `power`."""

from collections.abc import Mapping

from stages.core.params import Section, Share


class Params(Section):
    power: Share


def targets(counts: Mapping[str, int], p: Params) -> dict[str, float]:
    """As many documents in all as there are: 0 changes nothing, 1 makes all labels equal."""
    parts = {label: count ** (1 - p.power) for label, count in counts.items()}
    scale = sum(counts.values()) / sum(parts.values())
    return {label: part * scale for label, part in parts.items()}
