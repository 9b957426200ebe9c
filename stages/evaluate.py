"""Metrics with intervals and the settings each was computed under."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from stages.core.examples import Example, read_examples
from stages.core.files import write_json
from stages.core.numeric import Compute
from stages.core.params import Count, Distinct, Plugin, Positive, Section, Shared
from stages.core.records import read_table, shards, write_table
from stages.core.scores import Counts, Score, contingency, draws, interval
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

Split = Literal["validation", "test"]
BINS = 10  # of the reliability diagram and the expected calibration error (Guo et al. 2017)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("side", pa.string()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("confidence", pa.float64()),
        ("probabilities", pa.list_(pa.float32())),
        ("baseline", pa.string()),
    ]
)


class Params(Section):
    splits: Annotated[tuple[Split, ...], Field(min_length=1), Distinct]
    metrics: Annotated[tuple[str, ...], Field(min_length=1), Distinct, Plugin("metrics")]
    resamples: Positive
    level: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: Count
    compute: Annotated[Compute, Shared("compute")]


@dataclass(frozen=True)
class Judged:
    """One split as numbers: `actual`, `model`, `baseline` are places in `labels`, `groups` what is drawn together."""

    labels: list[str]
    actual: NDArray[np.intp]
    model: NDArray[np.intp]
    baseline: NDArray[np.intp]
    groups: NDArray[np.intp]
    probabilities: NDArray[np.float32]


def judged(rows: Sequence[dict[str, Any]], classes: Sequence[str], tied: dict[str, str]) -> Judged:
    """The rows of a split."""
    place = {label: n for n, label in enumerate(classes)}
    actual, model, baseline = (
        np.array([place[row[name]] for row in rows]) for name in ("label", "predicted", "baseline")
    )
    groups = np.unique([tied[row["id"]] for row in rows], return_inverse=True)[1]
    probabilities = np.array([row["probabilities"] for row in rows], np.float32)
    return Judged(list(classes), actual, model, baseline, groups, probabilities)


def scores(one: Judged, p: Params) -> dict[str, dict[str, dict[str, float]]]:
    """Model, baseline and their paired difference: each metric with its interval, all from the same resamples."""
    metrics = {name: plugins.load("metrics", name).score for name in p.metrics}
    values = compared(one, metrics)
    resamples = draws(int(one.groups.max()) + 1, p.resamples, p.seed)
    replicates = [compared(one, metrics, draw[one.groups]) for draw in progress(resamples, "resampling", p.resamples)]
    return {
        who: {
            name: interval(values[who][name], np.array([drawn[who][name] for drawn in replicates]), p.level)
            for name in metrics
        }
        for who in values
    }


def compared(
    one: Judged, metrics: dict[str, Score], times: NDArray[np.int64] | None = None
) -> dict[str, dict[str, float]]:
    """The metrics of model and baseline on the same documents, each `times` times, and what lies between them."""
    tables = {who: contingency(one.actual, getattr(one, who), len(one.labels), times) for who in ("model", "baseline")}
    found = {who: {name: float(score(table)) for name, score in metrics.items()} for who, table in tables.items()}
    return found | {"difference": {name: found["model"][name] - found["baseline"][name] for name in metrics}}


def per_class(one: Judged) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each label, and the baseline's F1."""
    size = len(one.labels)
    model, baseline = (class_scores(contingency(one.actual, who, size)) for who in (one.model, one.baseline))
    return {label: model[n] | {"baseline_f1": baseline[n]["f1"]} for n, label in enumerate(one.labels)}


def class_scores(counts: Counts) -> list[dict[str, float]]:
    """Precision, recall, F1, support of each row of a contingency table; 0 where nothing was predicted."""
    hits, support, predicted = np.diagonal(counts), counts.sum(1), counts.sum(0)
    return [
        {
            "precision": float(hit / max(taken, 1)),
            "recall": float(hit / max(there, 1)),
            "f1": float(2 * hit / max(taken + there, 1)),
            "support": int(there),
        }
        for hit, there, taken in zip(hits, support, predicted, strict=True)
    ]


def calibration(one: Judged) -> list[dict[str, float]]:
    """Documents by confidence, in equal bins: mean confidence against accuracy, for a reliability diagram."""
    confidence, right = one.probabilities.max(1), one.model == one.actual
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "low": n / BINS,
            "high": (n + 1) / BINS,
            "confidence": float(confidence[bins == n].mean()),
            "accuracy": float(right[bins == n].mean()),
            "count": int((bins == n).sum()),
        }
        for n in range(BINS)
        if (bins == n).any()
    ]


def probabilistic(one: Judged) -> dict[str, float]:
    """Log loss (nats), and the expected calibration error (Guo et al. 2017): what confidence is off by, on average."""
    chosen = one.probabilities[np.arange(len(one.actual)), one.actual]
    error = sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in calibration(one))
    return {
        "log_loss": float(-np.log(np.maximum(chosen, 1e-12)).mean()),
        "calibration_error": float(error / len(one.actual)),
    }


def predicted(side: str, examples: Sequence[Example], model: Any, baseline: dict[str, str]) -> Iterator[dict[str, Any]]:
    """A row a document: what the model says, how sure it is, and what the baseline says."""
    tokens = model.encode([example.text for example in examples])
    probabilities = model.probabilities(tokens, lambda batches: progress(batches, f"predicting {side}"))
    for example, row in zip(examples, probabilities, strict=True):
        best = int(row.argmax())
        yield {
            "id": example.id,
            "side": side,
            "label": example.label,
            "predicted": model.labels[best],
            "confidence": float(row[best]),
            "probabilities": row.tolist(),
            "baseline": baseline[example.id],
        }


def stage(e: Engine, p: Params, source: Path, split: Path, baseline: Path, model: Path, out: Path) -> str:
    """Predicts the declared splits and scores them beside the baseline."""
    from stages.core.inference import Classifier

    classifier = Classifier.load(model)
    linear = {row["id"]: row["predicted"] for row in read_table(baseline / "predictions.parquet").to_pylist()}
    tied = {row["id"]: row["tied"] for path in shards(split) for row in read_table(path, ["id", "tied"]).to_pylist()}
    rows = {side: list(predicted(side, read_examples(source, split, side), classifier, linear)) for side in p.splits}
    sides = {side: judged(rows[side], classifier.labels, tied) for side in p.splits}
    write_table(out / "predictions.parquet", pa.Table.from_pylist([r for side in p.splits for r in rows[side]], SCHEMA))
    metrics = summary(sides, p)
    write_json(out / "metrics.json", metrics)
    last = p.splits[-1]
    return ", ".join(f"{last} {name} {metrics[last][name]['value']:.3f}" for name in p.metrics)


def summary(sides: dict[str, Judged], p: Params) -> dict[str, Any]:
    """All that was found, by split; the difference is that of the test split, where it is scored."""
    found = {side: scores(one, p) for side, one in sides.items()}
    decisive = "test" if "test" in sides else "validation"
    return {
        **{side: found[side]["model"] | probabilistic(one) for side, one in sides.items()},
        "baseline": {side: found[side]["baseline"] for side in sides},
        "difference": found[decisive]["difference"],
        "per_class": {side: per_class(one) for side, one in sides.items()},
        "calibration": {side: calibration(one) for side, one in sides.items()},
        "settings": {"resamples": p.resamples, "level": p.level, "seed": p.seed, "bins": BINS, "split": decisive},
    }


if __name__ == "__main__":
    run(stage)
