"""Accuracy: the share of documents whose label was found."""

import numpy as np
from numpy.typing import NDArray


def score(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., labels, labels) actual by predicted → (...)."""
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))
