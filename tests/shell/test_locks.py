"""One writer per output, whatever becomes of dvc."""

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.faults import Fault
from stages.shell.locks import held

HOLDER = """
import sys, time
from pathlib import Path
from stages.shell.locks import held
with held([Path("data/a"), Path("models/b")], Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_of_the_first_until_that_is_killed(tmp_path: Path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(Fault) as fault, held([Path("models/b")], tmp_path):
            pass
        holder.send_signal(signal.SIGKILL)
    told = str(fault.value)
    assert told.startswith(f"models/b: process {holder.pid} on {platform.node()} ({sys.executable} -c ")
    assert told.endswith(") is still making it; wait for it, or end it, then run again")
    with held([Path("models/b"), Path("data/a")], tmp_path):
        pass


def test_other_outputs_are_no_concern(tmp_path: Path):
    with held([Path("data/a")], tmp_path), held([Path("data/b")], tmp_path):
        with pytest.raises(Fault, match="data/a: process"), held([Path("data/c"), Path("data/a")], tmp_path):
            pass
        with held([Path("data/c")], tmp_path):
            pass
