"""A plug-in is a file."""

import pytest

from stages.core.faults import Fault
from stages.shell import plugins


def test_a_file_that_begins_with_an_underscore_is_none():
    assert plugins.names("commands") == ["check", "pin", "predict", "recipe", "summary", "trace"]


def test_the_folders_besides_core_shell_and_commands():
    assert {"tasks", "architectures", "cleaners", "engines"} <= set(plugins.folders())
    assert not {"core", "shell", "commands", "__pycache__"} & set(plugins.folders())


def test_a_name_that_there_is_not_gets_what_there_is_nearest_first():
    with pytest.raises(Fault) as fault:
        plugins.load("cleaners", "marcup")
    there = "markup, mask, mojibake, whitespace, misspellings, pii, unicode, boilerplate"
    assert str(fault.value) == f"no 'marcup' in stages/cleaners; there is: {there}"


def test_the_name_is_the_file():
    assert plugins.load("cleaners", "mask").__name__ == "stages.cleaners.mask"
