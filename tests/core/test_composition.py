"""What a data sheet tells of a source, from its shards."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import composition as made
from stages.core.composition import Figures, composition, of_shard, pins, quantiles, together
from stages.core.languages import SHORT, language
from stages.core.records import Document, Span, write_documents

NONE = pa.struct([("none", pa.string())])
ENGLISH = "The committee will meet again on Thursday to settle what is left of the budget."
GERMAN = "Der Ausschuss tritt am Donnerstag wieder zusammen und berät über den Rest des Haushalts."


def document(number: int, text: str, **fields: object) -> Document:
    """Of source `a`."""
    return Document(f"{number:016x}", text, None, "a", None, None, {})._replace(**fields)


def written(folder: Path, *shards: list[Document]) -> list[Path]:
    """The shards as ingest has them."""
    paths = [folder / f"{n}.parquet" for n in range(len(shards))]
    for path, one in zip(paths, shards, strict=True):
        write_documents(path, one, NONE)
    return paths


def figures(folder: Path, *shards: list[Document]) -> Figures:
    return together([of_shard(path) for path in written(folder, *shards)])


def test_figures_are_of_all_shards_together(tmp_path: Path) -> None:
    first = [document(1, "aé🙂", label="x", split="test"), document(2, ENGLISH, labels=("y", "x"))]
    second = [document(3, GERMAN, spans=(Span(0, 3, "z"), Span(4, 5, "z")), pair="p", targets=("t",), group="g")]
    assert composition(figures(tmp_path, first, second)) == {
        "documents": 3,
        "characters": [3, 3, len(ENGLISH), len(GERMAN), len(GERMAN)],
        "fields": {"label": 1, "labels": 1, "spans": 1, "pair": 1, "targets": 1, "group": 1, "split": 1},
        "labels": {"x": 2, "z": 2, "y": 1},
        "sides": {"test": 1},
        "languages": {"de": 1, "en": 1, SHORT: 1},
    }


def test_of_nothing_there_is_little_to_tell(tmp_path: Path) -> None:
    nothing = {"fields": {}, "labels": {}, "sides": {}, "languages": {}}
    for found in (figures(tmp_path), figures(tmp_path, [])):
        assert composition(found) == {"documents": 0, "characters": None, **nothing}


def test_languages_are_those_of_documents_that_are_the_same_however_they_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "DRAWN", 3)
    rows = [document(n, GERMAN if n in {0, 5, 9} else ENGLISH) for n in range(10)]
    parts = [rows[::-1]], [rows[5:], rows[:5]], [[one] for one in rows]
    for n, shards in enumerate(parts):
        (folder := tmp_path / f"{n}").mkdir()
        assert composition(figures(folder, *shards))["languages"] == {"en": 2, "de": 1}


@given(st.lists(st.integers(0, 9), min_size=1))
def test_quantiles_are_those_of_the_numbers_themselves(numbers: list[int]) -> None:
    wanted = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1], method="nearest").tolist()
    assert quantiles(Counter(numbers)) == wanted


def test_values_beyond_the_commonest_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "COMMONEST", 2)
    rows = [document(n, "a", label=label) for n, label in enumerate("cbbaad")]
    assert composition(figures(tmp_path, rows))["labels"] == {"a": 2, "b": 2}


def test_a_language_is_told_of_what_is_long_enough() -> None:
    assert [language(text) for text in (ENGLISH, GERMAN, "hello", " " * 80)] == ["en", "de", SHORT, SHORT]


def test_pins_are_found_wherever_they_stand() -> None:
    files = [{"at": "a.csv", "sha256": "1"}, {"at": "https://x.org/b", "sha256": "2", "members": None}]
    wheels = {"wheels": [{"name": "numpy", "version": "2.4.6", "sha256": "3"}], "platforms": ["x"]}
    assert [tuple(one.values()) for one in pins({"files": files, "more": wheels})] == [
        ("a.csv", "1"),
        ("https://x.org/b", "2"),
        ("numpy==2.4.6", "3"),
    ]
