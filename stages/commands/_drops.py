"""Where documents left, why, how many, and which for example."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stages.commands._life import output
from stages.commands._screen import columns, cut, painted
from stages.core.funnel import Passage, passages
from stages.core.records import Drop, read_table, shards

STEPS = ("ingest", "dedup", "clean", "filter", "split", "budget", "augment", "balance")
READ_FROM = {"budget": "split"}  # the steps that are not read from the stage of their name
EXAMPLES = 2
REASON = 36  # columns of a reason


def built() -> Iterator[Passage]:
    """The steps of the funnel up to the first whose stage is not built."""
    way = passages(*(output(step) for step in STEPS if step not in READ_FROM))
    for step in STEPS:
        if not output(READ_FROM.get(step, step)).exists():
            return
        yield next(way)


def drops() -> dict[str, Any]:
    """Each step with its reasons, and examples of each."""
    found = list(built())
    chosen = {one.name: examples(one.gone) for one in found}
    texts = texts_of({drop.id for reasons in chosen.values() for some in reasons.values() for drop in some})
    steps = [told(one, chosen[one.name], texts) for one in found]
    return {"steps": steps, "not_built": STEPS[len(steps) :]}


def examples(gone: Sequence[Drop]) -> dict[str, list[Drop]]:
    """The first of each reason."""
    first: dict[str, list[Drop]] = {}
    for drop in gone:
        if len(one := first.setdefault(drop.reason, [])) < EXAMPLES:
            one.append(drop)
    return first


def texts_of(ids: set[str]) -> dict[str, str]:
    """The texts as they came; what ingest rejected has none."""
    return {
        one: text.as_py()
        for path in shards(output("ingest"))
        for table in [read_table(path, ["id", "text"])]
        for one, text in zip(table.column("id").to_pylist(), table.column("text"), strict=True)
        if one in ids
    }


def told(one: Passage, chosen: Mapping[str, Sequence[Drop]], texts: Mapping[str, str]) -> dict[str, Any]:
    """A step for --json; a document without a text is the place of a reject."""
    step = one.step
    reasons = [
        {
            "reason": reason,
            "count": count,
            "examples": [{"id": drop.id, "of": drop.of, "text": texts.get(drop.id)} for drop in chosen.get(reason, ())],
        }
        for reason, count in step.gone.items()
    ]
    counts = {"came": step.came, "added": len(one.added), "dropped": sum(step.gone.values()), "kept": step.left}
    return {"step": step.name, **counts, "reasons": reasons}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The steps as a table: under each step its reasons, with an example."""
    yield painted(f"{'':9}{'came':>9}{'dropped':>9}{'kept':>9}", "quiet")
    longest = max((len(one["reason"]) for step in told["steps"] for one in step["reasons"]), default=0)
    for step in told["steps"]:
        added = f"  {step['added']:,} made here" if step["added"] else ""
        name = painted(f"{step['step']:9}", "name")
        yield f"{name}{step['came']:>9,}{step['dropped']:>9,}{step['kept']:>9,}{added}"
        yield from (reason(one, min(longest, REASON)) for one in step["reasons"])
    for step in told["not_built"]:
        yield f"{painted(f'{step:9}', 'name')}{painted('not built', 'quiet')}"
    first = told["steps"][0]
    yield f"adds up: at each step, each of the {first['came']:,} that came is in exactly one of kept and dropped"


def reason(one: Mapping[str, Any], wide: int) -> str:
    """A reason with its count and, as far as there is room, the id and text of an example."""
    told = f"{'':18}{one['count']:>9,}  {cut(one['reason'], wide):<{wide}}  "
    first = next(iter(one["examples"]), {"id": None, "text": None})  # rows that nobody wants have no name
    return told + cut("  ".join(filter(None, (first["id"], first["text"]))), columns() - len(told))
