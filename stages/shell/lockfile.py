"""Files that DVC writes in place: a kill at that moment leaves half of one, and DVC refuses to go on from it.

Of dvc.lock each stage keeps a copy as it starts: what was recorded until then comes back with it, and what was recorded
since from DVC's run cache. `.dvc/tmp/rwlock` says who reads and writes what just now, which after a kill is nobody.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from stages.core.faults import Fault
from stages.core.files import writing

LOCK, BUSY = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
ASIDE = Path(".dvc/tmp/reprolm")


def remember(root: Path) -> None:
    """Keeps a copy of dvc.lock: DVC is not writing it while a stage of its runs."""
    if (root / LOCK).exists():
        with writing(root / ASIDE / LOCK) as beside:
            shutil.copyfile(root / LOCK, beside)


def mended(root: Path) -> list[str]:
    """Puts aside what DVC would refuse, and says so."""
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


def is_lock(path: Path) -> bool:
    """Whether DVC would take it; a merge that is not finished is for people."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML, YAMLError
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path))
    except (YAMLError, Invalid, UnicodeDecodeError):
        if "<<<<<<< " in path.read_text(encoding="utf-8", errors="replace"):
            raise Fault(
                f"{LOCK}: a merge left conflicts; `git checkout --ours {LOCK}`, then `dvc repro` makes it right"
            ) from None
        return False
    return True


def is_json(path: Path) -> bool:
    """Whether it can be read to its end."""
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
