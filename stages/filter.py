"""Drop what is not worth learning from, by limits on features."""

from pathlib import Path
from typing import Annotated, Any, Self

import pyarrow as pa
import pyarrow.compute
from pydantic import Field, model_validator

from stages.core.faults import Fault
from stages.core.params import Section
from stages.core.records import DROPS, read_drops, read_table, reasons, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

pc: Any = pyarrow.compute  # its functions are made while it is imported


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
    values: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]


def verdicts(table: pa.Table, p: Params) -> pa.Array:
    """Of each document the first limit, in the declared order, that it is outside of; null where there is none."""
    broken: list[tuple[Any, Any]] = []
    for name, limit in p.limits.items():
        if limit.at_least is not None:
            broken.append((pc.less(table.column(name), limit.at_least), f"{name} under {limit.at_least:g}"))
        if limit.at_most is not None:
            broken.append((pc.greater(table.column(name), limit.at_most), f"{name} over {limit.at_most:g}"))
    for name, values in p.values.items():
        other = pc.invert(pc.is_in(table.column(name), pa.array(values, pa.string())))
        broken.append((other, pc.binary_join_element_wise(f"{name} is", table.column(name), " ")))
    reason = pa.nulls(len(table), pa.string())
    for outside, why in reversed(broken):
        reason = pc.if_else(outside, why, reason)
    return pc.if_else(table.column("given"), None, reason)


def filter_shard(path: Path, p: Params, out: Path) -> int:
    """One shard; gives how many documents stay: a given validation or test document always does."""
    table = read_table(path, ["id", "given", *p.limits, *p.values])
    reason = verdicts(table, p)
    rows = pa.Table.from_arrays([table.column("id"), reason, pa.nulls(len(table), pa.string())], schema=DROPS)
    write_table(out / path.name, rows)
    return reason.null_count


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
