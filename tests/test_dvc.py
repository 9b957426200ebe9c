"""DVC's own commands in a built project: experiments, comparisons, remotes, and what DVC says before we can."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Clone, environment, ran

TRAIN_AND_AFTER = ["train", "evaluate", "explain", "report"]
SLOWER = ("-S", "train.learning_rate=1e-3")


@pytest.fixture(scope="module")
def tried(light: Clone, tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, list[str]]:
    """A project after an experiment, without a Git identity; and the stages that it ran."""
    clone = light.copy(tmp_path_factory.mktemp("experiment") / "project")
    return clone, ran(clone.run("dvc", "exp", "run", "--name", "slower", *SLOWER))


def test_an_experiment_runs_training_and_what_follows(tried: tuple[Clone, list[str]]) -> None:
    clone, stages = tried
    assert stages == TRAIN_AND_AFTER
    assert clone.run("git", "config", "--default", "none", "user.name").strip() == "none"


def test_experiments_are_shown_with_parameters_and_metrics(tried: tuple[Clone, list[str]]) -> None:
    shown = json.loads(tried[0].said("dvc", "exp", "show", "--json"))
    (experiment,) = (one["revs"][0] for rev in shown for one in rev["experiments"] or ())
    assert experiment["name"] == "slower"
    assert experiment["data"]["params"]["params.yaml"]["data"]["train"]["learning_rate"] == 1e-3
    assert "macro_f1" in experiment["data"]["metrics"]["reports/metrics.json"]["data"]["test"]


def test_differences_in_parameters_metrics_and_plots(tried: tuple[Clone, list[str]]) -> None:
    clone, _ = tried
    params = json.loads(clone.said("dvc", "params", "diff", "--json"))
    change = params["params.yaml"].pop("train.learning_rate")
    assert (change["old"], change["new"]) == (3e-4, 1e-3) and params == {"params.yaml": {}}
    metrics = json.loads(clone.said("dvc", "metrics", "diff", "--json"))
    assert {"validation.log_loss", "test.log_loss"} <= metrics["reports/metrics.json"].keys()
    plots: dict[str, Any] = json.loads(clone.said("dvc", "plots", "diff", "--json"))
    assert plots.keys() == {"data"} and plots["data"]


@pytest.mark.slow
def test_an_experiment_apart_from_changes_wants_a_git_identity(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"evaluate": {"resamples": 100}})  # DVC stashes it, and a stash has an author
    status, told = clone.tried("dvc", "exp", "run", "--temp", *SLOWER)
    assert status == 255 and "Git user name and email must be configured" in told
    clone.run("git", "config", "user.name", "somebody")
    clone.run("git", "config", "user.email", "somebody@localhost")
    told = clone.run("dvc", "exp", "run", "--temp", "--name", "apart", *SLOWER)
    assert ran(told) == TRAIN_AND_AFTER and "apart" in told


def test_a_push_and_a_pull_bring_everything_to_another_clone(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.run("dvc", "remote", "add", "--default", "folder", str(tmp_path / "remote"))
    clone.commit("a remote")
    clone.run("dvc", "push")
    other = Clone(tmp_path / "other", environment(tmp_path / "other"))
    clone.run("git", "clone", "--quiet", str(clone.root), str(other.root))
    other.run("dvc", "pull")
    assert other.run("dvc", "status").strip() == "Data and pipelines are up to date."
    assert other.repro() == []
    model = "models/train/model.safetensors"
    assert (other.root / model).read_bytes() == (light.root / model).read_bytes()


def test_what_the_cache_has_is_taken_from_it(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    shutil.rmtree(clone.root / "models")
    shutil.rmtree(clone.root / "data")
    clone.run("dvc", "checkout", "--force")
    assert clone.repro() == []


# What plain DVC says before any stage of ours can; the README quotes both.


def test_params_that_are_no_yaml(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    (clone.root / "params.yaml").write_text("train: [1\nseed: 2\n", encoding="utf-8")
    status, told = clone.tried("dvc", "repro")
    assert status == 255
    assert (
        "ERROR: unable to read: 'params.yaml', YAML file structure is corrupted: while parsing a flow sequence" in told
    )
    status, told = clone.tried("python", "-m", "stages.commands", "check")
    assert status == 1 and told.startswith("reprolm check: params.yaml: not YAML: line 2: ")


def test_an_architecture_that_there_is_not(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"model": {"architecture": "brt"}})
    status, told = clone.tried("dvc", "repro")
    missing = clone.root / "stages/architectures/brt.py"
    assert status == 255
    assert f"ERROR: failed to reproduce 'train': [Errno 2] No such file or directory: '{missing}'" in told
    status, told = clone.tried("python", "-m", "stages.commands", "check")
    assert status == 1 and "model.architecture: no 'brt' in stages/architectures; there is: bert" in told
