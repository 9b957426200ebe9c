"""What a stage is given to do its work with."""

import operator

import pytest

from stages.core.faults import Fault
from stages.shell.engine import engine


@pytest.mark.parametrize("name", ["serial", "process"])
def test_results_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("ENGINE", name)
    with engine() as e:
        assert e.map(operator.mul, [3, 1, 2], 10) == [30, 10, 20]


def test_an_engine_that_there_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGINE", "serail")
    with pytest.raises(Fault) as fault, engine():
        pass
    assert str(fault.value) == ("environment: ENGINE=serail: no 'serail' in stages/engines; there is: serial, process")
