"""What a stage has made before, by all that counts for it: it makes again only what is new.

Kept beside DVC's own cache, whole or not at all, verified before it is used; what was not used for longest goes first,
and so do the files that came from outside.
"""

import errno
import hashlib
import json
import os
import shutil
import time
import tomllib
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stages.core.files import writing
from stages.core.hashing import sha256
from stages.shell.closure import ROOT, closure

MOST = 20 * 2**30  # bytes of what is remembered; of what was fetched; of what was unpacked
DAY = 86_400  # seconds in which what was begun may go on
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
        for old in surplus(cache / "memo", {folder}):
            shutil.rmtree(old, ignore_errors=True)


def bounded(cache: Path, used: Iterable[Path]) -> None:
    """Makes room among what was fetched and unpacked, less what was used just now; what is under way is not touched."""
    for kind in ("files", "unpacked"):
        place = cache / kind
        keep = {place / one.relative_to(place).parts[0] for one in used if one.is_relative_to(place)}
        with suppress(OSError):  # of somebody else, or another process does the same
            for one in keep:
                os.utime(one)
            for old in surplus(place, keep):
                if not old.name.startswith(".") or abandoned(old):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()


def abandoned(path: Path) -> bool:
    """Whether a piece was left by who does not go on with it, as far as one can tell; the files of locks stay."""
    return path.suffix == ".part" and time.time() - path.stat().st_mtime > DAY


def summed(folder: Path) -> dict[str, str]:
    """The sha256 of each file in a folder."""
    return {path.name: sha256(path) for path in folder.iterdir() if path.name != SUMS}


def surplus(place: Path, keep: Collection[Path]) -> Iterator[Path]:
    """What there is no room for, what was not used for longest; what a process left that was killed is as the rest."""
    left = MOST - sum(map(size, keep))
    others = [one for one in place.iterdir() if one not in keep]
    for one in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True):
        left -= size(one)
        if left < 0:
            yield one


def size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size
