"""Labels of a split: every one must be on every side, and a budget says how many of train are used."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from stages.core.faults import Fault, lines
from stages.core.hashing import stable_hash
from stages.core.sides import SIDES, Group, Item


def used(train: Iterable[Item], wanted: int, seed: int) -> set[str]:
    """The labelled training documents within the budget: of each label its share of the budget, at least one."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for item in train:
        if item.label is not None:
            by_label[item.label].append(item.id)
    budget = affordable(wanted, {label: len(ids) for label, ids in by_label.items()})
    chosen: set[str] = set()
    for label, count in quotas({label: len(ids) for label, ids in by_label.items()}, budget).items():
        chosen.update(sorted(by_label[label], key=lambda one: stable_hash("used", one, seed))[:count])
    return chosen


def affordable(wanted: int, counts: Mapping[str, int]) -> int:
    """The label budget in documents, which train must have, and which must reach each label."""
    there = sum(counts.values())
    if wanted > there:
        raise Fault(
            f"params.yaml: split.labels: {wanted:,} wanted, train has {there:,} labelled documents; "
            "lower it, or set 0 to use all"
        )
    if 0 < wanted < len(counts):
        raise Fault(f"params.yaml: split.labels: {wanted} are fewer than the {len(counts)} labels; raise it")
    return wanted or there


def enough(tied: Sequence[Group], side_of: Mapping[str, str]) -> None:
    """Every label must be there to learn, to choose by and to judge, and two of them at least: what comes next could
    only fail, or keep quiet about a label."""
    holders: dict[str, list[Group]] = defaultdict(list)
    for group in tied:
        for label in {item.label for item in group if item.label is not None}:
            holders[label].append(group)
    if len(holders) < 2:
        has = f"all labels are {min(holders)!r}" if holders else "no document has a label"
        raise Fault(f"{has}; two labels are needed: label more, or mend ingest.sources")
    lacking = [told for label in sorted(holders) if (told := lack(label, holders[label], side_of))]
    if lacking:
        raise Fault(
            f"{len(lacking):,} of {len(holders):,} labels are not on all sides; label more of them, merge them with "
            f"others at the source, or take them away:{lines(lacking)}"
        )


def lack(label: str, holding: Sequence[Group], side_of: Mapping[str, str]) -> str | None:
    """The sides that a label is not on, and how little there is of it; a group is one however large, as it stays
    together."""
    there_is = {side_of.get(item.id) for group in holding for item in group if item.label == label}
    absent = [side for side in SIDES if side not in there_is]
    documents = sum(item.label == label for group in holding for item in group)
    there = f"{several(documents, 'document')} in {several(len(holding), 'group')}"
    return f"{label!r}: {there}, none for {' and '.join(absent)}" if absent else None


def several(number: int, what: str) -> str:
    """`1 group`, `2 groups`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def quotas(counts: dict[str, int], budget: int) -> dict[str, int]:
    """The budget by the labels' shares: one each, the rest by largest remainder (Hamilton's method)."""
    spare, total = budget - len(counts), sum(counts.values()) - len(counts)
    exact = {label: spare * (count - 1) / max(total, 1) for label, count in sorted(counts.items())}
    quota = {label: 1 + int(share) for label, share in exact.items()}
    for label in sorted(exact, key=lambda label: int(exact[label]) - exact[label])[: budget - sum(quota.values())]:
        quota[label] += 1
    return quota
