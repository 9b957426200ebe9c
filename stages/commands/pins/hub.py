"""Datasets of the Hub: the commit, its files with their splits, and the names of its classes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.commands import _hub
from stages.commands._edit import Steps
from stages.commands.pins.files import is_pin, listed


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """All that the Hub tells, if it is wanted by name or something is not pinned. What a person has chosen stays: which
    of the files, what is said of them, and the sides of splits."""
    match raw:
        case {"dataset": str(name), "revision": None | str() as revision, "config": None | str() as config}:
            pass
        case _:
            return {}  # `check` tells what is wrong with it
    old = {one["at"]: one for one in listed(raw.get("files")) if isinstance(one, dict) and "at" in one}
    whole = bool(old) and all(is_pin(one.get("sha256")) for one in old.values())
    if not named and whole and re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        return {}
    found = _hub.pinned(name, revision, config)
    files = [one for one in found["files"] if one["at"] in old] or found["files"]
    found["files"] = [one | old.get(one["at"], {}) | {"sha256": one["sha256"]} for one in files]
    return {(key,): found[key] for key in found if key != "sides" or not raw.get("sides")}
