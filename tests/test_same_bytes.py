"""The same bytes, wider: the default job from cold caches in other folders, under other users' settings."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone
from tests.kills import outputs, recorded
from tests.shim import compiled, needs_shim, with_processors
from tests.test_repro import STAGES, md5

pytestmark = [pytest.mark.slow, needs_shim]
TURKISH = "tr_TR.UTF-8"  # where the small I has no dot, a number a comma, and a word another place in an order


@dataclass(frozen=True)
class User:
    """What differs from one person to another, and may not change a byte; HOME and DVC's caches differ too."""

    folder: str
    umask: str
    prefix: tuple[str, ...]
    environment: dict[str, str]


def turkish(folder: Path) -> dict[str, str]:
    """A locale of our own, as machines without people have few; the plainest where it can't be made."""
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / TURKISH)]
    made = shutil.which("localedef") and subprocess.run(command, capture_output=True, check=False).returncode == 0
    return {"LOCPATH": str(folder), "LC_ALL": TURKISH} if made else {"LC_ALL": "C.UTF-8"}


def users(folder: Path) -> list[User]:
    """One with a single processor, one who sees sixteen."""
    one = min(os.sched_getaffinity(0))
    settings = {"LC_ALL": "C", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "7"}
    others = turkish(folder) | {"TZ": "America/St_Johns", "PYTHONHASHSEED": "12345", "MKL_NUM_THREADS": "1"}
    others |= {"OMP_SCHEDULE": "dynamic", "OPENBLAS_NUM_THREADS": "16", "ENGINE": "process"}
    return [
        User("plain", "077", ("taskset", "--cpu-list", str(one)), settings),
        User("ein Ordner für Ünïcode", "002", (), others | with_processors(compiled(folder), 16)),
    ]


def built_by(user: User, clone: Clone) -> dict[str, str]:
    """Path → md5 of what `dvc repro` makes of the default job for somebody."""
    shutil.copyfile(ROOT / "params.yaml", clone.root / "params.yaml")
    under = ("bash", "-c", f'umask {user.umask}; exec "$@"', "bash", *user.prefix)
    clone.run(*under, "dvc", "repro", **user.environment)
    lock = recorded(clone.root / "dvc.lock")
    assert list(lock) == STAGES
    assert outputs(lock) == {path: md5(clone.root / path) for path in outputs(lock)}
    shutil.rmtree(clone.root)
    return outputs(lock)


@pytest.fixture(scope="module")
def made(cloned: Callable[[Path], Clone], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What the users got; one after the other, as each is a gigabyte."""
    folder = tmp_path_factory.mktemp("users")
    return [built_by(user, cloned(folder / user.folder)) for user in users(folder)]


def test_two_users_get_the_same_bytes(made: list[dict[str, str]]) -> None:
    assert made[0] == made[1]


def test_they_are_those_of_the_committed_lock(made: list[dict[str, str]]) -> None:
    assert made[0] == outputs(recorded(ROOT / "dvc.lock")), "run `dvc repro`, then commit dvc.lock, if the code is new"
