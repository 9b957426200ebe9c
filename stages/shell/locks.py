"""One writer per output: a lock that the system takes back when its process ends, however it ends.

Killing `dvc` alone leaves its stage at work. DVC's own lock knows nothing of that stage, this one does.
"""

import fcntl
import os
import platform
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from stages.core.faults import Fault


def locks_folder() -> Path:
    """Git and DVC ignore it; `dvc exp run --temp` has one of its own, as it has outputs of its own."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".dvc/tmp/reprolm"


@contextmanager
def held(outs: Sequence[Path], folder: Path) -> Generator[None]:
    """Keeps every other process from making these outputs; a fault where one is at it already."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for out in outs:
            stack.enter_context(lock(out, folder / f"{quote(str(out), safe='')}.lock"))
        yield


@contextmanager
def lock(out: Path, path: Path) -> Generator[None]:
    """The lock of one output. Its file tells who holds it, and stays: removing it could let two processes in."""
    with taken(path) as holder:
        if holder:
            raise Fault(f"{out}: {holder} is still making it; wait for it, or end it, then run again")
        yield


@contextmanager
def taken(path: Path) -> Generator[str]:
    """Takes a lock until the end of the block, and writes into its file who has it; gives who else has it, if so."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield file.read() or "another process"
            return
        file.write(f"process {os.getpid()} on {platform.node()} ({' '.join(sys.orig_argv)})")
        file.truncate()
        file.flush()
        yield ""
