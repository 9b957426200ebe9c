"""Does the model beat the linear baseline? One honest sentence, for the terminal and the page alike."""

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMES = {"macro_f1": "macro-F1"}


class Estimate(NamedTuple):
    """A number, and its interval where it has one."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, raw: Mapping[str, float] | float) -> "Estimate":
        """From `{value, low, high}`, or from a bare number."""
        return cls(raw["value"], raw.get("low"), raw.get("high")) if isinstance(raw, Mapping) else cls(raw, None, None)

    def said(self, sign: bool = False) -> str:
        """`.581 [.560, .602]`"""
        interval = f" [{number(self.low, sign)}, {number(self.high, sign)}]" if self.low is not None else ""
        return number(self.value, sign) + interval


def number(value: float | None, sign: bool = False) -> str:
    """Three decimals, no leading zero, a real minus."""
    if value is None:
        return "-"
    shown = f"{value:{'+' if sign else ''}.3f}"
    if not shown.strip("+-0."):
        shown = shown.lstrip("+-")
    return shown.replace("0.", ".", 1).replace("-", "−") if abs(value) < 0.9995 else shown.replace("-", "−")


def named(metric: str) -> str:
    """How people write the name of a metric."""
    return NAMES.get(metric, metric.replace("_", " "))


def scored(metrics: Mapping[str, Any]) -> str:
    """The side that the verdict speaks of: test where it was scored."""
    return "test" if "test" in metrics else "validation"


def outcome(difference: Estimate) -> str:
    """`wins`, `loses` or `equal`: by the paired interval of model minus baseline."""
    if difference.low is not None and difference.low > 0:
        return "wins"
    return "loses" if difference.high is not None and difference.high < 0 else "equal"


VERDICTS = {
    "wins": "The model beats the linear baseline",
    "loses": "The model loses to the linear baseline",
    "equal": "The model and the linear baseline do not differ beyond noise",
}


def outcome_of(metrics: Mapping[str, Any]) -> str:
    """The outcome by the first metric."""
    return outcome(Estimate.of(metrics["difference"][ranked(metrics)[0]]))


def ranked(metrics: Mapping[str, Any]) -> list[str]:
    """The metrics that are compared; macro-F1 leads where it is one, as every class counts the same in it."""
    return sorted(metrics["difference"], key=lambda metric: (metric != "macro_f1", metric))


def verdict(metrics: Mapping[str, Any]) -> str:
    """The outcome as a sentence."""
    return VERDICTS[outcome_of(metrics)]


def compared(metrics: Mapping[str, Any], metric: str) -> str:
    """`macro-F1 .581 [.560, .602] against .527 [.505, .549], difference +.054 [+.031, +.077]`"""
    side = scored(metrics)
    model, baseline = (Estimate.of(one[side][metric]).said() for one in (metrics, metrics["baseline"]))
    difference = Estimate.of(metrics["difference"][metric]).said(True)
    return f"{named(metric)} {model} against {baseline}, difference {difference}"


def headline(metrics: Mapping[str, Any]) -> list[str]:
    """The verdict with its evidence, a line a metric; the first line is enough on its own."""
    side = scored(metrics)
    lines = [f"{side} {compared(metrics, metric)}" for metric in ranked(metrics)]
    lines[0] = f"{verdict(metrics)}: {lines[0]}"
    return lines if side == "test" else [*lines, "test was not scored: evaluate.splits does not name it"]
