"""What learns and what is judged reads labelled documents only, and of train no more than the budget."""

from pathlib import Path

import pyarrow as pa
import pytest

from stages.core.examples import Example, labels_of, read_examples
from stages.core.records import Document, write_documents, write_table

SIDES = {"a": ("train", True), "b": ("train", False), "c": ("test", False), "d": ("test", False), "e": ("train", True)}
LABELS = {"a": "x", "b": "y", "c": "y", "d": None, "e": "x", "dropped": "x"}


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, Path]:
    """Two shards of documents, and the side table of split, in which one document is missing."""
    for name, ids in {"000-s-00000.parquet": "ab", "000-s-00001.parquet": ["dropped", *"cde"]}.items():
        documents = [Document(one, f"text {one}", LABELS[one], "s", None, None, {"none": ""}) for one in ids]
        write_documents(tmp_path / "clean" / name, documents, pa.struct([("none", pa.string())]))
        rows = [dict(zip(("side", "used"), SIDES[one], strict=True)) | {"id": one} for one in ids if one in SIDES]
        write_table(tmp_path / "split" / name, pa.Table.from_pylist(rows))
    return tmp_path / "clean", tmp_path / "split"


@pytest.mark.parametrize(("side", "ids"), [("train", ["a", "e"]), ("test", ["c"]), ("validation", [])])
def test_the_labelled_documents_of_a_side(corpus: tuple[Path, Path], side: str, ids: list[str]):
    assert [example.id for example in read_examples(*corpus, side)] == ids


def test_labels_in_alphabetical_order():
    assert labels_of([Example("1", "", "b"), Example("2", "", "a"), Example("3", "", "b")]) == ["a", "b"]
