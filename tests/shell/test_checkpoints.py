"""A checkpoint is the last one that was wholly written, of this very run."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from stages.core.faults import Fault
from stages.core.params import Section
from stages.shell.checkpoints import ENDED, HOLDER, Checkpoints, forget
from stages.shell.locks import taken


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
    ended, other, going_on = (Checkpoints(tmp_path / "checkpoints" / name) for name in "abc")
    for checkpoints in (ended, other, going_on):
        checkpoints.save({"step": 1})
    ended.end("train")
    (other.folder / ENDED).write_text("train /another/project")
    forget(tmp_path, but="train")
    assert ended.last() == {"step": 1}
    with taken(ended.folder / HOLDER):
        forget(tmp_path, but="evaluate")
    assert ended.last() == {"step": 1}
    forget(tmp_path, but="evaluate")
    assert ended.last() is None and other.last() == going_on.last() == {"step": 1}


def test_what_ended_before_its_first_checkpoint_leaves_nothing_for_long(tmp_path: Path):
    with Checkpoints.of(tmp_path, Section(), ["train"], []) as checkpoints:
        forget(tmp_path, but="evaluate")
        assert checkpoints.folder.exists()
    forget(tmp_path, but="evaluate")
    assert not checkpoints.folder.exists()


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
        with Checkpoints.of(tmp_path, Settings(rate=rate), [code], [inputs]) as checkpoints:
            return checkpoints.folder

    first = of()
    assert of() == first
    (inputs / "shard").write_text("b")
    assert len({first, of(), of(rate=0.2), of(code="evaluate")}) == 4


def test_the_same_training_twice_at_once_gets_two_folders(tmp_path: Path, inputs: Path):
    def of() -> AbstractContextManager[Checkpoints]:
        return Checkpoints.of(tmp_path, Settings(rate=0.1), ["train"], [inputs])

    with of() as one, of() as other:
        assert one.folder.name.removesuffix(".0") == other.folder.name.removesuffix(".1")
        one.save({"step": 1})
        (one.folder / ".last.pt.77.part").touch()
    with of() as again:
        assert again.folder == one.folder and again.last() == {"step": 1}
        assert sorted(path.name for path in again.folder.iterdir()) == [HOLDER, "last.pt"]


def test_old_runs_go_unless_somebody_trains_in_them(tmp_path: Path, inputs: Path):
    def of(rate: float) -> AbstractContextManager[Checkpoints]:
        return Checkpoints.of(tmp_path, Settings(rate=rate), ["train"], [inputs])

    with of(0.1) as first:
        for n, rate in enumerate((0.2, 0.3, 0.4, 0.5), start=1):
            with of(rate) as run:
                os.utime(run.folder, (n, n))
        os.utime(first.folder, (0, 0))
        with of(0.6):
            left = list((tmp_path / "checkpoints").iterdir())
    assert first.folder in left and len(left) == 4


LIMITED = """
import resource, sys
from pathlib import Path
import torch
from stages.shell.checkpoints import Checkpoints
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 2**25, now + 2**25))
Checkpoints(Path(sys.argv[1])).last()
"""


def test_want_of_memory_is_not_taken_for_half_a_checkpoint(tmp_path: Path):
    Checkpoints(tmp_path).save({"weights": torch.ones(2**26)})
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Fault" not in done.stderr and "allocate memory" in done.stderr
