"""MinHash over buffers: shingles are what they seem, signatures are datasketch's, and numba changes no bit."""

import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core import buffers, minhash
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
TEXTS = RAW.map(lambda texts: [minhash.normalised(text) for text in texts])
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


def hash32(shingle: bytes, unit: str) -> int:
    value = hash64(shingle.decode(), unit)
    return value >> 32 ^ value & 0xFFFFFFFF


# From the test suite of its authors.
@pytest.mark.parametrize(
    ("text", "value"), [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)]
)
@pytest.mark.parametrize("fast", [False, True])
def test_units_are_hashed_by_fnv1a(text: str, value: int, fast: bool) -> None:
    assert fnv1a(text.encode()) == value
    data = np.frombuffer(b"." + text.encode(), np.uint8)
    found = minhash.hashed(data, np.array([1, 0]), np.array([1 + len(text), 1]), fast)
    assert found.tolist() == [finalized(value), finalized(fnv1a(b"."))]


@EXAMPLES
@given(TEXTS)
def test_units_are_words_or_characters(texts: list[str]) -> None:
    buffers = Texts.of(texts)
    for found, expected in (
        (minhash.words(buffers), [text.split(" ") for text in texts]),
        (minhash.characters(buffers), [list(text) or [""] for text in texts]),
    ):
        units = [
            buffers.data[begin:end].tobytes().decode() for begin, end in zip(found.begins, found.ends, strict=True)
        ]
        assert [units[begin:end] for begin, end in pairwise(found.bounds)] == expected


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(TEXTS, UNITS, SIZES, st.integers(1, 40), st.integers(0, 9))
def test_a_signature_is_that_of_datasketch(
    fast: bool, texts: list[str], unit: str, size: int, permutations: int, seed: int
) -> None:
    a, b = np.asarray(MinHash(permutations, seed=seed, scheme=minhash.SCHEME).permutations).tolist()
    found = minhash.signatures(Texts.of(texts), unit, size, a, b, fast)
    assert found.shape == (len(texts), permutations) and found.dtype == np.uint32
    for text, row in zip(texts, found, strict=True):
        one = MinHash(permutations, seed=seed, scheme=minhash.SCHEME, hashfunc=lambda shingle: hash32(shingle, unit))
        one.update_batch([shingle.encode() for shingle in shingles(text, unit, size)])
        assert np.array_equal(row, one.hashvalues)


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(TEXTS, UNITS, SIZES)
def test_sets_are_the_different_shingles(fast: bool, texts: list[str], unit: str, size: int) -> None:
    hashes, bounds = minhash.sets(Texts.of(texts), unit, size, fast)
    expected = [sorted({hash64(one, unit) for one in shingles(text, unit, size)}) for text in texts]
    assert [hashes[begin:end].tolist() for begin, end in pairwise(bounds)] == expected


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(RAW, st.integers(0, 3))
def test_normal_texts_are_the_same_by_either_way(fast: bool, texts: list[str], begin: int) -> None:
    """Those of a slice of a column, too."""
    found = minhash.normal(pa.array(texts, pa.string())[begin:], fast)
    expected = Texts.of([minhash.normalised(text) for text in texts[begin:]])
    assert found.data.tobytes() == expected.data.tobytes() and np.array_equal(found.offsets, expected.offsets)


@EXAMPLES
@given(TEXTS, st.integers(1, 12))
def test_it_does_not_matter_how_many_texts_are_in_memory_at_a_time(texts: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffers, "BATCH", size)
        batches = list(Texts.of(texts).batches())
    assert all(len(batch.data) <= size or len(batch.offsets) == 2 for batch in batches)
    found = [batch.data[a:b].tobytes().decode() for batch in batches for a, b in pairwise(batch.offsets)]
    assert found == texts


@pytest.mark.parametrize(("a", "b", "jaccard"), [([1, 2], [1, 2], 1.0), ([1, 2], [2, 3], 1 / 3), ([1], [2], 0.0)])
def test_jaccard_is_exact(a: list[int], b: list[int], jaccard: float) -> None:
    assert minhash.jaccard(np.array(a, np.uint64), np.array(b, np.uint64)) == jaccard


def test_numba_works_where_it_can_keep_nothing(tmp_path: Path) -> None:
    """In a copy of the code that nobody may write to, for a user without a home."""
    for name in ("__init__.py", "core/buffers.py", "core/minhash.py"):
        (tmp_path / "stages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "stages" / name).write_bytes((ROOT / "stages" / name).read_bytes())
    (tmp_path / "stages/core/__pycache__").touch()  # a file where the folder would be: this stops root, too
    story = "from stages.core import minhash as m; print(m.hashed(m.np.empty(0, 'u1'), *m.np.zeros((2, 1), int), True))"
    env = {"PATH": os.environ["PATH"], "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    command = [sys.executable, "-c", story]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("[17280346270528514342]\n", "")
