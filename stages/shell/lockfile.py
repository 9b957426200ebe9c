"""dvc.lock after a kill: DVC writes it in place, so that for a moment after each stage half of it stands there.

Nothing is lost with it: DVC's run cache has what every stage made from what, and brings it back without running it.
"""

import os
from pathlib import Path

from stages.core.faults import Fault

ASIDE = Path(".dvc/tmp/reprolm/dvc.lock.cut")


def mended(path: Path = Path("dvc.lock")) -> str | None:
    """Puts a dvc.lock aside that DVC would refuse, and says so; None where all is well."""
    if not path.exists() or readable(path):
        return None
    if "<<<<<<< " in path.read_text(encoding="utf-8", errors="replace"):
        raise Fault(f"{path}: a merge left conflicts; `git checkout --ours {path}`, then `dvc repro` makes it right")
    ASIDE.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, ASIDE)
    return f"{path}: cut off while DVC wrote it; put aside as {ASIDE}, the run cache knows what was computed"


def readable(path: Path) -> bool:
    """Whether DVC would take it."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML, YAMLError
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(path))
    except (YAMLError, Invalid, UnicodeDecodeError):
        return False
    return True
