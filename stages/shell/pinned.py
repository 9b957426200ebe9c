"""What dvc.lock will say a stage was made from: does it hold at the start, and does it still hold at the end?

DVC reads code and parameters when a stage has ended (treeverse/dvc #11058): what was edited meanwhile would be recorded
as if the stage had seen it.
"""

import platform
import re
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from stages.core.faults import Fault
from stages.core.hashing import sha256
from stages.shell.params import FILE as PARAMS
from stages.shell.params import read

DAG, PROJECT, LOCK = Path("dvc.yaml"), Path("pyproject.toml"), Path("requirements.lock")
CODE = "stages"
IGNORED = re.compile(r"/(__pycache__/.*|\.[^/]*|[^/]*~)$")  # as .dvcignore says: what Python and editors leave
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
Told = Mapping[str, Any]


def tree(path: Path) -> Any:
    """A file with parameters, as DVC reads it."""
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.suffix == ".toml" else read(path)


def at(tree: Any, path: str) -> Any:
    """The value at `a.b.c`; None where there is nothing."""
    return reduce(lambda inner, key: inner.get(key) if isinstance(inner, dict) else None, path.split("."), tree)


@dataclass(frozen=True)
class Recorded:
    """The files and parameters that dvc.yaml lists for a stage."""

    files: tuple[Path, ...]
    params: tuple[tuple[Path, str], ...]  # file and path in it

    @classmethod
    def of(cls, stage: str) -> "Recorded":
        """With the `${...}` of dvc.yaml filled in from params.yaml."""
        params = tree(PARAMS)

        def filled(text: str) -> str:
            return REFERENCE.sub(lambda match: str(at(params, match[1])), text)

        entry = tree(DAG)["stages"].get(stage)
        if entry is None:
            raise Fault(f"{DAG}: no stage {stage!r}; a stage bears the name of its module, stages/{stage}.py")
        listed = (one if isinstance(one, dict) else {str(PARAMS): [one]} for one in entry.get("params", ()))
        keys = ((Path(file), filled(key)) for one in listed for file, found in one.items() for key in found)
        return cls(tuple(Path(filled(dep)) for dep in entry["deps"]), tuple(keys))

    def now(self) -> Told:
        """Place → what stands there now: the hash of code, the value of a parameter, size and time of data."""
        trees = {file: tree(file) for file in dict(self.params)}
        return {
            **{str(path): mark(path) for given in self.files for path in sorted(inside(given))},
            **{f"{file}: {path}": one for file, key in self.params for path, one in leaves(at(trees[file], key), key)},
        }

    def refuse_late(self, started: int) -> None:
        """Code that was edited after this process began to read it (nanoseconds since 1970): which of both is known?"""
        now = time.time_ns()  # files from a clock that is ahead are as old as any
        code = [path for given in self.files for path in inside(given) if path.parts[0] == CODE]
        if late := [path for path in code if started < path.stat().st_mtime_ns <= now]:
            raise Fault(f"{', '.join(map(str, late))}: edited while this started; `dvc repro` starts again")


def inside(path: Path) -> Iterator[Path]:
    """The files of a folder, or the one file."""
    found = path.rglob("*") if path.is_dir() else [path]
    return (one for one in found if one.is_file() and not IGNORED.search(one.as_posix()))


def mark(path: Path) -> Any:
    """Code is small and hashed. Data is made by stages and never edited by hand: its size and time tell."""
    return sha256(path) if path.parts[0] == CODE else (path.stat().st_size, path.stat().st_mtime_ns)


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values in a tree of parameters by their paths."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}")
    else:
        yield path, value


def edits(before: Told, after: Told) -> list[str]:
    """The places that differ; of a parameter, how."""
    places = [place for place in {**before, **after} if before.get(place) != after.get(place)]
    return [
        f"{place} ({before.get(place)}, now {after.get(place)})" if place.startswith(str(PARAMS)) else place
        for place in places
    ]


def refuse_edits(before: Told, after: Told) -> None:
    """What was made belongs neither to what stood there first nor to what stands there now."""
    if found := edits(before, after):
        raise Fault(
            "\n".join(
                [
                    "edited while this ran, so that nobody could say what the result was made from; it is thrown away:",
                    *(f"  {one}" for one in found),
                    "`dvc repro` makes it again",
                ]
            )
        )


def other_packages(wanted: Iterable[str], file: Path) -> Iterator[str]:
    """The packages that are here in another version than a file wants, or not at all; 2.13.0+cpu is 2.13.0."""
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            yield f"{requirement.name} {found or '(none)'} is installed, {file} says {requirement.specifier}"


def other_python(wanted: str, here: str) -> Iterator[str]:
    """An interpreter that pyproject.toml does not name; 3.11.9+ is 3.11.9, built from Git."""
    if not SpecifierSet(wanted).contains(here.rstrip("+")):
        yield f"Python {here} runs, {PROJECT} says {wanted}"


def refuse_other(found: Iterable[str]) -> None:
    """The interpreter and the packages must be those that are declared."""
    if faults := list(found):
        raise Fault(
            "\n".join(
                [
                    "the environment is not the declared one, so the bytes would be others:",
                    *(f"  {one}" for one in faults),
                    f"`make setup` installs what {LOCK} says, where a new pin must stand too;",
                    "`source .venv/bin/activate` puts it first",
                ]
            )
        )


def check_environment(recorded: Recorded | None = None) -> None:
    """The packages of a stage against pyproject.toml; without one, all of requirements.lock."""
    project = tree(PROJECT)
    if recorded is None:
        lines = (line.split(" #")[0] for line in LOCK.read_text(encoding="utf-8").splitlines())
        packages = other_packages((line for line in lines if line.strip() and line[0] not in "#-"), LOCK)
    else:
        listed = (at(project, key) for file, key in recorded.params if file == PROJECT)
        pins = [*project["project"]["dependencies"], *(pin for one in listed if isinstance(one, list) for pin in one)]
        packages = other_packages(pins, PROJECT)
    refuse_other([*other_python(project["project"]["requires-python"], platform.python_version()), *packages])
