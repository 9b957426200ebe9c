"""Recipes: sets of parameters for well-known jobs, as overlays on the defaults; and what was built from them."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.faults import Fault, did_you_mean
from stages.core.files import read_json
from stages.core.verdict import Estimate, named, number, ranked, scored
from stages.shell.params import frozen, read
from stages.shell.pinned import CODE, PARAMS, PROJECT, at, inside, tree
from stages.shell.plugins import nearest

FOLDER = Path("recipes")
DEFAULT = "default"  # the file of all parameters, over which the others are laid
HEAD = re.compile(r"# (?P<what>.+)\n(?:# Reference: (?P<reference>.+)\n)?")


class Place(NamedTuple):
    """Where a key and its value stand: the lines of both (to: without), of the comment above them too, the column of
    the key, and where on its line what follows the colon begins, and a comment."""

    above: int
    start: int
    to: int
    column: int
    value: int
    comment: int


def names() -> list[str]:
    """The recipes there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != DEFAULT)


def overlay(name: str) -> Path:
    """The file of a recipe."""
    if name not in names():
        there = ", ".join(nearest(name, names())) or "none"
        raise Fault(f"no recipe {name!r} in {FOLDER}; there is: {there}")
    return FOLDER / f"{name}.yaml"


def metrics(name: str) -> Path:
    """Where the metrics of its build are kept."""
    return FOLDER / f"{name}.metrics.json"


def lock(name: str) -> Path:
    """Where the dvc.lock of its build is kept."""
    return FOLDER / f"{name}.lock"


def parameters(name: str) -> str:
    """The text of params.yaml that a recipe stands for."""
    defaults = (FOLDER / f"{DEFAULT}.yaml").read_text(encoding="utf-8")
    if name == DEFAULT:
        return defaults
    read(path := overlay(name))  # says what is no YAML, or no mapping
    return laid(defaults, path.read_text(encoding="utf-8"), f"{path}")


def values(name: str) -> Any:
    """The same as a tree, as `read` would give it."""
    from ruamel.yaml import YAML

    return frozen(YAML(typ="safe").load(parameters(name)))


@cache
def laid(defaults: str, overlay: str, what: str) -> str:
    """The defaults with the values of an overlay, whose keys are paths (`train.epochs`): each value takes the place of
    the whole one that stands there. All else is as it was, byte for byte; comments go with what they are about."""
    lines, known, new = defaults.splitlines(), places(defaults), places(overlay, nested=False)
    for path in new:
        if path not in known:
            raise Fault(f"{what}: {path}: no such place in the defaults{did_you_mean(path, known)}")
        if outer := next((one for one in new if path.startswith(f"{one}.")), None):
            raise Fault(f"{what}: {path} stands within {outer}, which is replaced as a whole; keep one of them")
    for path in sorted(new, key=lambda path: -known[path].start):
        old = known[path]
        lines[old.start : old.to] = moved(overlay.splitlines(), new[path], lines[old.start], old)
    return "\n".join(lines) + "\n"


def moved(lines: list[str], new: Place, line: str, old: Place) -> Iterator[str]:
    """The lines of an overlay's value, as they stand in the place of the default's, which begins with `line`."""
    comment = lines[new.start][new.comment :] or line[old.comment :]
    first = f"{line[: old.value]}{lines[new.start][new.value : new.comment].rstrip()}"
    indent = " " * old.column
    yield from (f"{indent}{one}" for one in lines[new.above : new.start])
    yield f"{first}  {comment}" if comment else first
    yield from (f"{indent}{one}" if one else "" for one in lines[new.start + 1 : new.to])


def places(text: str, *, nested: bool = True) -> dict[str, Place]:
    """Path → place, of what stands on lines of its own."""
    from ruamel.yaml import YAML

    root = YAML(typ="safe", pure=True).compose(text)
    lines = text.splitlines()
    return {path: place(key, value, lines) for path, key, value in entries(root, "", nested=nested)}


