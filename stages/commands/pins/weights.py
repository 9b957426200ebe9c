"""Starting weights: the sha256 of each file, from the first place that has it."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.commands._edit import Steps
from stages.commands.pins.files import is_pin, listed
from stages.core.faults import Fault
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.weights import FETCH, UNREACHABLE, readable


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """Of all files, if they are wanted by name, or of those that have no pin."""
    files = raw["files"] if isinstance(raw.get("files"), dict) else {}
    wanted = [name for name, old in files.items() if named or not is_pin(old)]
    places = [place for place in listed(raw.get("places")) if known(place)]
    with tempfile.TemporaryDirectory() as folder:
        return {("files", name): brought(name, places, cache, Path(folder)) for name in wanted}


def known(place: Any) -> bool:
    """Whether there is somebody who can go there; `check` tells what is wrong with the others."""
    match place:
        case {"kind": str(kind), "at": str()}:
            return kind in FETCH
        case _:
            return False


def brought(name: str, places: Sequence[Mapping[str, str]], cache: Path, folder: Path) -> str:
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
