"""Kills change nothing: a run killed at seeded moments and started again gives the bytes of an undisturbed one."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML, YAMLError

from stages.core.files import read_json
from tests.conftest import ROOT, Clone, ran
from tests.test_repro import checkpoint_of, md5

DAG = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
STAGES = list(DAG)
# How often a kill is of a kind; `checkpoint` is for train alone and always among its kills.
ODDS = {"work": 5, "write": 4, "commit": 3, "stage": 1, "dvc": 1}
KINDS = (*ODDS, "checkpoint")
COMMIT = 0.8  # seconds in which DVC hashes, keeps and records what a stage made
WRITING = 0.03  # seconds in which a small output is written
START = 0.4  # seconds until a stage has begun to count its own
# What a stage of the default job takes, roughly: only the moments of the kills hang on it.
DEFAULT_SECONDS = {"ingest": 18, "dedup": 7, "clean": 7, "baseline": 14, "train": 150, "evaluate": 32, "explain": 30}
LIGHT, SMALL, DEFAULT = range(1, 13), range(13, 16), range(16, 18)  # seeds; each is a run
STILL = r"(\S+): process (\d+) on \S+ \(.*\) is still making it; wait for it, or end it, then run again"


@dataclass(frozen=True)
class Kill:
    """When it comes: while a stage works or writes, or DVC records it; or to the stage, or to dvc, alone."""

    stage: str
    kind: str
    share: float  # where in the time that the kind has

    def __str__(self) -> str:
        return f"{self.stage}/{self.kind}@{self.share:.2f}"


@dataclass
class Tally:
    """Every kill that has struck."""

    kills: list[Kill] = field(default_factory=list[Kill])
    mended: Counter[str] = field(default_factory=Counter[str])
    runs: int = 0

    def table(self) -> str:
        """Stage × kind."""
        counts = Counter((kill.stage, kill.kind) for kill in self.kills)
        rows = [[stage, *(counts[stage, kind] for kind in KINDS)] for stage in STAGES]
        rows = [["", *KINDS], *rows, ["all", *(sum(row[n] for row in rows) for n in range(1, len(KINDS) + 1))]]
        lines = ["".join(f"{cell:>12}" for cell in row) for row in rows]
        whole = f"{len(self.kills)} kills in {self.runs} runs, each md5 equal at the end of each"
        return "\n".join([*lines, whole, *(f"{n} times half a {name}, by DVC" for name, n in self.mended.items())])


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tally]:
    """Printed at the end (-s), and kept in `kills.txt` beside the tests' folders."""
    kept = Tally()
    yield kept
    if kept.kills:
        (tmp_path_factory.getbasetemp() / "kills.txt").write_text(kept.table() + "\n", encoding="utf-8")
        print(f"\n{kept.table()}")


def plan(seed: int, stages: int = len(STAGES)) -> list[Kill]:
    """A kill for each of so many stages, and for train two before that, in the order of the stages."""
    rng = Random(seed)
    kills = [Kill("train", kind, rng.random()) for kind in ("work", "checkpoint")]
    for stage in rng.sample(STAGES, stages):
        (kind,) = rng.choices(list(ODDS), list(ODDS.values()))
        kills.append(Kill(stage, kind, rng.random()))
    return sorted(kills, key=lambda kill: STAGES.index(kill.stage))


# What is there


def recorded(lock: Path) -> dict[str, Any]:
    """The stages of a dvc.lock."""
    return YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}


def outputs(lock: dict[str, Any]) -> dict[str, str]:
    """Path → md5."""
    return {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}


def half(root: Path, wanted: dict[str, str]) -> list[str]:
    """The outputs, and the objects of DVC's cache, that stand under their names and are not what they should be."""
    objects = (path for path in (root / ".dvc/cache/files/md5").glob("??/*") if not path.name.endswith(".tmp"))
    broken = [path for path in objects if md5(path) != (path.parent.name + path.name).removesuffix(".dir")]
    here = [path for path in wanted if (root / path).exists()]
    return [*map(str, broken), *(path for path in here if md5(root / path) != wanted[path])]


def alive(root: Path) -> list[int]:
    """The processes that work in a project; those that have ended and wait to be collected have no folder any more."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found += [int(folder.name)] if os.readlink(folder / "cwd") == str(root.resolve()) else []
        except OSError:
            continue
    return found


def makers(root: Path, stage: str) -> list[int]:
    """Those of them that are a stage, its workers aside."""
    begin = [b"-m", f"stages.{stage}".encode()]
    return [pid for pid in alive(root) if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == begin]


def parts(root: Path, kill: Kill) -> list[Path]:
    """What is being written: the parts of a stage's outputs that have a file by now, or that of a checkpoint."""
    if kill.kind == "checkpoint":
        return list((root / ".dvc/cache/reprolm/checkpoints").glob("*/.last.pt.*.part"))
    outs = (root / word for word in DAG[kill.stage]["cmd"].split())
    found = (part for out in outs for part in out.parent.glob(f".{out.name}.*.part"))
    return [part for part in found if part.is_file() or any(part.glob("*"))]


