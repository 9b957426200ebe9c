"""A plug-in is a file: its folder says what it is, its name is the parameter's value."""

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from stages.core.faults import Fault

STAGES = Path(__file__).parent.parent
NOT_PLUGINS = {"core", "shell", "commands"}


def folders() -> list[str]:
    """The plug-in folders, which are also the names of the plug-ins' own sections in params.yaml."""
    return sorted(
        path.name for path in STAGES.iterdir() if path.is_dir() and path.name not in NOT_PLUGINS and names(path.name)
    )


def names(folder: str) -> list[str]:
    """The plug-ins of a folder; a file that begins with an underscore is none."""
    return sorted(path.stem for path in (STAGES / folder).glob("*.py") if not path.stem.startswith("_"))


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """`known`, the most similar to `word` first."""
    return sorted(known, key=lambda name: (-difflib.SequenceMatcher(None, word, name).ratio(), name))


def unknown(folder: str, name: str) -> str:
    """What to say of a plug-in that there is not."""
    return f"no {name!r} in stages/{folder}; there is: {', '.join(nearest(name, names(folder)))}"


def load(folder: str, name: str) -> ModuleType:
    """The module `stages/<folder>/<name>.py`."""
    if name not in names(folder):
        raise Fault(unknown(folder, name))
    return importlib.import_module(f"stages.{folder}.{name}")
