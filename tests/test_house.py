"""The house rules: who may import whom, and that dvc.yaml, params.yaml, README and the folders tell the same."""

import ast
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.core.params import Plugin, Section
from stages.shell import plugins
from stages.shell.closure import ROOT, closure, imports
from stages.shell.params import COMMON, metadata, read, shared_fields, stage_module, stage_names

PARAMS = ROOT / "params.yaml"
DAG: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
CODE = sorted((ROOT / "stages").rglob("*.py"))
MAY_IMPORT = {"core": {"core"}, "shell": {"core", "shell"}, "stage": {"core", "shell"}, "plug-in": {"core"}}
HEAVY = {
    *(
        "accelerate",
        "datasets",
        "datasketch",
        "jinja2",
        "lime",
        "markdown_it",
        "matplotlib",
        "nlpaug",
        "numba",
        "pandas",
        "scipy",
        "shap",
    ),
    *("sklearn", "tokenizers", "torch", "transformers"),
}


def area(module: str) -> str:
    """What a module of ours is: core, shell, commands, stage or plug-in."""
    parts = module.split(".")
    if len(parts) > 1 and parts[1] in {"core", "shell", "commands"}:
        return parts[1]
    return "plug-in" if len(parts) > 1 and parts[1] in plugins.folders() else "stage"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", CODE, ids=module_of)
def test_who_may_import_whom(path: Path):
    mine = area(module_of(path))
    theirs = {module for module in imports(path) if module != "stages"}
    if mine != "commands":
        assert not {module for module in theirs if area(module) not in MAY_IMPORT[mine]}