def entries(node: Any, path: str, *, nested: bool) -> Iterator[tuple[str, Any, Any]]:
    """Path, key and value of all mappings in block style, or of the outermost alone."""
    for key, value in node.value:
        yield f"{path}{key.value}", key, value
        if nested and value.id == "mapping" and not value.flow_style:
            yield from entries(value, f"{path}{key.value}.", nested=True)


def place(key: Any, value: Any, lines: list[str]) -> Place:
    """See `Place`."""
    start = above = key.start_mark.line
    while above and lines[above - 1].lstrip().startswith("#"):
        above -= 1
    line, after = lines[start], key.end_mark.column + 1
    alone = value.start_mark.line > start  # what is on lines of its own leaves the key's line to the comment
    within = not alone and value.end_mark.line > start  # what goes on in the next line leaves none
    found = None if within else re.compile(r"\s#").search(line, after if alone else value.end_mark.column)
    to = last(value) + 1
    while not lines[to - 1].strip():
        to -= 1
    return Place(above, start, to, key.start_mark.column, after, found.end() - 1 if found else len(line))


def last(node: Any) -> int:
    """The last line of a value: a block ends where the next thing begins, comments between included."""
    if node.id != "scalar" and not node.flow_style:
        inner = node.value[-1]
        return last(inner[1] if isinstance(inner, tuple) else inner)
    return node.end_mark.line - (node.end_mark.column == 0 < node.end_mark.line - node.start_mark.line)


def table() -> str:
    """What was built from the recipes, in Markdown."""
    rows = [row(name) for name in names() if metrics(name).exists()]
    head = ["recipe", "what", "documents", "model", "linear baseline", "others"]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def row(name: str) -> list[str]:
    """A recipe with its scores, on test where that was scored, beside the baseline's and those that others tell."""
    found, head = read_json(metrics(name)), HEAD.match(overlay(name).read_text(encoding="utf-8"))
    what, others = (head["what"], head["reference"]) if head else ("", None)
    model, baseline = (scores(of[scored(found)], ranked(found)) for of in (found, found["baseline"]))
    return [f"`{name}`", what, f"{found['documents']['ingest']['out']:,}", model, baseline, others or "none"]


def scores(found: Mapping[str, Any], metrics: Sequence[str]) -> str:
    """`macro-F1 .961, accuracy .988`"""
    return ", ".join(f"{named(metric)} {number(Estimate.of(found[metric]).value)}" for metric in metrics)


def changed(name: str) -> list[str]:
    """The stages whose code, parameters or packages are no longer those that a recipe was built with."""
    trees = {f"{PARAMS}": values(name), f"{PROJECT}": frozen(tree(PROJECT))}
    return [stage for stage, entry in recorded(name).items() if not holds(entry, trees)]


def recorded(name: str) -> Mapping[str, Any]:
    """Stage → what DVC has recorded of it."""
    return read(lock(name))["stages"]


def holds(entry: Mapping[str, Any], trees: Mapping[str, Any]) -> bool:
    """Whether what a stage was made from is still there; data is made by other stages."""
    code = [one for one in entry["deps"] if one["path"].startswith(f"{CODE}/")]
    given = [(at(trees[file], key), value) for file, found in entry["params"].items() for key, value in found.items()]
    return all(md5(Path(one["path"])) == one["md5"] for one in code) and all(now == then for now, then in given)


def md5(path: Path) -> str:
    """As DVC counts it: of a folder, that of the list of its files."""
    if not path.is_dir():
        return hashlib.md5(path.read_bytes() if path.exists() else b"", usedforsecurity=False).hexdigest()
    files = sorted(inside(path), key=lambda one: one.relative_to(path).parts)
    entries = [{"md5": md5(one), "relpath": one.relative_to(path).as_posix()} for one in files]
    return f"{hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest()}.dir"
