"""Shingles over buffers: they are what they seem, and numba changes no bit."""

import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core import shingles as module
from stages.core.buffers import Texts
from stages.shell.closure import ROOT

# Of ASCII all that `str.split` takes for white space, and more; beyond it what grows when made small (İ), is white
# space too (ideographic space, no-break space), or has two small forms (Σ).
SIGNS = st.sampled_from(
    [
        "a",
        "B",
        "Z",
        "[",
        "@",
        " ",
        "  ",
        *map(chr, [9, 10, 11, 12, 13, 28, 29, 30, 31, 127, 0]),
        *"ÄİΣ日本\u3000\xa0\x85😀",
    ]
)
RAW = st.lists(st.lists(SIGNS, max_size=12).map("".join), max_size=5)
TEXTS = RAW.map(lambda texts: [module.normalised(text) for text in texts])
UNITS = st.sampled_from(["word", "character"])
SIZES = st.integers(1, 4)
EXAMPLES = settings(max_examples=60, deadline=None)


def shingles(text: str, unit: str, size: int) -> list[str]:
    """The n-grams of a normalised text, as one would write them down."""
    units = text.split(" ") if unit == "word" else list(text)
    return [(" " if unit == "word" else "").join(units[n : n + size]) for n in range(max(len(units) - size + 1, 1))]


def fnv1a(steps: Iterable[int]) -> int:
    value = 0xCBF29CE484222325
    for step in steps:
        value = (value ^ step) * 0x100000001B3 % 2**64
    return value


def finalized(value: int) -> int:
    """As MurmurHash3 ends."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor % 2**64
    return value ^ value >> 33


def hash64(shingle: str, unit: str) -> int:
    units = shingle.split(" ") if unit == "word" else list(shingle) or [""]
    return fnv1a(finalized(fnv1a(one.encode())) for one in units)


# From the test suite of its authors.
@pytest.mark.parametrize(
    ("text", "value"), [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)]
)
def test_units_are_hashed_by_fnv1a(text: str, value: int) -> None:
    assert fnv1a(text.encode()) == value
    data = np.frombuffer(b"." + text.encode(), np.uint8)
    found = module.hashed(data, np.array([1, 0]), np.array([1 + len(text), 1]))
    assert found.tolist() == [finalized(value), finalized(fnv1a(b"."))]


@EXAMPLES
@given(TEXTS)
def test_units_are_words_or_characters(texts: list[str]) -> None:
    buffers = Texts.of(texts)
    for found, expected in (
        (module.words(buffers), [text.split(" ") for text in texts]),
        (module.characters(buffers), [list(text) or [""] for text in texts]),
    ):
        units = [
            buffers.data[begin:end].tobytes().decode() for begin, end in zip(found.begins, found.ends, strict=True)
        ]
        assert [units[begin:end] for begin, end in pairwise(found.bounds)] == expected


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(TEXTS, UNITS, SIZES)
def test_sets_are_the_different_shingles(fast: bool, texts: list[str], unit: str, size: int) -> None:
    hashes, bounds = module.sets(Texts.of(texts), unit, size, fast)
    expected = [sorted({hash64(one, unit) for one in shingles(text, unit, size)}) for text in texts]
    assert [hashes[begin:end].tolist() for begin, end in pairwise(bounds)] == expected


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(RAW | st.lists(st.text(), max_size=5), st.integers(0, 3), st.sampled_from([pa.string(), pa.large_string()]))
def test_normal_texts_are_the_same_by_either_way(fast: bool, texts: list[str], begin: int, kind: pa.DataType) -> None:
    """Those of a slice of a column, too."""
    found = module.normal(Texts.buffers(pa.array(texts, kind)[begin:]), fast)
    expected = Texts.of([module.normalised(text) for text in texts[begin:]])
    assert found.data.tobytes() == expected.data.tobytes() and np.array_equal(found.offsets, expected.offsets)


def test_every_character_is_made_small_as_python_does() -> None:
    coded = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert all(one == one.lower() and not one.isspace() for one in coded if ord(one) >= module.CASED)
    texts = [f"a{one}B{one}" for one in coded if ord(one) < module.CASED + 9]
    found = module.normal(Texts.of(texts), fast=True)
    expected = Texts.of([module.normalised(text) for text in texts])
    assert np.array_equal(found.data, expected.data) and np.array_equal(found.offsets, expected.offsets)


@pytest.mark.parametrize(("a", "b", "jaccard"), [([1, 2], [1, 2], 1.0), ([1, 2], [2, 3], 1 / 3), ([1], [2], 0.0)])
def test_jaccard_is_exact(a: list[int], b: list[int], jaccard: float) -> None:
    assert module.jaccard(np.array(a, np.uint64), np.array(b, np.uint64)) == jaccard


def test_numba_works_where_it_can_keep_nothing(tmp_path: Path) -> None:
    """In a copy of the code that nobody may write to, for a user without a home."""
    for name in ("__init__.py", "core/buffers.py", "core/shingles.py"):
        (tmp_path / "stages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stages" / name).write_bytes((ROOT / "stages" / name).read_bytes())
    (tmp_path / "stages/core/__pycache__").touch()  # a file where the folder would be: this stops root, too
    story = "from stages.core import shingles as m; print(m.shingles(m.Texts.of(['']), 'word', 1, True)[0])"
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    command = [sys.executable, "-c", story]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == (f"[{hash64('', 'word')}]\n", "")
