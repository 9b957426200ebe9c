"""Scores of a classifier from its contingency table (confusion matrix), and their bootstrap intervals.

Intervals: percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over groups of documents that belong together, as
documents of a group are no independent draws (cluster bootstrap: Field and Welsh 2007).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
Score = Callable[[Counts], NDArray[np.float64]]


def contingency(
    actual: NDArray[np.intp], predicted: NDArray[np.intp], labels: int, times: NDArray[np.int64] | None = None
) -> Counts:
    """(labels, labels): how often which label (row) was taken for which (column); each document `times` times."""
    cells = np.bincount(actual * labels + predicted, weights=times, minlength=labels * labels)
    return cells.reshape(labels, labels).astype(float)


def draws(groups: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each group is drawn, with replacement, for one resample after the other."""
    rng = np.random.Generator(np.random.PCG64(seed))
    for _ in range(resamples):
        yield np.bincount(rng.integers(0, groups, groups), minlength=groups)


def interval(value: Any, replicates: NDArray[np.float64], level: float) -> dict[str, float]:
    """The value with the percentile interval of its replicates."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}
