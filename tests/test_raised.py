"""The check that every fault has been raised by a test can fail, and sees what processes of processes do."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, WITNESS

MODULE = """
from stages.core.faults import Fault

def entered():
    raise Fault(
        "a message"
    )

def never():
    raise Fault("nobody reads this")

def made():
    return Fault("nor this")
"""
STORY = "from stages.module import entered, made; made(); entered()"
TEST = "import os, subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], cwd=os.getcwd())"


def ran(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"FAULTS_SEEN": str(root / "seen"), "PYTHONPATH": str(WITNESS)}
    return subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_a_fault_that_no_test_has_raised_is_told(tmp_path: Path) -> None:
    (tmp_path / "stages/core").mkdir(parents=True)
    (tmp_path / "stages/__init__.py").touch()
    (tmp_path / "stages/module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "stages/core/faults.py").write_bytes((ROOT / "stages/core/faults.py").read_bytes())
    assert "Fault: a message" in ran(tmp_path, "-c", TEST, STORY).stderr
    told = ran(tmp_path, str(ROOT / "tests/raised.py"), "seen")
    assert told.stdout == "raise Fault: 1 of 2 entered by tests\n"
    assert (told.returncode, told.stderr) == (1, "never entered:\n  stages/module.py:10\n")
