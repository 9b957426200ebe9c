"""Near-duplicates: the first is kept, every removal has its evidence, alike documents are named."""

import json
import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import dedup
from stages.cleaners import mask
from stages.commands._search import signature, values
from stages.core import minhash, shingles
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.nearness import THRESHOLDS
from stages.core.records import Document, read_table, side_rows, texts_of, write_documents
from stages.core.shingles import normalised
from stages.dedup import Params
from stages.engines.serial import Serial
from stages.shell.engine import Engine

P = Params(
    unit="word",
    ngram=2,
    steps=(),
    apart=(),
    permutations=80,
    recall=0.999,
    threshold=0.8,
    together=0.4,
    sample=0,
    seed=1,
    settings={},
)
TEXT = "the inverse of a square matrix by its factors with pivots in rows and columns of the table"
WORDS = st.lists(st.sampled_from(["a", "b", "c", "Ä", "日本"]), max_size=8).map(" ".join)
SIDES = st.sampled_from([None, "train", "validation", "test"])
EXAMPLES = settings(max_examples=40, deadline=None)


class Fate(NamedTuple):
    """What a side table says of a document."""

    reason: str | None = None
    of: str | None = None
    jaccard: float | None = None
    cluster: str | None = None
    joins: Sequence[str] = []


def corpus(texts: Sequence[str], sides: Sequence[str | None] = ()) -> list[Document]:
    """Documents with the ids 0, 1, 2 …"""
    told = [*sides, *[None] * len(texts)]
    return [Document(f"{n}", text, None, "s", None, None, {}, split=told[n]) for n, text in enumerate(texts)]


def ngrams(text: str, p: Params) -> set[tuple[str, ...]]:
    """The n-grams of a text, as one would write them down."""
    units = normalised(text).split() if p.unit == "word" else list(normalised(text))
    return {tuple(units[n : n + p.ngram]) for n in range(max(len(units) - p.ngram + 1, 1))}


def bands(document: Document, p: Params) -> set[tuple[int, ...]]:
    """The bands of a signature, each with its number."""
    row = signature(normalised(document.text), dedup.recipe(p)).tolist()
    number, rows = dedup.banding(p)
    return {(n, *row[n * rows : (n + 1) * rows]) for n in range(number)}


def reference(documents: Sequence[Document], p: Params) -> dict[str, Fate]:
    """The same decisions, by comparing every document with every earlier one that is kept."""
    rank = {"test": 0, "validation": 1}
    texts, found, kept = dict[str, str](), dict[str, Fate](), list[Document]()
    groups: list[list[str]] = []
    joins: dict[str, list[str]] = {}
    for one in sorted(documents, key=lambda one: rank.get(one.split or "", 2)):
        held, text = one.split in rank, normalised(one.text)
        if texts.setdefault(text, one.id) != one.id and not held:
            first = found.get(texts[text], Fate())
            found[one.id] = first._replace(cluster=None) if first.reason else Fate("same text", texts[text], 1.0)
            continue
        mine, near = ngrams(one.text, p), dict[str, float]()
        for other in kept:
            theirs = ngrams(other.text, p)
            if bands(one, p) & bands(other, p):
                near[other.id] = len(mine & theirs) / len(mine | theirs)
        closest = max(near, key=lambda other: near[other], default=None)
        if closest is not None and near[closest] >= p.threshold and not held:
            found[one.id] = Fate("near-duplicate", closest, round(near[closest], 6))
            continue
        kept.append(one)
        tied = {other for other, jaccard in near.items() if jaccard >= p.together}
        united = [group for group in groups if tied & set(group)]
        firsts = [min(group, key=[other.id for other in kept].index) for group in united]
        joins[one.id] = sorted(firsts) if texts[text] == one.id else [texts[text]]
        groups = [group for group in groups if group not in united] + [[*chain(*united), one.id]]
    place = [one.id for one in kept]
    for group in groups:
        if len(group) > 1:
            found |= {one: Fate(cluster=min(group, key=place.index), joins=joins[one]) for one in group}
    return {one.id: found.get(one.id, Fate()) for one in documents}


