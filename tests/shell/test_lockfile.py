"""A dvc.lock that a kill cut off stops nobody, and nothing is computed again for it."""

from pathlib import Path

import pytest

from stages.core.faults import Fault
from stages.shell.lockfile import ASIDE, is_lock, mended
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


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # what DVC itself does
@pytest.mark.parametrize(
    ("half", "wrong"), [("cmd: mkdir out\n", KeyError), (None, TypeError)], ids=["half an entry", "an empty folder"]
)
def test_half_an_entry_of_the_run_cache_is_removed(
    half: str | None, wrong: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.exceptions import ReproductionError
    from dvc.repo import Repo
    from dvc.repo.reproduce import reproduce

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    Path("in").write_text("text", encoding="utf-8")
    Path("dvc.yaml").write_text("stages: {a: {cmd: mkdir out, deps: [in], outs: [out]}}\n", encoding="utf-8")
    reproduce(Repo.init(no_scm=True))
    lock = Path("dvc.lock").read_bytes()
    (entry,) = Path().glob(".dvc/cache/runs/*/*/*")
    entry.unlink()
    if half:
        entry.with_name(".q3aZ.tmp").write_text(half, encoding="utf-8")
    Path("dvc.lock").unlink()
    with pytest.raises(ReproductionError) as error:
        reproduce(Repo())
    assert isinstance(error.value.__cause__, wrong)
    assert mended(Path()) == ["run cache: half an entry, left by a kill; removed"]
    assert list(Path().glob(".dvc/cache/runs/*/*")) == []
    reproduce(Repo())
    assert Path("dvc.lock").read_bytes() == lock


def cut(whole: str, share: float) -> str:
    """The beginning of a lock, up to the middle of a line that DVC can't take."""
    return whole[: whole.find("cmd", int(len(whole) * share))] + "cm" if share else ""


LOCK = """\
schema: '2.0'
stages:
  clean:
    cmd: python -m stages.clean
    deps:
    - path: stages/clean.py
      hash: md5
      md5: 9dd4e461268c8034f5c8564e155c67a6
      size: 14
    outs:
    - path: data/clean
      hash: md5
      md5: 8bc414edb28e7d415737076bb5dea17c.dir
      size: 145
      nfiles: 2
"""


def test_a_lock_is_whole_only_where_an_entry_is(tmp_path: Path) -> None:
    """DVC would take a folder without its `nfiles` for recorded, and stop at a file without its md5."""
    path = tmp_path / "dvc.lock"
    taken = list[str]()
    for end in range(len(LOCK) + 1):
        path.write_text(LOCK[:end], encoding="utf-8")
        taken += [LOCK[:end].splitlines()[-1].strip()] if is_lock(path) else []
    assert taken == ["schema: '2.0'", "cmd: python -m stages.clean", "size: 14", "nfiles: 2"]


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
