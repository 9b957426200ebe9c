"""MinHash near-duplicates: keep the first, drop the rest with evidence.

Signatures: Broder (1997), with datasketch's permutations. Candidates share one of `bands` bands of `rows` values
(Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3); each pair is then verified by its exact Jaccard
similarity.
"""

import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stages.core.params import Count, Positive, Section
from stages.core.records import DROPS, given, read_table, shards, write_table
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

SCHEME = "affine32"  # datasketch's family of permutations: hash → a * hash + b mod 2^32, after MurmurHash3's finalizer
Jaccard = Annotated[float, Field(gt=0.0, le=1.0)]
SCHEMA = pa.schema([*DROPS, ("jaccard", pa.float64()), ("cluster", pa.string())])


class Params(Section):
    ngram: Positive
    bands: Positive
    rows: Positive
    threshold: Jaccard
    together: Jaccard
    seed: Count

    @model_validator(mode="after")
    def what_stays_together_is_less_alike(self) -> Self:
        if self.together > self.threshold:
            raise ValueError(
                f"together {self.together} is above threshold {self.threshold}, "
                "from which the later document is dropped; lower it"
            )
        return self


@dataclass(frozen=True)
class Repeat:
    """The evidence of a removal: which kept document is repeated, and how closely."""

    of: str
    jaccard: float
    reason: str


@dataclass
class Found:
    """What dedup decides: the repeats, and which kept documents are alike enough to stay on one side of a split."""

    repeats: dict[str, Repeat] = field(default_factory=dict[str, Repeat])
    clusters: dict[str, str] = field(default_factory=dict[str, str])


def normalised(text: str) -> str:
    """Case and white space make no difference."""
    return " ".join(text.lower().split())


def shingles(text: str, ngram: int) -> frozenset[str]:
    """The word n-grams of a normalised text; a shorter text is one shingle."""
    words = text.split()
    return frozenset(" ".join(words[n : n + ngram]) for n in range(max(len(words) - ngram + 1, 1)))


def hash32(token: bytes) -> int:
    """32 bits of BLAKE2b; sha1, datasketch's own choice, takes longer."""
    return int.from_bytes(hashlib.blake2b(token, digest_size=4).digest(), "little")


def minhash(p: Params) -> dict[str, Any]:
    """datasketch's arguments."""
    return {"num_perm": p.bands * p.rows, "seed": p.seed, "scheme": SCHEME, "hashfunc": hash32}


def signatures(texts: Sequence[str], p: Params) -> NDArray[np.uint32]:
    """(texts, bands × rows): a MinHash signature a row."""
    from datasketch import MinHash

    tokens = ([shingle.encode() for shingle in sorted(shingles(text, p.ngram))] for text in texts)
    hashes = MinHash.generator(tokens, **minhash(p))
    return np.array([one.hashvalues for one in hashes], dtype=np.uint32).reshape(len(texts), p.bands * p.rows)


def recipe(p: Params) -> dict[str, Any]:
    """What a reader needs to make a signature that can be compared: it need not import datasketch, which takes 1 s."""
    from datasketch import MinHash

    a, b = np.asarray(MinHash(**minhash(p)).permutations)
    return {"ngram": p.ngram, "scheme": SCHEME, "a": a.tolist(), "b": b.tolist()}


def signature_table(ids: Sequence[str], signature: NDArray[np.uint32], made: dict[str, Any]) -> pa.Table:
    """A signature a document, as the bytes of its 32-bit values, the lowest byte first; the recipe as metadata."""
    kind = pa.binary(signature.shape[1] * 4)
    columns = [pa.array(ids, pa.string()), pa.array([row.tobytes() for row in signature.astype("<u4")], kind)]
    schema = pa.schema([("id", pa.string()), ("signature", kind)], {"minhash": json.dumps(made)})
    return pa.Table.from_arrays(columns, schema=schema)


