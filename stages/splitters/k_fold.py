"""Cross-validation: `1 / split.test` folds, each of which is test once; of the rest, a share is validation.

Folds are even within each label, to within a group; so a later document may move an older one.
"""

from collections.abc import Iterator, Sequence

from stages.core.faults import Fault
from stages.core.params import Count, Section
from stages.core.sides import Group, Item, Sides, Sizes, dealt, in_groups, strata


class Params(Section):
    """The fold that is test, from 0 on."""

    fold: Count


def folds(sizes: Sizes) -> int:
    """How many there are; 0 where `test` is no whole part."""
    if not isinstance(sizes.test, float) or not sizes.test:
        return 0
    number = round(1 / sizes.test)
    return number if number > 1 and abs(1 / sizes.test - number) < 0.01 else 0


def faults(sizes: Sizes, p: Params) -> Iterator[str]:
    number = folds(sizes)
    if isinstance(sizes.validation, int) and sizes.validation:
        yield f"split.validation: method k_fold takes a share, not {sizes.validation!r}"
    if not number:
        yield f"split.test: method k_fold takes a whole part, such as 0.2 for five folds, not {sizes.test!r}"
    elif p.fold >= number:
        yield f"splitters.k_fold.fold: there is no fold {p.fold}; test {sizes.test} makes {number}, 0 to {number - 1}"


def sides(items: Sequence[Item], sizes: Sizes, p: Params, seed: int) -> Sides:
    """The fold for test, and the others dealt out again."""
    number = folds(sizes)

    def share_out(tied: list[Group]) -> dict[str, str]:
        if len(tied) < number:
            raise Fault(
                f"params.yaml: split.test: {number} folds of {len(tied)} groups, which stay whole; raise it for fewer "
                "folds, or bring more documents"
            )
        held = float(sizes.validation) / (1 - 1 / number)
        shares = {"train": 1.0 - held, "validation": held}
        side_of: dict[str, str] = {}
        for n, stratum in enumerate(strata(tied)):
            # What is over goes to the first: to another fold in each label.
            equal = {f"{(n + fold) % number}": 1 / number for fold in range(number)}
            fold_of = dealt(stratum, equal, seed)
            rest = [group for group in stratum if fold_of[group[0].id] != f"{p.fold}"]
            side_of |= dict.fromkeys((one for one, fold in fold_of.items() if fold == f"{p.fold}"), "test")
            side_of |= dealt(rest, shares, seed)
        return side_of

    return in_groups(items, share_out)
