"""Recipes: the defaults with an overlay, comments kept; built in a clone, with scores that the README quotes."""

import io
import json
import os
import re
import shutil
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.commands import _recipes, recipe
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.hashing import sha256
from stages.core.records import side_rows
from stages.shell.params import check, read
from stages.shell.plugins import nearest
from tests.conftest import ROOT, Clone, case, lay, unheard
from tests.sources.reading import needs_mirror

README = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml") if path.stem != "default")
DEFAULTS = """\
# Of all of it.

ingest:  # first
  size: 10  # documents
  sources:  # in order
    # what is of the old one
    - {name: docs}

    - name: more
# Of training.

train:
  epochs: 4  # at most
  steps: [a, b]
  note: >
    some
    words

  rate: 3e-4
"""


def loaded(text: str) -> Any:
    return YAML(typ="safe").load(text)


def said(*arguments: str) -> str:
    """What `reprolm recipe` prints here."""
    parser, out = ArgumentParser(), io.StringIO()
    recipe.arguments(parser)
    with redirect_stdout(out):
        assert recipe.main(parser.parse_args(arguments)) == 0
    return out.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the recipes and the parameters alone, where they may be changed."""
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    for name in ("params.yaml", "pyproject.toml", "stages"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "params.yaml").unlink()
    shutil.copyfile(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What an overlay does to a text


@pytest.mark.parametrize(
    ("overlay", "before", "after"),
    [
        ("train.epochs: 3", "  epochs: 4  # at most\n", "  epochs: 3  # at most\n"),
        ("train.epochs: 3  # enough", "  epochs: 4  # at most\n", "  epochs: 3  # enough\n"),
        ("# head\n\n# why\ntrain.epochs: 3", "  epochs: 4  # at most\n", "  # why\n  epochs: 3  # at most\n"),
        ("train.steps:  # two\n  - c  # one\n  - d", "  steps: [a, b]\n", "  steps:  # two\n    - c  # one\n    - d\n"),
        (
            "ingest.sources:\n  - name: mine  # new\n\n  - {name: '#'}",
            "  sources:  # in order\n    # what is of the old one\n    - {name: docs}\n\n    - name: more\n",
            "  sources:  # in order\n    - name: mine  # new\n\n    - {name: '#'}\n",
        ),
        ("train.note: '# 1'", "  note: >\n    some\n    words\n", "  note: '# 1'\n"),
        ("train.rate: 1e-3", "  rate: 3e-4\n", "  rate: 1e-3\n"),
        (
            "ingest: {size: 1}",
            DEFAULTS[DEFAULTS.index("ingest:") : DEFAULTS.index("# Of training")],
            "ingest: {size: 1}  # first\n",
        ),
    ],
)
def test_a_value_takes_the_place_of_another_and_all_else_stays(overlay: str, before: str, after: str):
    assert before in DEFAULTS
    assert _recipes.laid(DEFAULTS, overlay, "recipes/a.yaml") == DEFAULTS.replace(before, after)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_categories=["C"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c c"]), inner, max_size=3),
    max_leaves=6,
)


def block(path: str, value: Any) -> str:
    """An entry of an overlay in lines of its own."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = False
    yaml.dump({path: value}, text)
    return text.getvalue()


def flow(path: str, value: Any) -> str:
    """The same within its line."""
    return f"{path}: {json.dumps(value, ensure_ascii=False)}\n"


@given(
    st.dictionaries(st.sampled_from(["ingest.size", "ingest.sources", "train.note", "train.rate"]), VALUES, min_size=1),
    st.sampled_from([block, flow]),
)
def test_any_values_arrive(overlay: dict[str, Any], write: Callable[[str, Any], str]):
    wanted = loaded(DEFAULTS)
    for path, value in overlay.items():
        section, key = path.split(".")
        wanted[section][key] = value
    found = _recipes.laid(DEFAULTS, "".join(write(path, value) for path, value in overlay.items()), "recipes/a.yaml")
    assert loaded(found) == wanted
    assert "# Of all of it.\n" in found and "# Of training.\n" in found


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        (
            "train.epoch: 3",
            "a.yaml: train.epoch: no such place in the defaults; did you mean train.epochs or train.steps?",
        ),
        (
            "train: {}\ntrain.rate: 1",
            "a.yaml: train.rate stands within train, which is replaced as a whole; keep one of them",
        ),
    ],
)
def test_an_overlay_that_can_not_be_laid(overlay: str, message: str):
    with pytest.raises(Fault, match=f"^{re.escape(message)}$"):
        _recipes.laid(DEFAULTS, overlay, "a.yaml")


