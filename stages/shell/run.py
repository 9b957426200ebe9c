"""The harness around a stage: parameters in, whole outputs out, one line of what it kept and how long it took."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import stages
from stages.core import numeric
from stages.core.faults import Fault
from stages.core.files import alone, read_json, write_json
from stages.core.params import Section
from stages.shell.checkpoints import forget
from stages.shell.engine import engine
from stages.shell.environment import quiet
from stages.shell.lockfile import remember
from stages.shell.locks import held, locks_folder
from stages.shell.params import settings
from stages.shell.pinned import Recorded, check_environment, refuse_edits
from stages.shell.refusals import refusal

Stage = Callable[..., str]


def run(stage: Stage, outs: int = 1) -> None:
    """Runs `stage` on the paths of the command line, the last `outs` of which it makes; returns only if all is well.

    The stage gets a place beside each output; they take their names when it has ended, whole or not at all.
    """
    quiet()
    name, paths = stage_name(), [Path(argument) for argument in sys.argv[1:]]
    started = time.monotonic()
    try:
        told = guarded(stage, name, paths[:-outs], paths[-outs:])
        seconds = time.monotonic() - started
        print(f"  {name:<9} {told} · {seconds:.1f} s", flush=True)
        note(name, seconds)
    except Fault as fault:
        sys.exit(f"{name}: {fault}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted; `dvc repro` goes on from here")
    except Exception as error:
        if message := refusal(error, paths[-1]):
            sys.exit(f"{name}: {message}")
        raise


def guarded(stage: Stage, name: str, ins: Sequence[Path], outs: Sequence[Path]) -> str:
    """Alone with its outputs, under the declared environment, and with nothing edited meanwhile."""
    recorded = Recorded.of(name)
    before = recorded.now()
    recorded.refuse_late(stages.STARTED)
    check_environment(recorded)
    p = settings(name)
    if hasattr(p, "compute"):
        numeric.declare(p.compute)
    with held(outs, locks_folder()), engine() as e:
        remember(Path())
        forget(e.cache, but=name)
        return whole(stage, e, p, ins, outs, lambda: refuse_edits(before, recorded.now()))


def stage_name() -> str:
    """`train` for `python -m stages.train`."""
    spec = sys.modules["__main__"].__spec__
    if spec is None or not spec.name.startswith("stages."):
        raise RuntimeError("a stage starts as python -m stages.<name>")
    return spec.name.removeprefix("stages.")


def whole(
    stage: Stage,
    e: Any,
    p: Section,
    ins: Sequence[Path],
    outs: Sequence[Path],
    check: Callable[[], None] = lambda: None,
) -> str:
    """Lets the stage write beside its outputs; renames when all are there and `check` has nothing to say."""
    for path in ins:
        if not path.exists():
            raise Fault(f"{path}: not found; `dvc repro` makes it")
    for path in (left for out in outs for left in out.parent.glob(f".{out.name}.*.part")):
        remove(path)
    beside = [part(out, "new") for out in outs]
    try:
        for path in beside:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            told = stage(e, p, *ins, *beside)
        except Exception:
            check()  # an edit may be the reason
            raise
        check()
        for path, out in zip(beside, outs, strict=True):
            replace(path, out)
    finally:
        for path in beside:
            remove(path)
    return told


def part(out: Path, which: str) -> Path:
    """A place beside an output that no other process writes to."""
    return out.with_name(f".{out.name}.{which}.{os.getpid()}.part")


def replace(path: Path, out: Path) -> None:
    """A folder can't be put over another one, and half an old output may not stand there either: it goes aside."""
    old = part(out, "old")
    if out.exists():
        os.replace(out, old)
    os.replace(path, out)
    remove(old)


def remove(path: Path) -> None:
    """What an earlier run may have left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def note(name: str, seconds: float) -> None:
    """Seconds and memory go to a file that is no output: they differ from run to run."""
    path = Path("reports/run.json")
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    entry = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 2),
        "peak_mib": round(max(one.ru_maxrss for one in usage) / 1024),
    }
    with alone(locks_folder() / path.name):  # of two stages at once, neither loses the other's entry
        for left in path.parent.glob(f".{path.name}.*.part"):  # by a kill
            left.unlink()
        notes = read_json(path) if path.exists() else {}
        write_json(path, notes | {name: entry})
