"""Mend text, mask, redact what is private; never reads the label."""

import unicodedata
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from stages.core.faults import Fault
from stages.core.params import Plugin, Section, Shared
from stages.core.records import (
    Document,
    Drop,
    attributes_of,
    dropped_ids,
    given,
    read_documents,
    read_drops,
    reasons,
    shards,
    write_documents,
    write_drops,
)
from stages.core.spans import BRACKETS, surfaces, through
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
    """The documents that stay, as the steps leave them, and the others."""
    kept: list[Document] = []
    dropped: list[Drop] = []
    for document in documents:
        made = mended(document, p)
        if isinstance(made, Drop):
            dropped.append(made)
        else:
            kept.append(made)
    return kept, dropped


def mended(document: Document, p: Params) -> Document | Drop:
    """The document as the steps leave it: if it has a letter left, and its spans cover the words they covered. What its
    source gives for validation or test stays all the same, as it came."""
    made = edited(document, p)
    return document if isinstance(made, Drop) and given(document.split) else made


def edited(document: Document, p: Params) -> Document | Drop:
    """The same, but without regard to splits."""
    text = clean(document.text, p)
    if not any(unicodedata.category(character).startswith("L") for character in text):
        return Drop(document.id, "no letter left after cleaning")
    if not document.spans:
        return document._replace(text=text)
    made = through(partial(clean, p=p), document.text, document.spans, BRACKETS)
    alone = [clean(surface, p).strip() for surface in surfaces(document.text, document.spans)]
    if made is None or made[0] != text or surfaces(*made) != alone:
        return Drop(document.id, "a span lost in cleaning")
    return document._replace(text=text, spans=made[1])


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
    if not kept:
        why = reasons(drop for path in shards(out / "drops") for drop in read_drops(path))
        counts = ", ".join(f"{reason}: {count:,}" for reason, count in why.items())
        raise Fault(f"no document is left ({counts}); take a step out of clean.steps or mend its parameters")
    return f"{kept:,} documents kept ({changed:,} mended), {dropped:,} dropped"


if __name__ == "__main__":
    run(stage)
