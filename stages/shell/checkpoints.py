"""Checkpoints of a training run: in the shard cache, keyed by all that counts, whole or not there.

DVC deletes a stage's outputs before it runs, so they can't be kept there.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from stages.core.faults import Fault
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.core.params import Section
from stages.shell.closure import closure
from stages.shell.locks import taken
from stages.shell.refusals import MEMORY_TEXT

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")
KEPT = 3  # runs that were killed and may go on
HOLDER, ENDED, LAST = "holder", "ended", "last.pt"
CPUINFO = Path("/proc/cpuinfo")


def idle(folders: Sequence[Path]) -> Iterator[Path]:
    """Of the folders of runs those that nobody trains in, each as long as nobody can begin to."""
    for folder in folders:
        try:
            with taken(folder / HOLDER) as holder:
                if not holder:
                    yield folder
        except FileNotFoundError:
            continue  # somebody else has removed it


def bounded(cache: Path) -> None:
    """Leaves the newest runs, and those that somebody trains in."""
    runs = list((cache / "checkpoints").glob("*"))
    times = {one: one.stat().st_mtime for one in runs if one.exists()}
    for old in idle(sorted(times, key=lambda one: times[one], reverse=True)[KEPT:]):
        shutil.rmtree(old, ignore_errors=True)


def owner() -> str:
    """The project whose dvc.lock will have the result: several may share a cache."""
    return str(Path(os.environ.get("DVC_ROOT", ".")).resolve())


def forget(cache: Path, but: str) -> None:
    """Removes the checkpoints of this project's runs that have ended: as another stage starts, DVC has their results.

    Not before: a kill between the end of the training and DVC's record of it would cost the whole training. What ended
    before its first checkpoint goes too.
    """
    folders = list((cache / "checkpoints").glob("*"))
    for folder in idle([one for one in folders if (one / ENDED).exists()]):
        stage, _, project = (folder / ENDED).read_text(encoding="utf-8").partition(" ")
        if stage != but and project == owner():
            shutil.rmtree(folder, ignore_errors=True)
    for folder in idle([one for one in folders if one.exists() and not (one / LAST).exists()]):
        shutil.rmtree(folder, ignore_errors=True)


def cpu() -> str:
    """The type of this processor: with compute.cpu native, its bits are its own."""
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.exists() else []
    return next((line for line in lines if line.startswith("model name")), "")


@dataclass(frozen=True)
class Checkpoints:
    """The folder of one run's checkpoints; only the last one is kept."""

    folder: Path

    @classmethod
    @contextmanager
    def of(cls, cache: Path, p: Section, code: Sequence[str], inputs: Sequence[Path]) -> Generator["Checkpoints"]:
        """Keyed by code, parameters, versions, processor and the bytes of the inputs: another run never sees these.

        Where the same training runs already (a queue of experiments), this one gets a folder of its own.
        """
        parts = [p.model_dump_json(), cpu(), *(f"{name} {version(name)}" for name in LIBRARIES)]
        files = [*closure(*code), *(path for folder in inputs for path in sorted(folder.rglob("*")) if path.is_file())]
        parts += [sha256(path) for path in files]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
        for number in count():
            folder = cache / "checkpoints" / f"{key}.{number}"
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                try:
                    holder = stack.enter_context(taken(folder / HOLDER))
                except FileNotFoundError:
                    continue  # somebody else has removed it at this moment
                if not holder and (folder / HOLDER).exists():
                    for left in folder.glob(".*.part"):  # of kills
                        left.unlink()
                    bounded(cache)
                    yield cls(folder)
                    return

    def last(self) -> dict[str, Any] | None:
        """The last state that was saved, or None."""
        import torch

        path = self.folder / LAST
        try:
            return torch.load(path, weights_only=True) if path.exists() else None
        except (RuntimeError, EOFError, UnpicklingError) as error:
            said = " ".join(str(error).split())[:100]
            if MEMORY_TEXT.search(said):
                raise
            raise Fault(f"{path}: not a whole checkpoint ({said}); delete it, and training starts over") from error

    def save(self, state: dict[str, Any]) -> None:
        """Takes the place of the one before only when it is wholly written."""
        import torch

        with writing(self.folder / LAST) as beside:
            try:
                torch.save(state, beside)
            except RuntimeError as error:
                if "unexpected pos" not in str(error):
                    raise
                # All that torch says when the disk is full.
                raise OSError(errno.ENOSPC, "No space left on device", str(self.folder)) from error

    def end(self, stage: str) -> None:
        """The run is through; the next other stage of this project that starts removes its checkpoints."""
        with writing(self.folder / ENDED) as beside:
            beside.write_text(f"{stage} {owner()}", encoding="utf-8")