# The recipes that there are


def test_the_defaults_are_the_committed_parameters():
    """`cp params.yaml recipes/default.yaml` where they are no longer."""
    assert (ROOT / "recipes/default.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_right(here: Path, name: str):
    said("apply", name)
    assert check(read(here / "params.yaml")).faults == []
    (source,) = read(here / "params.yaml")["ingest"]["sources"]
    assert source["licence"] and all(re.match("https://", at) for at in re.findall(r'at: "(.*?)"', text_of(name)))


def text_of(name: str) -> str:
    return (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8")


def test_what_was_applied_before_makes_no_difference(here: Path):
    alone = {name: applied(here, name) for name in (*NAMES, "default")}
    assert alone["default"] == (ROOT / "recipes/default.yaml").read_text(encoding="utf-8")
    for first, then in product(alone, alone):
        (here / "params.yaml").write_text(alone[first], encoding="utf-8")
        assert applied(here, then) == alone[then]


def applied(folder: Path, name: str) -> str:
    """params.yaml with a recipe."""
    said("apply", name)
    return (folder / "params.yaml").read_text(encoding="utf-8")


# What is refused


def fault(*arguments: str) -> str:
    """The message of a call that must fail."""
    with pytest.raises(Fault) as told:
        said(*arguments)
    return str(told.value)


def test_an_unknown_recipe(here: Path):
    assert fault("apply", "sib20") == f"no recipe 'sib20' in recipes; there is: {', '.join(nearest('sib20', NAMES))}"
    assert nearest("sib20", NAMES)[0] == "sib200"


def test_own_changes_are_not_thrown_away(here: Path):
    lay(here / "params.yaml", {"train": {"epochs": 9}})
    before = (here / "params.yaml").read_text(encoding="utf-8")
    assert fault("apply", NAMES[0]) == (
        "params.yaml: has changes that no recipe has, and they would be lost; keep them in recipes (as default.yaml, "
        "or as a recipe of your own), or give --force:\n  train.epochs"
    )
    assert (here / "params.yaml").read_text(encoding="utf-8") == before
    (here / "params.yaml").write_text(f"{(here / 'recipes/default.yaml').read_text(encoding='utf-8')}# mine\n", "utf-8")
    assert fault("apply", NAMES[0]).endswith(":\n  the form or the comments, no value")
    said("apply", NAMES[0], "--force")
    assert said("apply", "default") == "params.yaml: the defaults; `make repro` builds it\n"


def test_a_wrong_overlay_is_not_applied(here: Path):
    before = (here / "params.yaml").read_bytes()
    (here / "recipes/mine.yaml").write_text("train.epochs: many\nmodel.task: summary\n", encoding="utf-8")
    told = fault("apply", "mine")
    assert told.startswith("recipes/mine.yaml: 2 to mend:") and "train.epochs: " in told and "model.task: " in told
    assert (here / "params.yaml").read_bytes() == before


def test_a_build_needs_a_commit(here: Path):
    told = fault("run", NAMES[0])
    assert told.startswith("git rev-parse --verify: ") and "not a git repository" in told
    assert told.endswith(
        "`recipe run` builds a commit of a Git repository: run it in a clone, or `git init` and commit what is here"
    )


# What is built: recipes on small files of the same form, without a network

PLACES = ("harbour", "museum", "library", "station", "garden", "market", "bridge", "castle")
FIELDS = {"SLAM": "maps of a moving robot", "NeRF": "fields of light and views", "Image Matching": "pairs of pictures"}


def messages() -> list[str]:
    """Label, tab, text; a quote is nothing special in it."""
    ham = [f'ham\tSee you at the {PLACES[n % 8]} at {n}, I bring a "map of the {PLACES[n % 5]}' for n in range(40)]
    spam = [f"spam\tWIN {n}00 pounds now! Call {n}{n}{n}, quote {PLACES[n % 7]} to claim" for n in range(40)]
    return ["".join(f"{line}\n" for line in [*ham, *spam])]


def utterances() -> list[str]:
    """Texts and intents of the three sides, each in a file, with the spaces that end the lines of the real ones."""
    said = {
        "PlayMusic": "play the song about a {}",
        "GetWeather": "will it rain at the {}",
        "BookRestaurant": "a table near the {}",
    }
    found: list[str] = []
    for side, many in (("for us", 12), ("tomorrow", 4), ("please", 4)):
        rows = [
            (text.format(f"{PLACES[n % 8]} {n} {side}"), label) for label, text in said.items() for n in range(many)
        ]
        found += ["".join(f"{row[n]} \n" for row in rows) for n in (0, 1)]
    return found


def papers() -> list[str]:
    """Field → number → line of a table; one of the papers stands under two fields."""
    found = {
        field: {
            f"{year}.{n:05}": f"|**20{year}-01-01**|**On {what}, part {n} at the {PLACES[n % 8]}**|A. Author|null|\n"
            for n in range(24)
        }
        for year, (field, what) in enumerate(FIELDS.items(), start=21)
    }
    found["NeRF"] |= {"21.00003": found["SLAM"]["21.00003"]}
    return [json.dumps(found)]


FILES = {"sms_spam": messages, "snips": utterances, "arxiv_cv_daily": papers}


def cut_down(name: str, root: Path) -> str:
    """The overlay of a recipe, with small files in the project for those of the web."""
    text = re.sub(r"^split\.labels: .*$", "split.labels: 0", text_of(name), flags=re.MULTILINE)
    pins = re.compile(r'at: "https://[^"]+", sha256: [0-9a-f]{64}')
    for n, content in enumerate(FILES[name]()):
        path = root / "excerpts" / name / f"{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        text = pins.sub(f"at: excerpts/{name}/{n}, sha256: {sha256(path)}", text, count=1)
    assert not pins.search(text)
    return text


@pytest.fixture(scope="module")
def project(cloned: Callable[[Path], Clone], tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project whose defaults are tiny and from scratch, with cut-down recipes alone."""
    clone = cloned(tmp_path_factory.mktemp("recipes") / "project")
    shutil.rmtree(clone.root / "recipes")
    (clone.root / "recipes").mkdir()
    clone.change(case("light.yaml") | {"baseline": {"c": [10.0]}})
    shutil.copyfile(clone.root / "params.yaml", clone.root / "recipes/default.yaml")
    for name in FILES:
        (clone.root / f"recipes/{name}.yaml").write_text(cut_down(name, clone.root), encoding="utf-8")
    clone.commit("recipes")
    return clone


@pytest.fixture(scope="module")
def made(project: Clone) -> dict[str, str]:
    """Each recipe, built and committed, and what that printed."""
    told: dict[str, str] = {}
    for name in FILES:
        told[name] = project.run("python", "-m", "stages.commands", "recipe", "run", name)
        project.commit(name)
    return told


@pytest.mark.parametrize("name", FILES)
def test_a_cut_down_recipe(project: Clone, made: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str):
    assert f"recipes/{name}.metrics.json, recipes/{name}.lock: written" in made[name]
    monkeypatch.chdir(project.root)
    assert _recipes.changed(name) == [] and recipe.state(name) is None
    metrics = read_json(project.root / f"recipes/{name}.metrics.json")
    assert metrics["documents"]["ingest"]["in"] == {"sms_spam": 80, "snips": 60, "arxiv_cv_daily": 73}[name]
    assert metrics["documents"]["dedup"]["out"] == {"sms_spam": 80, "snips": 60, "arxiv_cv_daily": 72}[name]
    assert not (project.root / "dvc.lock").exists() and not list((project.root / ".dvc/tmp").glob("recipe-*"))


@pytest.mark.usefixtures("made")
def test_what_was_built_is_listed_with_what_has_changed_since(
    project: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = project.copy(tmp_path / "project").root
    monkeypatch.chdir(root)
    (root / "recipes/snips.lock").unlink()
    lay(root / "recipes/default.yaml", {"train": {"weight_decay": 0.5}})
    with (root / "stages/cleaners/whitespace.py").open("a", encoding="utf-8") as file:
        file.write("\n# no more\n")
    head, _, *rows, arxiv, sms, snips = said("list").splitlines()
    assert head == "| recipe | what | documents | model | linear baseline | others |"
    assert [row.split(" | ")[0] for row in rows] == ["| `arxiv_cv_daily`", "| `sms_spam`", "| `snips`"]
    told = "{0}: built with an earlier version of dedup, clean, train; `reprolm recipe run {0}` builds it again"
    assert (arxiv, sms) == (told.format("arxiv_cv_daily"), told.format("sms_spam"))
    assert snips == "snips: not built yet; `reprolm recipe run snips` builds it"
    assert "macro-F1" in said("show", "sms_spam") and "rename: {}" in said("show", "sms_spam")


def test_a_build_is_that_of_the_last_commit(project: Clone, tmp_path: Path):
    clone = project.copy(tmp_path / "project")
    (clone.root / "recipes/snips.yaml").write_text("train.epochs: 1\n", encoding="utf-8")
    (clone.root / "stages/cleaners/mine.py").touch()
    status, told = clone.tried("python", "-m", "stages.commands", "recipe", "run", "snips")
    assert status == 1 and told == (
        "reprolm recipe: a recipe is built from the last commit, which has not what stands here; commit it first (`git "
        "add` and `git commit`), or put it aside (`git stash`):\n  recipes/snips.yaml\n  stages/cleaners/mine.py\n"
    )


def test_a_source_that_can_not_be_had(project: Clone, tmp_path: Path):
    clone = unheard(project.copy(tmp_path / "project"))
    (clone.root / "mirrors.txt").write_text(f"https:// {tmp_path}/nothing/\n", encoding="utf-8")
    shutil.copyfile(ROOT / "recipes/sms_spam.yaml", clone.root / "recipes/sms_spam.yaml")
    clone.commit()
    status, told = clone.tried("python", "-m", "stages.commands", "recipe", "run", "sms_spam")
    assert status == 1 and "its mirror has no " in told
    assert told.endswith(
        "reprolm recipe: sms_spam: `dvc repro` failed, as told above; nothing was written. Mend it, commit, run again: "
        "the stages that went well are cached. Addresses that can't be reached from here: name a mirror in mirrors.txt"
        "\n"
    )
    assert clone.run("git", "status", "--porcelain") == ""


# What the README says


def test_the_table_of_the_readme_is_what_is_listed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    (told,) = re.findall(r"<!-- reprolm recipe list -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert told.strip() == _recipes.table()


@pytest.mark.parametrize("name", [name for name in NAMES if (ROOT / f"recipes/{name}.lock").exists()])
def test_the_metrics_are_those_of_the_build(monkeypatch: pytest.MonkeyPatch, name: str):
    """What stands in the lock for the report's metrics is the file beside it."""
    monkeypatch.chdir(ROOT)
    outs = {one["path"]: one["md5"] for one in _recipes.recorded(name)["report"]["outs"]}
    assert outs["reports/metrics.json"] == _recipes.md5(_recipes.metrics(name))


# All of the sources, at their real size

# Documents, labels, and how many of each side reach the model: of a test side that is given, all.
REAL = {
    "arxiv_cv_daily": (9_312, 6, {"train": 6_001, "validation": 860, "test": 1_715}),
    "banking77": (13_083, 77, {"train": 8_542, "validation": 989, "test": 3_080}),
    "sib200": (10_040, 7, {"train": 7_000, "validation": 990, "test": 2_040}),
    "sib200_languages": (10_040, 10, {"train": 7_000, "validation": 990, "test": 2_040}),
    "sms_spam": (5_574, 2, {"train": 3_057, "validation": 765, "test": 1_275}),
    "snips": (14_484, 7, {"train": 12_491, "validation": 700, "test": 700}),
}


@needs_mirror
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_source_at_its_real_size(cloned: Callable[[Path], Clone], tmp_path: Path, name: str):
    clone = cloned(tmp_path / "project")
    clone.run("python", "-m", "stages.commands", "recipe", "apply", name, "--force")
    clone.run("dvc", "repro", "split", REPROLM_MIRRORS=os.environ["REPROLM_MIRRORS"])
    (source,) = read_json(clone.root / "data/ingest/sources.json")
    sides = Counter(row["side"] for row in side_rows(clone.root / "data/split", ["side"]))
    del sides[None]
    assert (source["documents"], len(source["labels"]), dict(sides)) == REAL[name]
    assert read_json(clone.root / "data/ingest/rejects.json") == []
