"""Over-sampling: small labels come more often, no document is lost."""

from collections.abc import Mapping

from stages.core.params import Section, Share


class Params(Section):
    share: Share


def targets(counts: Mapping[str, int], p: Params) -> dict[str, float]:
    """Each label is brought nearer to the largest by this share of what it lacks."""
    most = max(counts.values())
    return {label: count + p.share * (most - count) for label, count in counts.items()}
