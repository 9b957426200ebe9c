"""MinHash near-duplicates: keep the first, drop the rest with evidence.

Signatures: Broder (1997), with datasketch's permutations. Candidates share one of `bands` bands of `rows` values
(Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3); each pair is then verified by its exact Jaccard
similarity.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stages.core import minhash
from stages.core.buffers import Places, Texts, compiled
from stages.core.minhash import Hashes
from stages.core.params import Count, Positive, Section
from stages.core.records import DROPS, given, read_table, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

T = TypeVar("T")
Jaccard = Annotated[float, Field(gt=0.0, le=1.0)]
Flags = NDArray[np.bool_]
SCHEMA = pa.schema([*DROPS, ("jaccard", pa.float64()), ("cluster", pa.string()), ("joins", pa.list_(pa.string()))])
MANY_STEPS = 3 * 10**6  # through the shingles of all pairs in a bucket, from which numba is worth its start


class Params(Section):
    unit: Literal["word", "character"]
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
class Found:
    """What is decided about documents, by their places: `of` is the kept one that a document repeats, `jaccard` how
    closely, `cluster` the first of those kept ones that stay on its side of a split, -1 where there is none; whether
    the text is the `same`; and pairs of a document and the first of a cluster that it `joined` when it came, which no
    later document changes."""

    of: Places
    jaccard: NDArray[np.float64]
    cluster: Places
    same: Flags
    joined: Places

    def among(self, documents: int, places: Places) -> Self:
        """The same, if the nth document has the nth of these places among more."""
        of, cluster = np.full(documents, -1), np.full(documents, -1)
        jaccard, same = np.zeros(documents), np.zeros(documents, bool)
        of[places] = np.where(self.of >= 0, places[self.of], -1)
        cluster[places] = np.where(self.cluster >= 0, places[self.cluster], -1)
        jaccard[places], same[places] = self.jaccard, self.same
        return type(self)(of, jaccard, cluster, same, places[self.joined])


class Part(NamedTuple):
    """Some documents of a shard, and how to shingle them; `fast` where the corpus is large enough for numba."""

    path: Path
    wanted: Flags
    unit: str
    ngram: int
    fast: bool

    def texts(self) -> Iterator[Texts]:
        """Their normalised texts, a row group at a time."""
        begin = 0
        for column in read_table(self.path, ["text"]).column("text").chunks:
            wanted = self.wanted[begin : begin + len(column)]
            yield minhash.normal(column.filter(pa.array(wanted)), self.fast)
            begin += len(column)


@dataclass(frozen=True)
class Corpus:
    """The documents of all shards; the nth about which is decided is that of place `order[n]`."""

    paths: Sequence[Path]
    rows: pa.Table
    ends: Places
    order: Places
    held: Flags

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What is known of documents, but for their texts."""
        paths = shards(folder)
        tables = [read_table(path, ["id", "label", "split"]) for path in paths]
        rows = pa.concat_tables(tables)
        splits: list[str | None] = rows.column("split").to_pylist()
        order = first_the_given(splits)
        held = np.array([given(split) for split in splits], bool)[order]
        return cls(paths, rows, np.cumsum([len(table) for table in tables]), order, held)

    def map(
        self, e: Engine, p: Params, function: Callable[..., T], chosen: Places, *fixed: Any
    ) -> tuple[list[T], Places]:
        """What a function makes of some documents, shard by shard, and where in that each of them is."""
        places = self.order[chosen]
        wanted = np.zeros(len(self.order), bool)
        wanted[places] = True
        fast = sum(path.stat().st_size for path in self.paths) >= minhash.MANY
        if fast:
            minhash.ready(p.unit, p.ngram)
        by_shard = zip(self.paths, np.split(wanted, self.ends[:-1]), strict=True)
        parts = [Part(*one, p.unit, p.ngram, fast) for one in by_shard]
        return e.map(function, parts, *fixed, what=function.__name__), np.argsort(np.argsort(places))


