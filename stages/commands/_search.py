"""Documents by an id, by its beginning, or by text: the same, containing it, or near by MinHash."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from stages.commands._life import output
from stages.core import minhash, shingles
from stages.core.buffers import Texts
from stages.core.faults import Fault
from stages.core.funnel import ids_of
from stages.core.minhash import Signatures
from stages.core.records import read_drops, read_table, shards
from stages.core.shingles import normalised
from stages.shell import plugins
from stages.shell.params import plugin_params

ID, BEGINNING = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{4,16}")
HOW = ("same text", "contains", "near")
VERIFIED = 50  # of the signatures most alike, those whose exact Jaccard similarity is computed


@dataclass(frozen=True)
class Hit:
    """A document that a text leads to: `how` is same text, contains or near; `where` is raw, cleaned or child."""

    id: str
    how: str
    where: str
    jaccard: float | None
    fate: str
    text: str


def by_id(what: str) -> str | None:
    """The document whose id `what` is, or begins; None where `what` can only be a text."""
    word = what.lower()
    if not BEGINNING.fullmatch(word):
        return None
    ids = [*ids_of(output("ingest")), *ids_of(output("augment"))]
    found = [one for one in ids if one.startswith(word)]
    if len(found) > 1:
        more = ", …" if len(found) > 5 else ""
        raise Fault(
            f"{what}: {len(found)} ids begin so: {', '.join(found[:5])}{more}; "
            "give more of one, or --text to look for it in texts"
        )
    if not found and ID.fullmatch(word):
        raise Fault(f"{what}: no document has this id; its text finds it too{nearest(word, ids)}")
    return found[0] if found else None


def nearest(word: str, ids: Sequence[str]) -> str:
    """The ids that differ in few digits, as the end of a sentence."""
    digits = np.array(ids, "S16").view(np.uint8).reshape(-1, 16)
    wrong: list[int] = (digits != np.frombuffer(word.encode(), np.uint8)).sum(axis=1).tolist()
    close = [one for differ, one in sorted(zip(wrong, ids, strict=True))[:2] if differ <= 4]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def texts() -> Iterator[tuple[str, str, str]]:
    """Id, where, text: of all documents as they came and as they were cleaned, and of all children."""
    for stage, where in (("ingest", "raw"), ("clean", "cleaned"), ("augment", "child")):
        for path in shards(output(stage)):
            table = read_table(path, ["id", "text"])
            for one, text in zip(table.column("id").to_pylist(), table.column("text").to_pylist(), strict=True):
                yield one, where, text


def by_text(text: str) -> list[Hit]:
    """The documents with the same text, those that contain it, and those that are near, in this order; of each kind
    those first that are most like it."""
    wanted = normalised(text)
    if not wanted:
        raise Fault(f"{text!r}: no text; give some words of the document, or its id")
    raw: dict[str, str] = {}
    found: dict[str, tuple[str, str, str]] = {}
    for one, where, full in texts():
        if where == "raw":
            raw[one] = full
        if wanted in (normal := normalised(full)):
            how = "same text" if wanted == normal else "contains"
            found[one] = min(found.get(one, (how, where, full)), (how, where, full), key=rank)
    near = nearby(text, raw)
    found |= {one: ("near", "raw", raw[one]) for one in near if one not in found}
    fates = all_fates()
    hits = [
        Hit(one, how, where, 1.0 if how == "same text" else near.get(one), fates.get(one, "kept"), full)
        for one, (how, where, full) in found.items()
    ]
    return sorted(hits, key=lambda hit: (HOW.index(hit.how), -(hit.jaccard or 0.0)))


def rank(found: tuple[str, str, str]) -> int:
    """How much it says that a text was found so."""
    return HOW.index(found[0])


def all_fates() -> dict[str, str]:
    """Who was dropped: where, and why."""
    folders = {stage: output(stage) / ("drops" if stage == "clean" else "") for stage in ("dedup", "clean", "filter")}
    return {
        drop.id: f"{stage}: {drop.reason}"
        for stage, folder in folders.items()
        for path in shards(folder)
        for drop in read_drops(path)
    }


def nearby(text: str, raw: Mapping[str, str]) -> dict[str, float]:
    """The documents whose MinHash signatures are most like that of a text, with their exact Jaccard similarity to it,
    as dedup compares them; none where it has left no signatures."""
    paths = shards(output("dedup") / "signatures")
    if not paths:
        return {}
    recipe = json.loads(pq.read_schema(paths[0]).metadata[b"minhash"])
    wanted = compared(text, recipe)
    tables = [read_table(path) for path in paths]
    ids = [one for table in tables for one in table.column("id").to_pylist()]
    known = np.concatenate([values(table.column("signature")) for table in tables])
    agreeing = (known == signature(wanted, recipe)).sum(axis=1)
    best = [ids[n] for n in np.argsort(-agreeing, kind="stable")[:VERIFIED] if agreeing[n] and ids[n] in raw]
    texts = Texts.of([wanted, *(compared(raw[one], recipe) for one in best)])
    hashes, bounds = shingles.sets(texts, recipe["unit"], recipe["ngram"], fast=False)
    mine, *others = np.split(hashes, bounds[1:-1])
    alike = {one: shingles.jaccard(mine, other) for one, other in zip(best, others, strict=True)}
    return {one: round(similarity, 6) for one, similarity in alike.items() if similarity}


def compared(text: str, recipe: Mapping[str, Any]) -> str:
    """A text as dedup has it: after the steps, normalised."""
    for step, settings in recipe["steps"].items():
        p = plugin_params("cleaners", step).model_validate_json(json.dumps(settings))
        text = plugins.load("cleaners", step).clean(text, p)
    return normalised(text)


def values(column: Any) -> Signatures:
    """(documents, permutations): what `dedup.signature_table` made bytes of."""
    return np.frombuffer(b"".join(column.to_pylist()), "<u4").reshape(-1, column.type.byte_width // 4)


def signature(text: str, recipe: Mapping[str, Any]) -> Signatures:
    """The MinHash signature of a normalised text, made as those are that it is compared with."""
    if (recipe["scheme"], recipe["hash"]) != (minhash.SCHEME, minhash.HASH):
        raise RuntimeError(f"signatures by {recipe['scheme']} and {recipe['hash']}, which is not known here")
    how = (recipe[name] for name in ("unit", "ngram", "a", "b"))
    return minhash.signatures(Texts.of([text]), *how, fast=False)[0]
