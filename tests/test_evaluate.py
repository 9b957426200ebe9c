"""Judgement: metrics with intervals, paired differences, calibration."""

from typing import Any

import pytest

from stages import evaluate
from stages.core.numeric import Compute
from stages.evaluate import Params

P = Params(
    splits=("validation", "test"),
    metrics=("macro_f1", "accuracy"),
    resamples=500,
    level=0.9,
    seed=1,
    compute=Compute(cpu="native", threads=1),
)


def rows(actual: str, model: str, baseline: str, confidence: float = 0.9) -> list[dict[str, Any]]:
    """A document a letter; labels are letters."""
    return [
        {"id": f"{n}", "label": a, "predicted": b, "baseline": c, "probabilities": spread(b, confidence)}
        for n, (a, b, c) in enumerate(zip(actual, model, baseline, strict=True))
    ]


def spread(label: str, confidence: float) -> list[float]:
    """Probabilities of a and b."""
    return [confidence, 1 - confidence] if label == "a" else [1 - confidence, confidence]


def judged(actual: str, model: str, baseline: str, **more: float) -> evaluate.Judged:
    """Each document in a group of its own."""
    return evaluate.judged(
        rows(actual, model, baseline, **more), ["a", "b"], {f"{n}": f"{n}" for n in range(len(actual))}
    )


def test_values_intervals_and_the_paired_difference() -> None:
    found = evaluate.scores(judged("aabb" * 25, "aabb" * 25, "aaab" * 25), P)
    assert found["model"]["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert found["baseline"]["accuracy"]["value"] == 0.75
    assert found["difference"]["accuracy"]["value"] == 0.25
    for one in (*found["baseline"].values(), *found["difference"].values()):
        assert one["low"] < one["value"] < one["high"]


def test_an_equal_baseline_differs_by_nothing_in_every_resample() -> None:
    found = evaluate.scores(judged("aabb" * 9, "abab" * 9, "abab" * 9), P)
    assert found["difference"] == {name: {"value": 0.0, "low": 0.0, "high": 0.0} for name in P.metrics}


def test_documents_that_are_tied_are_drawn_together() -> None:
    told, one_group_each = rows("ab" * 50, "aa" * 50, "aa" * 50), {f"{n}": f"{n}" for n in range(100)}
    halves = {one: "x" if int(one) % 2 else "y" for one in one_group_each}
    narrow, wide = (evaluate.scores(evaluate.judged(told, ["a", "b"], tied), P) for tied in (one_group_each, halves))
    width = [one["model"]["accuracy"]["high"] - one["model"]["accuracy"]["low"] for one in (narrow, wide)]
    assert width[0] < 0.2 and width[1] == 1.0


def test_precision_recall_and_f1() -> None:
    a = evaluate.per_class(judged("aaab", "aabb", "bbbb"))["a"]
    assert a == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": 0.8, "support": 3, "baseline_f1": 0.0}


def test_calibration_bins_hold_every_document() -> None:
    one = judged("ab" * 10, "aa" * 10, "aa" * 10, confidence=0.75)
    (bin_,) = evaluate.calibration(one)
    assert bin_ == {"low": 0.7, "high": 0.8, "confidence": 0.75, "accuracy": 0.5, "count": 20}
    assert evaluate.probabilistic(one)["calibration_error"] == pytest.approx(0.25)
    (sure,) = evaluate.calibration(judged("a", "a", "a", confidence=1.0))
    assert (sure["low"], sure["high"]) == (0.9, 1.0)


def test_without_test_nothing_is_said_of_it() -> None:
    found = evaluate.summary({"validation": judged("ab", "ab", "aa")}, P)
    assert "test" not in found and found["baseline"].keys() == {"validation"}
    assert found["per_class"].keys() == found["calibration"].keys() == {"validation"}
    assert found["settings"]["split"] == "validation"


def test_the_difference_is_that_of_test() -> None:
    found = evaluate.summary({"validation": judged("ab", "ab", "ab"), "test": judged("ab", "ab", "aa")}, P)
    assert found["difference"]["accuracy"]["value"] == 0.5 and found["settings"]["split"] == "test"
