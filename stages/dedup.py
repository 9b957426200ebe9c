"""MinHash near-duplicates: keep the first, drop the rest with evidence.

Signatures: Broder (1997), with datasketch's permutations. Candidates share one of `bands` bands of `rows` values
(Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, ch. 3); each pair is then verified by its exact Jaccard
similarity.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from stages.core import minhash, nearness, shingles
from stages.core.buffers import Flags, Places, Texts, compiled
from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.hashing import rng, stable_hash, uniform
from stages.core.nearness import Pairs, Sets
from stages.core.params import Count, Distinct, Plugin, Positive, Section, Shared
from stages.core.planted import EDITS
from stages.core.records import DROPS, Document, given, read_table, shards, write_table, write_tables
from stages.core.shingles import Hashes
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run

T = TypeVar("T")
Jaccard = Annotated[float, Field(gt=0.0, le=1.0)]
Recall = Annotated[float, Field(gt=0.0, lt=1.0)]
SCHEMA = pa.schema([*DROPS, ("jaccard", pa.float64()), ("cluster", pa.string()), ("joins", pa.list_(pa.string()))])
MANY_STEPS = 10**6  # through the shingles of all pairs in a bucket, from which it is worth that here


class Params(Section):
    unit: Literal["word", "character"]
    ngram: Positive
    steps: Annotated[tuple[str, ...], Plugin("cleaners")]
    apart: Annotated[tuple[str, ...], Distinct]
    permutations: Positive
    recall: Recall
    threshold: Jaccard
    together: Jaccard
    sample: Count
    seed: Count
    settings: Annotated[dict[str, Any], Shared("cleaners")]

    @model_validator(mode="after")
    def what_stays_together_is_less_alike(self) -> Self:
        if self.together > self.threshold:
            raise ValueError(
                f"together {self.together} is above threshold {self.threshold}, "
                "from which the later document is dropped; lower it"
            )
        return self

    @model_validator(mode="after")
    def recall_can_be_had(self) -> Self:
        if minhash.met(self.threshold, *banding(self)) < self.recall:
            raise ValueError(
                f"recall {self.recall} at threshold {self.threshold} takes more than {self.permutations} permutations; "
                "raise these or lower it"
            )
        return self


def banding(p: Params) -> tuple[int, int]:
    """Bands of a signature, and the values of each."""
    return minhash.banding(p.permutations, p.threshold, p.recall)


@dataclass(frozen=True)
class Found:
    """What is decided about documents, by their places: `of` is the kept one that a document repeats, `jaccard` how
    closely, `cluster` the first of those kept ones that stay on its side of a split, -1 where there is none; whether
    the text is the `same`; pairs of a document and the first of a cluster that it `joined` when it came, which no later
    document changes; and whether a bucket was so full that it was compared with the `latest` of it only."""

    of: Places
    jaccard: NDArray[np.float64]
    cluster: Places
    same: Flags
    joined: Places
    latest: Flags

    def among(self, documents: int, places: Places) -> Self:
        """The same, if the nth document has the nth of these places among more."""
        of, cluster = np.full(documents, -1), np.full(documents, -1)
        jaccard, same, latest = np.zeros(documents), np.zeros(documents, bool), np.zeros(documents, bool)
        of[places] = np.where(self.of >= 0, places[self.of], -1)
        cluster[places] = np.where(self.cluster >= 0, places[self.cluster], -1)
        jaccard[places], same[places], latest[places] = self.jaccard, self.same, self.latest
        return type(self)(of, jaccard, cluster, same, places[self.joined], latest)


class Part(NamedTuple):
    """Some documents of a shard, and how to shingle them: `steps` are cleaners with their parameters; `fast` where the
    corpus is large enough for numba."""

    path: Path
    wanted: Flags
    unit: str
    ngram: int
    steps: Mapping[str, Any]
    fast: bool

    def texts(self) -> Iterator[Texts]:
        """Their normalised texts, some at a time."""
        begin = 0
        for column in read_table(self.path, ["text"]).column("text").chunks:
            wanted = self.wanted[begin : begin + len(column)]
            begin += len(column)
            chosen = column if wanted.all() else column.filter(pa.array(wanted))
            if self.steps:
                chosen = pa.array([cleaned(text, self.steps) for text in chosen.to_pylist()], pa.large_string())
            yield from (shingles.normal(batch, self.fast) for batch in Texts.buffers(chosen).batches())


def cleaned(text: str, steps: Mapping[str, Any]) -> str:
    """The text after cleaners with these parameters."""
    for step, settings in steps.items():
        text = plugins.load("cleaners", step).clean(text, settings)
    return text


@dataclass(frozen=True)
class Corpus:
    """The documents of all shards; the nth about which is decided is that of place `order[n]`. Those whose `apart`
    differs are not compared."""

    paths: Sequence[Path]
    rows: pa.Table
    ends: Places
    order: Places
    held: Flags
    apart: Hashes

    @classmethod
    def read(cls, folder: Path, apart: Sequence[str]) -> Self:
        """What is known of documents, but for their texts."""
        paths = shards(folder)
        tables = [read_table(path, ["id", "label", "split"]) for path in paths]
        rows = pa.concat_tables(tables)
        splits: list[str | None] = rows.column("split").to_pylist()
        order = first_the_given(splits)
        held = np.array([given(split) for split in splits], bool)[order]
        return cls(paths, rows, np.cumsum([len(table) for table in tables]), order, held, worlds(paths, apart)[order])

    @property
    def large(self) -> bool:
        """Whether numba is worth its start."""
        return sum(path.stat().st_size for path in self.paths) >= shingles.MANY

    def map(
        self, e: Engine, p: Params, function: Callable[..., T], chosen: Places, *fixed: Any
    ) -> tuple[list[T], Places]:
        """What a function makes of some documents, shard by shard; and which of the chosen each of them is."""
        places = self.order[chosen]
        wanted = np.zeros(len(self.order), bool)
        wanted[places] = True
        if self.large:
            ready(p.unit, p.ngram)
        steps = {step: p.settings[step] for step in p.steps}
        by_shard = zip(self.paths, np.split(wanted, self.ends[:-1]), strict=True)
        parts = [Part(*one, p.unit, p.ngram, steps, self.large) for one in by_shard]
        return e.map(function, parts, *fixed, what=function.__name__), np.argsort(places)


def worlds(paths: Sequence[Path], names: Sequence[str]) -> Hashes:
    """Of each document a hash of its values of some fields of the record or of attributes; 0 where none are named."""
    found, known = list[Hashes](), set[str]()
    for path in paths:
        inner = {name: name if name in Document._fields else f"attributes.{name}" for name in names}
        table = read_table(path, ["id", *inner.values()]).flatten()
        known |= set(table.column_names)
        columns = [
            table.column(one).to_pylist() if one in table.column_names else [None] * len(table)
            for one in inner.values()
        ]
        found.append(np.array([world(values) for values in zip(*columns, strict=True)] or [0] * len(table), np.uint64))
    if missing := [name for name in names if not {name, f"attributes.{name}"} & known]:
        raise Fault(f"dedup.apart: no source gives {', '.join(missing)}; name fields of documents or attributes")
    return np.concatenate(found)


@lru_cache(2**16)
def world(values: tuple[Any, ...]) -> int:
    """A hash of values."""
    return stable_hash(*map(repr, values))


def ready(unit: str, size: int) -> None:
    """Compiles what signatures take, so that the processes of an engine find it and don't all compile it at once."""
    minhash.signatures(shingles.normal(Texts.of(["a"]), True), unit, size, [1], [0], True)


