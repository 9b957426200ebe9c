"""What dvc.lock will say is what was there when the stage started; the environment is the declared one."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stages.core.faults import Fault
from stages.shell.pinned import (
    LOCK,
    PROJECT,
    Recorded,
    check_environment,
    edits,
    other_packages,
    other_python,
    refuse_edits,
    refuse_other,
)
from tests.conftest import ROOT, lay


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the project, as they are, and some data that `train` reads."""
    for name in ("params.yaml", "dvc.yaml", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "stages", tmp_path / "stages", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data/clean").mkdir(parents=True)
    (tmp_path / "data/clean/shard").write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def append(name: str) -> Callable[[Path], Any]:
    def edit(root: Path) -> None:
        with (root / name).open("a", encoding="utf-8") as file:
            file.write("\n")

    return edit


def rewrite(name: str, old: str, new: str) -> Callable[[Path], Any]:
    def edit(root: Path) -> None:
        text = (root / name).read_text(encoding="utf-8")
        assert old in text
        (root / name).write_text(text.replace(old, new), encoding="utf-8")

    return edit


SEEN: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "the stage": (append("stages/train.py"), ["stages/train.py"]),
    "its plug-in": (append("stages/architectures/bert.py"), ["stages/architectures/bert.py"]),
    "a parameter": (
        lambda root: lay(root / "params.yaml", {"train": {"epochs": 9}}),
        ["params.yaml: train.epochs (4, now 9)"],
    ),
    "a parameter of a plug-in": (
        lambda root: lay(root / "params.yaml", {"architectures": {"bert": {"dropout": 0.5}}}),
        ["params.yaml: architectures.bert.dropout (0.1, now 0.5)"],
    ),
    "a parameter that goes": (
        rewrite("params.yaml", "  patience: 2", "  patients: 2"),
        ["params.yaml: train.patience (2, now None)", "params.yaml: train.patients (None, now 2)"],
    ),
    "a pin": (
        rewrite("pyproject.toml", '"torch==2.13.0"', '"torch==2.12.0"'),
        ["pyproject.toml: project.optional-dependencies.model"],
    ),
    "an input": (append("data/clean/shard"), ["data/clean/shard"]),
    "an input that comes": (lambda root: (root / "data/clean/late").write_text("text"), ["data/clean/late"]),
    "an input that goes": (lambda root: (root / "data/clean/shard").unlink(), ["data/clean/shard"]),
}
UNSEEN: dict[str, Callable[[Path], Any]] = {
    "a stage that is another": append("stages/explain.py"),
    "the shell": append("stages/shell/run.py"),
    "a parameter of another stage": lambda root: lay(root / "params.yaml", {"explain": {"documents": 3}}),
    "a comment": rewrite("params.yaml", "# at most", "# at the most"),
    "nothing": lambda root: os.utime(root / "stages/train.py"),
}


@pytest.mark.parametrize("what", SEEN)
def test_an_edit_of_what_dvc_lock_records_is_told(project: Path, what: str):
    edit, told = SEEN[what]
    recorded = Recorded.of("train")
    before = recorded.now()
    edit(project)
    assert edits(before, recorded.now()) == told


@pytest.mark.parametrize("what", UNSEEN)
def test_an_edit_of_all_else_is_no_concern(project: Path, what: str):
    recorded = Recorded.of("train")
    before = recorded.now()
    UNSEEN[what](project)
    refuse_edits(before, recorded.now())


def test_the_message_on_edits():
    with pytest.raises(Fault) as fault:
        refuse_edits({"a.py": "1", "params.yaml: x.y": 1}, {"a.py": "2", "params.yaml: x.y": None})
    assert str(fault.value) == (
        "edited while this ran, so that nobody could say what the result was made from; it is thrown away:\n"
        "  a.py\n"
        "  params.yaml: x.y (1, now None)\n"
        "`dvc repro` makes it again"
    )


@pytest.mark.parametrize("stage", ["weights", "ingest", "train", "explain", "report"])
def test_this_environment_is_the_declared_one(project: Path, stage: str):
    check_environment(Recorded.of(stage))
    check_environment()