def decided(documents: Sequence[Document], folder: Path, p: Params = P, shards: int = 1) -> dict[str, Fate]:
    """What the stage writes about documents in so many shards."""
    size = -(-len(documents) // shards)
    for n in range(shards):
        write_documents(folder / f"in/{n}.parquet", documents[n * size : (n + 1) * size], texts_of())
    rows = fates(folder, p)
    assert list(rows) == [one.id for one in documents]
    return rows


def fates(folder: Path, p: Params) -> dict[str, Fate]:
    """What the stage writes about the shards in `folder`."""
    staged(folder, p)
    return {row.pop("id"): Fate(**row) for row in side_rows(folder / "out")}


def staged(folder: Path, p: Params) -> str:
    """The stage, and what it says."""
    with Serial() as executor:
        return dedup.stage(Engine(executor, folder), p, folder / "in", folder / "out")


@pytest.mark.parametrize("fast", [False, True])
@EXAMPLES
@given(
    drawn=st.lists(st.tuples(WORDS, SIDES), min_size=1, max_size=10),
    unit=st.sampled_from(["word", "character"]),
    threshold=st.sampled_from([0.4, 0.6, 0.8, 1.0]),
    shards=st.integers(1, 3),
)
def test_decisions_are_those_of_comparing_all_with_all(
    drawn: list[tuple[str, str | None]],
    unit: str,
    threshold: float,
    shards: int,
    fast: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    documents = corpus(*zip(*drawn, strict=True))
    p = P.model_copy(update={"unit": unit, "threshold": threshold})
    with pytest.MonkeyPatch.context() as patch:
        if fast:
            patch.setattr(shingles, "MANY", 0)
            patch.setattr(dedup, "MANY_STEPS", 0)
        assert decided(documents, tmp_path_factory.mktemp("x"), p, shards) == reference(documents, p)


def test_the_first_is_kept_and_the_evidence_is_exact(tmp_path: Path) -> None:
    pairs = len(TEXT.split()) - 1
    assert decided(corpus([TEXT, f"{TEXT} again", "else"]), tmp_path) == {
        "0": Fate(),
        "1": Fate("near-duplicate", "0", round(pairs / (pairs + 1), 6)),
        "2": Fate(),
    }


def test_case_and_white_space_make_the_same_text(tmp_path: Path) -> None:
    assert decided(corpus(["A  b", "c", "a\nB"]), tmp_path)["2"] == Fate("same text", "0", 1.0)


def test_a_document_goes_only_for_one_that_is_kept(tmp_path: Path) -> None:
    # Each is near the one before, the third is far from the first: it stays, as the second is gone.
    words = TEXT.split()
    fates = decided(corpus([" ".join(words[n : n + 12]) for n in range(3)]), tmp_path)
    assert [fate.of for fate in fates.values()] == [None, "0", None]
    assert [fate.cluster for fate in fates.values()] == ["0", None, "0"]


def test_the_closest_kept_document_is_named(tmp_path: Path) -> None:
    fates = decided(corpus([f"{TEXT} one two three", f"{TEXT} four five", TEXT]), tmp_path)
    assert fates["2"] == Fate("near-duplicate", "1", round(17 / 19, 6))


def test_an_exact_repeat_of_a_removed_document_points_to_the_kept_one(tmp_path: Path) -> None:
    near = f"{TEXT} again"
    fates = decided(corpus([TEXT, near, near.upper(), TEXT.upper()]), tmp_path)
    assert fates["2"] == fates["1"] and fates["1"].of == "0" and fates["3"] == Fate("same text", "0", 1.0)


def test_without_spaces_characters_tell_what_is_alike(tmp_path: Path) -> None:
    texts = [
        "機械学習は人間の学習能力と同様の機能を計算機で実現する技術である",
        "機械学習は人間の学習能力と同様の機能を計算機で実現する手法である",
    ]
    by_words = decided(corpus(texts), tmp_path / "words")
    by_characters = decided(corpus(texts), tmp_path / "characters", P.model_copy(update={"unit": "character"}))
    assert by_words["1"] == Fate() and by_characters["1"] == Fate("near-duplicate", "0", round(27 / 33, 6))


@EXAMPLES
@given(texts=st.lists(WORDS, min_size=2, max_size=12))
def test_what_comes_later_changes_no_earlier_decision(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    earlier, later = (decided(corpus(some), tmp_path_factory.mktemp("x")) for some in (texts[:-1], texts))
    assert {one: fate[:3] for one, fate in earlier.items()} == {one: later[one][:3] for one in earlier}


@pytest.mark.parametrize(
    ("label", "kept", "reason"),
    [
        (None, "x", "same text"),
        ("x", "x", "same text"),
        ("x", "y", "same text, other label"),
        ("x", None, "same text, label lost"),
    ],
)
def test_a_reason_says_when_a_label_goes_too(label: str | None, kept: str | None, reason: str, tmp_path: Path) -> None:
    first, second = corpus([TEXT, TEXT])
    assert decided([first._replace(label=kept), second._replace(label=label)], tmp_path)["1"].reason == reason


def test_of_twins_the_one_that_the_source_has_in_training_goes(tmp_path: Path) -> None:
    fates = decided(corpus([TEXT] * 5, [None, "test", "test", "validation", "train"]), tmp_path)
    assert {one: fate.of for one, fate in fates.items()} == {"0": "1", "1": None, "2": None, "3": None, "4": "1"}
    assert {fates[one].cluster for one in "123"} == {"1"}


def test_a_near_twin_in_a_given_side_stays_and_is_tied(tmp_path: Path) -> None:
    texts = [TEXT, TEXT.replace("table", "tables"), TEXT.replace("table", "row")]
    fates = decided(corpus(texts, ["test", "validation", None]), tmp_path)
    assert [fate.reason for fate in fates.values()] == [None, None, "near-duplicate"]
    assert [fate.cluster for fate in fates.values()] == ["0", "0", None]


def test_thousands_of_copies_are_compared_with_what_is_kept_of_them(tmp_path: Path) -> None:
    """Every document shares a bucket with every other: all pairs would be two millions."""
    long = f"{TEXT} {TEXT.upper().replace('E', 'a')}"
    fates = decided(corpus([f"{long} {n}" for n in range(2_000)]), tmp_path)
    assert {fate.of for fate in list(fates.values())[1:]} == {"0"}


def test_thousands_of_copies_in_a_given_side_stay_and_are_not_compared_with_each_other(tmp_path: Path) -> None:
    fates = decided(corpus([TEXT] * 5_000, ["test"] * 4_999), tmp_path)
    first, *twins, last = fates.values()
    assert first == Fate(cluster="0") and last == Fate("same text", "0", 1.0)
    assert all(twin == Fate(cluster="0", joins=["0"]) for twin in twins)


def test_of_a_full_bucket_the_latest_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The four share no shingle but with the last, and yet a bucket each: only the hashes of bands say so."""
    monkeypatch.setattr(minhash, "keys", lambda signature, bands: np.zeros((len(signature), bands), np.uint64))
    texts = [TEXT, "one two three", "four five six", f"{TEXT} again"]
    monkeypatch.setattr(minhash, "MOST", 3)
    assert decided(corpus(texts), tmp_path / "all")["3"].of == "0"
    monkeypatch.setattr(minhash, "MOST", 2)
    assert decided(corpus(texts), tmp_path / "latest")["3"].of is None
    shutil.rmtree(tmp_path / "latest/out")
    assert staged(tmp_path / "latest", P).endswith("; 1 compared with the latest 2 of a bucket only")


def test_what_cleaning_makes_equal_is_found_with_its_steps(tmp_path: Path) -> None:
    texts = [f"{TEXT} in numpy", f"{TEXT} in SciPy", "else"]
    masked = mask.Params(terms=("numpy", "scipy"), token="library")
    p = P.model_copy(update={"steps": ("mask",), "settings": {"mask": masked}})
    assert decided(corpus(texts), tmp_path / "as they are")["1"].reason == "near-duplicate"
    assert decided(corpus(texts), tmp_path / "masked", p)["1"] == Fate("same text", "0", 1.0)
    assert dedup.recipe(p)["steps"] == {"mask": {"terms": ["numpy", "scipy"], "token": "library"}}


def test_what_a_source_keeps_apart_is_not_compared(tmp_path: Path) -> None:
    told = [{"language": "de"}, {"language": "en"}, {"language": "de"}, {}]
    documents = [one._replace(attributes=own) for one, own in zip(corpus([TEXT] * 4), told, strict=True)]
    write_documents(tmp_path / "in/0.parquet", documents[:3], texts_of("language"))
    write_documents(tmp_path / "in/1.parquet", documents[3:], texts_of())
    by_language = fates(tmp_path, P.model_copy(update={"apart": ("language",)}))
    assert [fate.of for fate in by_language.values()] == [None, None, "0", None]
    shutil.rmtree(tmp_path / "out")
    by_source = fates(tmp_path, P.model_copy(update={"apart": ("source", "label")}))
    assert [fate.of for fate in by_source.values()] == [None, "0", "0", "0"]


def test_a_field_that_no_source_gives_keeps_nothing_apart(tmp_path: Path) -> None:
    with pytest.raises(
        Fault, match=r"^dedup\.apart: no source gives langauge; name fields of documents or attributes$"
    ):
        decided(corpus([TEXT]), tmp_path, P.model_copy(update={"apart": ("langauge", "source")}))


@pytest.mark.parametrize("fast", [False, True])
def test_a_shard_may_be_empty(fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shingles, "MANY", 0 if fast else shingles.MANY)
    assert decided([], tmp_path / "alone") == {}
    assert decided(corpus([TEXT]), tmp_path / "one") == {"0": Fate()}
    assert decided(corpus([TEXT]), tmp_path / "beside", shards=2) == {"0": Fate()}


def test_quality_is_told_of_a_sample(tmp_path: Path) -> None:
    words = TEXT.split()
    texts = [" ".join(words[n:] + words[:n]) for n in range(9)] + [f"{TEXT} again\nall rights reserved"] * 2
    decided(corpus(texts), tmp_path, P.model_copy(update={"sample": 20}))
    quality = read_json(tmp_path / "out/quality.json")
    assert quality["sample"]["documents"] == 10 and quality["sample"]["removed_without_reason"] == 0
    assert [one["removed"] for one in quality["sweep"]] == sorted(
        (one["removed"] for one in quality["sweep"]), reverse=True
    )
    assert quality["clusters"][0]["first"] == "0"
    found = {one["edit"]: one["found"] for one in quality["edits"]}
    assert found["case and white space"] == {f"{one:.1f}": 1.0 for one in THRESHOLDS}
    assert found["a word exchanged"]["1.0"] == 0.0


def test_signatures_are_kept_to_the_bit(tmp_path: Path) -> None:
    documents = corpus([TEXT, "a b c", TEXT.upper(), ""])
    decided(documents, tmp_path)
    table = read_table(tmp_path / "out/signatures/0.parquet")
    assert table.column("id").to_pylist() == ["0", "1", "3"]
    assert json.loads((table.schema.metadata or {})[b"minhash"]) == dedup.recipe(P)
    expected = [signature(normalised(one.text), dedup.recipe(P)) for one in documents if one.id != "2"]
    assert np.array_equal(values(table.column("signature")), expected)


def test_a_shard_may_have_no_signatures(tmp_path: Path) -> None:
    decided(corpus([TEXT, TEXT]), tmp_path, shards=2)
    table = read_table(tmp_path / "out/signatures/1.parquet")
    assert table.num_rows == 0 and values(table.column("signature")).shape == (0, 80)
