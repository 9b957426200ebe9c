"""Whatever has `at` and `sha256`: files, folders and addresses. Most kinds of sources have nothing else to pin."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.commands._edit import Steps
from stages.core import inputs, web
from stages.core.faults import Fault
from stages.core.hashing import sha256


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """The sha256 of each: of what an address gives now, if it is wanted by name or has no pin."""
    return {(*steps, "sha256"): digest(one["at"], one["sha256"], cache, named) for steps, one in places(raw)}


def places(raw: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Where what has a pin stands, and what stands there."""
    if isinstance(raw, dict) and isinstance(raw.get("at"), str) and "sha256" in raw:
        yield steps, raw
    inner = raw.items() if isinstance(raw, dict) else enumerate(listed(raw))
    for step, one in inner:
        yield from places(one, (*steps, step))


def digest(at: str, old: Any, cache: Path, named: bool) -> Any:
    """The sha256 of what is at a place; or the old one, where that is enough."""
    if old == inputs.SCRAPE:  # pinned in section `scrape`
        return old
    if at.startswith(web.SCHEMES):
        return old if is_pin(old) and not named else web.brought(at, cache)
    if (path := Path(at)).is_dir():
        return inputs.folder_sha256(path)
    if not path.is_file():
        raise Fault(f"{at}: no such file; correct `at` in params.yaml (it starts at the project's folder)")
    return sha256(path)


def is_pin(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def listed(value: Any) -> tuple[Any, ...]:
    """What is in a list; nothing, where there is none: `check` tells that."""
    return value if isinstance(value, tuple) else ()
