"""The labelled documents of a side, as what learns or is judged reads them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from stages.core.records import read_table, shards


class Example(NamedTuple):
    """A cleaned text and its label."""

    id: str
    text: str
    label: str


def read_examples(source: Path, split: Path, side: str) -> list[Example]:
    """The labelled documents of a side in order of arrival; of train those within the label budget."""
    return [one for path in shards(source) for one in shard_examples(path, split / path.name, side)]


def shard_examples(path: Path, split: Path, side: str) -> list[Example]:
    """The labelled documents of a side in one shard."""
    chosen = {
        row["id"] for row in read_table(split).to_pylist() if row["side"] == side and (row["used"] or side != "train")
    }
    rows = read_table(path, list(Example._fields)).to_pylist()
    return [Example(**row) for row in rows if row["id"] in chosen and row["label"] is not None]


def labels_of(examples: Iterable[Example]) -> list[str]:
    """The labels in alphabetical order, which is the order of every row of probabilities."""
    return sorted({example.label for example in examples})
