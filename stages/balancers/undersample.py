"""Under-sampling: large labels lose documents until they are nearer to the smallest."""

from collections.abc import Mapping

from stages.core.params import Section, Share


class Params(Section):
    share: Share


def targets(counts: Mapping[str, int], p: Params) -> dict[str, float]:
    """Each label loses this share of what it has more than the smallest."""
    least = min(counts.values())
    return {label: count - p.share * (count - least) for label, count in counts.items()}
