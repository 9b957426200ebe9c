"""What an edit re-runs: DESIGN's rows by `dvc status`, in a copy of the project whose outputs are stand-ins."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
Edit = Callable[[Path], None]


def comment(path: str) -> Edit:
    """A comment at the end of a file."""
    return lambda root: write(root / path, (root / path).read_text() + "# edited\n")


def new(path: str) -> Edit:
    """A file that was not there."""
    return lambda root: write(root / path, '"""New."""\n')


def write(path: Path, text: str) -> None:
    path.write_text(text)


def swap(path: str, old: str, other: str) -> Edit:
    """Another text in the place of one that is there."""

    def edit(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, other))

    return edit


def params(old: str, other: str) -> Edit:
    return swap("params.yaml", old, other)


RE_RUN_NOTHING: list[Edit] = [
    comment("stages/shell/run.py"),
    comment("stages/commands/predict.py"),
    comment("stages/engines/process.py"),
    new("stages/engines/dask.py"),
    new("stages/tasks/span.py"),
    comment("stages/splitters/k_fold.py"),
    new("stages/architectures/lstm.py"),
    params("  bert:\n", "  lstm:\n    layers: 2\n  bert:\n"),
    params("  labels: 2000", "  labels:  2000  # edited"),
    comment("README.md"),
    swap("pyproject.toml", '"pytest==', '"pytest==1.'),
    swap("pyproject.toml", "line-length = 120", "line-length = 100"),
]
RE_RUN: list[tuple[str, Edit, set[str]]] = [
    ("torch", swap("pyproject.toml", '"torch==', '"torch==1.'), {"train", "evaluate", "explain"}),
    ("scikit-learn", swap("pyproject.toml", '"scikit-learn==', '"scikit-learn==1.'), {"baseline", "explain"}),
    ("a stage", comment("stages/dedup.py"), {"dedup"}),
    ("the chosen task", comment("stages/tasks/text_classification.py"), {"train"}),
    ("the chosen architecture", comment("stages/architectures/bert.py"), {"train"}),
    ("its parameters", params("    dropout: 0.1", "    dropout: 0.2"), {"train"}),
    ("a chosen cleaner", comment("stages/cleaners/mask.py"), {"dedup", "clean"}),
    ("a cleaner's parameters", params("    token: library", "    token: package"), {"dedup", "clean"}),
    ("a cleaner that is not chosen", new("stages/cleaners/redact.py"), {"dedup", "clean"}),
    ("the chosen augmenter", comment("stages/augmenters/random_word.py"), {"augment"}),
    ("an explainer", comment("stages/explainers/lime.py"), {"explain"}),
    ("a source", comment("stages/sources/csv.py"), {"ingest", "benchmarks"}),
    ("the chosen splitter", comment("stages/splitters/stratified.py"), {"split"}),
    ("core, where it is imported", comment("stages/core/scripts.py"), {"features", "explain"}),
    ("a statistic that is not chosen", comment("stages/statistics/c4.py"), {"features"}),
    ("a threshold", params("    words: {at_least: 4", "    words: {at_least: 5"), {"filter"}),
    ("a parameter", params("  learning_rate: 3e-4", "  learning_rate: 1e-4"), {"train"}),
    ("a shared parameter", params("  max_tokens: 48", "  max_tokens: 32"), {"tokenize", "train"}),
    ("the weights", params("  weights: pinned", "  weights: none"), {"weights", "tokenize", "train"}),
    ("threads", params("  threads: 2", "  threads: 1"), {"baseline", "train", "evaluate", "explain"}),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working tree with a line in the place of each output, all of it committed to DVC: dvc.lock is in step."""
    root = tmp_path_factory.mktemp("project") / "project"
    shutil.copytree(ROOT / "stages", root / "stages", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", "pyproject.toml", "README.md", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    for stage in YAML(typ="safe").load(root / "dvc.yaml")["stages"].values():
        for out in (*stage["outs"], *stage.get("metrics", [])):
            stand_in(root / (out if isinstance(out, str) else next(iter(out))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site"))
        with Repo.init(str(root), no_scm=True) as repo:
            patch.chdir(root)
            repo.commit(force=True)
        yield root


def stand_in(path: Path) -> None:
    """A file, or a folder with a file in it."""
    file = path if path.suffix else path / "file"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{path}\n")


def outdated(root: Path) -> set[str]:
    """The stages that `dvc repro` would run."""
    with Repo(str(root)) as repo:
        return set(repo.status())


@pytest.fixture
def copy(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to edit."""
    shutil.copytree(project, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_edits_that_re_run_nothing(copy: Path):
    """The shell, commands, engines; unchosen tasks and architectures and their parameters; tools and their settings."""
    assert outdated(copy) == set()
    for edit in RE_RUN_NOTHING:
        edit(copy)
    assert outdated(copy) == set()


@pytest.mark.parametrize(("edit", "stages"), [pytest.param(edit, stages, id=what) for what, edit, stages in RE_RUN])
def test_an_edit_re_runs(copy: Path, edit: Edit, stages: set[str]):
    edit(copy)
    assert outdated(copy) == stages
