"""Every package that can change a byte is pinned, once, where dvc.yaml looks for it."""

import ast
import re
import tomllib
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from stages.shell import plugins
from stages.shell.closure import ROOT, closure
from tests.test_house import loaded_folders

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DAG: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
EXTRAS = {extra: dict(pin.split("==") for pin in pins) for extra, pins in PROJECT["optional-dependencies"].items()}
BASE = dict(pin.split("==") for pin in PROJECT["dependencies"])
LOCK = dict(
    line.split("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line.split("#")[0]
)
OWNERS = packages_distributions()
# They change no byte: what is fetched is taken by its sha256, and `train` wants the name of an error.
UNPINNED = {
    "scrape": {"fsspec"},
    "weights": {"fsspec", "huggingface-hub"},
    "ingest": {"fsspec"},
    "benchmarks": {"fsspec"},
    "train": {"huggingface-hub"},
}
HARMLESS = set((ROOT / "tests/cases/harmless.txt").read_text().split())


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def public(name: str) -> str:
    """The installed version, less the build: 2.13.0+cpu is 2.13.0."""
    return version(name).split("+")[0]


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_package_of_several_extras_has_one_pin(extra: str):
    for name, pin in EXTRAS[extra].items():
        assert {other[name] for other in EXTRAS.values() if name in other} == {pin}, name
        assert name not in BASE


def test_the_lock_agrees_with_the_pins_and_with_what_is_installed():
    pins = BASE | {name: pin for extra in EXTRAS.values() for name, pin in extra.items()}
    lock = {normal(name): pin.split("+")[0].strip() for name, pin in LOCK.items()}
    assert {name: lock.get(normal(name)) for name in pins} == pins
    assert {name: public(name) for name in lock} == lock


def test_the_lock_is_complete():
    lock = {normal(name) for name in LOCK}
    assert needed([*BASE, *(name for extra in EXTRAS.values() for name in extra)]) - lock == set()


def extra_of(stage: str) -> str | None:
    """The extra that dvc.yaml names as a parameter of the stage."""
    named = [one["pyproject.toml"] for one in DAG[stage].get("params", []) if isinstance(one, dict)]
    return named[0][0].rpartition(".")[2] if named else None


def third_party(path: Path) -> set[str]:
    """The distributions that a file imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {normal(owner) for module in modules for owner in OWNERS.get(module.split(".")[0], [])} - {"reprolm"}


@pytest.mark.parametrize("stage", DAG)
def test_what_a_stage_imports_is_in_its_extra(stage: str):
    chosen = [f"{folder}.{name}" for folder in loaded_folders(stage) for name in plugins.names(folder)]
    imported = {name for path in closure(stage, *chosen) for name in third_party(path)}
    pinned = EXTRAS[extra] if (extra := extra_of(stage)) else {}
    assert imported - {normal(name) for name in (*BASE, *pinned)} == UNPINNED.get(stage, set())


def needed(names: list[str]) -> set[str]:
    """These distributions and all that they need on this machine."""
    todo, found = [normal(name) for name in names], set[str]()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            wanted = map(Requirement, requires(name) or [])
            todo += [normal(one.name) for one in wanted if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"test"}))
def test_what_an_extra_brings_along_is_pinned_or_known_to_be_harmless(extra: str):
    pinned = {normal(name) for name in (*BASE, *EXTRAS[extra])}
    assert needed([*EXTRAS[extra]]) - pinned - HARMLESS == set()
