"""Recipes: the defaults with an overlay, comments kept; built in a clone, with scores that the README quotes."""

import hashlib
import io
import json
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
from stages.core.records import read_table, shards
from stages.shell.params import check, read
from tests.conftest import ROOT, Clone, case, lay
from tests.shim import where_nobody_answers
from tests.sources.reading import needs_mirror

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
        ("train.epoch: 3", "a.yaml: train.epoch: no such place in the defaults; did you mean train.epochs or train.steps?"),
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
    alone = {name: applied(here, "default", name) for name in ("default", *NAMES)}
    assert alone["default"] == (ROOT / "recipes/default.yaml").read_text(encoding="utf-8")
    for first, then in product(alone, alone):
        assert applied(here, first, then) == alone[then]


def applied(folder: Path, *names: str) -> str:
    """params.yaml after some recipes."""
    for name in names:
        said("apply", name)
    return (folder / "params.yaml").read_text(encoding="utf-8")
