"""Even out train: writes only weights and picks, never a copy."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import floor
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from stages.core.doubts import Doubt, Labelled, doubts, read_dropped, read_judged, text_key, told
from stages.core.faults import Fault, lines
from stages.core.files import write_json
from stages.core.hashing import stable_hash, uniform
from stages.core.params import Distinct, Plugin, Section, Share, Shared
from stages.core.records import read_table, shards, write_table
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.run import run

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.string()),
        ("weight", pa.float64()),
        ("picks", pa.int32()),
        ("reason", pa.string()),
    ]
)
Strata = Mapping[str, Mapping[str, float]]  # name → id → how much the document counts beside the others


class Trust(Section):
    label_error: Share
    conflict: Share

    def weight(self, doubt: Doubt | None) -> float:
        """How much a document counts beside the others of its stratum."""
        likely, other = (doubt.likely, doubt.other) if doubt else (None, None)
        return min(1.0 if likely is None else self.label_error, 1.0 if other is None else self.conflict)

    def reason(self, doubt: Doubt) -> str:
        """Why it does not count at all."""
        wrong = doubt.likely is not None and not self.label_error
        return "label likely wrong" if wrong else "same text with another label"


class Params(Section):
    strata: Annotated[tuple[Literal["label", "source"], ...], Field(min_length=1), Distinct]
    method: Annotated[str, Plugin("balancers")]
    by: Literal["weights", "picks"]
    trust: Trust
    seed: int
    settings: Annotated[dict[str, Any], Shared("balancers")]


class Candidate(NamedTuple):
    """A document that training may see: a used one, or a child of one."""

    id: str
    label: str
    source: str
    origin: str | None
    text: int


def strata_of(candidates: Iterable[Candidate], doubted: Mapping[str, Doubt], p: Params) -> Strata:
    """What is evened out; documents that nobody trusts are in none. A child is as doubtful as its origin."""
    strata: dict[str, dict[str, float]] = defaultdict(dict)
    for one in candidates:
        if weight := p.trust.weight(doubted.get(one.origin or one.id)):
            strata[stratum(one, p)][one.id] = weight
    return strata


def stratum(one: Candidate, p: Params) -> str:
    """Its label, its source, or both."""
    return " · ".join(getattr(one, name) for name in p.strata)


def targets(strata: Strata, p: Params) -> dict[str, float]:
    """As how many documents each stratum shall count in an epoch."""
    sizes = {name: len(members) for name, members in strata.items()}
    return plugins.load("balancers", p.method).targets(sizes, p.settings[p.method]) if sizes else {}


def weighed(strata: Strata, wanted: Mapping[str, float]) -> dict[str, float]:
    """Id → weight of the loss: the stratum's target shared out among its documents, scaled so that the mean is 1."""
    scale = sum(map(len, strata.values())) / max(sum(wanted.values()), 1)
    share = {name: wanted[name] * scale / sum(members.values()) for name, members in strata.items()}
    return {one: round(share[name] * trust, 6) for name, members in strata.items() for one, trust in members.items()}


def picked(strata: Strata, wanted: Mapping[str, float], seed: int) -> dict[str, int]:
    """Id → picks an epoch: the stratum's target, rounded, drawn from its documents."""
    quota = whole(wanted)
    return {one: n for name, members in strata.items() for one, n in drawn(members, quota[name], seed).items()}


