"""Whole sources held out, to see how a model does on what comes from elsewhere; of the others, shares by hash.

What dedup leaves of a source that is held out (of two that are alike it keeps the first, whatever its source) is as a
side that a source gives: it stays, and what is tied to it goes from the others. So a document that comes to one of the
others moves no older one; one that comes to a source held out may take its twin from training.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Self

from pydantic import model_validator

from stages.core.faults import Fault, did_you_mean
from stages.core.params import Distinct, Section
from stages.core.sides import HELD, Item, Sides, Sizes, drawn, one_by_one

Names = Annotated[tuple[str, ...], Distinct]


class Params(Section):
    """Names of `ingest.sources`."""

    validation: Names
    test: Names

    @model_validator(mode="after")
    def each_on_one_side(self) -> Self:
        if both := sorted({*self.validation} & {*self.test}):
            raise ValueError(f"{', '.join(both)}: on validation and on test; name it once")
        return self


def faults(sizes: Sizes, p: Params) -> Iterator[str]:
    if sizes.kind != "a share":
        yield f"split: method source takes shares of the other sources (0.0: none), no {sizes.kind[2:]}s"


def sides(items: Sequence[Item], sizes: Sizes, p: Params, seed: int) -> Sides:
    """One by one, the documents of sources held out before the others."""
    held = {name: side for side in HELD for name in getattr(p, side)}
    there = sorted({item.source for item in items})
    for name, side in held.items():
        if name not in there:
            raise Fault(
                f"params.yaml: splitters.source.{side}: no document is of {name!r}; "
                f"there is: {', '.join(there)}{did_you_mean(name, there)}"
            )
    items = [item._replace(given=held.get(item.source, item.given)) for item in items]
    return one_by_one(items, lambda _: None, partial(drawn, shares=sizes.shares(0), seed=seed))
