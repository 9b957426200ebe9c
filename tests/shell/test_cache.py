"""The shard cache stands in DVC's own cache, wherever DVC has it."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from stages.shell.cache import cache_root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    Repo.init(str(tmp_path / "project"), no_scm=True).close()
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("config", "local"),
    [
        ("", ""),
        ("[cache]\ndir = ../../shared\n", ""),
        ("[cache]\ndir = /somewhere/100%\n", ""),
        ("[cache]\ndir = ../here\n", "[cache]\ndir = ../there\n"),
        ("['remote \"x\"']\nurl = https://example.org/a%20b\n", "[cache]\ntype = symlink\n"),
    ],
)
def test_it_stands_where_dvc_says(project: Path, config: str, local: str):
    (project / ".dvc" / "config").write_text(f"[core]\nno_scm = true\n{config}")
    (project / ".dvc" / "config.local").write_text(local)
    with Repo(str(project)) as repo:
        # DVC keeps its objects in files/md5 of the folder that `cache.dir` names.
        assert cache_root(project) == Path(repo.cache.local.path).parent.parent.resolve() / "reprolm"


def test_dvc_tells_a_stage_where_the_project_is(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert cache_root() == project.resolve() / ".dvc" / "cache" / "reprolm"
