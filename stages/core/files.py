"""Files that appear whole or not at all, with the same bytes for the same values."""

import fcntl
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def writing(path: Path) -> Generator[Path]:
    """Gives a place beside `path` to write to; what was written takes the name of `path` only when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        if beside.is_dir():
            shutil.rmtree(beside)
        else:
            beside.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Generator[None]:
    """One process at a time makes `path`, the others wait. The file of the lock stays: without it, two could be in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_json(path: Path, value: Any) -> None:
    """Sorted keys, two spaces, a final newline: a diff of two runs shows what changed and nothing else."""
    with writing(path) as beside:
        beside.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
