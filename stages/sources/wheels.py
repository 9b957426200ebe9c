"""The docstrings inside Python distributions: read with `ast` from pinned wheels, importing and installing nothing."""

import ast
import difflib
import inspect
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from zipfile import BadZipFile, ZipFile

import pyarrow as pa
from pydantic import Field, field_validator

from stages.core import archives, fetch
from stages.core.faults import Fault
from stages.core.params import Section, Sha256
from stages.core.records import Reject, Row, texts_of

ATTRIBUTES = texts_of("distribution", "module", "qualname", "kind", "summary", "body")
# Some times the largest module that people write; parsing takes a hundred times as much memory.
LARGEST = 2**22


class Wheel(Section):
    name: str
    version: str
    sha256: Sha256


class Params(Section):
    wheels: Annotated[tuple[Wheel, ...], Field(min_length=1)]
    platforms: tuple[str, ...]
    skip: tuple[str, ...]
    text: Literal["summary", "full"]
    labels: dict[str, tuple[str, ...]]

    @field_validator("wheels")
    @classmethod
    def one_wheel_per_distribution(cls, wheels: tuple[Wheel, ...]) -> tuple[Wheel, ...]:
        """Keys carry no version, so that an id outlives an upgrade: two versions of one distribution would collide."""
        twice = [name for name, count in Counter(wheel.name for wheel in wheels).items() if count > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)}: named more than once; keep one version of each")
        return wheels

    @field_validator("labels")
    @classmethod
    def one_area_per_pattern(cls, labels: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        areas: dict[str, str] = {}
        for area, patterns in labels.items():
            for pattern in patterns:
                if pattern in areas:
                    raise ValueError(f"{pattern}: under both {areas[pattern]!r} and {area!r}; keep it under one")
                areas[pattern] = area
        return labels


class Docstring(NamedTuple):
    """`owner` is the outermost enclosing class (of a class, itself): what stands together in the source."""

    qualname: str
    kind: str
    owner: str | None
    text: str


class Pinned(NamedTuple):
    """A wheel, and the platforms that it may be for."""

    wheel: Wheel
    platforms: tuple[str, ...]

    def fetch(self, cache: Path) -> Path:
        """The file, with the pinned bytes."""
        return fetch.wheel(self.wheel.name, self.wheel.version, self.wheel.sha256, self.platforms, cache)


def attributes(p: Params) -> pa.DataType:
    return ATTRIBUTES


def needs(p: Params) -> list[Pinned]:
    return [Pinned(wheel, p.platforms) for wheel in p.wheels]


def parts(p: Params, paths: Sequence[Path]) -> range:
    return range(len(p.wheels))


def read(p: Params, part: int, paths: Sequence[Path]) -> Iterator[Row | Reject]:
    """Modules by name, and within a module in the order of the source."""
    wheel = p.wheels[part]
    try:
        with archives.opened(paths[part]) as archive:
            modules = modules_of(archive.namelist(), p.skip)
            refuse_idle_patterns(p.labels, modules, f"{wheel.name} {wheel.version}")
            for module in sorted(modules):
                yield from of_module(archive, modules, module, p, wheel.name)
    except BadZipFile as error:
        raise Fault(f"ingest.sources: {wheel.name}=={wheel.version}: no wheel: {error}; pin another one") from None


def of_module(
    archive: ZipFile, modules: Mapping[str, Sequence[str]], module: str, p: Params, distribution: str
) -> Iterator[Row | Reject]:
    """The docstrings of a module, or why it can't be read."""
    try:
        source = source_of(archive, modules[module])
    except BadZipFile as error:
        yield Reject(f"{distribution}:{module}", f"not to be read from the wheel: {error}")
        return
    yield from passages(source, distribution, module, label_of(module, p.labels), p.text)


def source_of(archive: ZipFile, names: Sequence[str]) -> bytes:
    """The bytes of the only file that a module may come from."""
    if len(names) > 1:
        raise BadZipFile(f"more than one file has its name: {', '.join(names)}")
    with archives.member(archive, archive.getinfo(names[0]), LARGEST) as file:
        return file.read()


def modules_of(names: Iterable[str], skip: tuple[str, ...]) -> dict[str, list[str]]:
    """Module names and their files. What Python could not import by name (scripts, templates) is no module; nor are
    names that lead elsewhere (`../a.py`, `/a.py`, `C:\\a.py`)."""
    found: dict[str, list[str]] = {}
    for name in names:
        path = name.removesuffix(".py").split("/")
        if name.endswith(".py") and all(map(str.isidentifier, path)) and not skipped(path, skip):
            found.setdefault(".".join(path[:-1] if path[-1] == "__init__" else path), []).append(name)
    return found


def skipped(path: Iterable[str], skip: tuple[str, ...]) -> bool:
    """Whether a step of the path is one to leave out."""
    return any(fnmatchcase(step, pattern) for step in path for pattern in skip)


def covers(pattern: str, module: str) -> bool:
    """Whether the pattern is a dotted prefix of the module; a step may hold `*`."""
    steps, path = pattern.split("."), module.split(".")
    return len(steps) <= len(path) and all(map(fnmatchcase, path, steps))


def label_of(module: str, labels: dict[str, tuple[str, ...]]) -> str | None:
    """The area with the longest pattern that covers the module: more steps first, then more characters."""
    matches = [
        (pattern.count("."), len(pattern), area)
        for area, patterns in labels.items()
        for pattern in patterns
        if covers(pattern, module)
    ]
    return max(matches)[2] if matches else None


def refuse_idle_patterns(labels: dict[str, tuple[str, ...]], modules: Iterable[str], wheel: str) -> None:
    """A module that moved with a new version, or a typing error, would lose its labels without a word."""
    tops = {module.split(".")[0] for module in modules}
    for area, patterns in labels.items():
        for pattern in patterns:
            if pattern.split(".")[0] in tops and not any(covers(pattern, module) for module in modules):
                nearest = ", ".join(difflib.get_close_matches(pattern, sorted(modules), n=3)) or "none"
                raise Fault(
                    f"params.yaml: labels: {area}: {pattern}: {wheel} has no such module; "
                    f"take it out or correct it (nearest: {nearest})"
                )


def passages(
    source: bytes, distribution: str, module: str, label: str | None, part: Literal["summary", "full"]
) -> Iterator[Row | Reject]:
    try:
        found = list(docstrings(parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        if isinstance(error, MemoryError):
            bytes(100 * LARGEST)  # says so again where it is memory that is short
        yield Reject(f"{distribution}:{module}", f"not Python source: {str(error) or 'nested too deep'}")
        return
    seen: Counter[str] = Counter()
    for docstring in found:
        seen[docstring.qualname] += 1
        key = f"{distribution}:{module}:{docstring.qualname}:{seen[docstring.qualname]}"
        yield passage(docstring, key, distribution, module, label, part)


def passage(
    docstring: Docstring, key: str, distribution: str, module: str, label: str | None, part: Literal["summary", "full"]
) -> Row:
    summary, body = split_summary(docstring.text)
    attributes = {
        "distribution": distribution,
        "module": module,
        "qualname": docstring.qualname,
        "kind": docstring.kind,
        "summary": summary,
        "body": body,
    }
    group = docstring.owner and f"{distribution}:{module}:{docstring.owner}"
    return Row(key, summary if part == "summary" else docstring.text, label, group, attributes)


def parse(source: bytes) -> ast.Module:
    """Other people's invalid escapes are not our warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def split_summary(text: str) -> tuple[str, str]:
    """The first paragraph on one line, and the rest as it stands."""
    paragraph, _, body = text.partition("\n\n")
    return " ".join(paragraph.split()), body.strip()


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(tree: ast.Module) -> Iterator[Docstring]:
    """Of the module and of what is public in it, in the order of the source; a docstring without a letter is none."""
    found = [Docstring("", "module", None, text_of(tree)), *public(tree, "", None)]
    return (docstring for docstring in found if any(map(str.isalpha, docstring.text)))


def public(node: ast.AST, path: str, owner: str | None) -> Iterator[Docstring]:
    """Private names and the methods of Python's protocols say little ("Helper.", "Return repr(self)."): left out.

    A private module stays: most libraries define in `_name.py` what they export elsewhere.
    """
    for definition in definitions(node):
        if definition.name.startswith("_"):
            continue
        qualname = f"{path}{definition.name}"
        if isinstance(definition, ast.ClassDef):
            yield Docstring(qualname, "class", owner or qualname, text_of(definition))
            yield from public(definition, f"{qualname}.", owner or qualname)
        else:
            yield Docstring(qualname, "method" if owner else "function", owner, text_of(definition))


def definitions(node: ast.AST) -> Iterator[Definition]:
    """Those behind `if` and `try` too; those inside functions can't be reached by anybody."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield child
        elif isinstance(child, ast.If | ast.Try | ast.ExceptHandler | ast.With):
            yield from definitions(child)


def text_of(node: Definition | ast.Module) -> str:
    """Only a literal counts: f-strings and templates filled in at import are no text yet."""
    return inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
