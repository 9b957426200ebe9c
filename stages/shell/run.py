"""The harness around a stage: parameters in, whole outputs out, one line of what it kept and how long it took."""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stages.core import numeric
from stages.core.faults import Fault
from stages.core.files import read_json, write_json
from stages.core.params import Section
from stages.shell.engine import engine
from stages.shell.environment import quiet
from stages.shell.params import settings


def run(stage: Callable[..., str], outs: int = 1) -> None:
    """Runs `stage` on the paths of the command line, the last `outs` of which it makes; returns only if all is well.

    The stage gets a place beside each output; they take their names when it has ended, whole or not at all.
    """
    quiet()
    name, paths = stage_name(), [Path(argument) for argument in sys.argv[1:]]
    started = time.monotonic()
    try:
        p = settings(name)
        if hasattr(p, "compute"):
            numeric.declare(p.compute)
        with engine() as e:
            told = whole(stage, e, p, paths[:-outs], paths[-outs:])
    except Fault as fault:
        sys.exit(f"{name}: {fault}")
    seconds = time.monotonic() - started
    print(f"  {name:<9} {told} · {seconds:.1f} s", flush=True)
    note(name, seconds)


def stage_name() -> str:
    """`train` for `python -m stages.train`."""
    spec = sys.modules["__main__"].__spec__
    if spec is None or not spec.name.startswith("stages."):
        raise RuntimeError("a stage starts as python -m stages.<name>")
    return spec.name.removeprefix("stages.")


def whole(stage: Callable[..., str], e: Any, p: Section, ins: Sequence[Path], outs: Sequence[Path]) -> str:
    """Lets the stage write beside its outputs, and renames when all of them are there."""
    for path in ins:
        if not path.exists():
            raise Fault(f"{path}: not found; `dvc repro` makes it")
    beside = [out.with_name(f".{out.name}.part") for out in outs]
    for path in beside:
        remove(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    told = stage(e, p, *ins, *beside)
    for path, out in zip(beside, outs, strict=True):
        remove(out)
        os.replace(path, out)
    return told


def remove(path: Path) -> None:
    """What an earlier run may have left."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def note(name: str, seconds: float, path: Path = Path("reports/run.json")) -> None:
    """Seconds and memory go to a file that is no output: they differ from run to run."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    entry = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 2),
        "peak_mib": round(max(one.ru_maxrss for one in usage) / 1024),
    }
    notes = read_json(path) if path.exists() else {}
    write_json(path, notes | {name: entry})
