"""Where what is expensive to get again is kept: beside DVC's own cache, ignored by Git, by content."""

import configparser
import os
from pathlib import Path


def cache_root(root: Path | None = None) -> Path:
    """The folder `reprolm` in DVC's cache: `dvc exp run --temp` has another root, but the same cache."""
    root = root or Path(os.environ.get("DVC_ROOT", "."))
    config = configparser.ConfigParser(interpolation=None)
    config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
    declared = config.get("cache", "dir", fallback="cache")
    return (root / ".dvc" / declared / "reprolm").resolve()
