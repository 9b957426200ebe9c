"""Checkpoints of a training run: in the shard cache, keyed by all that counts, whole or not there.

DVC deletes a stage's outputs before it runs, so they can't be kept there.
"""

import errno
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from stages.core.faults import Fault
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.core.params import Section
from stages.shell.closure import closure

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")
KEPT = 3  # runs that were killed and may go on
ENDED = "ended"


def bounded(folder: Path) -> None:
    """Leaves the newest runs."""
    for old in sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def forget(cache: Path, but: str) -> None:
    """Removes the checkpoints of runs that have ended. As another stage starts, dvc.lock has their results.

    Not before: a kill between the end of the training and DVC's record of it would cost the whole training.
    """
    for ended in (cache / "checkpoints").glob(f"*/{ENDED}"):
        if ended.read_text(encoding="utf-8") != but:
            shutil.rmtree(ended.parent, ignore_errors=True)


@dataclass(frozen=True)
class Checkpoints:
    """The folder of one run's checkpoints; only the last one is kept."""

    folder: Path

    @classmethod
    def of(cls, cache: Path, p: Section, code: Sequence[str], inputs: Sequence[Path]) -> "Checkpoints":
        """Keyed by code, parameters, versions and the bytes of the inputs: another run never sees these."""
        parts = [p.model_dump_json(), *(f"{name} {version(name)}" for name in LIBRARIES)]
        files = [*closure(*code), *(path for folder in inputs for path in sorted(folder.rglob("*")) if path.is_file())]
        parts += [sha256(path) for path in files]
        key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        bounded(cache / "checkpoints")
        return cls(cache / "checkpoints" / key[:32])

    def last(self) -> dict[str, Any] | None:
        """The last state that was saved, or None."""
        import torch

        path = self.folder / "last.pt"
        try:
            return torch.load(path, weights_only=True) if path.exists() else None
        except (RuntimeError, EOFError, UnpicklingError) as error:
            said = " ".join(str(error).split())[:100]
            raise Fault(f"{path}: not a whole checkpoint ({said}); delete it, and training starts over") from error

    def save(self, state: dict[str, Any]) -> None:
        """Takes the place of the one before only when it is wholly written."""
        import torch

        with writing(self.folder / "last.pt") as beside:
            try:
                torch.save(state, beside)
            except RuntimeError as error:
                if "unexpected pos" not in str(error):
                    raise
                # All that torch says when the disk is full.
                raise OSError(errno.ENOSPC, "No space left on device", str(self.folder)) from error

    def end(self, stage: str) -> None:
        """The run is through; the next stage that starts removes its checkpoints."""
        with writing(self.folder / ENDED) as beside:
            beside.write_text(stage, encoding="utf-8")
