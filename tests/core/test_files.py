"""Files appear whole or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.files import read_json, write_json, writing

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


def test_a_file_that_was_written_wholly_takes_its_name(tmp_path: Path):
    with writing(tmp_path / "new" / "file") as beside:
        beside.write_text("whole")
        assert not (tmp_path / "new" / "file").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]
    assert (tmp_path / "new" / "file").read_text() == "whole"


def test_a_failure_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), writing(path) as beside:  # noqa: PT012
        beside.write_text("hal")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_failed_goes_away(tmp_path: Path):
    with pytest.raises(OSError, match="disk"), writing(tmp_path / "folder") as beside:  # noqa: PT012
        beside.mkdir()
        (beside / "part").touch()
        raise OSError("disk full")
    assert list(tmp_path.iterdir()) == []


@given(st.sampled_from([OSError, KeyboardInterrupt, SystemExit, ZeroDivisionError]), st.booleans(), st.booleans())
def test_whatever_goes_wrong_nothing_is_left_behind(kind: type[BaseException], folder: bool, before: bool):
    with TemporaryDirectory() as name:
        path = Path(name) / "out"
        if before:
            path.write_text("before")
        with pytest.raises(kind), writing(path) as beside:  # noqa: PT012
            (beside / "part").mkdir(parents=True) if folder else beside.write_text("hal")
            raise kind
        assert [one.read_text() for one in Path(name).iterdir()] == ["before"] * before


@given(values)
def test_json_comes_back(tmp_path_factory: pytest.TempPathFactory, value: object):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_json_has_one_form(tmp_path: Path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    write_json(tmp_path / "b.json", {"a": "é", "b": 1})
    assert (
        (tmp_path / "a.json").read_bytes()
        == (tmp_path / "b.json").read_bytes()
        == '{\n  "a": "é",\n  "b": 1\n}\n'.encode()
    )
