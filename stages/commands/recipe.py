"""List the recipes, show one, write one to params.yaml, or build one and keep its scores."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stages.commands import _recipes as recipes
from stages.core.faults import Fault, lines
from stages.core.files import read_json, writing
from stages.core.verdict import headline
from stages.core.web import MIRRORS
from stages.shell.cache import cache_root
from stages.shell.params import FILE, check, read, told
from stages.shell.pinned import edits, leaves

METRICS, LOCK, TMP = Path("reports/metrics.json"), Path("dvc.lock"), Path(".dvc/tmp")
# What a build is made from: it is that of the last commit.
SOURCES = ("stages", "dvc.yaml", "pyproject.toml", "requirements.lock")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which recipe."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("list", help="the recipes with what was built from them, as a table in Markdown")
    for verb, what in (
        ("show", "its parameters, and what was built from it"),
        ("apply", "write params.yaml: the defaults with this recipe; `default` for the defaults alone"),
        ("run", "build it in a temporary clone of the last commit; keep metrics and dvc.lock beside it"),
    ):
        verbs.add_parser(verb, help=what, description=what).add_argument("name", metavar="NAME")
    verbs.choices["apply"].add_argument("--force", action="store_true", help="even if that throws away own changes")


def main(options: argparse.Namespace) -> int:
    """One of the verbs."""
    match options.verb:
        case "list":
            show_all()
        case "show":
            show(options.name)
        case "apply":
            apply(options.name, force=options.force)
        case _:
            run(options.name)
    return 0


def show_all() -> None:
    """The table, and what is not in it or no longer holds."""
    print(recipes.table())
    for name in recipes.names():
        if remark := state(name):
            print(f"{name}: {remark}")


def show(name: str) -> None:
    """The recipe as it is written, and the scores."""
    print(recipes.overlay(name).read_text(encoding="utf-8"))
    if recipes.metrics(name).exists():
        print("\n".join(headline(read_json(recipes.metrics(name)))))
    print(state(name) or "built with what is here now")


def state(name: str) -> str | None:
    """What is to be known of a recipe's build; None where it is what would be built now."""
    if not recipes.lock(name).exists() or not recipes.metrics(name).exists():
        return f"not built yet; `reprolm recipe run {name}` builds it"
    if stages := recipes.changed(name):
        return f"built with an earlier version of {', '.join(stages)}; `reprolm recipe run {name}` builds it again"
    return None


def apply(name: str, *, force: bool) -> None:
    """Writes params.yaml, unless what is in it would be lost."""
    text = recipes.parameters(name)
    if FILE.exists() and not force:
        refuse_loss()
    put(text, FILE, name)
    print(
        f"{FILE}: the defaults{'' if name == recipes.DEFAULT else f' with the recipe {name}'}; `make repro` builds it"
    )


def refuse_loss() -> None:
    """What neither the defaults nor a recipe bring would be gone."""
    here, known = FILE.read_text(encoding="utf-8"), (recipes.DEFAULT, *recipes.names())
    if not any(here == recipes.parameters(name) for name in known):
        mine = dict(leaves(read(FILE), ""))
        own = min((edits(dict(leaves(recipes.values(name), "")), mine) for name in known), key=len)
        raise Fault(
            f"{FILE}: has changes that no recipe has, and they would be lost; keep them in {recipes.FOLDER} (as "
            f"{recipes.DEFAULT}.yaml, or as a recipe of your own), or give --force:"
            f"{lines([one.removeprefix('.') for one in own] or ['the form or the comments, no value'])}"
        )


def put(text: str, path: Path, name: str) -> None:
    """Writes parameters, if they are right."""
    with writing(path) as beside:
        beside.write_text(text, encoding="utf-8")
        if faults := check(read(beside)).faults:
            raise Fault(told(faults, recipes.FOLDER / f"{name}.yaml"))


def run(name: str) -> None:
    """Builds a recipe from what is committed; only a build that ends well leaves something."""
    refuse_uncommitted(recipes.overlay(name))
    TMP.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TMP, prefix="recipe-") as folder:
        root = clone(Path(folder).resolve() / name)
        put(recipes.parameters(name), root / FILE, name)
        repro(root, name)
        for source, target in ((METRICS, recipes.metrics(name)), (LOCK, recipes.lock(name))):
            with writing(target) as beside:
                shutil.copyfile(root / source, beside)
    print("\n".join(headline(read_json(recipes.metrics(name)))))
    print(
        f"{recipes.metrics(name)}, {recipes.lock(name)}: written; commit them, and in the README `reprolm recipe list`"
    )


def refuse_uncommitted(overlay: Path) -> None:
    """What is built must be what a commit has."""
    git("rev-parse", "--verify", "HEAD")
    paths = (f"{overlay}", f"{recipes.FOLDER / recipes.DEFAULT}.yaml", *SOURCES)
    if changes := git("status", "--porcelain", "--", *paths).splitlines():
        raise Fault(
            "a recipe is built from the last commit, which has not what stands here; commit it first (`git add` and "
            f"`git commit`), or put it aside (`git stash`):{lines(one[3:] for one in changes)}"
        )


def git(*arguments: str) -> str:
    """What Git answers."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault(
            f"git {' '.join(arguments[:2])}: {done.stderr.strip()}; `recipe run` builds a commit of a Git repository: "
            "run it in a clone, or `git init` and commit what is here"
        )
    return done.stdout


def clone(root: Path) -> Path:
    """The last commit in a folder of its own, with the cache and the mirrors of this one; nothing is built there."""
    git("clone", "--quiet", ".", f"{root}")
    (root / LOCK).unlink(missing_ok=True)
    (root / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache_root().parent}\n", encoding="utf-8")
    if MIRRORS.exists():
        shutil.copyfile(MIRRORS, root / MIRRORS)
    return root


def repro(root: Path, name: str) -> None:
    """`dvc repro` with this very interpreter, whatever is in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"], cwd=root, env=os.environ | {"PATH": path}, check=False
    )
    if done.returncode:
        raise Fault(
            f"{name}: `dvc repro` failed, as told above; nothing was written. Mend it, commit, run again: the stages "
            f"that went well are cached. Addresses that can't be reached from here: name a mirror in {MIRRORS}"
        )