def whole(parts: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers with the sum of the parts, rounded: by largest remainder (Hamilton's method), the first by name."""
    exact = {name: round(part, 9) for name, part in sorted(parts.items())}  # 2.9999999999 is 3
    given = {name: floor(part) for name, part in exact.items()}
    rest = round(sum(exact.values())) - sum(given.values())
    for name in sorted(exact, key=lambda name: given[name] - exact[name])[:rest]:
        given[name] += 1
    return given


def drawn(weights: Mapping[str, float], total: int, seed: int) -> dict[str, int]:
    """Id → picks: `total` in all, in proportion to the weights, each rounded up or down.

    Systematic sampling (Madow 1949): in the order of hashes, a pick wherever the running sum passes a whole number.
    """
    order = sorted(weights, key=lambda one: stable_hash("picks", one, seed))
    start = uniform("first pick", order[0], seed)
    sums = list(accumulate(weights[one] for one in order))
    passed = [min(floor(total * (now / sums[-1]) + start), total) for now in sums]
    return {one: now - before for one, before, now in zip(order, [0, *passed], passed, strict=False)}


def balanced(candidates: Sequence[Candidate], doubted: Mapping[str, Doubt], p: Params) -> list[dict[str, Any]]:
    """A row of the side table for each candidate."""
    strata = strata_of(candidates, doubted, p)
    wanted = targets(strata, p)
    weights = weighed(strata, wanted) if p.by == "weights" else {}
    picks = picked(strata, wanted, p.seed) if p.by == "picks" else dict.fromkeys(weights, 1)
    return [row(one, weights.get(one.id, 1.0), picks.get(one.id), doubted, p) for one in candidates]


def row(one: Candidate, weight: float, picks: int | None, doubted: Mapping[str, Doubt], p: Params) -> dict[str, Any]:
    """With a reason where training does not see the document."""
    reason = p.trust.reason(doubted[one.origin or one.id]) if picks is None else None if picks else "not picked"
    return {"id": one.id, "label": one.label, "weight": weight if picks else 0.0, "picks": picks or 0, "reason": reason}


def none_vanishes(rows: Iterable[Mapping[str, Any]]) -> None:
    """The model could not learn a label of which training sees nothing."""
    seen, gone = Counter[str](), Counter[str]()
    for one in rows:
        (seen if one["picks"] else gone)[one["label"]] += 1
    if vanished := [f"{label!r}: {n:,} of {n:,} gone" for label, n in sorted(gone.items()) if not seen[label]]:
        raise Fault(
            "params.yaml: balance: training would see nothing of these labels; raise balance.trust above 0.0, or take "
            f"another method or other strata:{lines(vanished)}"
        )


def distribution(candidates: Sequence[Candidate], rows: Sequence[Mapping[str, Any]], p: Params) -> list[dict[str, Any]]:
    """Each stratum before and after: how many documents it has, and as how many they count in an epoch."""
    before, after = Counter[str](), Counter[str]()
    for one, now in zip(candidates, rows, strict=True):
        before[stratum(one, p)] += 1
        after[stratum(one, p)] += now["weight"] * now["picks"]
    return [{"stratum": name, "documents": before[name], "counts_as": round(after[name], 3)} for name in sorted(before)]


def training(path: Path, split: Path, augment: Path) -> list[Candidate]:
    """The shard's documents that training may see: the used ones, then the children."""
    used = {one["id"] for one in read_table(split / path.name, ["id", "used"]).to_pylist() if one["used"]}
    names = ["id", "label", "source", "origin", "text"]
    old, new = (read_table(place, names).to_pylist() for place in (path, augment / path.name))
    rows = [*(one for one in old if one["id"] in used), *new]
    return [Candidate(**one | {"text": text_key(one["text"])}) for one in rows]


def stage(
    e: Engine, p: Params, source: Path, dedup: Path, split: Path, baseline: Path, augment: Path, out: Path
) -> str:
    """Weights or picks for every document that training may see; what is doubtful about their labels."""
    out.mkdir()
    paths = shards(source)
    by_shard = e.map(training, paths, split, augment)
    candidates = [one for shard in by_shard for one in shard]
    judged = read_judged(baseline)
    originals = [Labelled(one.id, one.label, one.text) for one in candidates if one.origin is None]
    doubted = doubts(originals, judged, read_dropped(dedup))
    rows = balanced(candidates, doubted, p)
    none_vanishes(rows)
    at = 0
    for path, shard in zip(paths, by_shard, strict=True):
        write_table(out / path.name, pa.Table.from_pylist(rows[at : at + len(shard)], schema=SCHEMA))
        at += len(shard)
    before_and_after = distribution(candidates, rows, p)
    write_json(out / "balance.json", {"strata": before_and_after, "doubts": told(doubted, judged.values())})
    return summary(before_and_after, rows, p) + (f"; {len(doubted):,} labels in doubt" if doubted else "")


def summary(strata: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], p: Params) -> str:
    """What the training set is now."""
    picks = sum(one["picks"] for one in rows)
    factors = [one["counts_as"] / one["documents"] for one in strata]
    if not factors or min(factors) == max(factors) == 1.0:
        return f"{picks:,} training documents, as they are"
    return f"{picks:,} picks of {len(rows):,} documents, {p.by} from {min(factors):.2f} to {max(factors):.2f}"


if __name__ == "__main__":
    run(stage)
