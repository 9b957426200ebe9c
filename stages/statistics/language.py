"""The language by py3langid's bundled model, and how sure that is: 1 where no other language comes into question.

Texts of under 40 characters are too short to tell: their language says so, and their score is 0. The score is the
posterior probability at a temperature of the square root of the length in bytes, without which it would be 1 of nearly
any text.
"""

import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from stages.core.figures import Batch
from stages.core.languages import SHORT, SHORTEST, identifier
from stages.core.params import Section

COLUMNS = {"language": pa.string(), "language_score": pa.float64()}
DIGITS = 4  # the last bits of the model's sums differ from processor to processor


class Params(Section):
    """No choices."""


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """Text by text: the model reads bytes."""
    found = [told(text) for text in batch.each]
    return {"language": [name for name, _ in found], "language_score": [score for _, score in found]}


def told(text: str) -> tuple[str, float]:
    """Language and score."""
    if len(text.strip()) < SHORTEST:
        return SHORT, 0.0
    scores = identifier().rank(text)
    heat = math.sqrt(len(text.encode()))
    return scores[0][0], round(1 / sum(math.exp((score - scores[0][1]) / heat) for _, score in scores), DIGITS)
