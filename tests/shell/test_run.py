"""The harness around a stage: whole outputs, one line of what was done, faults as one message."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.core.faults import Fault
from stages.core.params import Section
from stages.core.records import Document, read_table, write_documents
from stages.shell.run import note, stage_name, whole

ROOT = Path(__file__).parent.parent.parent
P = Section()


def make(e: Any, p: Section, *paths: Path) -> str:
    for path in paths:
        path.mkdir()
        (path / "file").write_text("new")
    return "made"


def fail(e: Any, p: Section, *paths: Path) -> str:
    make(e, p, *paths)
    raise Fault("nothing left")


def test_all_outputs_take_their_names_at_the_end(tmp_path: Path):
    outs = [tmp_path / "data" / "a", tmp_path / "models" / "b"]
    assert whole(make, None, P, [], outs) == "made"
    assert [(out / "file").read_text() for out in outs] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["a", "b"]


def test_a_failure_leaves_no_output_and_what_was_there(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "file").write_text("old")
    with pytest.raises(Fault):
        whole(fail, None, P, [], [old, new])
    assert (old / "file").read_text() == "old"
    assert not new.exists()
    assert whole(make, None, P, [], [old, new]) == "made"
    assert (old / "file").read_text() == "new"


def test_what_killed_runs_left_is_removed_and_nothing_is_left_after_a_failure(tmp_path: Path):
    for left in (".out.new.7.part", ".out.old.8.part"):
        (tmp_path / left).mkdir()
    (tmp_path / ".other.new.9.part").mkdir()
    with pytest.raises(Fault):
        whole(fail, None, P, [], [tmp_path / "out"])
    assert [path.name for path in tmp_path.iterdir()] == [".other.new.9.part"]


def test_what_is_not_as_it_was_does_not_take_its_name(tmp_path: Path):
    def refuse() -> None:
        raise Fault("edited")

    with pytest.raises(Fault, match="edited"):
        whole(make, None, P, [], [tmp_path / "out"], refuse)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_a_file(tmp_path: Path):
    def write(e: Any, p: Section, path: Path) -> str:
        path.write_text("page")
        return "written"

    for _ in range(2):
        assert whole(write, None, P, [], [tmp_path / "page.html"]) == "written"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_missing_input_is_told(tmp_path: Path):
    with pytest.raises(Fault, match="gone: not found; `dvc repro` makes it"):
        whole(make, None, P, [tmp_path / "gone"], [tmp_path / "out"])
    assert list(tmp_path.iterdir()) == []


def test_a_stage_starts_as_a_module():
    with pytest.raises(RuntimeError, match=r"python -m stages\.<name>"):
        stage_name()


def test_seconds_and_memory_are_noted_beside_those_of_other_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    note("ingest", 1.5)
    left_by_a_kill = tmp_path / "reports/.run.json.7.part"
    left_by_a_kill.write_text("{")
    note("dedup", 0.25)
    notes = json.loads((tmp_path / "reports/run.json").read_text())
    assert {name: entry["seconds"] for name, entry in notes.items()} == {"ingest": 1.5, "dedup": 0.25}
    assert not left_by_a_kill.exists()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what a stage reads of a project, and a shard of two documents."""
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    documents = [Document(one, f"Text {one}.", None, "s", None, None, {"none": ""}) for one in "ab"]
    shard = tmp_path / "data" / "clean" / "000-s-00000.parquet"
    write_documents(shard, documents, pa.struct([("none", pa.string())]))
    return tmp_path


def features(project: Path, source: str = "data/clean", **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "stages.features", source, "data/features"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "ENGINE": "serial"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_line_of_what_was_done(project: Path):
    done = features(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("  features  2 documents described by 11 figures · ")
    assert read_table(project / "data/features/000-s-00000.parquet", ["words"]).to_pydict() == {"words": [2, 2]}
    assert list(json.loads((project / "reports/run.json").read_text())) == ["features"]


def test_a_fault_is_one_message_without_a_traceback(project: Path):
    done = features(project, source="data/gone")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "features: data/gone: not found; `dvc repro` makes it\n"


def test_an_engine_that_there_is_not(project: Path):
    done = features(project, ENGINE="procces")
    assert done.returncode == 1
    assert done.stderr == (
        "features: environment: ENGINE=procces: no 'procces' in stages/engines; there is: process, serial\n"
    )
    assert not (project / "data/features").exists()


def test_a_fault_in_the_parameters_of_another_stage(project: Path):
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 4", "epochs: four"))
    done = features(project)
    assert done.returncode == 1
    assert done.stderr == (
        "features: params.yaml: 1 to mend:\n  train.epochs: input should be a valid integer, not 'four'\n"
    )


def test_another_version_of_a_package_than_is_pinned(project: Path):
    declared = project / "pyproject.toml"
    declared.write_text(declared.read_text().replace('"pyarrow==26.0.1"', '"pyarrow==26.0.0"'))
    done = features(project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "features: the environment is not the declared one, so the bytes would be others:\n"
        "  pyarrow 26.0.1 is installed, pyproject.toml says ==26.0.0\n"
        "`make setup` installs what requirements.lock says, where a new pin must stand too;\n"
        "`source .venv/bin/activate` puts it first\n"
    )
