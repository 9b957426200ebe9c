"""A dvc.lock that a kill cut off stops nobody, and nothing is computed again for it."""

from pathlib import Path

import pytest

from stages.core.faults import Fault
from stages.shell.lockfile import ASIDE, mended
from tests.conftest import Clone
from tests.test_repro import hashes

COMMAND = ("python", "-m", "stages.commands", "check")


@pytest.mark.parametrize("share", [*(pytest.param(one, marks=pytest.mark.slow) for one in (0.0, 0.5)), 0.03])
def test_a_lock_that_was_cut_off_is_put_aside_and_comes_back_from_the_run_cache(
    light: Clone, tmp_path: Path, share: float
) -> None:
    clone = light.copy(tmp_path / "project")
    lock = clone.root / "dvc.lock"
    whole, before = lock.read_text(encoding="utf-8"), hashes(clone.root)
    lock.write_text(cut(whole, share), encoding="utf-8")
    assert clone.tried("dvc", "repro")[0]
    (clone.root / ".dvc/tmp/rwlock").write_text('{"', encoding="utf-8")
    told = clone.run(*COMMAND)
    for path, name in ((".dvc/tmp/rwlock", "rwlock"), ("dvc.lock", "dvc.lock")):
        assert f"{path}: cut off while DVC wrote it; put aside as {ASIDE}/{name}.cut, and mended\n" in told
    assert clone.repro() in ([], ["report"])
    assert (lock.read_text(encoding="utf-8"), hashes(clone.root)) == (whole, before)
    assert "cut off" not in clone.run(*COMMAND)


def cut(whole: str, share: float) -> str:
    """The beginning of a lock, up to the middle of a line that DVC can't take."""
    return whole[: whole.find("cmd", int(len(whole) * share))] + "cm" if share else ""


def test_what_is_not_there_or_whole_is_left_alone(tmp_path: Path) -> None:
    assert mended(tmp_path) == []
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / ".dvc/tmp/rwlock").write_text("{}", encoding="utf-8")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n", encoding="utf-8")
    assert mended(tmp_path) == []


def test_what_dvc_may_be_writing_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    with Repo.init(str(tmp_path), no_scm=True) as repo, repo.lock:
        (tmp_path / "dvc.lock").write_text("schema: '2.0'\nsta", encoding="utf-8")
        with pytest.raises(Fault) as fault:
            mended(tmp_path)
    assert str(fault.value).startswith(f"{tmp_path}/.dvc: DVC is at work here (")
    assert str(fault.value).endswith("); wait for it, then run again")
    assert (tmp_path / "dvc.lock").read_text(encoding="utf-8").endswith("sta")


def test_a_merge_is_left_to_people(tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    path.write_text("schema: '2.0'\n<<<<<<< ours\nstages: {}\n=======\nstages:\n>>>>>>> theirs\n", encoding="utf-8")
    with pytest.raises(Fault) as fault:
        mended(tmp_path)
    assert str(fault.value) == (
        "dvc.lock: a merge left conflicts; `git checkout --ours dvc.lock`, then `dvc repro` makes it right"
    )
    assert path.exists()
