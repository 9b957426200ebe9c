"""Drop what is not worth learning from, by limits on features."""

from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from pydantic import field_validator, model_validator

from stages.core.faults import Fault
from stages.core.figures import FEATURES
from stages.core.params import Section
from stages.core.records import DROPS, read_drops, read_table, reasons, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run


class Limit(Section):
    """What a feature must be, ends included; `null` is no limit."""

    at_least: float | None
    at_most: float | None

    @model_validator(mode="after")
    def something_is_between(self) -> Self:
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is above at_most {self.at_most:g}; no document is both")
        return self


class Params(Section):
    limits: dict[str, Limit]

    @field_validator("limits")
    @classmethod
    def limits_name_features(cls, limits: dict[str, Limit]) -> dict[str, Limit]:
        if unknown := [name for name in limits if name not in FEATURES]:
            raise ValueError(f"no feature {', '.join(unknown)}; there is: {', '.join(FEATURES)}")
        return limits


def reason(row: dict[str, Any], limits: dict[str, Limit]) -> str | None:
    """The first limit, in the declared order, that the document is outside of."""
    for name, limit in limits.items():
        if limit.at_least is not None and row[name] < limit.at_least:
            return f"{name} under {limit.at_least:g}"
        if limit.at_most is not None and row[name] > limit.at_most:
            return f"{name} over {limit.at_most:g}"
    return None


def filter_shard(path: Path, p: Params, out: Path) -> int:
    """One shard; gives how many documents stay: a given validation or test document always does."""
    rows = [
        {"id": row["id"], "reason": None if row["given"] else reason(row, p.limits), "of": None}
        for row in read_table(path).to_pylist()
    ]
    write_table(out / path.name, pa.Table.from_pylist(rows, schema=DROPS))
    return sum(row["reason"] is None for row in rows)


def stage(e: Engine, p: Params, features: Path, out: Path) -> str:
    """Decides for each document by its figures."""
    out.mkdir()
    kept = sum(e.map(filter_shard, shards(features), p, out))
    counts = reasons(drop for path in shards(out) for drop in read_drops(path))
    if not kept:
        raise Fault(f"params.yaml: filter.limits: no document is left ({told(counts)}); loosen the limits")
    return f"{kept:,} documents kept, {sum(counts.values()):,} dropped{f' ({told(counts)})' if counts else ''}"


def told(counts: dict[str, int]) -> str:
    """Reasons with their counts."""
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


if __name__ == "__main__":
    run(stage)