def candidates(signature: NDArray[np.uint32], bands: int) -> list[tuple[int, int]]:
    """Pairs (earlier, later) that share a band, by the later one, each once."""
    pairs: set[tuple[int, int]] = set()
    for band in np.split(signature, bands, axis=1):
        keys = np.ascontiguousarray(band).view(np.dtype((np.void, band.dtype.itemsize * band.shape[1]))).ravel()
        order = np.argsort(keys, kind="stable")
        breaks = np.flatnonzero(keys[order][1:] != keys[order][:-1]) + 1
        for bucket in np.split(order, breaks):
            members = bucket.tolist()
            pairs.update((a, b) for n, a in enumerate(members) for b in members[n + 1 :])
    return sorted(pairs, key=lambda pair: (pair[1], pair[0]))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Size of the intersection by size of the union."""
    return len(a & b) / len(a | b)


def exact(ids: Sequence[str], texts: Sequence[str], held: Container[str] = ()) -> dict[str, Repeat]:
    """Documents whose normalised text came before, but for those that are held."""
    first: dict[str, str] = {}
    repeats: dict[str, Repeat] = {}
    for one, text in zip(ids, texts, strict=True):
        if first.setdefault(text, one) != one and one not in held:
            repeats[one] = Repeat(first[text], 1.0, "same text")
    return repeats


def separate(
    ids: Sequence[str], texts: Sequence[str], signature: NDArray[np.uint32], p: Params, held: Container[str] = ()
) -> Found:
    """Greedy, in the order given: a document goes if a *kept* earlier one is at least `threshold` alike; those that are
    held never do.

    So every removal has a kept neighbour, and what comes later never changes what was decided before.
    """
    found = Found()
    alike: list[tuple[int, int]] = []
    pairs = candidates(signature, p.bands)
    seen = {n: shingles(texts[n], p.ngram) for n in {n for pair in pairs for n in pair}}
    for earlier, later in progress(pairs, "pairs"):
        if ids[earlier] in found.repeats:
            continue
        similarity = jaccard(seen[earlier], seen[later])
        if similarity >= p.threshold and ids[later] not in held:
            better = found.repeats.get(ids[later])
            if better is None or similarity > better.jaccard:
                found.repeats[ids[later]] = Repeat(ids[earlier], similarity, "near-duplicate")
        elif similarity >= p.together:
            alike.append((earlier, later))
    found.clusters = clusters(ids, alike, found.repeats)
    return found


def clusters(ids: Sequence[str], alike: Sequence[tuple[int, int]], gone: Container[str]) -> dict[str, str]:
    """Kept documents that are alike, directly or through others, under the id of the first of them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [pair for pair in alike if not any(ids[n] in gone for n in pair)]
    rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    edges = coo_array((np.ones(len(pairs), bool), (rows, columns)), shape=(len(ids), len(ids)))
    component = connected_components(edges, directed=False)[1]
    first: dict[int, str] = {}
    return {ids[n]: first.setdefault(int(component[n]), ids[n]) for n in sorted({n for pair in pairs for n in pair})}


@dataclass(frozen=True)
class Text:
    """What dedup looks at: the normalised text, the label, and the side that the source gives."""

    id: str
    text: str
    label: str | None
    split: str | None


def read_texts(path: Path) -> list[Text]:
    """The documents of a shard."""
    rows = read_table(path, ["id", "text", "label", "split"]).to_pylist()
    return [Text(row["id"], normalised(row["text"]), row["label"], row["split"]) for row in rows]


def first_the_given(documents: Sequence[Text]) -> list[Text]:
    """In order of arrival, but first what a source gives for test, then for validation: of twins in training and
    there, the one in training goes."""
    return sorted(documents, key=lambda one: {"test": 0, "validation": 1}.get(one.split or "", 2))


def stage(e: Engine, p: Params, source: Path, out: Path) -> str:
    """Finds the repeats in the whole corpus; writes a side table a shard, and the signatures of all different texts."""
    out.mkdir()
    read = {path: read_texts(path) for path in shards(source)}
    documents = {one.id: one for one in first_the_given([one for shard in read.values() for one in shard])}
    held = {one.id for one in documents.values() if given(one.split)}
    same = exact(list(documents), [one.text for one in documents.values()], held)
    rest = [one for one in documents.values() if one.id not in same]
    ids, texts = [one.id for one in rest], [one.text for one in rest]
    slices = [texts[n : n + 1_000] for n in range(0, len(texts), 1_000)]
    signature = np.concatenate(e.map(signatures, slices, p, what="signatures"))
    found = separate(ids, texts, signature, p, held)
    repeats = first_kept(same, found.repeats) | found.repeats
    made, place = recipe(p), {one: n for n, one in enumerate(ids)}
    for path, shard in read.items():
        write_table(out / path.name, side_table([one.id for one in shard], repeats, found.clusters, documents))
        own = [one.id for one in shard if one.id in place]
        rows = signature[np.array([place[one] for one in own], np.intp)]
        write_table(out / "signatures" / path.name, signature_table(own, rows, made))
    kept, near = len(documents) - len(repeats), len(found.repeats)
    return f"{kept:,} documents kept, {len(same):,} exact and {near:,} near-duplicates dropped"


def first_kept(same: dict[str, Repeat], near: dict[str, Repeat]) -> dict[str, Repeat]:
    """Exact repeats of a document that is itself a near-duplicate point to the one that is kept."""
    return {one: near.get(repeat.of, repeat) for one, repeat in same.items()}


def reason(repeat: Repeat, label: str | None, kept: str | None) -> str:
    """Why the document goes, and whether a label goes with it: of the two documents, the first one's label stays."""
    if label is None or label == kept:
        return repeat.reason
    return f"{repeat.reason}, {'label lost' if kept is None else 'other label'}"


def side_table(
    ids: Sequence[str], repeats: dict[str, Repeat], alike: dict[str, str], documents: Mapping[str, Text]
) -> pa.Table:
    """One row for every document of the shard; `reason` is null where it is kept."""
    rows = [
        {
            "id": one,
            "reason": (repeat := repeats.get(one)) and reason(repeat, documents[one].label, documents[repeat.of].label),
            "of": repeat and repeat.of,
            "jaccard": repeat and round(repeat.jaccard, 6),
            "cluster": alike.get(one),
        }
        for one in ids
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


if __name__ == "__main__":
    run(stage)
