"""params.yaml with other values: its text is mended where they stand, all else stays byte for byte."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.core.faults import Fault

Steps = tuple[str | int, ...]
STEP = 2  # columns that a block is indented
MARK = "\ufeff"  # of the byte order, as some editors leave it
LONGEST = 160  # characters of what stands in brackets within brackets
UNPRINTABLE = re.compile(r"[\x7f-\x9f\ufeff\ud800-\udfff\u2028\u2029\ufffe\uffff]")

HEADING = re.compile(r"[|>][-+0-9]*([ \t]+#.*)")


class Written(str):
    """A value as YAML text, to be put in its place as it is written, comments included."""

    __slots__ = ()


@dataclass
class Node:
    """What a value is in the text: an alias stands for itself, not for what it repeats."""

    kind: str  # mapping, sequence, scalar or alias
    start: int
    end: int
    column: int
    flow: bool  # written within brackets or on a line
    name: str  # the text of a scalar, the anchor of an alias
    anchor: str | None
    inner: list["Node"] = field(default_factory=list["Node"])  # of a mapping: keys and values in turn

    @property
    def block(self) -> bool:
        return self.kind in ("mapping", "sequence") and not self.flow

    @property
    def last(self) -> int:
        """Where its text ends: a block is told to end where the next thing begins, comments between included."""
        return self.inner[-1].last if self.block and self.inner else self.end


def edited(text: str, changes: Mapping[Steps, Any]) -> str:
    """The YAML text with these values in their places; a key that is not there, or the position behind a list's last,
    is added. What is written in brackets stays so, as does what is a block; a comment behind a value stays there."""
    if text.startswith(MARK):
        return MARK + edited(text.removeprefix(MARK), changes)
    wanted, found = load(text), text
    for path, value in changes.items():
        new = load(value) if isinstance(value, Written) else plain(value)
        if not equal(at(wanted, path, missing=object()), new):
            found = replaced(found, path, value)
            wanted = put(wanted, path, new, path)
    if not equal(load(found), wanted):
        raise cannot(next(iter(changes)), "this is more than can be done without a person")
    return found


def cannot(path: Steps, why: str) -> Fault:
    return Fault(f"{dotted(path)}: can't be written in its place, {why}; write it there by hand")


def dotted(path: Steps) -> str:
    """A path as messages name it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def load(text: str) -> Any:
    """What the text means; None where an edit has spoiled it."""
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe").load(str(text))
    except (YAMLError, ValueError, KeyError):  # the last two: of what looks like a date or a number and is none
        return None


