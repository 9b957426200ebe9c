"""An edit while a stage runs: told, instead of a dvc.lock that records what did not happen (treeverse/dvc #11058)."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import Clone
from tests.kills import forget, makers, outputs, recorded, stopped, until
from tests.test_repro import checkpoint_of, hashes

SLOW = {"train": {"seed": 5, "patience": 0, "epochs": 8}}
EDITS: dict[str, tuple[Callable[[Clone], Any], Callable[[Clone], Any], str]] = {
    "a parameter": (
        lambda clone: clone.change({"train": {"weight_decay": 0.5}}),
        lambda clone: clone.change({"train": {"weight_decay": 0.01}}),
        "params.yaml: train.weight_decay (0.01, now 0.5)",
    ),
    "code": (
        lambda clone: appended(clone.root / "stages/train.py", "# edited\n"),
        lambda clone: clone.run("git", "checkout", "stages/train.py"),
        "stages/train.py",
    ),
}


def appended(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def training(clone: Clone) -> "subprocess.Popen[str]":
    """A `dvc repro` that has come to train and saved a checkpoint."""
    process = clone.start("dvc", "repro")
    while checkpoint_of(clone) is None:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    return process


def at_work(clone: Clone, process: "subprocess.Popen[str]", stage: str) -> list[int]:
    """The process of a stage, once it has its lock: then it has read its parameters."""
    lock = clone.root / f".dvc/tmp/reprolm/data%2F{stage}.lock"

    def holders() -> list[int]:
        return [pid for pid in makers(clone.root, stage) if lock.read_text().startswith(f"process {pid} ")]

    assert until(lambda: holders() != [], lambda: process.poll() is not None), process.communicate()[0]
    return holders()


def test_an_edit_while_a_stage_runs_is_told_and_undone(light: Clone, tmp_path: Path) -> None:
    clone, wanted = light.copy(tmp_path / "project"), recorded(light.root / "dvc.lock")
    forget(clone, ["baseline"])
    process = clone.start("dvc", "repro")
    with stopped(at_work(clone, process, "baseline")):
        clone.change({"baseline": {"metric": "accuracy"}})
    told, _ = process.communicate()
    assert process.returncode == 255 and "Traceback" not in told, told
    assert "baseline: edited while this ran, so that nobody could say what the result was made from; " in told
    assert "\n  params.yaml: baseline.metric (macro_f1, now accuracy)\n`dvc repro` makes it again\n" in told
    assert not [path for path in outputs({"baseline": wanted["baseline"]}) if (clone.root / path).exists()]
    clone.run("git", "checkout", "params.yaml")
    assert clone.repro() == ["baseline"]
    assert recorded(clone.root / "dvc.lock") == wanted


@pytest.mark.slow
@pytest.mark.parametrize("what", EDITS)
def test_an_edit_while_training_is_told_and_undoing_it_costs_nothing(light: Clone, tmp_path: Path, what: str) -> None:
    edit, undo, place = EDITS[what]
    clone = light.copy(tmp_path / "project")
    clone.change(SLOW)
    process = training(clone)
    edit(clone)
    told, _ = process.communicate()
    assert process.returncode and "Traceback" not in told, told
    assert (
        "train: edited while this ran, so that nobody could say what the result was made from; it is thrown away:\n"
        f"  {place}\n`dvc repro` makes it again\n"
    ) in told
    assert not (clone.root / "models/train").exists()
    undo(clone)
    assert "train" in clone.repro()
    undisturbed = light.copy(tmp_path / "undisturbed")
    undisturbed.change(SLOW)
    undisturbed.repro()
    assert hashes(clone.root) == hashes(undisturbed.root)


@pytest.mark.slow
def test_an_edit_of_what_the_stage_does_not_read_stops_nothing(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change(SLOW)
    process = training(clone)
    clone.change({"evaluate": {"resamples": 100}})
    appended(clone.root / "stages/shell/progress.py", "# edited\n")
    told, _ = process.communicate()
    assert process.returncode == 0, told
    lock = YAML(typ="safe").load(clone.root / "dvc.lock")["stages"]
    assert lock["evaluate"]["params"]["params.yaml"]["evaluate"]["resamples"] == 100
    assert clone.repro() == []
