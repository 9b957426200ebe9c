"""The promises, by real `dvc repro`s of the cut-down corpus: the same bytes anywhere, only what changed again."""

import hashlib
import json
import os
import re
import signal
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.core.files import read_json
from tests.conftest import ROOT, Clone

DAG = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
STAGES = list(DAG)
OUTPUTS = ("data", "models", "reports")
REFERENCE = re.compile(r"\$\{([\w.]+)\}")
MARK = 123.0
AFTER_EVALUATE = STAGES[STAGES.index("evaluate") :]


def hashes(root: Path) -> dict[str, str]:
    """Path → md5 of everything that a `dvc repro` wrote, the notes on time and memory aside."""
    files = (path for folder in OUTPUTS for path in (root / folder).rglob("*") if path.is_file())
    found = {str(path.relative_to(root)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}  # noqa: S324
    return {name: digest for name, digest in sorted(found.items()) if name != "reports/run.json"}


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """The outputs, as far as they are text."""
    for name in hashes(root):
        try:
            yield name, (root / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_all_stages_ran_and_a_second_repro_runs_none(built: Clone) -> None:
    lock = YAML(typ="safe").load(built.root / "dvc.lock")
    assert list(lock["stages"]) == STAGES
    assert built.repro() == []


def test_another_folder_hash_seed_and_engine_give_the_same_bytes(built: Clone, again: Clone) -> None:
    assert (again.root / "dvc.lock").read_bytes() == (built.root / "dvc.lock").read_bytes()
    assert hashes(again.root) == hashes(built.root)


def test_no_output_tells_where_it_was_made(built: Clone) -> None:
    assert [name for name, text in texts(built.root) if str(built.root) in text] == []


def test_nothing_half_written_is_left(built: Clone, light: Clone) -> None:
    for clone in (built, light):
        assert [path for path in clone.root.rglob("*.part") if "__pycache__" not in path.parts] == []
        assert checkpoint_of(clone) is None


def test_equal_bytes_stop_the_chain(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "project")
    with (clone.root / "stages/features.py").open("a", encoding="utf-8") as file:
        file.write("# a comment\n")
    assert clone.repro() == ["features"]


@pytest.mark.parametrize("which", ["built", "light"])
def test_every_document_is_accounted_for(which: str, request: pytest.FixtureRequest) -> None:
    clone: Clone = request.getfixturevalue(which)
    counts = read_json(clone.root / "reports/metrics.json")["documents"]
    names = list(counts)
    for before, after in zip(
        ("ingest", "dedup", "clean", "filter"), ("dedup", "clean", "filter", "split"), strict=True
    ):
        assert counts[before]["out"] == counts[after]["in"] > 0, names
    assert counts["augment"]["in"] == 100
    assert (counts["augment"]["out"] > 100) == (which == "light")
    assert counts["balance"] == {"in": counts["augment"]["out"], "out": counts["augment"]["out"]}


def test_metrics_have_what_was_promised(built: Clone) -> None:
    metrics = read_json(built.root / "reports/metrics.json")
    for found in (metrics["validation"], metrics["test"], metrics["baseline"]["test"], metrics["difference"]):
        for metric in ("macro_f1", "accuracy"):
            one = found[metric]
            assert one.keys() == {"value", "low", "high"} and one["low"] <= one["value"] <= one["high"]
    assert all(count.keys() == {"in", "out"} for count in metrics["documents"].values())


def test_without_test_nothing_is_said_of_it(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"evaluate": {"splits": ["validation"]}})
    assert clone.repro() == AFTER_EVALUATE
    metrics = read_json(clone.root / "reports/metrics.json")
    assert "test" not in metrics and "test" not in metrics["baseline"]
    assert metrics["difference"]["accuracy"].keys() == {"value", "low", "high"}
    assert "test" not in read_json(clone.root / "reports/evaluate/metrics.json")


def checkpoint_of(clone: Clone) -> Path | None:
    """The checkpoint of the training that is going on."""
    return next(iter((clone.root / ".dvc/cache/reprolm").glob("checkpoints/*/last.pt")), None)


def kill_training(clone: Clone) -> Path:
    """Starts `dvc repro` and kills it, and all that it has started, once there is a checkpoint."""
    process = clone.start("dvc", "repro")
    while (checkpoint := checkpoint_of(clone)) is None:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return checkpoint


def mark(checkpoint: Path) -> int:
    """Writes a loss into the history of a checkpoint that no training has; gives its step."""
    import torch

    state = torch.load(checkpoint, weights_only=True)
    state["progress"]["loss"][0]["loss"] = MARK
    torch.save(state, checkpoint)
    return state["progress"]["step"]


def test_a_killed_training_goes_on_where_it_was_and_ends_in_the_same_model(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"train": {"seed": 2, "patience": 0, "epochs": 12}})
    step = mark(kill_training(clone))
    assert 0 < step < 48 and not (clone.root / "models/train").exists()
    assert "train" in clone.repro() and checkpoint_of(clone) is None
    resumed = read_json(clone.root / "models/train/history.json")
    whole = whole_training(clone, tmp_path / "whole")
    assert resumed["steps"][0].pop("loss") == MARK != whole["steps"][0].pop("loss")
    assert resumed == whole and len(whole["steps"]) == 48
    model = "model.safetensors"
    assert (clone.root / "models/train" / model).read_bytes() == (tmp_path / "whole" / model).read_bytes()


