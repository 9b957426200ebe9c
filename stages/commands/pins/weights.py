"""Starting weights: the sha256 of each file, from the first place that has it."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.commands._edit import Steps
from stages.commands.pins.files import is_pin
from stages.core.faults import Fault
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.weights import FETCH, UNREACHABLE, readable


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """Of all files, if they are wanted by name, or of those that have no pin."""
    wanted = {name: old for name, old in (raw.get("files") or {}).items() if named or not is_pin(old)}
    with tempfile.TemporaryDirectory() as folder:
        return {("files", name): brought(name, raw.get("places") or (), cache, Path(folder)) for name in wanted}


def brought(name: str, places: tuple[Mapping[str, str], ...], cache: Path, folder: Path) -> str:
    """The sha256 of a file, which is kept."""
    silent: list[str] = []
    for place in places:
        what = f"{place['kind']} {place['at']}: {name}"
        try:
            found = FETCH[place["kind"]](place["at"], name, folder).resolve(strict=True)
        except UNREACHABLE as error:
            silent.append(f"  {what}: {type(error).__name__}: {error}")
            continue
        readable(found, name, what)
        digest = sha256(found)
        with writing(cache / "weights" / digest) as beside:
            shutil.copyfile(found, beside)
        return digest
    raise Fault("\n".join([f"weights.files: no place has {name}; add one to weights.places. Tried:", *silent]))
