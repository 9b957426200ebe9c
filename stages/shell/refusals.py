"""What a machine may refuse: space on the disk, the right to write, memory. Each as one message, with the remedy."""

import errno
import getpass
import re
import shutil
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# Rust libraries (safetensors, tokenizers) tell the number in their text; torch says what it could not get.
FULL_TEXT = re.compile(r"\(os error (?:28|122)\)")
MEMORY_TEXT = re.compile(r"(?i)can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc")


def refusal(error: Exception, beside: Path) -> str | None:
    """The message for what the machine refused; None for all else, which is a bug. `beside` is where outputs stand."""
    said, number = " ".join(str(error).split()), getattr(error, "errno", None)
    text = said if speaks_for_the_machine(error) else ""
    if number in FULL or FULL_TEXT.search(text):
        place = Path(getattr(error, "filename", None) or beside)
        free = shutil.disk_usage(existing(place)).free / 2**20
        return (
            f"no space left ({said}; {free:,.0f} MiB are free at {place}): free some; "
            "`dvc gc --all-commits --all-experiments` drops what no commit and no experiment has"
        )
    if number in FORBIDDEN and getattr(error, "filename", None):
        return f"refused ({said}): give {user()} the right to it, or work in a folder of your own"
    if isinstance(error, BrokenProcessPool):
        return (
            "a worker process ended: killed for want of memory (`dmesg` tells), or by a crash in a library; "
            "ENGINE=serial needs less memory, and shows a crash"
        )
    if isinstance(error, MemoryError) or MEMORY_TEXT.search(text):
        return (
            f"not enough memory ({said}): take ENGINE=serial or smaller ingest.shard_documents, train.batch_size, "
            "tokenize.max_tokens or sizes of the model; or another machine"
        )
    return None


def speaks_for_the_machine(error: Exception) -> bool:
    """torch raises RuntimeError, Rust libraries their own or the barest; what else quotes such words quotes a text."""
    return isinstance(error, OSError | RuntimeError) or type(error).__name__ in {"Exception", "SafetensorError"}


def existing(path: Path) -> Path:
    """The nearest folder that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def user() -> str:
    """Who asks."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "this user"