def recipe(p: Params) -> dict[str, Any]:
    """What a reader needs to make a signature that can be compared: it need not import datasketch, which takes 1 s."""
    from datasketch import MinHash

    bands, rows = banding(p)
    a, b = np.asarray(MinHash(bands * rows, seed=p.seed, scheme=minhash.SCHEME).permutations)
    made = {"scheme": minhash.SCHEME, "hash": minhash.HASH, "unit": p.unit, "ngram": p.ngram}
    steps = {step: p.settings[step].model_dump(mode="json") for step in p.steps}
    return made | {"steps": steps, "a": a.tolist(), "b": b.tolist()}


def sketched(part: Part, made: Mapping[str, Any], bands: int, out: Path) -> tuple[Hashes, Hashes]:
    """Keeps the signatures of documents for later; returns (documents, 2) hashes of 128 bits, which only equal
    normalised texts have in common, and (documents, bands) keys."""
    same, parts = list[bytes](), [np.empty((0, len(made["a"])), np.uint32)]
    for texts in part.texts():
        data, places = texts.data.data, texts.offsets.tolist()
        same += [blake2b(data[begin:end], digest_size=16).digest() for begin, end in pairwise(places)]
        parts.append(minhash.signatures(texts, part.unit, part.ngram, made["a"], made["b"], part.fast))
    signature = np.concatenate(parts)
    np.save(waiting(part.path, out), signature)
    return np.frombuffer(b"".join(same), np.uint64).reshape(-1, 2), minhash.keys(signature, bands)


