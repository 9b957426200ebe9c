"""Real projects to test on: clones of the working tree with the cut-down corpus, each with a DVC cache of its own."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.shell.cache import cache_root
from tests.shim import where_nobody_answers

# Its assertions tell as much as those of a test.
pytest.register_assert_rewrite("tests.kills")

ROOT = Path(__file__).parent.parent
CASES = ROOT / "tests/cases"
WITNESS = ROOT / "tests/witness"
# What a process needs of the machine; no secret, no Git identity, no setting of the user gets into a clone.
PASSED = ("LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy", "FAULTS_SEEN")
OUTPUTS = ("data/", "models/", "reports/")
FETCHED = ("wheels", "weights")


@dataclass(frozen=True)
class Clone:
    """A project in a folder of its own, and the environment that its commands run in."""

    root: Path
    environment: dict[str, str]

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """A command that goes on by itself, in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def tried(self, *command: str, **environment: str) -> tuple[int, str]:
        """Exit status and output of a command."""
        process = self.start(*command, **environment)
        told, _ = process.communicate()
        return process.returncode, told

    def run(self, *command: str, **environment: str) -> str:
        """The output of a command that must succeed."""
        status, told = self.tried(*command, **environment)
        assert status == 0, f"{' '.join(command)}: exit status {status}\n{told}"
        return told

    def said(self, *command: str) -> str:
        """The standard output alone of a command that must succeed."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def repro(self, **environment: str) -> list[str]:
        """`dvc repro`; gives the stages that were run, in order."""
        return ran(self.run("dvc", "repro", **environment))

    def commit(self, message: str = "test") -> None:
        """All that Git is to keep, by somebody."""
        self.run("git", "add", "--all")
        somebody = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self.run("git", *somebody, "commit", "--quiet", "--message", message)

    def change(self, overlay: dict[str, Any]) -> None:
        """Lays an overlay over params.yaml."""
        lay(self.root / "params.yaml", overlay)

    def copy(self, root: Path) -> "Clone":
        """The same project in another folder, outputs and caches included."""
        shutil.copytree(self.root, root, symlinks=True)
        return replace(self, root=root, environment=environment(root))


def ran(told: str) -> list[str]:
    """The stages that `dvc repro` says it has run."""
    return [line.split("'")[1] for line in told.splitlines() if line.startswith("Running stage")]


def environment(root: Path) -> dict[str, str]:
    """This interpreter first, an empty home, no Git settings, DVC's own files aside."""
    home = root.with_name(f"{root.name}.home")
    home.mkdir(exist_ok=True)
    passed = (name for name in os.environ if name in PASSED or name.startswith("PIP_"))
    kept = {name: os.environ[name] for name in passed}
    kept |= {"PYTHONPATH": str(WITNESS)} if "FAULTS_SEEN" in kept else {}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        "DVC_NO_ANALYTICS": "1",
        # Idle threads that spin cost tests that share a machine a multiple; no byte depends on it.
        "OMP_WAIT_POLICY": "passive",
        "COLUMNS": "200",
    }


def importable(folder: Path) -> str:
    """A PYTHONPATH with this folder before what is there, such as the witness."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


def lay(params: Path, overlay: dict[str, Any]) -> None:
    """Merges mappings, replaces the rest; comments stay."""
    yaml = YAML()
    yaml.width = 10_000
    tree = yaml.load(params)
    merge(tree, overlay)
    yaml.dump(tree, params)


def merge(tree: Any, overlay: dict[str, Any]) -> None:
    """`overlay` into `tree`; a list of sources is no mapping and is replaced."""
    for key, value in overlay.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value


def case(name: str) -> Any:
    """A file of tests/cases."""
    return YAML(typ="safe").load(CASES / name)


def working_tree(root: Path) -> None:
    """The files that Git tracks or would track, as they are now, in a repository of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {one for one in listed.stdout.split("\0") if (ROOT / one).is_file() and not one.startswith(OUTPUTS)}
    for name in sorted(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name, follow_symlinks=False)


def give(cache: Path, target: Path, how: Callable[..., Any] = os.link) -> None:
    """What one cache has fetched, to another: linked where it can be, as it is verified whenever it is used."""
    for path in (one for name in FETCHED for one in (cache / name).glob("[0-9a-f]*")):
        place = target / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            how(path, place)


