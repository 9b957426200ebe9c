"""Recipes: sets of parameters for well-known jobs, as overlays on the defaults; and what was built from them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.faults import Fault, did_you_mean

FOLDER = Path("recipes")
DEFAULT = "default"  # the file of all parameters, over which the others are laid


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


def file(name: str) -> Path:
    """The overlay of a recipe."""
    known = names()
    if name not in known:
        there = f"; there is: {', '.join(known)}" if known else ""
        raise Fault(f"{FOLDER}/{name}.yaml: no such recipe{did_you_mean(name, known)}{there}")
    return FOLDER / f"{name}.yaml"


def parameters(name: str) -> str:
    """The text of params.yaml that a recipe stands for."""
    defaults = (FOLDER / f"{DEFAULT}.yaml").read_text(encoding="utf-8")
    return defaults if name == DEFAULT else laid(defaults, file(name).read_text(encoding="utf-8"), f"{file(name)}")


def laid(defaults: str, overlay: str, what: str) -> str:
    """The defaults with the values of an overlay, whose keys are paths (`train.epochs`): each value takes the place of
    the whole one that stands there. All else is as it was, byte for byte; comments go with what they are about."""
    lines, known, new = defaults.splitlines(), places(defaults), places(overlay, nested=False)
    for path in new:
        if path not in known:
            raise Fault(f"{what}: {path}: the defaults have no such place{did_you_mean(path, known)}")
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
    block = value.id != "scalar" and not value.flow_style
    line, after = lines[start], key.end_mark.column + 1
    end = after if block or value.end_mark.line > start else value.end_mark.column
    comment = end + len(line[end:]) - len(line[end:].lstrip())
    return Place(above, start, last(value) + 1, key.start_mark.column, after, comment)


def last(node: Any) -> int:
    """The last line of a value."""
    if node.id == "scalar" or node.flow_style:
        return node.end_mark.line
    inner = node.value[-1]
    return last(inner[1] if isinstance(inner, tuple) else inner)