def waiting(path: Path, out: Path) -> Path:
    """Where the signatures of a shard are until it is known whose are kept."""
    return out / f"{path.stem}.npy"


def signed(part: Part, made: Mapping[str, Any], out: Path) -> None:
    """Writes the signatures of documents."""
    signature = np.load(waiting(part.path, out))[part.wanted]
    waiting(part.path, out).unlink()
    ids = read_table(part.path, ["id"]).column("id").filter(pa.array(part.wanted))
    table = signature_table(ids, signature, made)
    write_tables(out / "signatures" / part.path.name, [table], table.schema)


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
    found = [shingles.sets(texts, part.unit, part.ngram, part.fast) for texts in part.texts()]
    hashes = [np.empty(0, np.uint64), *(one for one, _ in found)]
    return np.concatenate(hashes), np.concatenate([np.empty(0, np.int64), *(np.diff(bounds) for _, bounds in found)])


def first_the_given(splits: Sequence[str | None]) -> Places:
    """The places of documents in order of arrival, but first what a source gives for test, then for validation: of
    twins in training and there, the one in training goes."""
    rank = [{"test": 0, "validation": 1}.get(split or "", 2) for split in splits]
    return np.argsort(np.array(rank, np.int8), kind="stable")


def concatenated(parts: list[Any], to: Places | None = None) -> Any:
    """Arrays as one, whose row to[n] is the nth of them; each part is gone then, so that memory holds no two of all."""
    whole, begin = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype), 0
    parts.reverse()
    while parts:
        part = parts.pop()
        end = begin + len(part)
        whole[slice(begin, end) if to is None else to[begin:end]] = part
        begin = end
    return whole


def exact(digest: Hashes) -> Places:
    """For each document the first that has the same text; -1 where it is the first."""
    order = np.lexsort(digest.T)  # stable: of equal ones, the first comes first
    new = np.append(True, (digest[order[1:]] != digest[order[:-1]]).any(axis=1))[: len(order)]
    same = np.full(len(order), -1)
    same[order[~new]] = order[new][np.cumsum(new)[~new] - 1]
    return same


@dataclass(frozen=True)
class Candidates:
    """Those of `documents` that share a bucket with another one: the nth has the place `places[n]`, and the shingles
    hashes[begins[n] : ends[n]]. `decide` is how those that go are found."""

    documents: int
    places: Places
    bucket: minhash.Buckets
    hashes: Hashes
    begins: Places
    ends: Places
    held: Flags
    decide: Callable[..., Any]

    @classmethod
    def of(
        cls, key: Hashes, held: Flags, sets_of: Callable[[Places], tuple[Hashes, Places, Places]], fast: bool
    ) -> Self:
        """Those with such keys."""
        bucket = minhash.buckets(key)
        places = np.flatnonzero((bucket >= 0).any(axis=1))
        members = np.bincount(bucket[bucket >= 0])
        hashes, begins, ends = sets_of(places)
        pairs = int((members * np.minimum(members - 1, minhash.MOST)).sum())
        steps = pairs * len(hashes) // max(len(places), 1)
        decide = compiled(minhash.keep_first) if fast or steps >= MANY_STEPS else minhash.keep_first
        return cls(len(key), places, bucket[places], hashes, begins, ends, held[places], decide)

    def separate(self, threshold: float, together: float) -> Found:
        """Greedy, in the order given: a document goes if a *kept* earlier one is at least `threshold` alike; those that
        are held never do.

        So every removal has a kept neighbour, and what comes later never changes what was decided before.
        """
        sets = self.hashes, self.begins, self.ends
        of, alike, first, joined, latest = self.decide(self.bucket, *sets, self.held, threshold, together, minhash.MOST)
        several = np.bincount(first, minlength=len(first)) > 1
        cluster = np.where(several[first], first, -1)
        found = Found(of, alike, cluster, np.zeros(len(of), bool), joined, latest)
        return found.among(self.documents, self.places)


