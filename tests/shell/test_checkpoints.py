"""A checkpoint is the last one that was wholly written, of this very run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stages.core.params import Section
from stages.shell.checkpoints import Checkpoints


class Settings(Section):
    rate: float


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from stages.shell.checkpoints import Checkpoints

class Kill:
    def __reduce__(self):
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoints(Path(sys.argv[1])).save({"weights": torch.ones(3), "late": Kill()})
"""


def test_the_last_state_comes_back(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path / "run")
    assert checkpoints.last() is None
    for step in (1, 2):
        checkpoints.save({"step": step, "weights": torch.full((2,), float(step))})
    state = checkpoints.last()
    assert state is not None
    assert (state["step"], state["weights"].tolist()) == (2, [2.0, 2.0])


def test_the_run_has_ended(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path / "run")
    checkpoints.save({"step": 1})
    checkpoints.clear()
    assert checkpoints.last() is None
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_writing_leaves_the_former(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"step": 1})
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert checkpoints.last() == {"step": 1}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "shard").write_text("a")
    return tmp_path / "inputs"


def test_what_counts_makes_another_run(tmp_path: Path, inputs: Path):
    def of(rate: float = 0.1, code: str = "train") -> Path:
        return Checkpoints.of(tmp_path, Settings(rate=rate), [code], [inputs]).folder

    first = of()
    assert of() == first
    (inputs / "shard").write_text("b")
    assert len({first, of(), of(rate=0.2), of(code="evaluate")}) == 4
