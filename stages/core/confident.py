"""Confident learning: which labels are likely wrong, by what a model says that has not learned from them.

Probabilities must be out of fold. A label's threshold is the mean probability that documents of that label have for
it; a document counts for a label whose threshold it reaches, and what counts for another label than its own is a
likely error. So classes that the model is unsure of as a whole are not taken for full of errors.

Curtis G. Northcutt, Lu Jiang, Isaac L. Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 70.
"""

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]  # (documents, labels)
Labels = NDArray[np.intp]  # (documents): places in the order of the columns
ALIKE = 1e-6  # probabilities nearer than this are equal: the mean of equal ones may be above them by rounding


def thresholds(probabilities: Probabilities, given: Labels) -> NDArray[np.float64]:
    """(labels): what a document must reach to count for a label; nothing reaches that of a label no document has."""
    own = probabilities[np.arange(len(given)), given]
    documents = np.bincount(given, minlength=probabilities.shape[1])
    sums = np.bincount(given, weights=own, minlength=probabilities.shape[1])
    return np.where(documents > 0, sums / np.maximum(documents, 1), np.inf)


def counted(probabilities: Probabilities, given: Labels) -> Labels:
    """(documents): the label that each counts for, -1 where it reaches no threshold.

    Of several, the most probable label of all: as cleanlab, the authors' program, has it. The paper's is the most
    probable of those that are reached, which is another one only if the very first is not reached.
    """
    reached = probabilities >= thresholds(probabilities, given) - ALIKE
    number = reached.sum(1)
    return np.where(number > 1, probabilities.argmax(1), np.where(number == 1, reached.argmax(1), -1))


def errors(probabilities: Probabilities, given: Labels) -> Labels:
    """(documents): the label that is likelier right than the given one, -1 where nothing speaks against that.

    Off the diagonal of the confident joint, less what has no label more probable than its own.
    """
    label = counted(probabilities, given)
    return np.where((label != given) & (probabilities.argmax(1) != given), label, -1)


def margins(probabilities: Probabilities, given: Labels) -> NDArray[np.float64]:
    """(documents): how much more probable the given label is than the likeliest other; the lower, the more doubtful."""
    rows = np.arange(len(given))
    others = probabilities.copy()
    others[rows, given] = -np.inf
    return probabilities[rows, given] - others.max(1)