def recipe(p: Params) -> dict[str, Any]:
    """What a reader needs to make a signature that can be compared: it need not import datasketch, which takes 1 s."""
    from datasketch import MinHash

    a, b = np.asarray(MinHash(p.bands * p.rows, seed=p.seed, scheme=minhash.SCHEME).permutations)
    made = {"scheme": minhash.SCHEME, "hash": minhash.HASH, "unit": p.unit, "ngram": p.ngram}
    return made | {"a": a.tolist(), "b": b.tolist()}


def sketched(part: Part, made: Mapping[str, Any], bands: int, out: Path) -> tuple[NDArray[np.bytes_], Hashes]:
    """Writes the signatures of documents; returns 16 bytes of BLAKE2b for each, which only equal normalised texts have
    in common, and their (documents, bands) keys."""
    same, parts = list[bytes](), [np.empty((0, len(made["a"])), np.uint32)]
    for texts in part.texts():
        places = pairwise(texts.offsets.tolist())
        same += [blake2b(texts.data.data[begin:end], digest_size=16).digest() for begin, end in places]
        parts.append(minhash.signatures(texts, part.unit, part.ngram, made["a"], made["b"], part.fast))
    signature = np.concatenate(parts)
    ids = read_table(part.path, ["id"]).column("id").filter(pa.array(part.wanted))
    write_table(out / part.path.name, signature_table(ids, signature, made))
    return np.frombuffer(b"".join(same), "S16"), minhash.keys(signature, bands)


def signature_table(ids: Any, signature: NDArray[np.uint32], made: Mapping[str, Any]) -> pa.Table:
    """A signature a document, as the bytes of its 32-bit values, the lowest byte first; the recipe as metadata."""
    kind = pa.binary(signature.shape[1] * 4)
    values = pa.FixedSizeBinaryArray.from_buffers(
        kind, len(signature), [None, pa.py_buffer(signature.astype("<u4").tobytes())]
    )
    schema = pa.schema([("id", pa.string()), ("signature", kind)], {"minhash": json.dumps(made)})
    return pa.Table.from_arrays([ids, values], schema=schema)


def sets(part: Part) -> tuple[Hashes, Places]:
    """The hashes of the shingles of documents, and how many each has."""
    found = [minhash.sets(texts, part.unit, part.ngram, part.fast) for texts in part.texts()]
    hashes = [np.empty(0, np.uint64), *(one for one, _ in found)]
    return np.concatenate(hashes), np.concatenate([np.empty(0, np.int64), *(np.diff(bounds) for _, bounds in found)])


def first_the_given(splits: Sequence[str | None]) -> Places:
    """The places of documents in order of arrival, but first what a source gives for test, then for validation: of
    twins in training and there, the one in training goes."""
    rank = [{"test": 0, "validation": 1}.get(split or "", 2) for split in splits]
    return np.argsort(np.array(rank, np.int8), kind="stable")


def exact(digest: NDArray[np.bytes_], held: Flags) -> Places:
    """For each document the first that has the same text, but for those that are held; -1 where it is the first."""
    _, first, which = np.unique(digest, return_index=True, return_inverse=True)
    repeated = first[which]
    return np.where((repeated < np.arange(len(digest))) & ~held, repeated, -1)


def separate(key: Hashes, sets_of: Callable[[Places], tuple[Hashes, Places, Places]], p: Params, held: Flags) -> Found:
    """Greedy, in the order given: a document goes if a *kept* earlier one is at least `threshold` alike; those that are
    held never do.

    So every removal has a kept neighbour, and what comes later never changes what was decided before.
    """
    bucket = minhash.buckets(key)
    compared = np.flatnonzero((bucket >= 0).any(axis=1))
    members = np.bincount(bucket[bucket >= 0])
    hashes, begins, ends = sets_of(compared)
    steps = int((members * (members - 1)).sum()) * len(hashes) // max(len(compared), 1)
    decide = compiled(minhash.keep_first) if steps >= MANY_STEPS else minhash.keep_first
    of, alike, first, joined = decide(bucket[compared], hashes, begins, ends, held[compared], p.threshold, p.together)
    several = np.bincount(first, minlength=len(first)) > 1
    cluster = np.where(several[first], first, -1)
    return Found(of, alike, cluster, np.zeros(len(of), bool), joined).among(len(key), compared)


