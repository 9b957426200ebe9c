"""What the machine refuses is told in one message: a real full disk, a real read-only one, real memory."""

import errno
import getpass
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.shell.engine import engine
from stages.shell.refusals import refusal
from tests.conftest import Clone, as_nobody
from tests.sources.tables import file, items, parameters, table

NAMESPACE = ["unshare", "--map-root-user", "--mount"]
MOUNTABLE = bool(shutil.which("unshare")) and not subprocess.run([*NAMESPACE, "true"], check=False).returncode
POOL = """
import time
from stages.shell.engine import engine
with engine() as e:
    e.map(time.sleep, [60] * 4)
"""
BUGS = [
    *(ValueError("a bug"), ValueError("a text: 'it ran out of memory'"), KeyError("not enough memory"), OSError("odd")),
    *(
        OSError(errno.ENOENT, "gone", "x"),
        OSError(errno.EPERM, "no file"),
        NotADirectoryError(errno.ENOTDIR, "no", "x"),
    ),
]
MEMORY = (
    "take ENGINE=serial or smaller ingest.shard_documents, train.batch_size, tokenize.max_tokens or sizes of the "
    "model; or another machine"
)


def raised(call: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as error:
        call()
    return error.value


@pytest.mark.skipif(not MOUNTABLE, reason="no file system may be mounted here")
@pytest.mark.parametrize(
    ("stage", "options", "told"),
    [
        ("features data/clean", "size=4k", "features: no space left ("),
        ("clean data/ingest data/dedup", "size=4k", "clean: no space left ("),
        ("tokenize models/weights data/clean data/split data/augment", "size=64k", "tokenize: no space left ("),
        ("features data/clean", "ro", "features: refused ([Errno 30] Read-only file system: 'small/.out.new."),
    ],
)
def test_a_full_disk_and_one_that_can_only_be_read(
    light: Clone, tmp_path: Path, stage: str, options: str, told: str
) -> None:
    clone = light.copy(tmp_path / "project")
    (clone.root / "small").mkdir()
    mount = f"mount -t tmpfs -o {options} tmpfs small && exec python -m stages.{stage} small/out"
    status, said = clone.tried(*NAMESPACE, "sh", "-c", mount)
    assert status == 1 and told in said and "Traceback" not in said, said
    if "size" in options:
        assert "`dvc gc --all-commits --all-experiments` drops what no commit and no experiment has" in said


@pytest.mark.skipif(not MOUNTABLE, reason="no file system may be mounted here")
def test_a_disk_that_is_full_for_a_checkpoint(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"train": {"seed": 3}})
    checkpoints = shlex.quote(str(clone.root / ".dvc/cache/reprolm/checkpoints"))
    inputs = "models/weights data/clean data/split data/balance data/tokenize"
    mount = f"mkdir -p {checkpoints} && mount -t tmpfs -o size=1m tmpfs {checkpoints}"
    status, said = clone.tried(*NAMESPACE, "sh", "-c", f"{mount} && exec python -m stages.train {inputs} out")
    assert status == 1 and "Traceback" not in said, said
    assert "train: no space left ([Errno 28] No space left on device: '" in said


def test_a_source_that_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "mine.csv"
        p = parameters("csv", **table(file(path, "text\nwords\n")))
        path.chmod(0)
        error = raised(lambda: as_nobody(lambda: list(items("csv", p, Path(folder)))))
    assert refusal(error, Path("data/ingest")) == (
        f"refused ([Errno 13] Permission denied: '{path}'): give {getpass.getuser()} the right to it, "
        "or work in a folder of your own"
    )


def test_memory_that_the_machine_does_not_have() -> None:
    message = refusal(raised(lambda: np.empty(10**14)), Path())
    assert message is not None and message.endswith(MEMORY)
    assert message.startswith("not enough memory (Unable to allocate 728. TiB for an array")


def test_a_model_that_does_not_fit_into_memory(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.change({"architectures": {"bert": {"sizes": {"width": 65_536, "layers": 1, "heads": 2}}}})
    inputs = "models/weights data/clean data/split data/balance data/tokenize"
    # One projection of 65,536 x 65,536 takes 16 GiB.
    status, said = clone.tried("sh", "-c", f"ulimit -v {12 * 2**20} && exec python -m stages.train {inputs} out")
    assert status == 1 and "Traceback" not in said, said
    assert "train: not enough memory (" in said and said.rstrip().endswith(MEMORY)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_the_system_says(number: int) -> None:
    message = refusal(OSError(number, os.strerror(number), "data/x"), Path("no/such/folder"))
    assert message is not None and f"{os.strerror(number)}: 'data/x'" in message


@pytest.mark.parametrize("error", BUGS)
def test_a_bug_stays_one(error: Exception) -> None:
    assert refusal(error, Path()) is None


def test_a_worker_that_the_system_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE", "process")
    with engine() as e:
        message = refusal(raised(lambda: e.map(os._exit, [1])), Path())
    assert message == (
        "a worker process ended: killed for want of memory (`dmesg` tells), or by a crash in a library; "
        "ENGINE=serial needs less memory, and shows a crash"
    )


def children(pid: int) -> set[int]:
    """The processes that a process has started."""
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()}


def ended(pid: int) -> bool:
    """Whether a process is gone; one that nobody has asked after yet is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_no_worker_outlives_its_stage() -> None:
    environment = os.environ | {"ENGINE": "process", "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, "-c", POOL], env=environment) as stage:
        while len(workers := children(stage.pid)) < min(3, 1 + len(os.sched_getaffinity(0))):
            time.sleep(0.1)
        time.sleep(1)
        stage.send_signal(signal.SIGKILL)
    for _ in range(100):
        if all(map(ended, workers)):
            return
        time.sleep(0.1)
    raise AssertionError(f"{[one for one in workers if not ended(one)]} are still there")