def test_nothing_heavy_is_imported_at_the_start():
    """By importing all stages, commands and plug-ins: what `check` and every stage do before they know more."""
    about_torch = {"stages.core.inference", "stages.core.mean_pooling"}
    light = sorted({module_of(path) for path in CODE if path.stem != "__main__"} - about_torch)
    story = f"import importlib, sys\nfor name in {light}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", story], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def loaded_folders(stage: str) -> set[str]:
    """The plug-in folders that a stage loads from, by reading it."""
    tree = ast.parse((ROOT / f"stages/{stage}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "plugins.load"]
    return {ast.literal_eval(call.args[0]) for call in calls}


def filled_in(path: str) -> str:
    """A path of dvc.yaml with its ${...} filled in."""
    values = read(PARAMS)
    return re.sub(r"\$\{(\w+)\.(\w+)\}", lambda match: values[match[1]][match[2]], path)


def code_deps(stage: str) -> list[str]:
    return [filled_in(dep) for dep in DAG[stage]["deps"] if dep.startswith("stages/")]


@pytest.mark.parametrize("stage", DAG)
def test_code_in_deps_is_what_the_stage_imports(stage: str):
    deps = [ROOT / dep for dep in code_deps(stage)]
    files = {file for dep in deps for file in (dep.glob("*.py") if dep.is_dir() else [dep])}
    chosen = [path for path in files if path.parent.name in loaded_folders(stage)]
    assert {path.parent.name for path in chosen} == loaded_folders(stage)
    code = closure(stage, *(module_of(path).removeprefix("stages.") for path in chosen))
    assert sorted(path for path in files if path.suffix == ".py") == code


@pytest.mark.parametrize("stage", DAG)
def test_other_files_in_deps_are_what_the_stage_reads(stage: str):
    """A page's template bears the stage's name; any other file is an argument."""
    template = [f"stages/{stage}.html"] if (ROOT / f"stages/{stage}.html").exists() else []
    arguments = [word for word in DAG[stage]["cmd"].split() if word.startswith("stages/")]
    assert sorted(dep for dep in code_deps(stage) if Path(dep).suffix in {".html", ".yaml"}) == sorted(
        template + arguments
    )


@pytest.mark.parametrize("stage", DAG)
def test_of_several_plugins_the_folder_is_a_dep(stage: str):
    """Of one, its file alone may be: then an edit of another one re-runs nothing."""
    for info in stage_module(stage).Params.model_fields.values():
        mark = metadata(info, Plugin)
        if mark and typing.get_origin(info.annotation) is tuple:
            assert f"stages/{mark.folder}" in DAG[stage]["deps"]


@pytest.mark.parametrize("stage", DAG)
def test_a_command_names_inputs_and_outputs_as_dvc_yaml_does(stage: str):
    paths = [word for word in DAG[stage]["cmd"].split()[3:] if not word.startswith("stages/")]
    outs = [
        next(iter(one)) if isinstance(one, dict) else one for one in DAG[stage]["outs"] + DAG[stage].get("metrics", [])
    ]
    ins = [dep for dep in DAG[stage]["deps"] if not dep.startswith("stages/")]
    assert DAG[stage]["cmd"].startswith(f"python -m stages.{stage} ")
    assert paths[: len(ins)] == ins
    assert sorted(paths[len(ins) :]) == sorted(outs)


def test_only_report_has_outputs_that_git_keeps():
    kept = {
        stage for stage, one in DAG.items() for out in one["outs"] + one.get("metrics", []) if isinstance(out, dict)
    }
    assert kept == {"report"}


def test_git_has_nothing_that_dvc_keeps():
    """DVC refuses to make an output that is tracked by Git."""
    outs = [out for stage in DAG.values() for out in stage["outs"] if isinstance(out, str)]
    command = ["git", "ls-files", "--cached", "--", *outs]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def test_stages_are_the_same_everywhere():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    sections = [name for name in read(PARAMS) if name not in COMMON and name not in plugins.folders()]
    assert [row for row in rows if row in DAG] == sections == list(DAG)
    assert sorted(DAG) == stage_names()


def test_every_plugin_folder_has_a_name_of_its_own():
    assert not set(plugins.folders()) & {*stage_names(), *COMMON}


def keys() -> Iterator[tuple[str, bool, bool]]:
    """Of each key of params.yaml: its path, whether it holds a value, whether it or what it stands in is explained."""
    outer: list[tuple[int, str, bool]] = []
    for line in PARAMS.read_text().splitlines():
        found = re.match(r"^(?P<indent> *(?:- (?!\{))?)(?P<key>[\w.][^:#{]*):(?: (?P<value> *[^#\s]\S*))?", line)
        if found:
            outer = [one for one in outer if one[0] < len(found["indent"])]
            explained = "  # " in line
            path = ".".join([*(name for _, name, _ in outer), found["key"]])
            yield path, found["value"] is not None or explained, explained or (len(outer) > 1 and outer[-1][2])
            outer.append((len(found["indent"]), found["key"], explained))


def test_every_parameter_is_explained():
    found = {path: explained for path, holds, explained in keys() if holds}
    assert {"train.epochs", "cleaners.mask.token", "ingest.sources.wheels", "filter.limits.words"} <= found.keys()
    assert [path for path, explained in found.items() if not explained] == []


@pytest.mark.parametrize("stage", DAG)
def test_dvc_yaml_lists_the_parameters_that_a_stage_gets(stage: str):
    kind: type[Section] = stage_module(stage).Params
    own = [stage] if len(kind.model_fields) > len(shared_fields(kind)) else []
    listed = [one for one in DAG[stage].get("params", []) if isinstance(one, str)]
    assert sorted(listed) == sorted([*own, *shared_fields(kind).values()])


@pytest.mark.parametrize("stage", DAG)
def test_a_stage_reads_each_parameter_that_it_gets(stage: str):
    source = (ROOT / f"stages/{stage}.py").read_text()
    fields = set(stage_module(stage).Params.model_fields) - {"compute"}  # the harness reads it, before the stage starts
    assert {name for name in fields if not re.search(rf"\bp\.{name}\b", source)} == set()


def test_who_computes_with_floats_declares_how():
    """torch and scikit-learn; the other stages count, compare and hash."""
    floats = re.compile(r"^\s*(?:import|from) (?:torch|sklearn|shap|lime)\b", re.MULTILINE)
    computing = {name for name in DAG if any(floats.search(path.read_text()) for path in closure(name))}
    assert computing == {name for name in DAG if "compute" in DAG[name].get("params", [])}