def together(same: Places, near: Found, held: Flags) -> Found:
    """All repeats: an exact one of a document that is itself a near-duplicate repeats the one that is kept; one that is
    held stays, and joins the first of its text."""
    again = np.flatnonzero((same >= 0) & ~held)
    by_near = near.of[same[again]]
    direct = by_near < 0
    near.of[again] = np.where(direct, same[again], by_near)
    near.jaccard[again] = np.where(direct, 1.0, near.jaccard[same[again]])
    near.same[again] = direct
    twins = np.flatnonzero((same >= 0) & held)
    alone = same[twins][near.cluster[same[twins]] < 0]
    near.cluster[alone] = alone
    near.cluster[twins] = near.cluster[same[twins]]
    return replace(near, joined=np.concatenate([near.joined, np.stack([twins, same[twins]], axis=1)]))


def stage(e: Engine, p: Params, source: Path, out: Path) -> str:
    """Finds the repeats in the whole corpus; writes a side table a shard, and the signatures of all different texts."""
    out.mkdir()
    corpus, made = Corpus.read(source, p.apart), recipe(p)
    documents = len(corpus.order)
    found, to = corpus.map(e, p, sketched, np.arange(documents), made, banding(p)[0], out)
    digest, key = (concatenated(list(one), to) for one in zip(*found, strict=True))
    del found
    digest[:, 0] ^= corpus.apart
    key ^= corpus.apart[:, None]
    same = exact(digest)
    rest = np.flatnonzero(same < 0)
    key = key[rest]
    corpus.map(e, p, signed, rest, made, out)

    def sets_of(chosen: Places) -> tuple[Hashes, Places, Places]:
        found, to = corpus.map(e, p, sets, rest[chosen])
        sizes = np.concatenate([sizes for _, sizes in found])
        begins, ends = np.empty_like(to), np.empty_like(to)
        begins[to], ends[to] = np.cumsum(sizes) - sizes, np.cumsum(sizes)
        hashes = [hashes for hashes, _ in found]
        found.clear()
        return concatenated(hashes), begins, ends

    candidates = Candidates.of(key, corpus.held[rest], sets_of, corpus.large)
    near = candidates.separate(p.threshold, p.together)
    decided = together(same, near.among(documents, rest), corpus.held).among(documents, corpus.order)
    table = side_table(corpus.rows, decided)
    for path, begin, end in zip(corpus.paths, [0, *corpus.ends], corpus.ends, strict=False):
        write_table(out / path.name, table.slice(begin, end - begin))
    if p.sample:
        sweep = [
            (one, int((candidates.separate(one, min(one, p.together)).of >= 0).sum())) for one in nearness.THRESHOLDS
        ]
        told_of = quality(e, p, corpus, rest, key, sweep, near)
        write_json(out / "quality.json", told_of | {"clusters": largest(corpus, decided)})
    return told(decided)


