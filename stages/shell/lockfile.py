"""Files that DVC writes in place: a kill at that moment leaves half of one, and DVC refuses to go on from it.

Nothing is lost with either. dvc.lock: DVC's run cache has what every stage made from what, and brings it back without
running it. `.dvc/tmp/rwlock`: who reads and writes what just now, which after a kill is nobody.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from stages.core.faults import Fault

LOCK, BUSY = Path("dvc.lock"), Path(".dvc/tmp/rwlock")
ASIDE = Path(".dvc/tmp/reprolm")


def mended(root: Path) -> list[str]:
    """Puts aside what DVC would refuse, and says so."""
    whole: dict[Path, Callable[[Path], bool]] = {LOCK: is_lock, BUSY: is_json}
    cut = [path for path in whole if (root / path).exists() and not whole[path](root / path)]
    for path in cut:
        (root / ASIDE).mkdir(parents=True, exist_ok=True)
        os.replace(root / path, root / ASIDE / f"{path.name}.cut")
    return [
        f"{path}: cut off while DVC wrote it; put aside as {ASIDE}/{path.name}.cut, nothing is lost" for path in cut
    ]


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