def as_nobody(call: Callable[[], Any]) -> Any:
    """Without root's rights, which know no bounds; as one is, where one is not root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    try:
        return call()
    finally:
        os.seteuid(before)


# What all workers of `pytest -n` share

Once = Callable[[str, Callable[[Path], Any]], Path]
PROJECTS = {"built", "light", "again", "cloned"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One file that wants a project comes first: while a worker builds it, the others do what wants none."""
    wanting = [item.path for item in items if PROJECTS & set(getattr(item, "fixturenames", ()))]
    rank = dict.fromkeys(wanting, 2) | dict.fromkeys(wanting[:1], 0)
    items.sort(key=lambda item: rank.get(item.path, 1))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Once]:
    """Gives a folder of that name: the first worker that wants it makes it, the last one takes all away."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "shared"
    shared.mkdir(exist_ok=True)

    def share(name: str, make: Callable[[Path], Any]) -> Path:
        made = shared / f"{name}.made"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                shutil.rmtree(shared / name, ignore_errors=True)  # of a worker that failed
                make(shared / name)
                made.touch()
        return shared / name

    with (shared / "used").open("w") as used:
        fcntl.flock(used, fcntl.LOCK_SH)
        yield share
        with suppress(BlockingIOError):
            fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(shared)


@pytest.fixture(scope="session")
def fetched(once: Once) -> Path:
    """Wheels and weights, so that the network is asked once; what the project itself has fetched is not asked again."""
    return once("fetched", lambda folder: give(cache_root(ROOT), folder, shutil.copyfile))


@pytest.fixture(scope="session")
def cloned(fetched: Path, once: Once) -> Callable[[Path], Clone]:
    """Makes a clone of the working tree in a folder: the cut-down corpus, a cold DVC cache, no dvc.lock."""
    # Taken once: an edit while the tests run would make two projects of what must be one.
    now = once("tree", working_tree)

    def make(root: Path) -> Clone:
        shutil.copytree(now, root, symlinks=True)
        lay(root / "params.yaml", case("small.yaml"))
        (root / "dvc.lock").unlink(missing_ok=True)
        clone = Clone(root, environment(root))
        clone.run("git", "init", "--quiet", "--initial-branch", "main")
        clone.commit()
        give(fetched, cache_root(root))
        return clone

    return make


@pytest.fixture(scope="session")
def built(once: Once, cloned: Callable[[Path], Clone], fetched: Path) -> Clone:
    """A clone after a real `dvc repro` with the pinned weights. To be read only: `copy` it to change it."""

    def make(folder: Path) -> None:
        clone = cloned(folder / "project")
        clone.run("dvc", "repro", PYTHONHASHSEED="1", ENGINE="process")
        clone.commit("built")
        give(cache_root(clone.root), fetched)

    return of(once("built", make))


@pytest.fixture(scope="session")
def light(once: Once, built: Clone) -> Clone:
    """A copy of `built` after a `dvc repro` with a tiny model from scratch. To be read only: `copy` it to change it."""

    def make(folder: Path) -> None:
        clone = unheard(built.copy(folder / "project"))
        clone.change(case("light.yaml"))
        clone.run("dvc", "repro", ENGINE="process")
        clone.commit("light")

    return of(once("light", make))


@pytest.fixture(scope="session")
def again(once: Once, built: Clone, cloned: Callable[[Path], Clone]) -> Clone:
    """What `built` is, once more from cold caches: another folder, hash seed and engine. To be read only."""

    def make(folder: Path) -> None:
        clone = unheard(cloned(folder / "project"))
        clone.run("dvc", "repro", PYTHONHASHSEED="2", ENGINE="serial")

    return of(once("another folder", make))


def of(folder: Path) -> Clone:
    """The project that was built in a folder."""
    return Clone(folder / "project", environment(folder / "project"))


def unheard(clone: Clone) -> Clone:
    """The same project where nobody answers; tests/test_untrusted.py reads what was asked."""
    return replace(clone, environment=where_nobody_answers(clone.environment, clone.root.parent))
