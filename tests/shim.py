"""Processes that are told another story of their machine: no network, or another number of processors (shim.c)."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
NEEDED = "shim.c needs Linux and gcc"

MISSING = sys.platform != "linux" or shutil.which("gcc") is None
needs_shim = pytest.mark.skipif(MISSING, reason=NEEDED)


def compiled(folder: Path) -> Path:
    """The library, made in the folder."""
    library = folder / "shim.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def offline(library: Path, log: Path) -> dict[str, str]:
    """The environment in which the network refuses everything, and `log` has a line for each attempt."""
    log.touch()
    return {"LD_PRELOAD": str(library), "NETWORK_LOG": str(log)}


def where_nobody_answers(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """`environment` without network, where DVC may tell of itself; each attempt is a line of `folder`/asked.

    As it is where the shim can't be made: what is built there is the same.
    """
    if MISSING:
        return environment
    kept = {name: value for name, value in environment.items() if name != "DVC_NO_ANALYTICS"}
    return kept | offline(compiled(folder), folder / "asked")


def with_processors(library: Path, number: int) -> dict[str, str]:
    """The environment in which a process sees that many processors, whatever the machine has.

    MKL asks the processors themselves, and torch asks MKL; told not to be clever, it takes what OpenMP sees.
    """
    return {"LD_PRELOAD": str(library), "VISIBLE_CPUS": str(number), "MKL_DYNAMIC": "FALSE"}
