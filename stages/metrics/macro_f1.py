"""Macro-F1: the mean of the labels' F1, each label as important as any other.

F1 = 2·TP / (2·TP + FP + FN) (van Rijsbergen 1979), averaged over the labels that are actual or predicted somewhere.
"""

import numpy as np
from numpy.typing import NDArray


def score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., labels, labels) actual by predicted → (...)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    occurrences = counts.sum(-1) + counts.sum(-2)
    f1 = np.divide(2 * hits, occurrences, out=np.zeros_like(hits), where=occurrences > 0)
    return f1.sum(-1) / np.maximum((occurrences > 0).sum(-1), 1)
