"""By hash, without regard to labels.

Of shares: where a group goes hangs on the hash of its first document alone, so a later document moves no older one, and
sizes are as drawn: n groups of one document miss a share s by about sqrt(s(1-s)n) documents. Counts are met to within
the largest group; for that, a later document may move an older one.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from stages.core.params import Section
from stages.core.sides import Group, Item, Sides, Sizes, dealt, drawn, in_groups, one_by_one


def faults(sizes: Sizes, p: Section) -> Iterator[str]:
    if sizes.kind == "a date":
        yield "split: method random takes shares or counts, no dates; method temporal takes them"


def sides(items: Sequence[Item], sizes: Sizes, p: Section, seed: int) -> Sides:
    """One by one, or all at once to a count."""

    def share_out(tied: list[Group]) -> dict[str, str]:
        return dealt(tied, sizes.shares(sum(map(len, tied))), seed, len)

    if sizes.kind == "a count":
        return in_groups(items, share_out)
    return one_by_one(items, lambda _: None, partial(drawn, shares=sizes.shares(0), seed=seed))