def together(same: Places, near: Found) -> Found:
    """All repeats: an exact one of a document that is itself a near-duplicate repeats the one that is kept."""
    again = np.flatnonzero(same >= 0)
    by_near = near.of[same[again]]
    direct = by_near < 0
    near.of[again] = np.where(direct, same[again], by_near)
    near.jaccard[again] = np.where(direct, 1.0, near.jaccard[same[again]])
    near.same[again] = direct
    return near


def stage(e: Engine, p: Params, source: Path, out: Path) -> str:
    """Finds the repeats in the whole corpus; writes a side table a shard, and the signatures of all different texts."""
    out.mkdir()
    corpus = Corpus.read(source)
    found, at = corpus.map(e, p, sketched, np.arange(len(corpus.order)), recipe(p), p.bands, out / "signatures")
    digest, key = (np.concatenate(one)[at] for one in zip(*found, strict=True))
    same = exact(digest, corpus.held)
    rest = np.flatnonzero(same < 0)

    def sets_of(chosen: Places) -> tuple[Hashes, Places, Places]:
        found, at = corpus.map(e, p, sets, rest[chosen])
        hashes, sizes = (np.concatenate(one) for one in zip(*found, strict=True))
        ends = np.cumsum(sizes)
        return hashes, (ends - sizes)[at], ends[at]

    near = separate(key[rest], sets_of, p, corpus.held[rest]).among(len(same), rest)
    found = together(same, near)
    table = side_table(corpus.rows, found.among(len(same), corpus.order))
    first = np.ones(len(same), bool)
    first[corpus.order] = same < 0
    for path, begin, end in zip(corpus.paths, [0, *corpus.ends], corpus.ends, strict=False):
        write_table(out / path.name, table.slice(begin, end - begin))
        without_repeats(out / "signatures" / path.name, first[begin:end])
    gone, twice = int((found.of >= 0).sum()), int((same >= 0).sum())
    return f"{len(same) - gone:,} documents kept, {twice:,} exact and {gone - twice:,} near-duplicates dropped"


def without_repeats(path: Path, first: Flags) -> None:
    """Takes out of a shard of signatures those of texts that came before."""
    if not first.all():
        write_table(path, read_table(path).filter(pa.array(first)))


def reason(same: bool, label: str | None, kept: str | None) -> str:
    """Why the document goes, and whether a label goes with it: of the two documents, the first one's label stays."""
    why = "same text" if same else "near-duplicate"
    if label is None or label == kept:
        return why
    return f"{why}, {'label lost' if kept is None else 'other label'}"


def side_table(rows: pa.Table, found: Found) -> pa.Table:
    """One row for every document; `reason` is null where it is kept."""
    ids, labels = (rows.column(name).combine_chunks() for name in ("id", "label"))
    gone = np.flatnonzero(found.of >= 0)
    pairs = zip(found.same[gone], labels.take(gone).to_pylist(), labels.take(found.of[gone]).to_pylist(), strict=True)
    why, alike = np.full(len(ids), None), np.full(len(ids), None)
    why[gone] = [reason(*pair) for pair in pairs]
    alike[gone] = [round(one, 6) for one in found.jaccard[gone].tolist()]
    of, cluster = (ids.take(pa.array(one, mask=one < 0)) for one in (found.of, found.cluster))
    return pa.Table.from_arrays(
        [ids, pa.array(why, pa.string()), of, pa.array(alike, pa.float64()), cluster, joins(ids, found.joined)],
        schema=SCHEMA,
    )


def joins(ids: pa.Array, joined: Places) -> pa.Array:
    """Of each document the first ones of the clusters that it joined: more than one where it made one cluster of
    them."""
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    ends = np.cumsum(np.bincount(joined[:, 0], minlength=len(ids)))
    return pa.ListArray.from_arrays(pa.array([0, *ends.tolist()], pa.int32()), ids.take(pa.array(joined[order, 1])))


if __name__ == "__main__":
    run(stage)
