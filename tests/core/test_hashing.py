"""Hashes that ids, seeds and splits hang on: their values may never change."""

import hashlib
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stages.core.hashing import document_id, rng, sha256, stable_hash, uniform

parts = st.lists(st.text() | st.integers())


def test_values_of_the_first_release():
    assert stable_hash() == 13020603013274838756
    assert stable_hash("a", 1) == 8098670429562427586
    assert document_id("docs", "numpy:numpy.linalg:solve:1") == "bc9201f341614fd3"
    assert rng("a", "b", 1).random() == 0.4108105087326469
    assert uniform("a", "abc", 1) == 0.9361423408392369


def test_a_process_that_hashes_otherwise_gives_the_same():
    story = "from stages.core.hashing import *; print(stable_hash('é', 7), uniform('a', 'b', 1), hash('é'))"
    told = [
        subprocess.run(
            [sys.executable, "-c", story], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert told[0][:2] == told[1][:2] == [str(stable_hash("é", 7)), str(uniform("a", "b", 1))]
    assert told[0][2] != told[1][2]


@given(st.text(), st.data())
def test_where_a_part_ends_makes_a_difference(text: str, data: st.DataObject):
    a, b = (data.draw(st.integers(0, len(text))) for _ in "ab")
    assert (stable_hash(text[:a], text[a:]) == stable_hash(text[:b], text[b:])) == (a == b)


def test_numbers_are_spread_evenly():
    drawn = sorted(uniform("picks", f"{n}", 1) for n in range(10_000))
    assert max(abs(one - n / 10_000) for n, one in enumerate(drawn)) < 0.02


def test_parts_do_not_run_into_each_other():
    assert len({stable_hash("ab", "c"), stable_hash("a", "bc"), stable_hash("abc"), stable_hash("abc", "")}) == 4


@given(parts, parts)
def test_other_parts_have_another_hash(a: list[str | int], b: list[str | int]):
    assert (stable_hash(*a) == stable_hash(*b)) == ([str(one) for one in a] == [str(one) for one in b])


@given(st.text(), st.integers())
def test_a_number_of_ones_own(name: str, seed: int):
    assert 0.0 <= uniform("picks", name, seed) < 1.0
    assert uniform("picks", name, seed) == uniform("picks", name, seed) != uniform("augment", name, seed)


def test_who_drew_before_makes_no_difference():
    first = rng("explain", "a", 1).random()
    rng("explain", "b", 1).random()
    assert rng("explain", "a", 1).random() == first != rng("explain", "a", 2).random()


def test_half_a_surrogate_pair_has_a_hash_too():
    assert document_id("docs", "\ud800") != document_id("docs", "?")


def test_sha256_of_a_file(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert sha256(path) == hashlib.sha256(b"abc").hexdigest()