def step_of(clone: Clone) -> int:
    """The step of the last checkpoint."""
    import torch

    path = checkpoint_of(clone)
    return torch.load(path, weights_only=True)["progress"]["step"] if path else 0


def mended(clone: Clone, wanted: dict[str, Any]) -> list[str]:
    """Deletes what DVC had half written: it writes these in place, and refuses to go on from a part of one."""
    lock, rwlock = clone.root / "dvc.lock", clone.root / ".dvc/tmp/rwlock"
    found: list[Path] = []
    try:
        found += [] if recorded(lock).items() <= wanted.items() else [lock]
    except (YAMLError, TypeError, AttributeError):
        found.append(lock)
    try:
        json.loads(rwlock.read_bytes() if rwlock.exists() else b"{}")
    except ValueError:
        found.append(rwlock)
    for path in found:
        path.unlink()
    return [path.name for path in found]


# A run and its kills


def until(happened: Callable[[], bool], over: Callable[[], bool]) -> bool:
    """Looks every millisecond; false where it was over before it happened."""
    while not happened():
        if over():
            return False
        time.sleep(0.001)
    return True


@dataclass(frozen=True)
class Attempt:
    """One `dvc repro`, in a process group of its own; it writes to a file, as an orphan may go on to."""

    clone: Clone
    log: Path
    process: "subprocess.Popen[bytes]"

    @classmethod
    def of(cls, clone: Clone) -> "Attempt":
        log = clone.root.with_name(f"{clone.root.name}.log")
        variables = clone.environment | {"PYTHONUNBUFFERED": "1"}
        with log.open("wb") as out:
            command = ["dvc", "repro"]
            process = subprocess.Popen(
                command, cwd=clone.root, env=variables, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        return cls(clone, log, process)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def over(self) -> bool:
        return self.process.poll() is not None

    def began(self, *stages: str) -> bool:
        return bool(set(stages) & set(ran(self.said())))

    def through(self, stage: str) -> bool:
        """The stage has said its line, or something went wrong."""
        return f"\n  {stage:<9} " in self.said() or self.over()

    def reaches(self, kill: Kill, seconds: float) -> bool:
        """Waits for the moment of a kill; false where the stage is not run."""
        later = STAGES[STAGES.index(kill.stage) + 1 :]
        if not until(lambda: self.began(kill.stage), lambda: self.over() or self.began(*later)):
            return False
        if kill.kind == "commit":
            until(lambda: self.through(kill.stage), self.over)
            time.sleep(kill.share * COMMIT)
        elif kill.kind in {"write", "checkpoint"}:
            until(lambda: bool(parts(self.clone.root, kill)), lambda: self.through(kill.stage))
            time.sleep(kill.share * WRITING)
        else:
            moment = time.monotonic() + kill.share * seconds
            until(lambda: time.monotonic() > moment, lambda: self.through(kill.stage))
        return not self.over()

    def struck(self, kill: Kill) -> Kill:
        """Kills; gives what it was in the end, as the stage may have been faster."""
        through = self.through(kill.stage)
        if through or kill.kind not in {"dvc", "stage"}:
            os.killpg(self.process.pid, signal.SIGKILL)
        elif kill.kind == "dvc":
            self.process.kill()
            self.process.wait()  # else it would still be there for the next dvc, dead as it is
            beside_an_orphan(self.clone, kill.stage)
        else:
            until(lambda: bool(makers(self.clone.root, kill.stage)), lambda: self.through(kill.stage))
            for pid in makers(self.clone.root, kill.stage):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert until(lambda: not alive(self.clone.root), after(600 if kill.kind == "dvc" else 20)), "still at work"
        return replace(kill, kind="commit") if through else kill


def after(seconds: float) -> Callable[[], bool]:
    """Whether so much time has gone by."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def beside_an_orphan(clone: Clone, stage: str) -> None:
    """A second run where only dvc was killed: it is refused, or comes before the orphan has begun to make anything."""
    orphans = makers(clone.root, stage)
    with stopped(orphans):
        status, told = clone.tried("dvc", "repro", "--single-item", stage)
    refused = re.search(STILL, told)
    assert status == 0 or not orphans or (refused and int(refused[2]) in orphans), told


@contextmanager
def stopped(pids: list[int]) -> Generator[None]:
    """Holds processes still for a while, however fast they are."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def killed_and_repeated(
    clone: Clone,
    start: Callable[[], Attempt],
    wanted: dict[str, Any],
    kills: list[Kill],
    seconds: Mapping[str, float],
) -> Tally:
    """A run that is killed again and again, looked at after each kill and at its end."""
    done, attempt, step = Tally(runs=1), None, 0
    for kill in kills:
        attempt = attempt or start()
        if attempt.reaches(kill, START + seconds.get(kill.stage, 2.0)):
            done.kills.append(attempt.struck(kill))
            attempt, now = None, done.kills[-1]
            assert half(clone.root, outputs(wanted)) == []
            found = mended(clone, wanted)
            assert not found or now.kind == "commit"
            done.mended.update(found)
            assert now.stage != "train" or step <= (step := step_of(clone))
    attempt = attempt or start()
    assert attempt.process.wait() == 0, attempt.said()
    assert recorded(clone.root / "dvc.lock") == wanted
    assert {path: md5(clone.root / path) for path in outputs(wanted)} == outputs(wanted)
    assert [path for path in clone.root.rglob("*.part") if "__pycache__" not in path.parts] == []
    assert until(lambda: not alive(clone.root), after(20))
    return done


