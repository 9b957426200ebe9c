"""Even out train: writes only weights and picks, never a copy."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from stages.core.examples import Example, shard_examples
from stages.core.hashing import uniform
from stages.core.params import Section, Share
from stages.core.records import read_table, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

SCHEMA = pa.schema([("id", pa.string()), ("label", pa.string()), ("weight", pa.float64()), ("picks", pa.int32())])


class Params(Section):
    power: Share
    by: Literal["weights", "picks"]
    seed: int


def factors(counts: dict[str, int], power: float) -> dict[str, float]:
    """Label → factor ∝ count^−power, with mean 1 over the documents: 0 changes nothing, 1 makes all labels equal."""
    raw = {label: count**-power for label, count in counts.items()}
    mean = sum(raw[label] * count for label, count in counts.items()) / sum(counts.values())
    return {label: factor / mean for label, factor in raw.items()}


def balanced(example: Example, factor: float, p: Params) -> dict[str, Any]:
    """A row of the side table: the factor as a weight of the loss, or as a number of picks an epoch (on average)."""
    if p.by == "weights":
        return {"id": example.id, "label": example.label, "weight": round(factor, 6), "picks": 1}
    whole, part = divmod(factor, 1.0)
    picks = int(whole) + (uniform("picks", example.id, p.seed) < part)
    return {"id": example.id, "label": example.label, "weight": 1.0, "picks": picks}


def training(path: Path, split: Path, augment: Path) -> list[Example]:
    """The shard's documents that training sees: the used ones, then the children."""
    born = [Example(**row) for row in read_table(augment / path.name, list(Example._fields)).to_pylist()]
    return [*shard_examples(path, split / path.name, "train"), *born]


def stage(e: Engine, p: Params, source: Path, split: Path, augment: Path, out: Path) -> str:
    """Weights or picks for every document that training sees."""
    out.mkdir()
    examples = dict(zip(shards(source), e.map(training, shards(source), split, augment), strict=True))
    counts = Counter(example.label for shard in examples.values() for example in shard)
    factor = factors(dict(counts), p.power)
    rows = {path.name: [balanced(one, factor[one.label], p) for one in shard] for path, shard in examples.items()}
    for name, shard in rows.items():
        write_table(out / name, pa.Table.from_pylist(shard, schema=SCHEMA))
    return told(factor, [row for shard in rows.values() for row in shard], p)


def told(factor: dict[str, float], rows: Sequence[dict[str, Any]], p: Params) -> str:
    """What the training set is now."""
    picks = sum(row["picks"] for row in rows)
    if not p.power:
        return f"{picks:,} training documents, as they are"
    least, most = min(factor.values()), max(factor.values())
    return f"{picks:,} picks of {len(rows):,} documents, {p.by} from {least:.2f} to {most:.2f}"


if __name__ == "__main__":
    run(stage)