def plain(value: Any) -> Any:
    """Tuples as the lists that YAML has."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def equal(one: Any, other: Any) -> bool:
    """Of the same types too: 1 is neither true nor 1.0."""
    return repr(one) == repr(other)


def at(tree: Any, path: Steps, missing: Any = None) -> Any:
    """The value at a path, or what stands for one that is not there."""
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return missing
    return tree


def put(tree: Any, path: Steps, value: Any, whole: Steps) -> Any:
    """The tree with the value at the path."""
    if not path:
        return value
    step, *rest = path
    match tree:
        case None | dict() if isinstance(step, str):
            tree = tree or {}
            return tree | {step: put(tree.get(step), tuple(rest), value, whole)}
        case list() if isinstance(step, int) and step <= len(tree):
            inner = put(tree[step] if step < len(tree) else None, tuple(rest), value, whole)
            return [*tree[:step], inner, *tree[step + 1 :]]
        case _:
            raise cannot(whole, f"as {step!r} would stand in something else than a list or keys with values")


def nodes(text: str) -> Node:
    """The text as nodes, from the events of the parser: its own tree forgets where aliases stand."""
    from ruamel.yaml import YAML, events

    root = Node("sequence", 0, len(text), 0, flow=False, name="", anchor=None)
    open_ = [root]
    for event in YAML(typ="safe").parse(str(text)):
        start, end = event.start_mark.index, event.end_mark.index
        kind = type(event).__name__.removesuffix("Event").removesuffix("Start").lower()
        if isinstance(event, events.CollectionEndEvent):
            open_.pop().end = end
        elif isinstance(event, events.NodeEvent):
            flow = getattr(event, "flow_style", None) is True
            name = event.value if isinstance(event, events.ScalarEvent) else event.anchor or ""
            anchor = None if kind == "alias" else event.anchor
            one = Node(kind, start, end, event.start_mark.column, flow, name, anchor)
            open_[-1].inner.append(one)
            if isinstance(event, events.CollectionStartEvent):
                open_.append(one)
            elif kind == "scalar":
                one.end = start + len(text[start:end].rstrip("\r\n"))  # of `|` and `>`
    return root.inner[0] if root.inner else root


def aliases(node: Node) -> Iterator[str]:
    """The names that aliases call."""
    if node.kind == "alias":
        yield node.name
    for one in node.inner:
        yield from aliases(one)


@dataclass
class Place:
    """Where a value stands or shall stand: the innermost collection that is there, the step in it, the value's node if
    there is one, where its text may begin, and whether all of it is within brackets."""

    holder: Node
    step: str | int
    node: Node | None
    head: int
    flow: bool


def place(text: str, path: Steps) -> tuple[Place, Steps]:
    """Where a path leads, and the steps for which there is nothing yet."""
    root = nodes(text)
    called = set(aliases(root))
    holder, flow = root, root.flow
    for n, step in enumerate(path):
        flow |= holder.flow
        node, head = child(text, holder, step)
        if node and (node.kind == "alias" or node.anchor in called):
            raise cannot(path, "as an alias repeats it elsewhere")
        empty = node and node.kind == "scalar"
        if node is None or empty or n == len(path) - 1:
            return Place(holder, step, node, head, flow), path[n + 1 :]
        holder = node
    raise ValueError("a path has a step")


def child(text: str, holder: Node, step: str | int) -> tuple[Node | None, int]:
    """The value at a step, and where its text may begin."""
    if isinstance(step, int):
        found = holder.inner[step] if step < len(holder.inner) else None
        return found, found.start if found else 0
    for key, value in zip(holder.inner[::2], holder.inner[1::2], strict=True):
        if key.name == step:
            return value, text.index(":", key.end) + 1 if ":" in text[key.end :] else value.start
    return None, 0


def replaced(text: str, path: Steps, value: Any) -> str:
    """The text with one value in its place."""
    where, further = place(text, path)
    if further:  # keys that are not there either
        for step in reversed(further):
            value = {step: load(value) if isinstance(value, Written) else value}
    if where.node is None:
        return added(text, where, value)
    if where.flow or (stays_inline(value) and not where.node.block):
        return inline(text, where.node, value)
    if where.node.block and blocky(value):
        return block_for_block(text, where, where.node, value)
    if isinstance(where.step, int):
        return item(text, where.node, value)
    return line_for_block(text, where, value) if where.node.block else block_for_line(text, where, value)


def blocky(value: Any) -> bool:
    """Whether a value is one to be written in lines of its own where it can be."""
    if isinstance(value, Written):
        node = nodes(value)
        return node.block or value[node.start : node.start + 1] in ("|", ">")
    return isinstance(value, Mapping | list | tuple) and len(value) > 0


def inline(text: str, node: Node, value: Any) -> str:
    """A value within a line for another."""
    space = "" if node.start < node.end or text[node.start - 1 : node.start].isspace() else " "
    comment = HEADING.match(text, node.start)  # of a text in lines, `|` or `>`
    return text[: node.start] + space + flowing(value) + (comment[1] if comment else "") + text[node.end :]


def block_for_block(text: str, where: Place, node: Node, value: Any) -> str:
    """Lines for lines; a comment behind the last one was the old one's. A list may stand below its key without being
    indented, other lines may not."""
    least = key_column(where.holder) + STEP if isinstance(where.step, str) else 0
    column = max(node.column, least)
    new = "\n".join(lines(value, column))[node.column :]
    return text[: node.start] + ended(new, text) + text[line_end(text, node.last) :]


def item(text: str, node: Node, value: Any) -> str:
    """An item of a list that is a block, for one that is none, or the other way round."""
    new = flowing(value) if node.block else "\n".join(lines(value, node.column)).lstrip(" ")
    end = line_end(text, node.last) if node.block else node.end
    space = "" if text[node.start - 1 : node.start].isspace() else " "
    return text[: node.start] + space + ended(new, text) + text[end:]


def line_for_block(text: str, where: Place, value: Any) -> str:
    """A value behind its key, for the lines below."""
    node = where.node or where.holder
    begun, end = max(where.head, text.rfind("\n", 0, node.start)), line_end(text, node.last)
    return f"{text[: where.head]} {flowing(value)}{text[where.head : begun].rstrip(' ')}{text[end:]}"


def block_for_line(text: str, where: Place, value: Any) -> str:
    """Lines below a key, for a value behind it; the comment there stays."""
    node = where.node or where.holder
    end = line_end(text, node.end)
    new = "\n".join(lines(value, key_column(where.holder) + STEP))
    return text[: where.head] + (text[node.end : end] + ended("\n" + new, text)) + text[end:]


def added(text: str, where: Place, value: Any) -> str:
    """A value that was not there, behind the last of its collection."""
    holder = where.holder
    if where.flow or holder.flow:
        new = flowing(value) if isinstance(where.step, int) else f"{scalar(where.step)}: {flowing(value)}"
        begun = holder.inner[-1].end if holder.inner else holder.end - 1
        return text[:begun] + (", " if holder.inner else "") + new + text[begun:]
    column, end = key_column(holder), line_end(text, holder.last)
    if isinstance(where.step, int):
        column = holder.column
        new = [" " * column + "- " + "\n".join(spread(value, column + STEP)).lstrip(" ")]
    elif (below := spread(value, column + STEP)) and stays_inline(value):
        new = [f"{' ' * column}{scalar(where.step)}: {below[0].lstrip(' ')}"]
    else:
        new = [f"{' ' * column}{scalar(where.step)}:", *below]
    return text[:end] + ended("\n" + "\n".join(new), text) + text[end:]


def key_column(holder: Node) -> int:
    """Where the keys of a block begin; an anchor may stand before the first one."""
    return holder.inner[0].column if holder.inner else holder.column


def stays_inline(value: Any) -> bool:
    """Scalars, lists of them, and keys with such values as long as the line is not too long."""
    if isinstance(value, Written) or not blocky(value):
        return not blocky(value)
    if isinstance(value, Mapping):
        return all(map(flat, value.values())) and (flat(value) or len(flowing(value)) <= LONGEST)
    return flat(value)


def flat(value: Any) -> bool:
    """Whether there is nothing within what is within it."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return not any(blocky(one) for one in inner)


