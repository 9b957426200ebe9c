"""The code that a stage runs, found by reading it."""

from stages.shell.closure import ROOT, closure, file_of


def names(*modules: str) -> list[str]:
    return [path.relative_to(ROOT / "stages").as_posix() for path in closure(*modules)]


def test_what_a_stage_imports_and_what_that_imports():
    found = names("features")
    assert {"features.py", "core/figures.py", "core/records.py", "core/faults.py"} <= set(found)
    assert found == sorted(found)


def test_imports_inside_functions_count():
    assert "core/inference.py" in names("evaluate")


def test_the_shell_does_not_count():
    assert not [name for name in names("train", "explain", "report") if name.startswith("shell")]


def test_several_at_once():
    assert names("clean", "cleaners.mask") == sorted({*names("clean"), *names("cleaners.mask")})


def test_a_module_that_is_no_file_of_ours():
    assert file_of("stages.core.faults.Fault") is None
    assert closure("no_such_stage") == []
