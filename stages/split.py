"""Train / validation / test; near-duplicates and groups never straddle."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import pyarrow as pa
from pydantic import Field, model_validator

from stages.core.faults import Fault, lines
from stages.core.hashing import stable_hash
from stages.core.params import Count, Section
from stages.core.records import DROPS, Drop, dropped_ids, read_table, shards, side_rows, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

SIDES = ("train", "validation", "test")
PartShare = Annotated[float, Field(ge=0.0, lt=1.0)]
SCHEMA = pa.schema(
    [("id", pa.string()), ("side", pa.string()), ("used", pa.bool_()), ("tied", pa.string()), *list(DROPS)[1:]]
)


class Params(Section):
    validation: PartShare
    test: PartShare
    labels: Count
    seed: int

    @model_validator(mode="after")
    def something_is_left_to_train(self) -> Self:
        if self.validation + self.test >= 1.0:
            raise ValueError("validation and test leave nothing to train; lower them")
        return self


@dataclass(frozen=True)
class Item:
    """What split looks at: the document's label, the keys that tie it to others, and the side its source has it on."""

    id: str
    label: str | None
    ties: tuple[str, ...]
    given: str | None = None


def groups(items: Sequence[Item]) -> list[list[Item]]:
    """Documents tied by a common key, directly or through others, in order of arrival."""
    parent = list(range(len(items)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    holder: dict[str, int] = {}
    for n, item in enumerate(items):
        for tie in item.ties:
            a, b = sorted((root(n), root(holder.setdefault(tie, n))))
            parent[b] = a
    members: dict[int, list[Item]] = defaultdict(list)
    for n, item in enumerate(items):
        members[root(n)].append(item)
    return list(members.values())


def settled(tied: Sequence[list[Item]]) -> tuple[dict[str, str], dict[str, Drop]]:
    """Id → side of the groups with a document whose side its source gives; and those that must go, as a validation or
    test side that is given is never thinned: whatever is tied to it and not on such a side itself."""
    side_of: dict[str, str] = {}
    drops: dict[str, Drop] = {}
    for group in tied:
        held_out = next((item for item in group if item.given in SIDES[1:]), None)
        if held_out is None and any(item.given for item in group):
            side_of |= {item.id: "train" for item in group}
        elif held_out is not None:
            side_of |= {item.id: item.given for item in group if item.given in SIDES[1:]}
            why = f"tied to a given {held_out.given} document"
            drops |= {item.id: Drop(item.id, why, held_out.id) for item in group if item.given not in SIDES[1:]}
    return side_of, drops


def label_of(group: Sequence[Item]) -> str:
    """The commonest label of a group, the first in the alphabet where equal; nothing for a group without labels."""
    counts = Counter(item.label for item in group if item.label is not None)
    return min(counts, key=lambda label: (-counts[label], label)) if counts else ""


def sides(tied: Sequence[list[Item]], p: Params) -> dict[str, str]:
    """Id → side, stratified by label.

    Sizes follow the whole corpus, so a later document may move an older one (a hash alone would not, but gives small
    classes an uneven share).
    """
    strata: dict[str, list[list[Item]]] = defaultdict(list)
    for group in tied:
        strata[label_of(group)].append(group)
    return {one: side for label in sorted(strata) for one, side in stratum_sides(strata[label], p).items()}


def stratum_sides(tied: Sequence[list[Item]], p: Params) -> dict[str, str]:
    """Id → side within a label: the groups in the order of their hashes, each to the side that is the least full.

    So validation and test are drawn alike. Only a group that would fill the smaller of them alone goes to train.
    """
    parts = {"train": 1.0 - p.validation - p.test, "validation": p.validation, "test": p.test}
    shares = {side: share for side, share in parts.items() if share > 0.0}
    wanted = {side: share * sum(map(size, tied)) for side, share in shares.items()}
    large = {group[0].id for group in tied if size(group) > max(1.0, min(wanted.values()))}
    filled = dict.fromkeys(shares, 0)
    side_of: dict[str, str] = {}
    for group in sorted(tied, key=lambda group: (group[0].id not in large, stable_hash("side", group[0].id, p.seed))):
        side = "train" if group[0].id in large else min(shares, key=lambda side: filled[side] / wanted[side])
        filled[side] += size(group)
        side_of |= {item.id: side for item in group}
    return side_of


def size(group: Sequence[Item]) -> int:
    """Labelled documents; a group without any counts by its documents."""
    return sum(item.label is not None for item in group) or len(group)


def used(train: Iterable[Item], p: Params) -> set[str]:
    """The labelled training documents within the budget: of each label its share of the budget, at least one."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for item in train:
        if item.label is not None:
            by_label[item.label].append(item.id)
    budget = affordable(p.labels, {label: len(ids) for label, ids in by_label.items()})
    chosen: set[str] = set()
    for label, count in quotas({label: len(ids) for label, ids in by_label.items()}, budget).items():
        chosen.update(sorted(by_label[label], key=lambda one: stable_hash("used", one, p.seed))[:count])
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


def enough(tied: Sequence[list[Item]], side_of: Mapping[str, str]) -> None:
    """Every label must be there to learn, to choose by and to judge, and two of them at least: what comes next could
    only fail, or keep quiet about a label."""
    holders: dict[str, list[list[Item]]] = defaultdict(list)
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


def lack(label: str, holding: Sequence[list[Item]], side_of: Mapping[str, str]) -> str | None:
    """The sides that a label is not on, and how little there is of it; a group is one however large, as it stays
    together."""
    there_is = {side_of.get(item.id) for group in holding for item in group if item.label == label}
    absent = [side for side in SIDES if side not in there_is]
    documents = sum(item.label == label for group in holding for item in group)
    there = f"{counted(documents, 'document')} in {counted(len(holding), 'group')}"
    return f"{label!r}: {there}, none for {' and '.join(absent)}" if absent else None


def counted(number: int, what: str) -> str:
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


def read_items(source: Path, gone: Path, dedup: Path) -> dict[str, list[Item]]:
    """Shard → what is left after filter, with its ties: the source's group, the cluster of dedup, the cleaned text."""
    cluster = {row["id"]: row["cluster"] for row in side_rows(dedup, ["id", "cluster"])}
    items: dict[str, list[Item]] = {}
    for path in shards(source):
        out, rows = (
            dropped_ids(gone / path.name),
            read_table(path, ["id", "text", "label", "group", "split"]).to_pylist(),
        )
        items[path.name] = [
            Item(row["id"], row["label"], ties(row["group"], cluster[row["id"]], row["text"]), row["split"])
            for row in rows
            if row["id"] not in out
        ]
    return items


def ties(group: str | None, cluster: str | None, text: str) -> tuple[str, ...]:
    """The keys that hold a document to one side."""
    tied = {"group": group, "cluster": cluster, "text": " ".join(text.lower().split())}
    return tuple(f"{kind} {key}" for kind, key in tied.items() if key is not None)


def stage(e: Engine, p: Params, source: Path, gone: Path, dedup: Path, out: Path) -> str:
    """Gives each document its side and marks the labelled ones that training may use."""
    out.mkdir()
    items = read_items(source, gone, dedup)
    everything = [item for shard in items.values() for item in shard]
    tied = groups(everything)
    first = {item.id: group[0].id for group in tied for item in group}
    side_of, drops = settled(tied)
    side_of |= sides([group for group in tied if not any(item.given for item in group)], p)
    enough(tied, side_of)
    labelled = Counter(side_of.get(item.id) for item in everything if item.label is not None)
    chosen = used([item for item in everything if side_of.get(item.id) == "train"], p)
    for name, shard in items.items():
        rows = [
            {"id": item.id, "side": side_of.get(item.id), "used": item.id in chosen, "tied": first[item.id]}
            | (drops[item.id]._asdict() if item.id in drops else {})
            for item in shard
        ]
        write_table(out / name, pa.Table.from_pylist(rows, schema=SCHEMA))
    gone_here = f", {len(drops):,} dropped" if drops else ""
    return (
        f"labelled: {labelled['train']:,} train ({len(chosen):,} used), {labelled['validation']:,} validation, "
        f"{labelled['test']:,} test; {len(everything) - labelled.total():,} without a label{gone_here}"
    )


if __name__ == "__main__":
    run(stage)
