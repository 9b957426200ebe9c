"""The DAG of dvc.yaml as a drawing: stages in layers from top to bottom, arrows where no longer way leads.

Layers, dummies and barycentres as in Sugiyama, Tagawa and Toda (1981): enough for a few dozen stages, and always the
same drawing for the same file.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

NODE, HEIGHT, GAP, LAYER = 92, 30, 16, 56
PASSAGE, TIP = 12, 5  # what an arrow takes beside the boxes of a layer; and before the box it points to


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml: what it is for, the outputs it makes and, of other stages' outputs, what it reads."""

    name: str
    about: str
    makes: tuple[str, ...]
    reads: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A stage in its place; x and y are the middle of its box."""

    stage: Stage
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """Everything that an SVG needs."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    paths: tuple[str, ...]


def stages(path: Path) -> list[Stage]:
    """The stages of a dvc.yaml, in its order."""
    from ruamel.yaml import YAML

    reader: Any = YAML(typ="safe")
    declared = reader.load(path.read_text(encoding="utf-8"))["stages"]
    made = {name: list(outputs(one)) for name, one in declared.items()}
    return [linked(name, one, made) for name, one in declared.items()]


def outputs(declared: Mapping[str, Any]) -> Iterable[str]:
    """The paths a stage makes; an entry is a path, or a path with its settings."""
    for kind in ("outs", "metrics", "plots"):
        for entry in declared.get(kind, []):
            yield from [entry] if isinstance(entry, str) else entry


def linked(name: str, declared: Mapping[str, Any], made: Mapping[str, Sequence[str]]) -> Stage:
    """A stage with the files that tie it to others; code it depends on ties it to none."""
    makers = {dep: maker_of(dep, made) for dep in declared.get("deps", [])}
    reads = {dep: maker for dep, maker in makers.items() if maker}
    about = " ".join(declared.get("desc", "").split())
    return Stage(name, about, tuple(made[name]), tuple(reads), tuple(dict.fromkeys(reads.values())))


def maker_of(dep: str, made: Mapping[str, Sequence[str]]) -> str | None:
    """The stage whose output `dep` is, contains or is part of."""
    inside = (name for name, outs in made.items() for out in outs if overlap(dep, out))
    return next(inside, None)


def overlap(a: str, b: str) -> bool:
    """Whether one path is, or is above, the other."""
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


def direct(links: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """`links` (stage → stages before it) without those that a longer way makes plain: the transitive reduction."""
    before = {name: ancestors(name, links) for name in links}
    return {name: [one for one in near if all(one not in before[by] for by in near)] for name, near in links.items()}


def ancestors(name: str, links: Mapping[str, Iterable[str]]) -> set[str]:
    """All stages before a stage."""
    near = set(links[name])
    return near.union(*(ancestors(one, links) for one in near))


def layers(links: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Each stage as late as its readers allow, so that what is needed late stands beside what needs it."""
    readers = {name: [reader for reader, near in links.items() if name in near] for name in links}
    below: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in below:
            below[name] = max((depth(reader) + 1 for reader in readers[name]), default=0)
        return below[name]

    deepest = max(depth(name) for name in links)
    return {name: deepest - depth(name) for name in links}


Item = tuple[str, str, int]
"""A stage (name, "", layer), or a dummy where an arrow (from, to, layer) passes a layer."""


def chains(links: Mapping[str, Sequence[str]], layer: Mapping[str, int]) -> list[list[Item]]:
    """Each arrow as the items it visits, one a layer."""
    return [
        [(a, "", layer[a]), *((a, b, n) for n in range(layer[a] + 1, layer[b])), (b, "", layer[b])]
        for b, near in links.items()
        for a in near
    ]


def ordered(rows: Sequence[list[Item]], arrows: Iterable[Sequence[Item]]) -> list[list[Item]]:
    """Rows in an order with few crossings: four times down and up, each item under the middle of its neighbours."""
    above: dict[Item, list[Item]] = defaultdict(list)
    below: dict[Item, list[Item]] = defaultdict(list)
    for a, b in (pair for arrow in arrows for pair in pairwise(arrow)):
        above[b].append(a)
        below[a].append(b)
    rows = list(rows)
    for _ in range(4):
        for n in range(1, len(rows)):
            rows[n] = aligned(rows[n], rows[n - 1], above)
        for n in range(len(rows) - 2, -1, -1):
            rows[n] = aligned(rows[n], rows[n + 1], below)
    return rows


def aligned(row: list[Item], other: Sequence[Item], near: Mapping[Item, Sequence[Item]]) -> list[Item]:
    """The row sorted by where each item's neighbours stand in the other row; ties stay in order."""
    own, place = centred(row), centred(other)
    return sorted(row, key=lambda item: middle([place[one] for one in near.get(item, ())], own[item]))


def centred(row: Sequence[Item]) -> dict[Item, float]:
    """Places in a row, counted from its middle."""
    return {item: at - (len(row) - 1) / 2 for at, item in enumerate(row)}


def middle(places: Sequence[float], otherwise: float) -> float:
    """The mean, or `otherwise` where there is nothing."""
    return sum(places) / len(places) if places else otherwise


def placed(rows: Sequence[Sequence[Item]]) -> tuple[float, dict[Item, tuple[float, float]]]:
    """The width of the widest row, and the middle of every item; rows are centred."""
    widths = [sum(PASSAGE if item[1] else NODE for item in row) + GAP * (len(row) - 1) for row in rows]
    width, places = max(widths), dict[Item, tuple[float, float]]()
    for n, (row, own) in enumerate(zip(rows, widths, strict=True)):
        x = (width - own) / 2
        for item in row:
            step = PASSAGE if item[1] else NODE
            places[item] = (round(x + step / 2, 1), n * LAYER + HEIGHT / 2)
            x += step + GAP
    return width, places


def path(arrow: Sequence[Item], places: Mapping[Item, tuple[float, float]]) -> str:
    """An arrow as the path of an SVG: straight down past the boxes of a layer, curved between layers."""
    x, y = places[arrow[0]]
    words = [f"M{x:g} {y + HEIGHT / 2:g}"]
    for before, item in pairwise(arrow):
        start, (x, y) = places[before][0], places[item]
        top = y - HEIGHT / 2 - (0 if item[1] else TIP)
        bend = 0.6 * (LAYER - HEIGHT)
        words.append(f"C{start:g} {y - LAYER + HEIGHT / 2 + bend:g} {x:g} {top - bend:g} {x:g} {top:g}")
        words += [f"V{y + HEIGHT / 2:g}"] if item[1] else []
    return " ".join(words)


def drawing(all_stages: Sequence[Stage]) -> Drawing:
    """The stages in place, with their arrows."""
    links = direct({stage.name: stage.after for stage in all_stages})
    layer = layers(links)
    arrows = chains(links, layer)
    items = dict.fromkeys([(name, "", n) for name, n in layer.items()] + [item for arrow in arrows for item in arrow])
    rows: list[list[Item]] = [[] for _ in range(max(layer.values()) + 1)]
    for item in items:
        rows[item[2]].append(item)
    width, places = placed(ordered(rows, arrows))
    nodes = tuple(Node(stage, *places[stage.name, "", layer[stage.name]]) for stage in all_stages)
    return Drawing(width, (len(rows) - 1) * LAYER + HEIGHT, nodes, tuple(path(arrow, places) for arrow in arrows))
