"""params.yaml is changed where it has to be, and nowhere else."""

import re
from functools import reduce
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.commands._edit import Written, edited
from stages.core.faults import Fault
from tests.conftest import CASES, ROOT

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
EDITS = YAML(typ="safe").load(CASES / "edit_params.yaml")


def load(text: str) -> Any:
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize("case", EDITS, ids=lambda case: case["label"])
def test_values_stand_as_what_was_there(case: dict[str, Any]):
    value = Written(case["written"]) if "written" in case else case["value"]
    assert edited(case["text"], {tuple(case["path"]): value}) == case["gives"]


def paths(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All that can be replaced in a tree, and a place behind the last one of each collection."""
    match tree:
        case dict():
            inner = [(*path, key) for key in [*tree, "new key"]]
        case list():
            inner = [(*path, n) for n in range(len(tree) + 1)]
        case _:
            return [path]
    return [path, *(one for further in inner for one in paths(at(tree, further[-1]), further))]


def at(tree: Any, step: Any) -> Any:
    try:
        return tree[step]
    except LookupError:
        return None


def put(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The same, by way of Python."""
    if not path:
        return value
    step, *rest = path
    inner = put(at(tree, step), tuple(rest), value)
    if isinstance(tree, dict):
        return tree | {step: inner}
    return [*tree[:step], inner, *tree[step + 1 :]]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["~", "yes", "1e-3", "- a", "a: b", "# no", "2024-01-01", "<<", "=", "''", '"', "a #b", "[", "\n"]),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
PLACES = [path for path in paths(load(TEXT)) if path]


@settings(max_examples=40)
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_in_any_place_of_params_is_read_as_it_is(path: tuple[Any, ...], value: Any):
    before = load(TEXT)
    after = edited(TEXT, {path: value})
    assert repr(load(after)) == repr(put(before, path, value))


@settings(max_examples=40)
@given(st.sampled_from(PLACES), SCALARS)
def test_a_scalar_for_a_scalar_changes_its_line_alone_and_no_comment(path: tuple[Any, ...], value: Any):
    assume(not isinstance(reduce(at, path, load(TEXT)), dict | list))
    old, new = TEXT.splitlines(), edited(TEXT, {path: value}).splitlines()
    gone, came = [line for line in old if line not in new], [line for line in new if line not in old]
    assert len(gone) <= len(came) <= 1
    assert comments(came) == comments(gone)


def comments(lines: list[str]) -> list[str]:
    return [comment for line in lines if (comment := line.partition("  # ")[2])]


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("a: &x {b: 1}\nc: *x\n", ("c", "b"), "c.b: can't be written in its place, as an alias repeats it elsewhere"),
        ("a: &x {b: 1}\nc: *x\n", ("a",), "a: can't be written in its place, as an alias repeats it elsewhere"),
        ("a: &x {b: 1}\nc: [*x]\n", ("a", "b"), "a.b: can't be written in its place, as an alias repeats it elsewhere"),
        ("a: 1\n", ("a", "b"), "a.b: can't be written in its place, as 'b' would stand in something else"),
        ("a: [1]\n", ("a", 2), "a[2]: can't be written in its place, as 2 would stand in something else than a list"),
        ("{a, b: 1}\n", ("a",), "a: can't be written in its place, this is more than can be done"),
    ],
)
def test_what_would_change_more_than_one_value_is_refused(text: str, path: tuple[Any, ...], told: str):
    with pytest.raises(Fault, match=re.escape(told)):
        edited(text, {path: 2})


def test_many_changes_at_once():
    text = "a: 1  # one\nb: [1]\n"
    assert edited(text, {("a",): 2, ("b", 1): 2, ("b", 2): 3, ("c",): None}) == "a: 2  # one\nb: [1, 2, 3]\nc: null\n"