class Seen(NamedTuple):
    """Texts as the stage sees them: the hashes of their shingles, and the keys of their bands."""

    sets: Sets
    key: Hashes

    @classmethod
    def of(cls, texts: Sequence[str], p: Params, made: Mapping[str, Any]) -> Self:
        """Few texts, so without numba."""
        steps = {step: p.settings[step] for step in p.steps}
        column = Texts.of([cleaned(text, steps) for text in texts])
        normal, how = shingles.normal(column, fast=False), (p.unit, p.ngram)
        signature = minhash.signatures(normal, *how, made["a"], made["b"], fast=False)
        return cls(Sets(*shingles.sets(normal, *how, fast=False)), minhash.keys(signature, banding(p)[0]))


def likenesses(part: Part, sample: Sets, floor: float) -> tuple[Pairs, int]:
    """The pairs of sampled documents and those of a shard that are at least so alike; and how many these are."""
    hashes, sizes = sets(part)
    return nearness.alike(sample, Sets(hashes, np.append(0, np.cumsum(sizes))), floor), len(sizes)


def raw(part: Part) -> list[str]:
    """The texts of documents, as they came."""
    return read_table(part.path, ["text"]).column("text").filter(pa.array(part.wanted)).to_pylist()


def quality(
    e: Engine, p: Params, corpus: Corpus, rest: Places, key: Hashes, sweep: Sequence[tuple[float, int]], near: Found
) -> dict[str, Any]:
    """How good the decisions about all different texts are: for a sample of them by brute force, and by near copies."""
    ids = corpus.rows.column("id").to_pylist()
    names = [ids[place] for place in corpus.order[rest].tolist()]
    lots = [uniform("quality", name, p.seed) for name in names]
    sampled = np.sort(np.argsort(lots, kind="stable")[: p.sample])
    found, to = corpus.map(e, p, raw, rest[sampled])
    texts = [text for _, text in sorted(zip(to.tolist(), chain.from_iterable(found), strict=True))]
    made = recipe(p)
    seen = Seen.of(texts, p, made)
    pairs = neighbours(e, p, corpus, rest, sampled, seen.sets)
    met = (key[sampled[pairs.one]] == key[pairs.other]).any(axis=1)
    copies = {
        edit: Seen.of(
            [change(text, rng(edit, names[n], p.seed)) for n, text in zip(sampled, texts, strict=True)], p, made
        )
        for edit, change in EDITS.items()
    }
    return {
        "sample": nearness.judged(pairs, met, near.of < 0, corpus.held[rest], sampled, p.threshold),
        "sweep": [nearness.swept(pairs, met, one, removed) for one, removed in sweep],
        "edits": [
            nearness.of_edit(edit, seen.sets, other.sets, (seen.key == other.key).any(axis=1))
            for edit, other in copies.items()
        ],
        "lines": nearness.lines(texts),
    }


def neighbours(e: Engine, p: Params, corpus: Corpus, rest: Places, sampled: Places, sample: Sets) -> Pairs:
    """The pairs of sampled documents and others that may be compared, by brute force."""
    found, to = corpus.map(e, p, likenesses, rest, sample, nearness.THRESHOLDS[0])
    before = np.cumsum([0, *(number for _, number in found)])
    parts = [pairs._replace(other=to[pairs.other + begin]) for (pairs, _), begin in zip(found, before, strict=False)]
    pairs = Pairs(*map(np.concatenate, zip(*parts, strict=True)))
    one, apart = sampled[pairs.one], corpus.apart[rest]
    return pairs.those((one != pairs.other) & (apart[one] == apart[pairs.other]))


def largest(corpus: Corpus, decided: Found) -> list[dict[str, Any]]:
    """The largest clusters."""
    root = np.where(decided.of >= 0, decided.of, np.arange(len(decided.of)))
    root = np.where(decided.cluster[root] >= 0, decided.cluster[root], root)
    return nearness.clusters(root, decided.of < 0, corpus.rows.column("id").to_pylist())


def told(decided: Found) -> str:
    """What came of it."""
    gone, twice, latest = (int(one.sum()) for one in (decided.of >= 0, decided.same, decided.latest))
    full = f"; {latest:,} compared with the latest {minhash.MOST:,} of a bucket only" if latest else ""
    kept = len(decided.of) - gone
    return f"{kept:,} documents kept, {twice:,} exact and {gone - twice:,} near-duplicates dropped{full}"


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