def test_another_interpreter_and_other_packages_are_told():
    packages = other_packages(["numpy==1.0", "nowhere==2.0", "pyarrow==26.0.1"], LOCK)
    with pytest.raises(Fault) as fault:
        refuse_other([*other_python("==3.9.*", "3.11.7"), *packages])
    assert str(fault.value) == (
        "the environment is not the declared one, so the bytes would be others:\n"
        "  Python 3.11.7 runs, pyproject.toml says ==3.9.*\n"
        "  numpy 2.4.6 is installed, requirements.lock says ==1.0\n"
        "  nowhere (none) is installed, requirements.lock says ==2.0\n"
        "`make setup` installs what requirements.lock says, where a new pin must stand too;\n"
        "`source .venv/bin/activate` puts it first"
    )


@pytest.mark.parametrize(
    "line",
    [
        *(
            "torch==2.13.0",
            "torch==2.13.0+cpu",
            "numpy == 2.4.6",
            "NumPy==2.4.6.0",
            "numpy==2.4.*",
            "ruamel-yaml==0.19.1",
        ),
        *("hypothesis[cli]==6.170.15", "nowhere==1 ; sys_platform == 'win32'"),
    ],
)
def test_the_same_version_however_it_is_written(line: str):
    assert list(other_packages([line], LOCK)) == []


def test_a_python_built_from_git_is_of_its_version():
    assert list(other_python("==3.11.*", "3.11.9+")) == []


@pytest.mark.parametrize(
    ("stage", "package"), [("train", "torch"), ("ingest", "pyarrow"), ("dedup", "ruamel.yaml"), ("weights", "pydantic")]
)
def test_a_stage_looks_at_its_own_packages(project: Path, stage: str, package: str):
    text = PROJECT.read_text()
    PROJECT.write_text(re.sub(rf'"{package}==[^"]+"', f'"{package}==0.1"', text))
    with pytest.raises(Fault, match=rf"  {package} \S+ is installed, pyproject.toml says ==0\.1"):
        check_environment(Recorded.of(stage))


def test_a_stage_does_not_look_at_the_packages_of_others(project: Path):
    rewrite("pyproject.toml", "torch==2.13.0", "torch==0.1")(project)
    check_environment(Recorded.of("ingest"))


def test_code_that_is_edited_while_a_process_starts(project: Path):
    recorded, started = Recorded.of("train"), time.time_ns()
    recorded.refuse_late(started)
    time.sleep(0.05)  # clocks of file systems tick some hundred times a second
    (project / "stages/train.py").touch()
    with pytest.raises(Fault) as fault:
        recorded.refuse_late(started)
    assert str(fault.value) == "stages/train.py: edited while this started; `dvc repro` starts again"
    os.utime(project / "stages/train.py", ns=(2 * started, 2 * started))
    recorded.refuse_late(started)


def test_what_editors_leave_is_no_code(project: Path):
    recorded = Recorded.of("clean")
    before = recorded.now()
    for name in (".mask.py.swp", "mask.py~", ".#mask.py"):
        (project / "stages/cleaners" / name).touch()
    assert recorded.now() == before


def test_parameters_in_a_file_of_their_own(project: Path):
    (project / "other.yaml").write_text("x: {y: 1}\n")
    rewrite("dvc.yaml", "      - dedup\n", "      - dedup\n      - other.yaml: [x]\n")(project)
    assert Recorded.of("dedup").now()["other.yaml: x.y"] == 1


def test_a_stage_that_dvc_yaml_does_not_know(project: Path):
    with pytest.raises(Fault) as fault:
        Recorded.of("mine")
    assert str(fault.value) == "dvc.yaml: no stage 'mine'; a stage bears the name of its module, stages/mine.py"


@pytest.mark.parametrize(
    ("module", "file"), [("stages.ingest", "stages/ingest.py"), ("stages.commands", "stages/shell/progress.py")]
)
def test_a_python_without_the_packages_says_what_to_do(module: str, file: str):
    command = [sys.executable, "-S", "-m", module, "check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"{ROOT / file}: no module '")
    assert done.stderr.endswith("`make setup` makes it from requirements.lock\n")


def test_a_bug_keeps_its_traceback():
    command = [sys.executable, "-c", "import stages; 1 / 0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("Traceback") and done.stderr.endswith("ZeroDivisionError: division by zero\n")
