"""Files that DVC writes in place: a kill at that moment leaves half of one, and DVC refuses to go on from it.

Of dvc.lock each stage keeps a copy as it starts: what was recorded until then comes back with it, and what was recorded
since from DVC's run cache. `.dvc/tmp/rwlock` says who reads and writes what just now, which after a kill is nobody.
Of the run cache DVC takes the newest file of a folder for an entry, even where that is half of one, or none.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.core.faults import Fault
from stages.core.files import writing
from stages.shell.cache import cache_root

LOCK, BUSY = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
ASIDE = Path(".dvc/tmp/reprolm")
MOMENT = 0.5  # seconds in which DVC has written an entry of the run cache, whose other users it can't be asked about


def remember(root: Path) -> None:
    """Keeps a copy of dvc.lock: DVC is not writing it while a stage of its runs."""
    if (root / LOCK).exists():
        with writing(root / ASIDE / LOCK) as beside:
            shutil.copyfile(root / LOCK, beside)


def mended(root: Path) -> list[str]:
    """Puts aside what DVC would refuse, and says so."""
    return [*put_all_aside(root), *half_entries_removed(root)]


def put_all_aside(root: Path) -> list[str]:
    """The files of this project."""
    if not cut(root):
        return []
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:  # as long as DVC has it, DVC may be writing
            return [put_aside(root, path) for path in cut(root)]
    except DvcException as error:
        raise Fault(f"{root / '.dvc'}: DVC is at work here ({error}); wait for it, then run again") from None


def cut(root: Path) -> list[Path]:
    """The files that DVC would refuse."""
    whole: dict[Path, Callable[[Path], bool]] = {LOCK: is_lock, BUSY: is_json}
    return [path for path in whole if (root / path).exists() and not whole[path](root / path)]


def put_aside(root: Path, path: Path) -> str:
    """Of dvc.lock the copy takes the place."""
    (root / ASIDE).mkdir(parents=True, exist_ok=True)
    os.replace(root / path, root / ASIDE / f"{path.name}.cut")
    copy = root / ASIDE / path
    if copy.exists() and is_lock(copy):
        os.replace(copy, root / path)
    return f"{path}: cut off while DVC wrote it; put aside as {ASIDE}/{path.name}.cut, and mended"


def half_entries_removed(root: Path) -> list[str]:
    """Those of the run cache, which several projects may share: only what nobody goes on with."""
    before = half_entries(root)
    if not before:
        return []
    time.sleep(MOMENT)
    left = before & half_entries(root)
    for path in sorted(left, reverse=True):  # what is in a folder before the folder
        (os.rmdir if path.is_dir() else os.unlink)(path)
    return ["run cache: half an entry, left by a kill; removed"] if left else []


def half_entries(root: Path) -> set[Path]:
    """Files that have not got the name of an entry yet, and folders that have no entry."""
    found = set[Path]()
    for folder in (cache_root(root).parent / "runs").glob("*/*"):
        there = set(folder.iterdir())
        unnamed = {path for path in there if path.suffix == ".tmp"}
        found |= unnamed | ({folder} if unnamed == there else set())
    return found


def is_lock(path: Path) -> bool:
    """Whether DVC would take it; a merge that is not finished is for people."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML, YAMLError
    from voluptuous import Invalid

    try:
        lock: Any = COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path))
    except (YAMLError, Invalid, UnicodeDecodeError):
        if "<<<<<<< " in path.read_text(encoding="utf-8", errors="replace"):
            raise Fault(
                f"{LOCK}: a merge left conflicts; `git checkout --ours {LOCK}`, then `dvc repro` makes it right"
            ) from None
        return False
    stages = lock.get("stages", {}).values()
    entries = (entry for stage in stages for kind in ("deps", "outs") for entry in stage.get(kind, ()))
    return path.read_bytes().endswith(b"\n") and all(map(is_entry, entries))


def is_entry(entry: dict[str, Any]) -> bool:
    """Whether all is there that DVC writes of a file or a folder; half of it may be a lock that DVC takes for whole."""
    wanted = {"md5", "size"} | ({"nfiles"} if str(entry.get("md5")).endswith(".dir") else set())
    return entry.get("hash", "md5") != "md5" or wanted <= entry.keys()


def is_json(path: Path) -> bool:
    """Whether it can be read to its end."""
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
