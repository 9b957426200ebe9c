"""A small wheel from the package index: taken with the pinned bytes only, fetched once."""

import hashlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from stages.core import fetch
from stages.core.faults import Fault

NAME, VERSION = "iniconfig", "2.3.1"
PLATFORMS = ("any",)


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetch.download(NAME, VERSION, PLATFORMS, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def pinned(downloaded: Path) -> str:
    return hashlib.sha256(downloaded.read_bytes()).hexdigest()


def test_the_second_time_it_comes_from_the_cache(
    downloaded: Path, pinned: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = fetch.wheel(NAME, VERSION, pinned, PLATFORMS, tmp_path)
    assert first.read_bytes() == downloaded.read_bytes()
    monkeypatch.setattr("sys.executable", "/no/python/to/run/pip/with")
    assert fetch.wheel(NAME, VERSION, pinned, PLATFORMS, tmp_path) == first


def test_other_bytes_than_the_pinned_ones_are_refused_and_not_kept(pinned: str, tmp_path: Path):
    with pytest.raises(Fault) as fault:
        fetch.wheel(NAME, VERSION, "0" * 64, PLATFORMS, tmp_path)
    assert str(fault.value) == (
        f"wheel {NAME}=={VERSION}: the bytes are not the pinned ones: sha256 {pinned}, pinned {'0' * 64}; "
        "if the change is wanted, pin the new hash in params.yaml"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_cached_file_that_went_bad_is_named(pinned: str, tmp_path: Path):
    kept = fetch.wheel(NAME, VERSION, pinned, PLATFORMS, tmp_path)
    kept.write_bytes(b"bad")
    with pytest.raises(
        Fault, match=f"{pinned}: cached wheel {NAME}=={VERSION}, delete it to fetch it again: the bytes"
    ):
        fetch.wheel(NAME, VERSION, pinned, PLATFORMS, tmp_path)


@pytest.mark.parametrize(("show", "told"), [(False, False), (True, True)])
def test_a_terminal_shows_what_pip_does_where_that_is_wanted(tmp_path: Path, show: bool, told: bool):
    story = "from stages.core.fetch import download; from pathlib import Path; download"
    call = f"({NAME!r}, {VERSION!r}, {PLATFORMS!r}, Path({str(tmp_path)!r}), show={show})"
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", story + call], stdout=theirs, check=True, cwd=os.getcwd())
    os.write(theirs, b"end")
    assert (f"{NAME}-{VERSION}" in os.read(ours, 10_000).decode()) is told
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("show", [False, True])
def test_a_log_does_not(tmp_path: Path, show: bool, capfd: pytest.CaptureFixture[str]):
    fetch.download(NAME, VERSION, PLATFORMS, tmp_path, show=show)
    assert capfd.readouterr().out == ""


def test_a_version_that_there_is_not(tmp_path: Path):
    with pytest.raises(Fault) as fault:
        fetch.download(NAME, "0.0.999", PLATFORMS, tmp_path)
    assert str(fault.value) == (
        f"wheel {NAME}==0.0.999: ERROR: No matching distribution found for {NAME}==0.0.999; "
        "look for the version in the package index, or name a reachable index in PIP_INDEX_URL"
    )


@pytest.mark.parametrize("name", ["--index-url=http://elsewhere", "-r", "x @ file:///tmp/x.tar.gz#", "../x", ""])
def test_what_is_no_name_is_not_handed_to_pip(tmp_path: Path, name: str):
    with pytest.raises(Fault) as fault:
        fetch.download(name, VERSION, PLATFORMS, tmp_path)
    assert str(fault.value) == f"wheel {name}=={VERSION}: a name and a version are wanted, such as numpy 2.4.6"
