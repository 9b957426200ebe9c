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
    texts = texts_of({drop.id for reasons in chosen.values() for drops in reasons.values() for drop in drops})
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
            "examples": [{"id": drop.id, "of": drop.of, "text": texts.get(drop.id)} for drop in chosen[reason]],
        }
        for reason, count in step.gone.items()
    ]
    counts = {"came": step.came, "added": len(one.added), "dropped": len(one.gone), "kept": step.left}
    return {"step": step.name, **counts, "reasons": reasons}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The steps as a table: under each step its reasons, with an example."""
    yield painted(f"{'':9}{'came':>9}{'dropped':>9}{'kept':>9}", "quiet")
    for step in told["steps"]:
        added = f"  {step['added']:,} made here" if step["added"] else ""
        name = painted(f"{step['step']:9}", "name")
        yield f"{name}{step['came']:>9,}{step['dropped']:>9,}{step['kept']:>9,}{added}"
        for one in step["reasons"]:
            yield f"{'':9}{'':9}{one['count']:>9,}  {cut(one['reason'], 36):<36} {example(one['examples'][0])}"
    for step in told["not_built"]:
        yield f"{painted(f'{step:9}', 'name')}{painted('not built', 'quiet')}"
    first = told["steps"][0]
    yield f"adds up: at each step, each of the {first['came']:,} that came is in exactly one of kept and dropped"


def example(one: Mapping[str, Any]) -> str:
    """Id and text, as far as there is room."""
    return cut(one["id"] if one["text"] is None else f"{one['id']}  {one['text']}", max(columns() - 66, 16))
