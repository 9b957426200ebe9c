"""The oldest for train, the newest for test: as a model will meet the world.

Documents of one date are on one side, so of shares and counts the nearest that whole dates make is taken; these cuts
follow the whole corpus, and a later document may move an older one. Where `validation` and `test` are dates, from which
on a side begins, none does. A document that is tied to an older side is dropped: the side of its date would have read
it before.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from stages.core.faults import Fault
from stages.core.params import Section
from stages.core.records import Drop
from stages.core.sides import HELD, SIDES, Item, Sides, Sizes, moment, one_by_one


class Params(Section):
    """The attribute that has the date, in ISO 8601; and what becomes of a document without one, unless it is tied to
    others: it is learned from, or goes."""

    attribute: str
    undated: Literal["train", "drop"]


def faults(sizes: Sizes, p: Params) -> Iterator[str]:
    begins = [found for side in HELD if (found := moment(f"{getattr(sizes, side)}"))] if sizes.kind == "a date" else []
    if begins != sorted({*begins}):
        yield f"split: validation begins at {sizes.validation}, test at {sizes.test}; validation comes before test"


def sides(items: Sequence[Item], sizes: Sizes, p: Params, seed: int) -> Sides:
    """One by one, each to the side of its date."""
    dates = {item.id: found for item in items if item.here and (found := moment(item.value))}
    if not dates:
        value = next((item.value for item in items if item.value is not None), None)
        told = f"that of the first is {value!r}" if value is not None else "it is empty everywhere"
        raise Fault(
            f"params.yaml: splitters.temporal.attribute: {p.attribute!r} is no date in ISO 8601 in any document, such "
            f"as 2026-01-31 ({told}); name another, or mend it at the source"
        )
    names, begins = cuts(sorted(dates[item.id] for item in items if item.id in dates and not item.given), sizes)

    def ask(item: Item) -> str | None:
        return names[bisect_right(begins, dates[item.id])] if item.id in dates else None

    def draw(item: Item) -> str | Drop:
        return "train" if p.undated == "train" else Drop(item.id, "no date")

    return one_by_one(items, ask, draw)


def cuts(dates: Sequence[datetime], sizes: Sizes) -> tuple[list[str], list[datetime]]:
    """The sides that there are to be, train first, and where each but train begins."""
    wanted = [side for side in HELD if getattr(sizes, side)]
    if sizes.kind == "a date":
        found = [moment(str(getattr(sizes, side))) for side in wanted]
        return ["train", *wanted], [one for one in found if one]
    distinct = sorted({*dates})
    if len(distinct) <= len(wanted):
        raise Fault(
            f"params.yaml: splitters.temporal: {len(distinct)} dates are too few for {', '.join(SIDES)}; documents of "
            "one date stay together; name an attribute with finer ones, or another method"
        )
    ends = [bisect_right(dates, one) for one in distinct]
    shares, begins, left = sizes.shares(len(dates)), list[datetime](), len(distinct)
    for side, before in zip(reversed(wanted), range(len(wanted), 0, -1), strict=True):
        first = newest(ends[:left], shares[side] * len(dates), before)
        begins.insert(0, distinct[first])
        left = first
    return ["train", *wanted], begins


def newest(ends: Sequence[int], wanted: float, before: int) -> int:
    """The first of the last dates that have together nearest to the wanted number of documents; so many dates at least
    are left before it. `ends` counts the documents up to each date."""
    return min(range(len(ends) - 1, before - 1, -1), key=lambda first: abs(ends[-1] - ends[first - 1] - wanted))
