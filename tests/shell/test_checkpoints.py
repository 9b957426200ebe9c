"""A checkpoint is the last one that was wholly written, of this very run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stages.core.faults import Fault
from stages.core.params import Section
from stages.shell.checkpoints import Checkpoints, forget


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


def test_the_checkpoints_of_a_run_that_has_ended_go_when_another_stage_starts(tmp_path: Path):
    ended, going_on = Checkpoints(tmp_path / "checkpoints" / "a"), Checkpoints(tmp_path / "checkpoints" / "b")
    for checkpoints in (ended, going_on):
        checkpoints.save({"step": 1})
    ended.end("train")
    forget(tmp_path, but="train")
    assert ended.last() == {"step": 1}
    forget(tmp_path, but="evaluate")
    assert ended.last() is None and going_on.last() == {"step": 1}


@pytest.mark.parametrize("size", [0, 30, 400])
def test_half_a_checkpoint_is_told(tmp_path: Path, size: int):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"weights": torch.ones(3)})
    path = tmp_path / "last.pt"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(Fault) as fault:
        checkpoints.last()
    assert str(fault.value).startswith(f"{path}: not a whole checkpoint (")
    assert str(fault.value).endswith("); delete it, and training starts over")


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
