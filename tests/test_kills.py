"""Kills change nothing: a run killed at seeded moments and started again gives the bytes of an undisturbed one."""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages.core.files import read_json
from stages.shell.lockfile import mended
from tests.conftest import ROOT, Clone
from tests.kills import (
    DAG,
    KINDS,
    STAGES,
    STILL,
    Kill,
    Tally,
    after,
    alive,
    disturbed,
    forget,
    half,
    killed_and_repeated,
    makers,
    outputs,
    plan,
    recorded,
    stopped,
    until,
    watched,
)
from tests.test_repro import checkpoint_of, md5

# What a stage of the default job takes, roughly: only the moments of the kills hang on it.
DEFAULT_SECONDS = {"ingest": 18, "dedup": 7, "clean": 7, "baseline": 14, "train": 150, "evaluate": 32, "explain": 30}
LIGHT, SMALL, DEFAULT = range(1, 13), range(13, 16), range(16, 18)  # seeds; each is a run


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tally]:
    """Printed at the end (-s), and kept in `kills.txt` beside the tests' folders."""
    kept = Tally()
    yield kept
    if kept.kills:
        (tmp_path_factory.getbasetemp() / "kills.txt").write_text(kept.table() + "\n", encoding="utf-8")
        print(f"\n{kept.table()}")


def add(tally: Tally, run: Tally) -> None:
    """Another run."""
    tally.kills += run.kills
    tally.mended += run.mended
    tally.runs += run.runs


def test_some_kills(light: Clone, tmp_path: Path, tally: Tally) -> None:
    kills = [
        Kill("tokenize", "write", 0.1),
        Kill("tokenize", "commit", 0.4),
        Kill("train", "checkpoint", 0.5),
        Kill("train", "stage", 0.9),
        Kill("evaluate", "work", 0.7),
        Kill("report", "work", 0.5),
    ]
    run = disturbed(light, tmp_path / "project", kills, 0, "process", STAGES[STAGES.index("tokenize") :])
    assert len(run.kills) >= 5
    add(tally, run)


@pytest.mark.slow
@pytest.mark.parametrize("seed", LIGHT)
def test_kills_of_a_tiny_model(light: Clone, tmp_path: Path, tally: Tally, seed: int) -> None:
    engine = "process" if seed % 2 else "serial"
    add(tally, disturbed(light, tmp_path / "project", plan(seed), seed, engine, STAGES))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SMALL)
def test_kills_with_pinned_weights(built: Clone, tmp_path: Path, tally: Tally, seed: int) -> None:
    add(tally, disturbed(built, tmp_path / "project", plan(seed), seed, "process", STAGES))


@pytest.mark.slow
@pytest.mark.parametrize("seed", DEFAULT)
def test_kills_of_the_default_job(cloned: Callable[[Path], Clone], tmp_path: Path, tally: Tally, seed: int) -> None:
    clone, wanted = cloned(tmp_path / "project"), recorded(ROOT / "dvc.lock")
    shutil.copyfile(ROOT / "params.yaml", clone.root / "params.yaml")
    kills = plan(seed, 9)
    with watched(clone, kills, seed) as start:
        add(tally, killed_and_repeated(clone, start, wanted, kills, DEFAULT_SECONDS))


@pytest.mark.slow
def test_the_kills_were_many_and_everywhere(tally: Tally) -> None:
    if tally.runs <= len(LIGHT) + len(SMALL) + len(DEFAULT):
        pytest.skip("only some of the runs were asked for")
    assert len(tally.kills) >= 200
    assert min(Counter(kill.stage for kill in tally.kills)[stage] for stage in STAGES) >= 5
    assert min(Counter(kill.kind for kill in tally.kills)[kind] for kind in KINDS) >= 5


# What a kill costs, and who may write

COUNTED = """
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_post_hook

log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
register_optimizer_step_post_hook(lambda *_: [None, os.write(log, b".")][0])
runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
"""


def steps(log: Path) -> int:
    """The steps that all runs together have done so far."""
    return log.stat().st_size if log.exists() else 0


def killed_after(number: int, process: "subprocess.Popen[str]", log: Path) -> None:
    """Kills a training that many steps on."""
    target = steps(log) + number
    assert until(lambda: steps(log) >= target, lambda: process.poll() is not None), process.communicate()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.slow
def test_a_kill_costs_at_most_the_work_since_the_last_checkpoint(light: Clone, tmp_path: Path) -> None:
    clone, log = light.copy(tmp_path / "project"), tmp_path / "steps"
    command = ["python", "-c", COUNTED, str(log), *DAG["train"]["cmd"].split()[3:-1], str(tmp_path / "model")]
    whole = len(read_json(clone.root / "models/train/history.json")["steps"])
    for _ in range(3):
        killed_after(5, clone.start(*command), log)
    clone.run(*command)
    assert whole <= steps(log) <= whole + 3 * 3 < whole + 3 * 5
    assert md5(tmp_path / "model") == md5(light.root / "models/train")


def test_an_orphan_is_not_written_beside(light: Clone, tmp_path: Path) -> None:
    clone, wanted = light.copy(tmp_path / "project"), recorded(light.root / "dvc.lock")
    with watched(clone) as start:
        forget(clone, ["train"])
        first = start()
        assert until(lambda: checkpoint_of(clone) is not None, first.over), first.said()
        first.process.kill()
        first.process.wait()
        (orphan,) = makers(clone.root, "train")
        with stopped([orphan]):
            status, told = clone.tried("dvc", "repro")
        refused = re.search(f"train: {STILL}", told)
        assert status == 255 and refused and (refused[1], int(refused[2])) == ("models/train", orphan), told
        assert until(lambda: not alive(clone.root), after(60))
        assert half(clone.root, outputs(wanted)) == []
        assert clone.repro() == ["train"]
        assert recorded(clone.root / "dvc.lock") == wanted and half(clone.root, outputs(wanted)) == []


def test_two_dvc_repro_at_once(light: Clone, tmp_path: Path) -> None:
    """DVC's own words: the first output that both want, here to read it and to make it."""
    clone, wanted = light.copy(tmp_path / "project"), recorded(light.root / "dvc.lock")
    with watched(clone) as start:
        forget(clone, ["train"])
        first = start()
        assert until(lambda: bool(makers(clone.root, "train")), first.over), first.said()
        with stopped(makers(clone.root, "train")):
            status, told = clone.tried("dvc", "repro")
        busy = f"ERROR: failed to reproduce 'weights': '{clone.root}/models/weights' is busy, it is being blocked by:\n"
        assert status == 255 and f"{busy}  (PID {first.process.pid}): " in told, told
        assert first.process.wait() == 0, first.said()
        assert recorded(clone.root / "dvc.lock") == wanted and half(clone.root, outputs(wanted)) == []


@pytest.mark.slow
def test_half_a_dvc_lock_is_put_aside_and_nothing_is_lost(light: Clone, tmp_path: Path) -> None:
    """DVC writes dvc.lock in place, and does not start again from what a kill leaves of it; its cache has the rest."""
    clone, lock = light.copy(tmp_path / "project"), tmp_path / "project/dvc.lock"
    with watched(clone) as start:
        forget(clone, STAGES[STAGES.index("train") :])
        first = start()
        assert until(lambda: lock.stat().st_size == 0, first.over), first.said()
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
        status, told = clone.tried("dvc", "repro")
        assert status == 255 and "'./dvc.lock' validation failed" in told, told
        assert mended(clone.root)
        assert "train" not in clone.repro()
        assert recorded(lock) == recorded(light.root / "dvc.lock")
