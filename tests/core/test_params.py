"""Parameters of all shapes: what is not exactly right is told with its path, and nothing is ever a traceback."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stages.shell.params import COMMON, check, read, stage_names

ROOT = Path(__file__).parent.parent.parent
# YAML reads 2026-01-31 as a date, which no parameter is.
WRONG = date(2026, 1, 31)
Place = tuple[Any, ...]  # keys of mappings, numbers of list items


@cache
def committed() -> dict[str, Any]:
    return read(ROOT / "params.yaml")


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """All nodes of a tree."""
    if place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
    for step, inner in items:
        yield from places(inner, (*place, step))


def at(place: Place, tree: Any) -> Any:
    return at(place[1:], tree[place[0]]) if place else tree


def put(tree: Any, place: Place, value: Any) -> Any:
    """A copy of the tree with another value at a place, the rest as it is."""
    if not place:
        return value
    step, *rest = place
    inner = put(tree.get(step) if isinstance(tree, dict) else tree[step], tuple(rest), value)
    return tree | {step: inner} if isinstance(tree, dict) else (*tree[:step], inner, *tree[step + 1 :])


def written(place: Place) -> str:
    """The place as faults name it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


NODES = sorted(places(committed()), key=str)
MAPPINGS = [place for place in NODES if isinstance(at(place, committed()), dict)]
# The keys of which none may go: of a section that has a type of its own.
KEYS = [place for place in NODES if len(place) == 2 and place[0] in {*COMMON, *stage_names()}]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(WRONG)
WORDS = st.sampled_from(sorted({str(place[-1]) for place in NODES})) | st.text(max_size=3)
TREES = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def test_the_committed_ones_are_right():
    assert check(committed()).faults == []


@given(st.sampled_from(NODES))
def test_a_value_of_another_type_is_told_with_its_path(place: Place):
    faults = check(put(committed(), place, WRONG)).faults
    assert any(fault.startswith(f"{written(place)}: ") for fault in faults), faults


@given(st.sampled_from(MAPPINGS))
def test_an_unknown_key_is_told_with_its_path(place: Place):
    faults = check(put(committed(), (*place, "zz"), WRONG)).faults
    assert {fault.partition(": ")[0] for fault in faults} == {f"{written(place)}.zz"}


@given(st.sampled_from(KEYS))
def test_a_missing_key_is_told_with_its_path(place: Place):
    section, key = place
    rest = {name: value for name, value in committed()[section].items() if name != key}
    assert f"{written(place)}: missing" in check(committed() | {section: rest}).faults


@given(st.sampled_from([(), *NODES]), TREES)
def test_whatever_stands_anywhere_is_told_or_right(place: Place, value: Any):
    """No traceback; and what `check` lets through has a value for every section."""
    tree = put(committed(), place, value)
    if isinstance(tree, dict):
        checked = check(tree)
        assert checked.faults or all(checked.values[name] is not None for name in (*COMMON, *stage_names()))


@given(st.dictionaries(WORDS, TREES, max_size=4))
def test_any_tree_at_all_is_told(tree: dict[str, Any]):
    assert check(tree).faults