def spread(value: Any, column: int) -> list[str]:
    """Lines at a column, one where that is enough."""
    return [" " * column + flowing(value)] if stays_inline(value) else lines(value, column)


def lines(value: Any, column: int) -> list[str]:
    """A value as a block at a column."""
    indent = " " * column
    if isinstance(value, Written):
        return indented(value, column)
    found: list[str] = []
    for key, one in value.items() if isinstance(value, Mapping) else enumerate(value):
        below = spread(one, column + STEP)
        if isinstance(key, int):
            found += [f"{indent}- {below[0].lstrip(' ')}", *below[1:]]
        elif stays_inline(one):
            found.append(f"{indent}{scalar(key)}: {below[0].lstrip(' ')}")
        else:
            found += [f"{indent}{scalar(key)}:", *below]
    return found


def indented(value: Written, column: int) -> list[str]:
    """The lines of a text, moved to a column; what is not indented stands there."""
    given = value.strip("\r\n").splitlines()
    least = min((len(line) - len(line.lstrip(" ")) for line in given if line.strip()), default=0)
    return [" " * column + line[least:] if line.strip() else "" for line in given]


def flowing(value: Any) -> str:
    """A value on one line, collections in brackets."""
    if isinstance(value, Written):
        node = nodes(value)
        here = value[node.start : node.end]
        return flowing(load(value)) if node.block or "\n" in here else here
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flowing(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flowing, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """A text, number, truth or nothing as YAML 1.2 writes it; a text in quotes only where it needs them."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value).replace("inf", ".inf")
        case str() if load(f"[{value}]") == [value] and load(f"{{{value}: 0}}") == {value: 0}:
            return value
        case str():
            return UNPRINTABLE.sub(lambda one: f"\\u{ord(one[0]):04x}", json.dumps(value, ensure_ascii=False))
        case _:
            raise TypeError(f"{value!r} is nothing that params.yaml can hold")


def line_end(text: str, index: int) -> int:
    """The end of the line, its comment included."""
    found = re.compile(r"\r?(\n|$)").search(text, index)
    return found.start() if found else len(text)


def ended(new: str, text: str) -> str:
    """With the text's own ends of lines."""
    return new.replace("\n", "\r\n") if "\r\n" in text else new
