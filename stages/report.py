"""The cheap last stage, the only one with Git-tracked outputs: metrics, figures; and the page a reviewer opens."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.core import charts, dag, verdict
from stages.core.datasheets import Sheet, sheets
from stages.core.files import read_json, write_json, writing
from stages.core.funnel import Funnel, count, passages
from stages.core.page import marked, render
from stages.core.params import Section
from stages.core.records import read_table, side_rows
from stages.core.verdict import Estimate
from stages.shell.engine import Engine
from stages.shell.run import run

SPLITS = ("test", "validation")
DECIMALS = 4
CURVE, DRAWN = 300, 100  # points of the loss curve: in figures, and that the eye can tell apart on the page
CONFUSIONS = 8


class Params(Section):
    """None: how a report looks is no choice that a result hangs on."""


class Results(NamedTuple):
    """All that the page shows, as the stages wrote it."""

    stages: list[dag.Stage]
    sources: list[Sheet]
    funnel: Funnel
    trained: Counter[str]
    balance: dict[str, Any]
    history: dict[str, Any]
    evaluation: dict[str, Any]
    leakage: dict[str, Any]
    predictions: list[dict[str, Any]]
    explanations: dict[str, Any]
    repeats: dict[str, Any] | None

    @property
    def side(self) -> str:
        """The side that the page is about: test where it was scored."""
        return verdict.scored(self.evaluation)


class Confusion(NamedTuple):
    """How many documents of one label were taken for another, and which share of its documents that is."""

    actual: str
    predicted: str
    number: int
    share: float


def numbers(tree: Any) -> Any:
    """The tree with its numbers only, rounded; None where nothing is left."""
    if isinstance(tree, Mapping):
        kept = {key: numbers(one) for key, one in tree.items()}
        return {key: one for key, one in kept.items() if one is not None} or None
    if isinstance(tree, bool) or not isinstance(tree, int | float):
        return None
    return round(tree, DECIMALS) + 0.0 if isinstance(tree, float) else tree


def repeats(dedup: Path, clean: Path) -> dict[str, Any] | None:
    """What dedup says of its own quality, where it was asked to; and of each of the largest clusters the first text, as
    cleaning left it."""
    if not (dedup / "quality.json").exists():
        return None
    told = read_json(dedup / "quality.json")
    wanted = {one["first"] for one in told["clusters"]}
    texts = {row["id"]: row["text"] for row in side_rows(clean, ["id", "text"]) if row["id"] in wanted}
    return told | {"clusters": [one | {"text": texts.get(one["first"])} for one in told["clusters"]]}


def metrics(
    evaluation: Mapping[str, Any], funnel: Funnel, leakage: Mapping[str, Any], repeats: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `dvc metrics` compares: numbers, never text."""
    scores = {key: evaluation[key] for key in (*SPLITS, "baseline", "difference") if key in evaluation}
    documents = {step.name: {"in": step.came, "out": step.left} for step in funnel.steps}
    leaks = {name: left(one) for name, one in sets(leakage)}
    quality = {"repeats": repeats["sample"]} if repeats else {}
    return numbers(scores | quality) | {"documents": documents, "leakage": leaks}


