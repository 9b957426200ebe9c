"""Declared statistics per document: for filtering, slices, partial dependence, drift."""

import re
from pathlib import Path

import pyarrow as pa

from stages.core.params import Section
from stages.core.records import Document, read_documents, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

WORD = re.compile(r"\w+")
# What each column is: the figures that `filter` may set limits on.
FEATURES = {
    "characters": pa.int32(),
    "words": pa.int32(),
    "mean_word_length": pa.float64(),
    "letter_share": pa.float64(),
    "uppercase_share": pa.float64(),
    "distinct_word_share": pa.float64(),
}


class Params(Section):
    """No choices yet: all the figures are cheap."""


def features(text: str) -> dict[str, float]:
    """Lengths in characters and words; shares of letters among characters, of capitals among letters, of types among
    tokens (type-token ratio)."""
    words = WORD.findall(text)
    letters = sum(character.isalpha() for character in text)
    return {
        "characters": len(text),
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / max(len(words), 1),
        "letter_share": letters / max(len(text), 1),
        "uppercase_share": sum(character.isupper() for character in text) / max(letters, 1),
        "distinct_word_share": len({word.lower() for word in words}) / max(len(words), 1),
    }


def described(document: Document) -> dict[str, float | str]:
    """A row of the side table."""
    return {"id": document.id, **features(document.text)}


def features_shard(path: Path, out: Path) -> int:
    """One shard; gives the number of documents."""
    rows = [described(document) for document in read_documents(path)]
    schema = pa.schema([("id", pa.string()), *FEATURES.items()])
    write_table(out / path.name, pa.Table.from_pylist(rows, schema=schema))
    return len(rows)


def stage(e: Engine, _: Params, source: Path, out: Path) -> str:
    """The figures of each cleaned document."""
    out.mkdir()
    return f"{sum(e.map(features_shard, shards(source), out)):,} documents described by {len(FEATURES)} figures"


if __name__ == "__main__":
    run(stage)
