"""What a stage has made before, by all that counts for it: it makes again only what is new.

Kept beside DVC's own cache, whole or not at all, verified before it is used; what was not used for longest goes first.
"""

import errno
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.core.files import writing
from stages.core.hashing import sha256
from stages.shell.closure import ROOT, closure

MOST = 20 * 2**30  # bytes of all together
SUMS = "sha256.json"


def key(code: Sequence[str], extra: str, *parts: str) -> str:
    """The digest of code (with all that it imports of ours), of the packages of an extra, and of what else counts."""
    digest = hashlib.sha256()
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for part in (*parts, json.dumps([pins["requires-python"], pins["optional-dependencies"][extra]])):
        digest.update(f"{len(part)} {part}".encode())
    for path in closure(*code):
        digest.update(f"{path.relative_to(ROOT)} {sha256(path)}".encode())
    return digest.hexdigest()[:32]


def recalled(cache: Path, name: str) -> Path | None:
    """The folder that was remembered under this key, if it is as it was."""
    folder = cache / "memo" / name
    try:
        whole = json.loads((folder / SUMS).read_text(encoding="utf-8")) == summed(folder)
    except (OSError, ValueError):
        whole = False
    if whole:
        with suppress(OSError):  # of somebody else, who may know that it was of use
            os.utime(folder)
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    return None


@contextmanager
def remembering(cache: Path, name: str) -> Generator[Path]:
    """A folder to fill with files, which is kept under a key, without what is too much beside it. Of two processes that
    make the same, the first one's is kept."""
    folder = cache / "memo" / name
    try:
        with writing(folder) as beside:
            beside.mkdir()
            yield beside
            (beside / SUMS).write_text(json.dumps(summed(beside)), encoding="utf-8")
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    with suppress(FileNotFoundError):  # another process does the same
        for old in surplus(cache / "memo", folder):
            shutil.rmtree(old, ignore_errors=True)


def summed(folder: Path) -> dict[str, str]:
    """The sha256 of each file in a folder."""
    return {path.name: sha256(path) for path in folder.iterdir() if path.name != SUMS}


def surplus(memo: Path, newest: Path) -> Iterator[Path]:
    """What there is no room for, what was not used for longest; what a process left that was killed is as the rest."""
    folders = [one for one in memo.iterdir() if one.is_dir() and one != newest]
    left = MOST - size(newest)
    for folder in sorted(folders, key=lambda one: one.stat().st_mtime, reverse=True):
        left -= size(folder)
        if left < 0:
            yield folder


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
