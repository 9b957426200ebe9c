"""What dvc.lock will say a stage was made from: does it hold at the start, and does it still hold at the end?

DVC reads code and parameters when a stage has ended (treeverse/dvc #11058): what was edited meanwhile would be recorded
as if the stage had seen it.
"""

import platform
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from stages.core.faults import Fault
from stages.core.hashing import sha256

DAG, PARAMS, PROJECT, LOCK = Path("dvc.yaml"), Path("params.yaml"), Path("pyproject.toml"), Path("requirements.lock")
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
Told = Mapping[str, Any]


def yaml(path: Path) -> Any:
    """As DVC reads it."""
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(path)


def at(tree: Any, path: str) -> Any:
    """The value at `a.b.c`; None where there is nothing."""
    return reduce(lambda inner, key: inner.get(key) if isinstance(inner, dict) else None, path.split("."), tree)


@dataclass(frozen=True)
class Recorded:
    """The files and parameters that dvc.yaml lists for a stage."""

    files: tuple[Path, ...]
    params: tuple[str, ...]
    project: tuple[str, ...]

    @classmethod
    def of(cls, stage: str) -> "Recorded":
        """With the `${...}` of dvc.yaml filled in from params.yaml."""
        params = yaml(PARAMS)

        def filled(text: str) -> str:
            return REFERENCE.sub(lambda match: str(at(params, match[1])), text)

        entry = yaml(DAG)["stages"][stage]
        listed = entry.get("params", ())
        return cls(
            tuple(Path(filled(dep)) for dep in entry["deps"]),
            tuple(filled(one) for one in listed if isinstance(one, str)),
            tuple(key for one in listed if isinstance(one, dict) for key in one[str(PROJECT)]),
        )

    def now(self) -> Told:
        """Place → what stands there now: the hash of code, the value of a parameter, size and time of data."""
        params, project = yaml(PARAMS), tomllib.loads(PROJECT.read_text(encoding="utf-8"))
        return {
            **{str(path): mark(path) for given in self.files for path in sorted(inside(given))},
            **{f"{PARAMS}: {path}": one for key in self.params for path, one in leaves(at(params, key), key)},
            **{f"{PROJECT}: {key}": at(project, key) for key in self.project},
        }


def inside(path: Path) -> Iterator[Path]:
    """The files of a folder, or the one file."""
    found = path.rglob("*") if path.is_dir() else [path]
    return (one for one in found if one.is_file() and "__pycache__" not in one.parts)


def mark(path: Path) -> Any:
    """Code is small and hashed. Data is made by stages and never edited by hand: its size and time tell."""
    return sha256(path) if path.parts[0] == "stages" else (path.stat().st_size, path.stat().st_mtime_ns)


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


def pins(requirements: Sequence[str]) -> dict[str, str]:
    """Name → version, of lines `name==version`; the build of a version (+cpu) makes no difference."""
    pairs = (line.split("#")[0].strip().split("==") for line in requirements)
    return {pair[0]: public(pair[1]) for pair in pairs if len(pair) == 2}


def public(found: str) -> str:
    """2.13.0+cpu is 2.13.0."""
    return found.partition("+")[0]


def installed(name: str) -> str | None:
    """The version that is here."""
    try:
        return public(version(name))
    except PackageNotFoundError:
        return None


def refuse_other_packages(project: Mapping[str, Any], pinned: Mapping[str, str], file: Path) -> None:
    """The interpreter and the packages must be those that are declared."""
    wanted, here = project["requires-python"], platform.python_version()
    faults = [] if SpecifierSet(wanted).contains(here) else [f"Python {here} runs, {wanted} is wanted ({PROJECT})"]
    for name, pin in pinned.items():
        if (found := installed(name)) != pin:
            faults.append(f"{name} {found or '(none)'} is installed, {file} says {pin}")
    if faults:
        raise Fault(
            "\n".join(
                [
                    "the environment is not the declared one, so the bytes would be others:",
                    *(f"  {one}" for one in faults),
                    "`make setup` makes it right, `source .venv/bin/activate` puts it first",
                ]
            )
        )


def check_environment(recorded: Recorded | None = None) -> None:
    """The packages of a stage against pyproject.toml; without one, all of requirements.lock."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    if recorded is None:
        lines = LOCK.read_text(encoding="utf-8").splitlines()
        return refuse_other_packages(project, pins(lines), LOCK)
    listed = [at({"project": project}, key) for key in recorded.project]
    lines = [*project["dependencies"], *(pin for one in listed if isinstance(one, list) for pin in one)]
    return refuse_other_packages(project, pins(lines), PROJECT)
