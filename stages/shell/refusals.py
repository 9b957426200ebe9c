"""What a machine may refuse: space on the disk, the right to write, memory. Each as one message, with the remedy."""

import errno
import getpass
import re
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}
# Rust libraries (safetensors, tokenizers) tell the number in their text; torch says what it could not get.
FULL_TEXT = re.compile(r"\(os error (?:28|122)\)")
MEMORY_TEXT = re.compile(r"(?i)can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc")


def refusal(error: Exception, beside: Path) -> str | None:
    """The message for what the machine refused; None for all else, which is a bug. `beside` is where outputs stand."""
    said, number = " ".join(str(error).split()), getattr(error, "errno", None)
    if number in FULL or FULL_TEXT.search(said):
        free = shutil.disk_usage(existing(beside)).free / 2**20
        return f"no space left ({said}; {free:,.0f} MiB are free beside {beside}): free some, e.g. with `dvc gc -w`"
    if number in FORBIDDEN:
        return f"refused ({said}): give {user()} the right to it, or work in a folder of your own"
    if isinstance(error, MemoryError | BrokenProcessPool) or MEMORY_TEXT.search(said):
        told = "a process was killed" if isinstance(error, BrokenProcessPool) else said
        return (
            f"not enough memory ({told}): take ENGINE=serial or smaller ingest.shard_documents, train.batch_size, "
            "tokenize.max_tokens or sizes of the model; or another machine"
        )
    return None


def existing(path: Path) -> Path:
    """The nearest folder that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def user() -> str:
    """Who asks."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "this user"
