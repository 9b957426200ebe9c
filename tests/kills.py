"""Runs that are killed: when a kill comes, what it strikes, and what must stand there afterwards (test_kills.py)."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from ruamel.yaml import YAML

from stages.core.files import read_json
from stages.shell.lockfile import mended
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
            found = mended(clone.root)
            assert not found or now.kind == "commit"
            done.mended.update(line.partition(":")[0] for line in found)
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
