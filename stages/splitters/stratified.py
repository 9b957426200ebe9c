"""Each label by the same shares. Sizes follow the whole corpus, so a later document may move an older one: a hash alone
would not, but gives small labels an uneven share.

A count is one of labelled documents, of which each label has its share; those without a label are split likewise.
"""

from collections.abc import Iterator, Sequence

from stages.core.params import Section
from stages.core.sides import Group, Item, Sides, Sizes, dealt, in_groups, strata


def faults(sizes: Sizes, p: Section) -> Iterator[str]:
    if sizes.kind == "a date":
        yield "split: method stratified takes shares or counts, no dates; method temporal takes them"


def sides(items: Sequence[Item], sizes: Sizes, p: Section, seed: int) -> Sides:
    """The groups of each label, dealt out."""

    def share_out(tied: list[Group]) -> dict[str, str]:
        labelled = sum(item.label is not None for group in tied for item in group)
        shares = sizes.shares(labelled or sum(map(len, tied)))
        return {one: side for stratum in strata(tied) for one, side in dealt(stratum, shares, seed).items()}

    return in_groups(items, share_out)