def sets(leakage: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The sets of documents that are held out from training, benchmarks last."""
    return [*((side, leakage[side]) for side in SPLITS), *leakage["benchmarks"].items()]


def left(held: Mapping[str, Any]) -> dict[str, int]:
    """Kind of leak → how many documents of a set still have a counterpart in training."""
    return {kind: count["left"] for kind, count in held.items() if kind != "documents"}


def figures(results: Results) -> dict[str, list[dict[str, Any]]]:
    """File → rows for `dvc plots`: counts and scores, no text of documents."""
    evaluation, side = results.evaluation, results.side
    tables = {
        "loss.json": charts.thinned(results.history["steps"], CURVE),
        "validation.json": [one["validation"] | without(one, "validation") for one in results.history["epochs"]],
        "funnel.json": [
            {"stage": f"{n} {step.name}", "in": step.came, "out": step.left}
            for n, step in enumerate(results.funnel.steps, 1)
        ],
        "balance.json": [{**row, "stratum": drawn(row["stratum"])} for row in results.balance["strata"]],
        "doubts.json": [
            {**row, "label": drawn(row["label"]), "likely": row["likely"] and drawn(row["likely"])}
            for row in results.balance["doubts"]["worst"]
        ],
        "per_class.json": [{"label": drawn(one), **row} for one, row in sorted(evaluation["per_class"][side].items())],
        "calibration.json": [one for one in evaluation["calibration"][side] if one["count"]],
    }
    if results.repeats:
        tables["thresholds.json"] = results.repeats["sweep"]
        tables["edits.json"] = [
            {"label": one["edit"], "threshold": float(threshold), "found": found}
            for one in results.repeats["edits"]
            for threshold, found in one["found"].items()
        ]
    names = ("id", "label", "likely", "other", "stage", "stratum")
    rounded = {name: [without_text(row, *names) for row in rows] for name, rows in tables.items()}
    return rounded | {"confusion.csv": [{"actual": drawn(a), "predicted": drawn(b)} for a, b in pairs(results)]}


def drawn(label: str) -> str:
    """A label for `dvc plots`, which writes it as it is into a script of its page: `</script>` would end that one."""
    return label.replace("<", "‹")


def without(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The row less one key."""
    return {name: one for name, one in row.items() if name != key}


def without_text(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The names of a row as they are, and its numbers."""
    return {name: row[name] for name in names if name in row} | (numbers(row) or {})


def pairs(results: Results) -> list[tuple[str, str]]:
    """(actual, predicted) of every scored document, sorted: equal rows pack well, and no order tells which document."""
    return sorted((row["label"], row["predicted"]) for row in results.predictions if row["side"] == results.side)


def write_figures(folder: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """JSON where rows differ in kind, CSV for the long one."""
    folder.mkdir()
    for name, rows in tables.items():
        if name.endswith(".json"):
            write_json(folder / name, rows)
            continue
        with writing(folder / name) as beside, beside.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


def matrix(labels: Sequence[str], counts: Counter[tuple[str, str]]) -> Iterator[tuple[str, list[Confusion]]]:
    """Each actual label with its row of the confusion matrix, hits included."""
    for actual in labels:
        total = sum(counts[actual, label] for label in labels) or 1
        cells = ((label, counts[actual, label]) for label in labels)
        yield actual, [Confusion(actual, label, number, number / total) for label, number in cells]


def confusions(rows: Iterable[tuple[str, Sequence[Confusion]]]) -> list[Confusion]:
    """The mistakes of a confusion matrix, the most frequent first."""
    found = [one for actual, row in rows for one in row if one.number and one.predicted != actual]
    return sorted(found, key=lambda one: (-one.number, -one.share, one.actual, one.predicted))


def in_order(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """The first ones first, the others by name."""
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))


def view(results: Results) -> dict[str, Any]:
    """What the template draws."""
    told, side = metrics(results.evaluation, results.funnel, results.leakage, results.repeats), results.side
    ranked = verdict.ranked(told)
    per_class, counts = results.evaluation["per_class"][side], Counter(pairs(results))
    rows = list(matrix(sorted(per_class), counts))
    mistakes = confusions(rows)
    return {
        "m": told,
        "side": side,
        "scores": [(one, metric) for one in SPLITS if one in told for metric in in_order(told[one], ranked)],
        "outcome": verdict.outcome_of(told),
        "ranked": ranked,
        "verdict": verdict.verdict(told),
        "lines": verdict.headline(told),
        "drawing": dag.drawing(results.stages),
        "stages": results.stages,
        "sources": results.sources,
        "funnel": results.funnel,
        "leakage": sets(results.leakage),
        "repeats": results.repeats,
        "classes": sorted(per_class.items(), key=lambda item: (-item[1]["f1"], item[0])),
        "trained": results.trained,
        "strata": sorted(results.balance["strata"], key=lambda row: (-row["documents"], row["stratum"])),
        "doubts": results.balance["doubts"],
        "matrix": rows,
        "confusions": mistakes[:CONFUSIONS],
        "mistakes": sum(one.number for one in mistakes),
        "scored": counts.total(),
        "curve": charts.thinned(results.history["steps"], DRAWN),
        "epochs": results.history["epochs"],
        "best": next(one for one in results.history["epochs"] if one["epoch"] == results.history["best_epoch"]),
        "calibration": [one for one in results.evaluation["calibration"][side] if one["count"]],
        "explanations": results.explanations,
        "settings": results.evaluation.get("settings", {}),
    }


def with_texts(balance: dict[str, Any], clean: Path) -> dict[str, Any]:
    """What balance tells, with the cleaned texts of the labels in doubt: for the page alone."""
    wanted = {row["id"]: row for row in balance["doubts"]["worst"]}
    texts = {row["id"]: row["text"] for row in side_rows(clean, ["id", "text"]) if row["id"] in wanted}
    worst = [{**row, "text": texts[row["id"]]} for row in wanted.values()]
    return balance | {"doubts": balance["doubts"] | {"worst": worst}}


def page(context: Mapping[str, Any]) -> str:
    """One HTML file without a script or a link to the network; whatever comes from documents is escaped."""
    return render(
        Path(__file__).with_suffix(".html"),
        {**context, "scale": charts.scale, "line": charts.line},
        number=verdict.number,
        named=verdict.named,
        estimate=Estimate.of,
        marked=marked,
    )


def stage(
    _: Engine,
    __: Params,
    pipeline: Path,
    ingest: Path,
    dedup: Path,
    clean: Path,
    filtered: Path,
    split: Path,
    leakage: Path,
    augment: Path,
    balance: Path,
    train: Path,
    evaluate: Path,
    explain: Path,
    out_metrics: Path,
    out_figures: Path,
    out_page: Path,
) -> str:
    """Counts, checks that the counts add up, and writes it all down."""
    evaluation = read_json(evaluate / "metrics.json")
    ways = list(passages(ingest, dedup, clean, filtered, split, augment, balance))
    used = {row["id"] for row in side_rows(split, ["id", "used"]) if row["used"]}
    results = Results(
        stages=dag.stages(pipeline),
        sources=sheets(ingest, ways),
        funnel=count(ways, clean, split),
        trained=Counter(row["label"] for row in side_rows(clean, ["id", "label"]) if row["id"] in used),
        balance=with_texts(read_json(balance / "balance.json"), clean),
        history=read_json(train / "history.json"),
        evaluation=evaluation,
        leakage=read_json(leakage / "leakage.json"),
        predictions=read_table(evaluate / "predictions.parquet", ["side", "label", "predicted"]).to_pylist(),
        explanations=read_json(explain / "explanations.json"),
        repeats=repeats(dedup, clean),
    )
    told = metrics(evaluation, results.funnel, results.leakage, results.repeats)
    write_json(out_metrics, told)
    write_figures(out_figures, figures(results))
    with writing(out_page) as beside:
        beside.write_text(page(view(results)), encoding="utf-8")
    return verdict.headline(told)[0]


if __name__ == "__main__":
    run(stage, outs=3)