def whole_training(clone: Clone, out: Path) -> dict[str, Any]:
    """The history of the same training without a kill."""
    inputs = ("models/weights", "data/clean", "data/split", "data/balance", "data/tokenize")
    clone.run("python", "-m", "stages.train", *inputs, str(out))
    return read_json(out / "history.json")


# dvc.lock and the code: no command of DVC tells whether they match where there is no data.


def md5(path: Path) -> str:
    """DVC's hash of a file, or of a folder (its files' hashes as JSON)."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    files = sorted(one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    entries = [{"md5": md5(one), "relpath": one.relative_to(path).as_posix()} for one in files]
    entries.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"  # noqa: S324


def value_at(tree: Any, path: str) -> Any:
    """`a.b.c` in a tree."""
    for key in path.split("."):
        tree = tree[key]
    return tree


def declared(stage: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """What dvc.lock must say of a stage: its command, the hashes of its code, the values of its parameters."""
    filled = json.loads(REFERENCE.sub(lambda match: str(value_at(params, match[1])), json.dumps(stage)))
    values: dict[str, dict[str, Any]] = {}
    for entry in filled["params"]:
        for file, keys in (entry if isinstance(entry, dict) else {"params.yaml": [entry]}).items():
            tree = tomllib.loads((ROOT / file).read_text(encoding="utf-8")) if file.endswith(".toml") else params
            values.setdefault(file, {}).update({key: value_at(tree, key) for key in keys})
    code = [path for path in filled["deps"] if not path.startswith(tuple(f"{folder}/" for folder in OUTPUTS))]
    return {"cmd": filled["cmd"], "code": {path: md5(ROOT / path) for path in code}, "params": values}


@pytest.mark.skipif(not (ROOT / "dvc.lock").exists(), reason="nothing is built yet: no dvc.lock")
@pytest.mark.parametrize("name", STAGES)
def test_the_committed_lock_matches_the_code(name: str) -> None:
    lock = YAML(typ="safe").load(ROOT / "dvc.lock")["stages"]
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", ())}
    assert name in lock, "dvc.lock does not know this stage: run `dvc repro`, then commit dvc.lock"
    recorded = {dep["path"]: dep["md5"] for dep in lock[name]["deps"]}
    wanted = declared(DAG[name], YAML(typ="safe").load(ROOT / "params.yaml"))
    told = {"cmd": lock[name]["cmd"], "code": {}, "params": lock[name].get("params", {})}
    told["code"] = {path: digest for path, digest in recorded.items() if path not in made}
    assert told == wanted, "dvc.lock is not of this code: run `dvc repro`, then commit dvc.lock"
    assert {path: digest for path, digest in recorded.items() if path in made} == {
        path: made[path] for path in recorded if path in made
    }
