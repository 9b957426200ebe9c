"""The check that every fault has been raised by a test can fail, and sees what subprocesses do."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

MODULE = """
from stages.core.faults import Fault

def entered():
    raise Fault(
        "a message"
    )

def never():
    raise Fault("nobody reads this")
"""
STORY = "from stages.module import entered; entered()"
TEST = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def ran(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment = kept | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_a_fault_that_no_test_has_raised_is_told(tmp_path: Path) -> None:
    (tmp_path / "stages/core").mkdir(parents=True)
    (tmp_path / "stages/__init__.py").touch()
    (tmp_path / "stages/module.py").write_text(MODULE, encoding="utf-8")
    for name in ("stages/core/faults.py", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "test.py").write_text(TEST, encoding="utf-8")
    assert "Fault: a message" in ran(tmp_path, "coverage", "run", "test.py", STORY).stderr
    assert ran(tmp_path, "coverage", "combine").returncode == 0
    told = ran(tmp_path, "tests.raised")
    assert told.stdout == "raise Fault: 1 of 2 entered by tests\n"
    assert (told.returncode, told.stderr) == (1, "never entered:\n  stages/module.py:10\n")
