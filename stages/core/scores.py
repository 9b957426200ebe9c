"""Scores of a classifier from its contingency table (confusion matrix), and their bootstrap intervals.

Intervals: percentile bootstrap (Efron and Tibshirani 1993, ch. 13) over groups of documents that belong together, as
documents of a group are no independent draws (cluster bootstrap: Field and Welsh 2007).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
Score = Callable[[Counts], NDArray[np.float64]]


def contingency(actual: NDArray[np.intp], predicted: NDArray[np.intp], labels: int) -> Counts:
    """(labels, labels): how often which label (row) was taken for which (column)."""
    cells = np.bincount(actual * labels + predicted, minlength=labels * labels)
    return cells.reshape(labels, labels).astype(float)


def per_group(actual: NDArray[np.intp], predicted: NDArray[np.intp], groups: NDArray[np.intp], labels: int) -> Counts:
    """(groups, labels²): the contingency table of each group, in a row."""
    tables = np.zeros((int(groups.max()) + 1, labels * labels))
    np.add.at(tables, (groups, actual * labels + predicted), 1.0)
    return tables


def resampled(groups: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, groups): how often each group is drawn, with replacement."""
    draws = np.random.Generator(np.random.PCG64(seed)).multinomial(groups, np.full(groups, 1.0 / groups), resamples)
    return draws.astype(float)


def interval(value: Any, replicates: NDArray[np.float64], level: float) -> dict[str, float]:
    """The value with the percentile interval of its replicates."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(value), "low": float(low), "high": float(high)}
