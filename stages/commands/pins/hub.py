"""Datasets of the Hub: the commit, its files with their splits, and the names of its classes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.commands import _hub
from stages.commands._edit import Steps
from stages.commands.pins.files import is_pin


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """All that the Hub tells, if it is wanted by name or something is not pinned. What a person has written of a file's
    constants stays, as do the sides of splits."""
    match raw:
        case {"dataset": str(name), "revision": None | str() as revision, "config": None | str() as config}:
            pass
        case _:
            return {}  # `check` tells what is wrong with it
    old = {one["at"]: one for one in raw.get("files") or () if isinstance(one, dict) and "at" in one}
    whole = bool(old) and all(is_pin(one.get("sha256")) for one in old.values())
    if not named and whole and re.fullmatch(r"[0-9a-f]{40}", revision or ""):
        return {}
    found = _hub.pinned(name, revision, config)
    found["files"] = [one | old.get(one["at"], {}) | {"sha256": one["sha256"]} for one in found["files"]]
    return {(key,): found[key] for key in found if key != "sides" or not raw.get("sides")}
