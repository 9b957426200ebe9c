"""What a stage is given to do its work with."""

import operator
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from stages.core.faults import Fault
from stages.engines.serial import Serial
from stages.shell.engine import engine

# Two seconds of work and a bit, under the serial engine.
STORY = """
import time
from stages.shell.engine import engine
with engine() as e:
    e.map(time.sleep, [0.3] * 9, what="naps")
"""
POSTFIX = """
import time
from stages.shell.progress import progress
with progress((), "training", 9) as bar:
    for n in range(9):
        time.sleep(0.3)
        bar.set_postfix(loss=0.5, refresh=False)
        bar.update()
"""


@pytest.mark.parametrize("name", ["serial", "process"])
def test_results_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("ENGINE", name)
    with engine() as e:
        assert e.map(operator.mul, [3, 1, 2], 10) == [30, 10, 20]


@pytest.mark.parametrize("name", ["serial", "process"])
def test_what_fails_is_told(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("ENGINE", name)
    with engine() as e, pytest.raises(ZeroDivisionError):
        e.map(operator.floordiv, [1, 0], 0)


def test_the_serial_one_works_while_its_results_are_asked_for():
    done: list[int] = []
    results: Iterator[None] = Serial().map(done.append, [1, 2])
    assert done == []
    next(results)
    assert done == [1]


def on_terminal(story: str) -> str:
    """What a process writes when it is started on a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    environment = os.environ | {"ENGINE": "serial", "PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, "-c", story], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        told = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    assert process.returncode == 0
    return told.decode()


def read(terminal: int) -> bytes:
    """What comes next; nothing when nobody has the other end open any more (Linux calls that an error)."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize(("story", "bar"), [(STORY, "naps: "), (POSTFIX, "training: ")], ids=["map", "postfix"])
def test_after_two_seconds_a_bar_appears_and_goes_away(story: str, bar: str):
    first, *_, last = [line.strip() for line in on_terminal(story).split("\r") if line.strip("\r\n")]
    assert first.startswith(bar) and "/9 [" in first
    assert first.endswith("loss=0.5") == (story == POSTFIX)
    assert not last


def test_in_a_log_there_is_none():
    command, environment = [sys.executable, "-c", STORY], os.environ | {"ENGINE": "serial", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout + done.stderr == ""


def test_an_engine_that_there_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "serail")
    with pytest.raises(Fault) as fault, engine():
        pass
    assert str(fault.value) == ("environment: ENGINE=serail: no 'serail' in stages/engines; there is: serial, process")
