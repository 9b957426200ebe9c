"""Train / validation / test: near-duplicates and groups never straddle; what leaks all the same is told, and may go."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute

from stages.core import contamination, shingles
from stages.core.contamination import Grams, Index, Overlaps
from stages.core.faults import Fault, did_you_mean
from stages.core.files import write_json
from stages.core.labels import enough, used
from stages.core.leakage import KINDS, Leak, report, template_leaks, templates
from stages.core.params import Count, Distinct, Plugin, Positive, Section, Share, Shared
from stages.core.records import DROPS, Drop, dropped_ids, read_table, shards, write_table
from stages.core.sides import HELD, Item, Sides, Sizes, groups
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run

pc: Any = pyarrow.compute  # its functions are made while it is imported
SCHEMA = pa.schema(
    [("id", pa.string()), ("side", pa.string()), ("used", pa.bool_()), ("tied", pa.string()), *list(DROPS)[1:]]
)
LEAKS = pa.schema([(name, pa.float64() if name == "share" else pa.string()) for name in Leak._fields])


class Leakage(Section):
    """Which n-grams are looked at, and which share of those of a text that is held out makes a leak (0.0: one is
    enough); and the kinds of leaks whose training documents go."""

    unit: Literal["word", "character"]
    ngram: Positive
    share: Share
    remove: Annotated[tuple[Literal["template", "ngrams"], ...], Distinct]


class Params(Sizes):
    method: Annotated[str, Plugin("splitters")]
    together: Annotated[tuple[str, ...], Distinct]
    labels: Count
    leakage: Leakage
    seed: int
    settings: Annotated[dict[str, Any], Shared("splitters")]


class Read(NamedTuple):
    """The documents of a shard; pairs of a kind of leak and the document that dedup has kept of one; the attributes
    that any document has."""

    items: list[Item]
    twins: list[tuple[str, str]]
    attributes: set[str]


def read_shard(path: Path, gone: Path, dedup: Path, together: Sequence[str], dated: str | None) -> Read:
    """What is left after filter, with its ties; and, of what went before, what has made one cluster of several."""
    found = read_table(path, ["id", "text", "label", "group", "split", "source", "attributes"])
    about = found.column("attributes").combine_chunks()
    names = {field.name for field in about.type}
    values = {name: about.field(name).to_pylist() for name in {*together, dated} & names}
    masked = [one for column in found.column("text").chunks for one in templates(column)]
    out, near = dropped_ids(gone / path.name), {row["id"]: row for row in read_table(dedup / path.name).to_pylist()}
    items = {one: Item(one, joins=tuple(row["joins"]), here=False) for one, row in near.items() if row["joins"]}
    for n, row in enumerate(found.drop_columns("attributes").to_pylist()):
        if row["id"] not in out:
            tied = {f"attribute {name}": values[name][n] for name in together if name in values}
            text = digest(row["text"])
            items[row["id"]] = Item(
                row["id"],
                row["label"],
                ties({"group": row["group"], **tied, "text": f"{text}"}),
                row["split"],
                near[row["id"]]["cluster"],
                tuple(near[row["id"]]["joins"]),
                row["source"],
                values[dated][n] if dated in values else None,
                text,
                masked[n],
            )
    twins = [(kind_of(row["reason"]), row["of"]) for row in near.values() if row["of"] is not None]
    filled = {name for name in names if about.field(name).null_count < len(about)}
    return Read([items[one] for one in near if one in items], twins, filled)


def digest(text: str) -> int:
    """64 bits that texts have in common which are equal but for case and white space."""
    return int.from_bytes(blake2b(shingles.normalised(text).encode(), digest_size=8).digest(), "little")


def ties(keys: Mapping[str, str | None]) -> tuple[str, ...]:
    """The keys that hold a document to one side."""
    return tuple(f"{kind} {key}" for kind, key in keys.items() if key is not None)


def kind_of(reason: str) -> str:
    """The kind of leak that a document would have been which dedup dropped."""
    return "exact" if reason.startswith("same text") else "near"


def refuse_unknown(p: Params, dated: str | None, there: Collection[str]) -> None:
    """An attribute that no document has would tie nothing, or date nothing."""
    named = [("split.together", name) for name in p.together]
    named += [(f"splitters.{p.method}.attribute", dated)] if dated else []
    for place, name in named:
        if name not in there:
            told = ", ".join(sorted(there)) or "none"
            raise Fault(
                f"params.yaml: {place}: no document has an attribute {name!r}; there is: {told}"
                f"{did_you_mean(name, there)}"
            )


class Part(NamedTuple):
    """Some documents of a shard, in its order; `fast` where the corpus is large enough for numba."""

    path: Path
    ids: Sequence[str]
    p: Leakage
    fast: bool


def grams_of(part: Part) -> Grams:
    """Their n-grams."""
    table = read_table(part.path, ["id", "text"])
    chosen = pc.is_in(table.column("id"), pa.array(part.ids, pa.string()))
    return contamination.ngrams(table.filter(chosen).column("text").chunks, part.p.unit, part.p.ngram, fast=part.fast)


def overlaps_of(part: Part, held: Path) -> dict[str, Overlaps]:
    """What they have in common with each set of texts that is held out."""
    grams = grams_of(part)
    return {folder.name: Index.read(folder).overlaps(grams, part.p.share) for folder in sorted(held.iterdir())}


@dataclass(frozen=True)
class Corpus:
    """The documents, shard by shard."""

    paths: Sequence[Path]
    ids: Sequence[Sequence[str]]
    p: Leakage

    def parts(self, wanted: Collection[str]) -> list[Part]:
        """Of each shard the documents with these ids."""
        fast = sum(path.stat().st_size for path in self.paths) >= shingles.MANY
        if fast:
            contamination.ready(self.p.unit, self.p.ngram)
        chosen = ([one for one in ids if one in wanted] for ids in self.ids)
        return [Part(path, ids, self.p, fast) for path, ids in zip(self.paths, chosen, strict=True)]

    def grams(self, e: Engine, wanted: Collection[str]) -> tuple[list[str], Grams]:
        """The ids and n-grams of these documents."""
        parts = self.parts(wanted)
        return [one for part in parts for one in part.ids], Grams.joined(e.map(grams_of, parts, what="n-grams"))

    def shared(
        self, e: Engine, held: Mapping[str, tuple[Sequence[str], Grams]], training: Collection[str], beside: Path
    ) -> Iterator[Leak]:
        """The leaks by n-grams into sets of texts with their names; `beside` is where processes find these."""
        copies = {where: defaultdict[int, list[str]](list) for where in held}
        for where, (names, grams) in held.items():
            Index.of(grams).write(beside / where)
            for name, first in zip(names, contamination.firsts(grams.same).tolist(), strict=True):
                copies[where][first].append(name)
        parts = self.parts(training)
        for part, sets in zip(parts, e.map(overlaps_of, parts, beside, what="overlaps"), strict=True):
            for where, overlaps in sets.items():
                for text, other, share in zip(*(one.tolist() for one in overlaps), strict=True):
                    for name in copies[where][text]:
                        yield Leak("ngrams", where, name, part.ids[int(other)], round(share, 6))
        shutil.rmtree(beside)


def leaks_into(
    e: Engine,
    p: Params,
    corpus: Corpus,
    held: Mapping[str, Sequence[Item]],
    training: Sequence[Item],
    benchmarks: Path,
    beside: Path,
) -> tuple[list[Leak], dict[str, int]]:
    """All leaks into validation, test and benchmarks; and how many texts a benchmark has."""
    leaks = [leak for side, items in held.items() for leak in template_leaks(side, items, training)]
    sets = {side: corpus.grams(e, {item.id for item in items}) for side, items in held.items()}
    for path in shards(benchmarks):
        texts = read_table(path).column("text").chunks
        grams = contamination.ngrams(texts, p.leakage.unit, p.leakage.ngram, fast=False)
        sets[path.stem] = ([f"{n}" for n, _ in enumerate(grams.sizes, 1)], grams)
    leaks += corpus.shared(e, sets, {item.id for item in training}, beside)
    return leaks, {name: len(names) for name, (names, _) in sets.items() if name not in HELD}


def without(found: Sides, leaks: Sequence[Leak], remove: Sequence[str]) -> Sides:
    """The sides without the training documents that make leaks of these kinds, each for the first it makes."""
    made = [leak for leak in leaks if leak.kind in remove and found.side_of.get(leak.training) == "train"]
    gone = {leak.training: leak.drop for leak in reversed(made)}
    return Sides({one: side for one, side in found.side_of.items() if one not in gone}, found.drops | gone)


def stage(
    e: Engine, p: Params, source: Path, gone: Path, dedup: Path, benchmarks: Path, out: Path, out_leakage: Path
) -> str:
    """Gives each document its side and marks the labelled ones that training may use; what leaks is told apart, so
    that who looks for more of it trains nothing again."""
    out.mkdir()
    out_leakage.mkdir()
    paths, dated = shards(source), dict(p.settings[p.method]).get("attribute")
    read = e.map(read_shard, paths, gone, dedup, p.together, dated)
    refuse_unknown(p, dated, {name for one in read for name in one.attributes})
    items, sizes = [item for one in read for item in one.items], Sizes(validation=p.validation, test=p.test)
    drawn = plugins.load("splitters", p.method).sides(items, sizes, p.settings[p.method], p.seed)

    by_shard = [[item for item in one.items if item.here] for one in read]
    everything = [item for shard in by_shard for item in shard]
    held = {side: [item for item in everything if drawn.side_of.get(item.id) == side] for side in HELD}
    training = [item for item in everything if drawn.side_of.get(item.id) not in HELD]
    corpus = Corpus(paths, [[item.id for item in shard] for shard in by_shard], p.leakage)
    leaks, texts = leaks_into(e, p, corpus, held, training, benchmarks, out_leakage / "held")
    found = without(drawn, leaks, p.leakage.remove)

    tied = groups(everything)
    enough(tied, found.side_of)
    train = [item for item in everything if found.side_of.get(item.id) == "train"]
    chosen = used(train, p.labels, p.seed)
    first = {item.id: group[0].id for group in tied for item in group}
    for path, shard in zip(paths, by_shard, strict=True):
        rows = [row(item, found, item.id in chosen, first[item.id]) for item in shard]
        write_table(out / path.name, pa.Table.from_pylist(rows, schema=SCHEMA))
    told = report(held, training, train, leaks, [twin for one in read for twin in one.twins], texts)
    write_json(out_leakage / "leakage.json", told)
    write_table(out_leakage / "pairs.parquet", pa.Table.from_pylist([leak._asdict() for leak in leaks], schema=LEAKS))
    return f"{counts(everything, found, len(chosen))}{left(told)}"


def row(item: Item, found: Sides, is_used: bool, tied: str) -> dict[str, Any]:
    """A row of the side table."""
    drop = found.drops.get(item.id, Drop(item.id, "", None))
    of = {"reason": drop.reason or None, "of": drop.of}
    return {"id": item.id, "side": found.side_of.get(item.id), "used": is_used, "tied": tied, **of}


def counts(items: Sequence[Item], found: Sides, number: int) -> str:
    """How many labelled documents each side has, and what has none."""
    labelled = Counter(found.side_of.get(item.id) for item in items if item.label is not None)
    gone = f", {len(found.drops):,} dropped" if found.drops else ""
    return (
        f"labelled: {labelled['train']:,} train ({number:,} used), {labelled['validation']:,} validation, "
        f"{labelled['test']:,} test; {len(items) - labelled.total():,} without a label{gone}"
    )


def left(told: Mapping[str, Any]) -> str:
    """The leaks that are left in validation and test, if there are any."""
    numbers = {kind: sum(told[side][kind]["left"] for side in HELD) for kind in KINDS}
    some = ", ".join(f"{number:,} {kind}" for kind, number in numbers.items() if number)
    return f"; leaks: {some}" if some else ""


if __name__ == "__main__":
    run(stage, outs=2)
