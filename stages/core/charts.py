"""Where things stand in a chart: scales, ticks, thinned curves. The template draws."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end], to a tenth of a pixel."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Where the ticks are, and what they say: all with as many decimals as the step between them needs."""
        decimals = max(0, -math.floor(math.log10(self.ticks[1] - self.ticks[0]) + 1e-9))
        return [(self(tick), said(tick, decimals)) for tick in self.ticks]


def said(tick: float, decimals: int) -> str:
    """A tick in words: `0`, `.25`, `−.1`, `1,000`."""
    if not tick:
        return "0"
    shown = f"{abs(tick):,.{decimals}f}"
    return ("−" if tick < 0 else "") + (shown.removeprefix("0") if decimals else shown)


def scale(values: Iterable[float], start: float, end: float, ticks: int = 5, tight: bool = False) -> Scale:
    """A scale that holds the values, with about as many ticks as wanted, all on round numbers.

    It begins and ends on a tick; if `tight`, on the smallest and the largest value.
    """
    known = list(values)
    low, high = min(known), max(known)
    step = round_step((high - low or abs(high) or 1.0) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    marks = [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]
    if tight and high > low:
        return Scale(low, high, start, end, tuple(mark for mark in marks if low <= mark <= high))
    return Scale(marks[0], marks[-1], start, end, tuple(marks))


def round_step(wanted: float) -> float:
    """1, 2 or 5 times a power of ten, not under `wanted`."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * 0.999)


def line(rows: Iterable[Mapping[str, float]], across: str, up: str, x: Scale, y: Scale) -> str:
    """Two columns of some rows as the path of an SVG."""
    return "M" + " ".join(f"{x(row[across]):g} {y(row[up]):g}" for row in rows)


def thinned(rows: Sequence[Mapping[str, float]], most: int) -> list[dict[str, float]]:
    """At most so many rows, each the mean of its neighbours; the last step of the neighbours stands for all."""
    size = math.ceil(len(rows) / most) or 1
    bins = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [{key: fmean(row[key] for row in one) for key in one[0]} | {"step": one[-1]["step"]} for one in bins]
