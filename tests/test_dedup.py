"""Near-duplicates: the first is kept, every removal has its evidence, alike documents are named."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import dedup
from stages.commands._search import signature, values
from stages.core.records import read_table, write_table
from stages.dedup import Params, Repeat

P = Params(ngram=2, bands=20, rows=4, threshold=0.8, together=0.4, seed=1)
TEXT = "the inverse of a square matrix by its factors with pivots in rows and columns of the table"
WORDS = st.lists(st.sampled_from(["a", "b", "c", "Ä", "日本"]), max_size=12).map(" ".join)


def found(*texts: str) -> dedup.Found:
    """What is decided about the texts; their ids are 0, 1, 2 …"""
    return dedup.separate([str(n) for n in range(len(texts))], texts, dedup.signatures(texts, P), P)


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4))
def test_a_signature_is_that_of_datasketch(texts: list[str]) -> None:
    for text, row in zip(texts, dedup.signatures(texts, P), strict=True):
        one = MinHash(num_perm=80, seed=P.seed, scheme="affine32", hashfunc=dedup.hash32)
        one.update_batch([shingle.encode() for shingle in dedup.shingles(text, P.ngram)])
        assert np.array_equal(row, one.hashvalues)


@settings(max_examples=25, deadline=None)
@given(WORDS)
def test_trace_makes_the_same_signature_without_datasketch(text: str) -> None:
    (expected,) = dedup.signatures([text], P)
    assert np.array_equal(signature(dedup.shingles(text, P.ngram), dedup.recipe(P)), expected)


def test_signatures_are_kept_to_the_bit(tmp_path: Path) -> None:
    made = dedup.signatures(["a b c", "a b d"], P)
    write_table(tmp_path / "signatures.parquet", dedup.signature_table(["x", "y"], made, dedup.recipe(P)))
    table = read_table(tmp_path / "signatures.parquet")
    assert table.column("id").to_pylist() == ["x", "y"]
    assert np.array_equal(values(table.column("signature")), made)
    assert json.loads((table.schema.metadata or {})[b"minhash"]) == dedup.recipe(P)


def test_a_shard_may_have_no_signatures() -> None:
    table = dedup.signature_table([], dedup.signatures(["a"], P)[:0], dedup.recipe(P))
    assert table.num_rows == 0 and values(table.column("signature")).shape == (0, 80)


def test_shingles_are_word_ngrams_and_a_short_text_is_one() -> None:
    assert dedup.shingles("a b c a b", 2) == {"a b", "b c", "c a"}
    assert dedup.shingles("a", 3) == {"a"}
    assert dedup.shingles("", 3) == {""}


def test_case_and_white_space_make_the_same_text() -> None:
    assert dedup.exact(["x", "y", "z"], [dedup.normalised(one) for one in ("A  b", "c", "a\nB")]) == {
        "z": Repeat("x", 1.0, "same text")
    }


def test_the_first_is_kept_and_the_evidence_is_exact() -> None:
    repeats = found(TEXT, f"{TEXT} again").repeats
    pairs = len(TEXT.split()) - 1
    assert repeats == {"1": Repeat("0", pairs / (pairs + 1), "near-duplicate")}


def test_a_document_goes_only_for_one_that_is_kept() -> None:
    # Each is near the one before, the third is far from the first: it stays, as the second is gone.
    words = TEXT.split()
    first, second, third = (" ".join(words[n : n + 12]) for n in range(3))
    decided = found(first, second, third)
    assert list(decided.repeats) == ["1"] and decided.repeats["1"].of == "0"
    assert decided.clusters == {"0": "0", "2": "0"}


def test_the_closest_kept_document_is_named() -> None:
    decided = found(f"{TEXT} one two three", f"{TEXT} four five", TEXT)
    assert decided.repeats == {"2": Repeat("1", 17 / 19, "near-duplicate")}


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=2, max_size=12))
def test_what_comes_later_changes_no_earlier_decision(texts: list[str]) -> None:
    earlier = found(*texts[:-1]).repeats
    later = found(*texts).repeats
    assert {one: repeat for one, repeat in later.items() if int(one) < len(texts) - 1} == earlier


def test_unlike_documents_have_no_cluster() -> None:
    assert found("one two three four", "five six seven eight").clusters == {}


def test_an_exact_repeat_of_a_removed_document_points_to_the_kept_one() -> None:
    near = {"b": Repeat("a", 0.9, "near-duplicate")}
    same = {"c": Repeat("b", 1.0, "same text"), "d": Repeat("a", 1.0, "same text")}
    assert dedup.first_kept(same, near) == {"c": Repeat("a", 0.9, "near-duplicate"), "d": Repeat("a", 1.0, "same text")}


@pytest.mark.parametrize(("a", "b", "jaccard"), [("ab", "ab", 1.0), ("ab", "bc", 1 / 3), ("a", "b", 0.0)])
def test_jaccard_is_exact(a: str, b: str, jaccard: float) -> None:
    assert dedup.jaccard(frozenset(a), frozenset(b)) == jaccard


def test_every_document_has_a_row() -> None:
    table = dedup.side_table(
        ["a", "b"],
        {"b": Repeat("a", 2 / 3, "near-duplicate")},
        {"a": "a"},
        {one: dedup.Text(one, "", None, None) for one in "ab"},
    )
    assert table.to_pylist() == [
        {"id": "a", "reason": None, "of": None, "jaccard": None, "cluster": "a"},
        {"id": "b", "reason": "near-duplicate", "of": "a", "jaccard": 0.666667, "cluster": None},
    ]


@pytest.mark.parametrize(
    ("label", "kept", "reason"),
    [
        (None, "x", "same text"),
        ("x", "x", "same text"),
        ("x", "y", "same text, other label"),
        ("x", None, "same text, label lost"),
    ],
)
def test_a_reason_says_when_a_label_goes_too(label: str | None, kept: str | None, reason: str) -> None:
    assert dedup.reason(Repeat("a", 1.0, "same text"), label, kept) == reason


def test_of_twins_the_one_that_the_source_has_in_training_goes() -> None:
    told = {"a": None, "b": "test", "c": "test", "d": "validation", "e": "train"}
    documents = dedup.first_the_given([dedup.Text(one, TEXT, None, split) for one, split in told.items()])
    assert [one.id for one in documents] == ["b", "c", "d", "a", "e"]
    held = {"b", "c", "d"}
    same = dedup.exact([one.id for one in documents], [TEXT] * 5, held)
    assert {one: repeat.of for one, repeat in same.items()} == {"a": "b", "e": "b"}


def test_a_near_twin_in_a_given_side_stays_and_is_tied() -> None:
    texts = [TEXT, TEXT.replace("table", "tables"), TEXT.replace("table", "row")]
    signature = dedup.signatures(texts, P)
    found = dedup.separate(["a", "b", "c"], texts, signature, P, {"a", "b"})
    assert found.repeats.keys() == {"c"} and found.clusters == {"a": "a", "b": "a"}
