"""Wheels: the newest version where none is named, and the sha256 of the file that the package index has."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.commands._edit import Steps
from stages.commands.pins.files import is_pin, listed
from stages.core.fetch import download
from stages.core.files import writing
from stages.core.hashing import sha256


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """Version and sha256 of each wheel that is wanted by name or has no pin."""
    changes: dict[Steps, Any] = {}
    platforms = [one for one in listed(raw.get("platforms")) if isinstance(one, str)]
    for n, wheel in enumerate(listed(raw.get("wheels"))):
        match wheel:
            case {"name": str(name), "version": None | str() as version, "sha256": old}:
                if named or not version or not is_pin(old):
                    found, digest = brought(name, version, platforms, cache)
                    changes |= {("wheels", n, "version"): found, ("wheels", n, "sha256"): digest}
            case _:
                pass  # `check` tells what is wrong with it
    return changes


def brought(name: str, version: str | None, platforms: Sequence[str], cache: Path) -> tuple[str, str]:
    """Version and sha256 of the wheel that pip finds, which is kept."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(name, version, platforms, Path(folder), show=True)
        digest = sha256(wheel)
        with writing(cache / "wheels" / digest) as beside:
            shutil.copyfile(wheel, beside)
    return version or wheel.name.split("-")[1], digest
