"""The commands of the README, on an environment that is there already: a fresh clone in CI makes one from nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


def other_python(folder: Path) -> Path:
    """Something that answers like a Python 3.9."""
    path = folder / "python3.9"
    path.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit\nexit 1\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` in a folder that has what the set-up reads."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    # The tests may run under a `make` of their own, which tells its children so, and what it was given.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "VENV"))}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_another_python_gets_a_clear_message(tmp_path: Path):
    done = make(tmp_path, "setup", f"PYTHON={other_python(tmp_path)}")
    assert done.returncode
    assert "reprolm needs Python 3.11, found Python 3.9.2. Install it, or name it: make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_no_python_gets_a_clear_message(tmp_path: Path):
    done = make(tmp_path, "setup", "PYTHON=")
    assert done.returncode
    assert "reprolm needs Python 3.11, found none." in done.stderr


def test_the_setup_is_skipped_while_the_lock_is_the_same(tmp_path: Path):
    environment = tmp_path / ".venv"
    environment.mkdir()
    shutil.copy(ROOT / "requirements.lock", environment)
    done = make(tmp_path, "setup", f"PYTHON={other_python(tmp_path)}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_make_repro_on_what_is_built_runs_nothing_and_tells_the_headline(built: Any):
    lock = Path(sys.prefix) / "requirements.lock"
    # Else it would set up the environment that the tests run in.
    if not lock.exists() or lock.read_bytes() != (built.root / "requirements.lock").read_bytes():
        pytest.skip("the tests do not run in an environment that `make` has set up")
    told = built.run("make", "repro", f"VENV={sys.prefix}")
    assert "Running stage" not in told
    assert "linear baseline" in told
    assert told.rstrip().endswith("page: reports/index.html")
