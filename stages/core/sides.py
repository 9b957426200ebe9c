"""Sides of a split: what is tied stays together, whichever method says where it goes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, model_validator

from stages.core.faults import Fault
from stages.core.hashing import stable_hash, uniform
from stages.core.params import Section
from stages.core.records import Drop

SIDES = ("train", "validation", "test")
HELD = SIDES[1:]
KINDS: dict[type, str] = {float: "a share", int: "a count", str: "a date"}
TORN = ""  # the side of a tie that reaches to two


class Item(NamedTuple):
    """What a split looks at: a document's label, the keys that tie it to others, the side its source has it on.

    `cluster` is that of dedup in the whole corpus; `joins` are those that it was alike when it came. `value` is that of
    the attribute that a method asks for. A document that was dropped before split is not `here`, but may have made one
    cluster of two.
    """

    id: str
    label: str | None = None
    ties: tuple[str, ...] = ()
    given: str | None = None
    cluster: str | None = None
    joins: tuple[str, ...] = ()
    source: str = ""
    value: str | None = None
    text: int = 0
    template: int | None = None
    here: bool = True

    @property
    def held(self) -> bool:
        """Whether it is on a validation or test side that is never thinned."""
        return self.given in HELD


Group = list[Item]


class Sides(NamedTuple):
    """Id → side, and the documents that must go for the sides to be kept apart."""

    side_of: dict[str, str]
    drops: dict[str, Drop]


def a_size(value: Any) -> Any:
    """How large a side is: a share, a count, or all from a date on."""
    match value:
        case bool():
            pass
        case int() if value >= 0:
            return value
        case float() if 0.0 <= value < 1.0:
            return value
        case str() if moment(value):
            return value
        case _:
            pass
    raise ValueError(
        f'a share such as 0.1, a count such as 500 or, for method temporal, a date such as "2026-01-31" is wanted, '
        f"not {value!r}{'; put a date in quotes' * isinstance(value, date)}"
    )


def moment(text: str | None) -> datetime | None:
    """A date in ISO 8601, from a year to a moment, which is in UTC where it says no other; None for anything else."""
    try:
        found = datetime.fromisoformat((text or "") + {4: "-01-01", 7: "-01"}.get(len(text or ""), ""))
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


Size = Annotated[int | float | str, BeforeValidator(a_size)]


class Sizes(Section):
    """How large validation and test are; the rest is train."""

    validation: Size
    test: Size

    @model_validator(mode="after")
    def something_is_left_to_train(self) -> Self:
        kinds = self.kinds
        if len(set(kinds.values())) > 1:
            told = " and ".join(f"{side} {getattr(self, side)!r} is {kind}" for side, kind in kinds.items())
            raise ValueError(f"{told}; give both in the same way")
        if isinstance(self.validation, float) and isinstance(self.test, float) and self.validation + self.test >= 1.0:
            raise ValueError("validation and test leave nothing to train; lower them")
        return self

    @property
    def kinds(self) -> dict[str, str]:
        """How each side is given that is not to be empty."""
        return {side: KINDS[type(size)] for side in HELD if (size := getattr(self, side))}

    @property
    def kind(self) -> str:
        """How they are given, a share where both are to be empty."""
        return next(iter(self.kinds.values()), "a share")

    def shares(self, documents: int) -> dict[str, float]:
        """Side → share of so many documents."""
        held = {side: getattr(self, side) for side in HELD}
        if self.kind == "a count":
            if sum(held.values()) >= documents:
                wanted = " and ".join(f"{side} {count:,}" for side, count in held.items())
                raise Fault(
                    f"params.yaml: split: {wanted} leave nothing to train of {documents:,} documents without a side; "
                    "lower them"
                )
            held = {side: count / documents for side, count in held.items()}
        return {"train": 1.0 - held["validation"] - held["test"], **held}


def groups(items: Sequence[Item]) -> list[Group]:
    """Documents tied by a common key, directly or through others, in order of arrival."""
    parent = list(range(len(items)))

    def root(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    holder: dict[str, int] = {}
    for n, item in enumerate(items):
        for tie in item.ties if item.cluster is None else (*item.ties, f"cluster {item.cluster}"):
            a, b = sorted((root(n), root(holder.setdefault(tie, n))))
            parent[b] = a
    members: dict[int, Group] = defaultdict(list)
    for n, item in enumerate(items):
        members[root(n)].append(item)
    return list(members.values())


def settled(tied: Sequence[Group]) -> Sides:
    """The groups with a document whose side its source gives; and those that must go, as a validation or test side that
    is given is never thinned: whatever is tied to it and not on such a side itself."""
    side_of: dict[str, str] = {}
    drops: dict[str, Drop] = {}
    for group in tied:
        held_out = next((item for item in group if item.held), None)
        if held_out is None and any(item.given for item in group):
            side_of |= {item.id: "train" for item in group}
        elif held_out is not None:
            side_of |= {item.id: item.given for item in group if item.given in HELD}
            why = f"tied to a given {held_out.given} document"
            drops |= {item.id: Drop(item.id, why, held_out.id) for item in group if not item.held}
    return Sides(side_of, drops)


def in_groups(items: Sequence[Item], share_out: Callable[[list[Group]], dict[str, str]]) -> Sides:
    """All groups at once, for a method that must know them all: a later document may move an older one."""
    tied = groups([item for item in items if item.here])
    found = settled(tied)
    free = [group for group in tied if not any(item.given for item in group)]
    return Sides(found.side_of | share_out(free), found.drops)


def size(group: Sequence[Item]) -> int:
    """Labelled documents; a group without any counts by its documents."""
    return sum(item.label is not None for item in group) or len(group)


def label_of(group: Sequence[Item]) -> str:
    """The commonest label of a group, the first in the alphabet where equal; nothing for a group without labels."""
    counts = Counter(item.label for item in group if item.label is not None)
    return min(counts, key=lambda label: (-counts[label], label)) if counts else ""


def strata(tied: Sequence[Group]) -> list[list[Group]]:
    """The groups by label."""
    found: dict[str, list[Group]] = defaultdict(list)
    for group in tied:
        found[label_of(group)].append(group)
    return [found[label] for label in sorted(found)]


def dealt(
    tied: Sequence[Group], parts: Mapping[str, float], seed: int, measure: Callable[[Group], int] = size
) -> dict[str, str]:
    """Id → part: the groups in the order of their hashes, each to the part that is the least full.

    So validation and test are drawn alike. Only a group that would fill the smaller of them alone goes to train.
    """
    shares = {part: share for part, share in parts.items() if share > 0.0}
    wanted = {part: share * sum(map(measure, tied)) for part, share in shares.items()}
    large = {group[0].id for group in tied if "train" in parts and measure(group) > max(1.0, min(wanted.values()))}
    filled = dict.fromkeys(shares, 0)
    part_of: dict[str, str] = {}
    for group in sorted(tied, key=lambda group: (group[0].id not in large, stable_hash("side", group[0].id, seed))):
        part = "train" if group[0].id in large else min(shares, key=lambda part: filled[part] / wanted[part])
        filled[part] += measure(group)
        part_of |= {item.id: part for item in group}
    return part_of


class Holder(NamedTuple):
    """The document that first had a tie, and its side."""

    id: str
    side: str
    held: bool


def drawn(item: Item, shares: Mapping[str, float], seed: int) -> str:
    """A side by the hash of a document alone."""
    at = uniform("side", item.id, seed)
    return "test" if at < shares["test"] else "validation" if at < shares["test"] + shares["validation"] else "train"


def one_by_one(
    items: Sequence[Item],
    ask: Callable[[Item], str | None],
    draw: Callable[[Item], str | Drop],
) -> Sides:
    """Documents as they come, of which no later one moves an earlier one; those on a given validation or test side
    first, as dedup has them.

    A document goes where it asks to, or else with what it is tied to, or else where it is drawn to; it is dropped where
    that is two sides. So a group goes where its first document does.
    """
    side_of, drops = dict[str, str](), dict[str, Drop]()
    home: dict[str, Holder] = {}
    reached = {one for item in items for one in item.joins}
    for item in sorted(items, key=arrival):
        near = [f"near {one}" for one in item.joins]
        keys = [*item.ties, *near, *([f"near {item.id}"] if item.id in reached else [])]
        found = decided(item, [home[key] for key in keys if key in home], ask) or draw(item)
        if item.here and isinstance(found, str):
            side_of[item.id] = found
            holder = Holder(item.id, found, item.held)
            home |= {key: holder for key in keys if key not in home}
        elif len({home[key].side for key in near if key in home}) > 1:
            # For dedup, all of these are one cluster now: what comes to it later may be alike a document of either.
            home |= dict.fromkeys(near, Holder(item.id, TORN, held=False))
        if item.here and isinstance(found, Drop):
            drops[item.id] = found
    return Sides(side_of, drops)


def arrival(item: Item) -> int:
    """What a source gives for test comes first, then what it gives for validation."""
    return {"test": 0, "validation": 1}.get(item.given or "", 2)


def decided(item: Item, tied: Sequence[Holder], ask: Callable[[Item], str | None]) -> str | Drop | None:
    """Where a document goes for what it is tied to, if for anything."""
    if item.held:
        return item.given
    if given := next((one for one in tied if one.held), None):
        return Drop(item.id, f"tied to a given {given.side} document", given.id)
    if len({one.side for one in tied}) > 1 or any(one.side == TORN for one in tied):
        return Drop(item.id, "tied to documents on two sides", tied[0].id)
    asked = item.given or ask(item)
    if asked and tied and tied[0].side != asked:
        return Drop(item.id, f"for {asked}, and tied to a {tied[0].side} document", tied[0].id)
    return asked or (tied[0].side if tied else None)
