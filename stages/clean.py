"""Mend text, mask, redact what is private; never reads the label."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from stages.core.params import Plugin, Section, Shared
from stages.core.records import (
    Document,
    Drop,
    attributes_of,
    dropped_ids,
    read_documents,
    shards,
    write_documents,
    write_drops,
)
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run


class Params(Section):
    steps: Annotated[tuple[str, ...], Plugin("cleaners")]
    settings: Annotated[dict[str, Any], Shared("cleaners")]


def clean(text: str, p: Params) -> str:
    """The text after each step in the declared order."""
    for step in p.steps:
        text = plugins.load("cleaners", step).clean(text, p.settings[step])
    return text


def cleaned(documents: Iterable[Document], p: Params) -> tuple[list[Document], list[Drop]]:
    """The documents that have a letter left, and the others."""
    kept: list[Document] = []
    dropped: list[Drop] = []
    for document in documents:
        text = clean(document.text, p)
        if any(unicodedata.category(character).startswith("L") for character in text):
            kept.append(document._replace(text=text))
        else:
            dropped.append(Drop(document.id, "no letter left after cleaning"))
    return kept, dropped


def clean_shard(path: Path, p: Params, dedup: Path, out: Path) -> tuple[int, int, int]:
    """One shard; gives how many documents were kept, dropped and changed."""
    gone = dropped_ids(dedup / path.name)
    documents = [document for document in read_documents(path) if document.id not in gone]
    kept, dropped = cleaned(documents, p)
    write_documents(out / path.name, kept, attributes_of(path))
    write_drops(out / "drops" / path.name, dropped)
    before = {document.id: document.text for document in documents}
    return len(kept), len(dropped), sum(before[document.id] != document.text for document in kept)


def stage(e: Engine, p: Params, source: Path, dedup: Path, out: Path) -> str:
    """Cleans the documents that dedup kept."""
    counts = e.map(clean_shard, shards(source), p, dedup, out)
    kept, dropped, changed = (sum(column) for column in zip(*counts, strict=True))
    return f"{kept:,} documents kept ({changed:,} mended), {dropped:,} dropped"


if __name__ == "__main__":
    run(stage)