@contextmanager
def watched(clone: Clone, kills: Sequence[Kill] = (), seed: int = 0) -> Generator[Callable[[], Attempt]]:
    """Gives what starts `dvc repro`; nothing of it outlives the test, and what goes wrong is told with the seed."""
    started: list[Attempt] = []

    def start() -> Attempt:
        started.append(Attempt.of(clone))
        return started[-1]

    try:
        yield start
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {' '.join(map(str, kills))}\n{error}") from error
    finally:
        for pid in alive(clone.root):
            os.kill(pid, signal.SIGKILL)
        for attempt in started:
            attempt.process.wait()
        shutil.rmtree(clone.root)


def forget(clone: Clone, stages: list[str]) -> None:
    """As if these stages had never been run."""
    lock = YAML(typ="safe").load(clone.root / "dvc.lock")
    for path in outputs({stage: lock["stages"].pop(stage) for stage in stages}):
        (shutil.rmtree if (clone.root / path).is_dir() else os.unlink)(clone.root / path)
    shutil.rmtree(clone.root / ".dvc/cache/runs")
    if lock["stages"]:
        YAML(typ="safe").dump(lock, clone.root / "dvc.lock")
    else:
        (clone.root / "dvc.lock").unlink()
        shutil.rmtree(clone.root / ".dvc/cache/files")


def disturbed(project: Clone, root: Path, kills: list[Kill], seed: int, engine: str, stages: list[str]) -> Tally:
    """Kills a run of these stages of a built project, which is the reference."""
    clone, wanted = project.copy(root), recorded(project.root / "dvc.lock")
    seconds = {name: note["seconds"] for name, note in read_json(clone.root / "reports/run.json").items()}
    clone.environment["ENGINE"] = engine
    with watched(clone, kills, seed) as start:
        forget(clone, stages)
        return killed_and_repeated(clone, start, wanted, kills, seconds)


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


FROM_TRAIN = STAGES[STAGES.index("train") :]


def test_an_orphan_is_not_written_beside(light: Clone, tmp_path: Path) -> None:
    clone, wanted = light.copy(tmp_path / "project"), recorded(light.root / "dvc.lock")
    with watched(clone) as start:
        forget(clone, FROM_TRAIN)
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
        assert clone.repro() == FROM_TRAIN
        assert recorded(clone.root / "dvc.lock") == wanted and half(clone.root, outputs(wanted)) == []


def test_two_dvc_repro_at_once(light: Clone, tmp_path: Path) -> None:
    """DVC's own words: the first output that both want, here to read it and to make it."""
    clone, wanted = light.copy(tmp_path / "project"), recorded(light.root / "dvc.lock")
    with watched(clone) as start:
        forget(clone, FROM_TRAIN)
        first = start()
        assert until(lambda: bool(makers(clone.root, "train")), first.over), first.said()
        with stopped(makers(clone.root, "train")):
            status, told = clone.tried("dvc", "repro")
        busy = f"ERROR: failed to reproduce 'weights': '{clone.root}/models/weights' is busy, it is being blocked by:\n"
        assert status == 255 and f"{busy}  (PID {first.process.pid}): " in told, told
        assert first.process.wait() == 0, first.said()
        assert recorded(clone.root / "dvc.lock") == wanted and half(clone.root, outputs(wanted)) == []


@pytest.mark.slow
def test_half_a_dvc_lock_is_deleted_and_nothing_is_lost(light: Clone, tmp_path: Path) -> None:
    """DVC writes dvc.lock in place, and does not start again from what a kill leaves of it; its cache has the rest."""
    clone, lock = light.copy(tmp_path / "project"), tmp_path / "project/dvc.lock"
    with watched(clone) as start:
        forget(clone, FROM_TRAIN)
        first = start()
        assert until(lambda: lock.stat().st_size == 0, first.over), first.said()
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
        status, told = clone.tried("dvc", "repro")
        assert status == 255 and "'./dvc.lock' validation failed" in told, told
        lock.unlink()
        assert "train" not in clone.repro()
        assert recorded(lock) == recorded(light.root / "dvc.lock")
