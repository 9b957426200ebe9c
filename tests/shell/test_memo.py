"""What was made is remembered: whole, as it was, and not for ever."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from stages.shell import memo
from tests.conftest import as_nobody


def remember(cache: Path, name: str, **files: str) -> Path:
    with memo.remembering(cache, name) as folder:
        for file, content in files.items():
            (folder / file).write_text(content)
    return cache / "memo" / name


def kept(cache: Path) -> set[str]:
    return {path.name for path in (cache / "memo").iterdir()}


def test_what_was_remembered_is_recalled(tmp_path: Path):
    assert memo.recalled(tmp_path, "a") is None
    remember(tmp_path, "a", x="X", y="Y")
    assert memo.recalled(tmp_path, "a") == (folder := tmp_path / "memo/a")
    assert {path.name for path in folder.iterdir()} == {"x", "y", memo.SUMS}
    assert (folder / "x").read_text() == "X"


def test_nothing_may_be_remembered_too(tmp_path: Path):
    remember(tmp_path, "a")
    assert memo.recalled(tmp_path, "a") is not None


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "x").write_text("Y"),
        lambda folder: (folder / "x").unlink(),
        lambda folder: (folder / "y").write_text("more"),
        lambda folder: (folder / memo.SUMS).unlink(),
        lambda folder: (folder / memo.SUMS).write_text("no JSON"),
        lambda folder: (folder / memo.SUMS).write_text("[]"),
    ],
    ids=["other bytes", "a file less", "a file more", "no sums", "wrong sums", "a list"],
)
def test_what_is_not_as_it_was_is_forgotten(tmp_path: Path, harm: Callable[[Path], None]):
    folder = remember(tmp_path, "a", x="X")
    harm(folder)
    assert memo.recalled(tmp_path, "a") is None
    assert kept(tmp_path) == set()


def test_a_failure_is_not_remembered(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), memo.remembering(tmp_path, "a") as folder:
        (folder / "x").write_text(f"{1 / 0}")
    assert kept(tmp_path) == set()


def test_of_two_that_make_the_same_the_first_is_kept(tmp_path: Path):
    with memo.remembering(tmp_path, "a") as slow:
        (slow / "x").write_text("X")
        quick = tmp_path / "quick"
        remember(quick, "a", x="X")
        (quick / "memo/a").rename(tmp_path / "memo/a")
    assert memo.recalled(tmp_path, "a") is not None
    assert kept(tmp_path) == {"a"}


def test_other_failures_of_the_disk_are_told(tmp_path: Path):
    with pytest.raises(FileNotFoundError), memo.remembering(tmp_path, "a") as folder:
        (folder / "gone" / "x").write_text("X")


def test_what_was_not_used_for_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memo, "MOST", 3_500)
    for n, name in enumerate("abc"):
        os.utime(remember(tmp_path, name, x=name * 1_000), (n, n))
    memo.recalled(tmp_path, "a")
    remember(tmp_path, "d", x="d" * 1_000)
    assert kept(tmp_path) == {"a", "c", "d"}


def test_one_that_is_larger_than_all_may_be_stays_until_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memo, "MOST", 1)
    for name in "ab":
        remember(tmp_path, name, x=name)
        assert kept(tmp_path) == {name}


def test_what_a_killed_process_left_goes_as_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    left = tmp_path / "memo/.x.123.part"
    left.mkdir(parents=True)
    (left / "y").write_text("Y" * 1_000)
    os.utime(left, (0, 0))
    monkeypatch.setattr(memo, "MOST", 500)
    remember(tmp_path, "a", x="X")
    assert kept(tmp_path) == {"a"}


def test_of_what_was_fetched_and_unpacked_the_longest_unused_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of what was begun too, but for what somebody may be at."""
    monkeypatch.setattr(memo, "MOST", 250)
    for n, name in enumerate(("a", "b", ".d.part", "c", ".a.lock", ".e.part")):
        seconds = time.time() if name == ".e.part" else n
        for path in (tmp_path / "files" / name, tmp_path / "unpacked" / name / "0"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x" * (0 if name.endswith("lock") else 100))
            os.utime(path, (seconds, seconds))
        os.utime(tmp_path / "unpacked" / name, (seconds, seconds))
    used = [tmp_path / "files/a", tmp_path / "unpacked/a/0", Path("mirror/d")]
    memo.bounded(tmp_path, used)
    for kind in ("files", "unpacked"):
        assert {path.name for path in (tmp_path / kind).iterdir()} == {"a", ".a.lock", ".e.part"}
    assert (tmp_path / "files/a").stat().st_mtime > 100


def test_what_was_used_just_now_stays_however_large_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memo, "MOST", 1)
    memo.bounded(tmp_path, [])
    (tmp_path / "files").mkdir()
    for name in "ab":
        (tmp_path / "files" / name).write_text("x" * 100)
    memo.bounded(tmp_path, [tmp_path / "files/a"])
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["a"]


def test_a_cache_that_may_only_be_read_is_of_use():
    with TemporaryDirectory() as name:
        (cache := Path(name)).chmod(0o755)
        folder = remember(cache, "a", x="X")
        assert as_nobody(lambda: memo.recalled(cache, "a")) == folder


def test_a_key_for_all_that_counts():
    one = memo.key(["ingest", "sources.jsonl"], "data", "params")
    assert one == memo.key(["ingest", "sources.jsonl"], "data", "params")
    others = [
        memo.key(["ingest", "sources.csv"], "data", "params"),
        memo.key(["ingest", "sources.jsonl"], "linear", "params"),
        memo.key(["ingest", "sources.jsonl"], "data", "param", "s"),
        memo.key(["ingest", "sources.jsonl"], "data", "other"),
    ]
    assert len({one, *others}) == 5


def test_the_sums_are_json(tmp_path: Path):
    folder = remember(tmp_path, "a", x="X")
    assert json.loads((folder / memo.SUMS).read_text()).keys() == {"x"}
