"""MinHash: signatures are datasketch's, and numba changes no bit."""

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from stages.core import minhash
from stages.core.buffers import Texts
from tests.core.test_shingles import EXAMPLES, SIZES, TEXTS, UNITS, hash64, shingles


def hash32(shingle: bytes, unit: str) -> int:
    value = hash64(shingle.decode(), unit)
    return value >> 32 ^ value & 0xFFFFFFFF


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


@pytest.mark.parametrize(
    ("permutations", "threshold", "recall", "way"),
    [(120, 0.8, 0.99, (20, 6)), (128, 0.8, 0.86, (14, 9)), (120, 1.0, 0.99, (1, 120)), (64, 0.5, 0.99, (32, 2))],
)
def test_the_longest_bands_that_find_enough(
    permutations: int, threshold: float, recall: float, way: tuple[int, int]
) -> None:
    assert minhash.banding(permutations, threshold, recall) == way
    assert minhash.met(threshold, *way) >= recall
    longer = way[1] + 1
    assert longer > permutations or minhash.met(threshold, permutations // longer, longer) < recall


def test_pairs_meet_as_often_as_the_curve_says() -> None:
    """A thousand pairs of sets with the similarity .8."""
    rng = np.random.default_rng(0)
    sets = [rng.integers(0, 2**63, 10).astype(np.uint64) for _ in range(1_000)]
    hashes = np.concatenate([part for one in sets for part in (one[:9], one[1:])])
    a, b = (rng.integers(0, 2**32, 30).astype(np.uint32) | np.uint32(1) for _ in range(2))
    key = minhash.keys(minhash.least(hashes, np.arange(2_001) * 9, a, b, fast=False), 5)
    together = (key[::2] == key[1::2]).any(axis=1).mean()
    assert abs(together - minhash.met(0.8, 5, 6)) < 0.04
