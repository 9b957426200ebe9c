"""Perplexity a character, by a model of character 5-grams that learns from declared sources: how odd a text is to it.

A text of the kind that was learned from has a low one, noise or another language a high one. The model is that of
stages/core/ngrams.py; it is kept beside the figures, sees nothing of what a source gives for validation or test, and
judges each document by what it learned from others.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core import ngrams
from stages.core.faults import Fault
from stages.core.figures import Batch, Sample
from stages.core.params import Positive, Section

COLUMNS = {"perplexity": pa.float64()}
DIGITS = 4  # the last bits of powers differ from processor to processor


class Params(Section):
    sources: tuple[str, ...]
    documents: Positive


def learned(p: Params, sample: Sample) -> pa.Table:
    """The model, from so many documents of the sources at most."""
    counts = ngrams.counted(sample(lambda source: source in p.sources, p.documents))
    if not counts.any():
        raise Fault(
            f"params.yaml: statistics.perplexity.sources: no document of {', '.join(p.sources) or 'any'} to learn from "
            "(those given for validation and test are not for that); name sources that have some"
        )
    return ngrams.table([counts])


def loaded(kept: pa.Table) -> Any:
    """The model."""
    return ngrams.models(kept, 1)[0]


def described(batch: Batch, p: Params, fitted: Any) -> Mapping[str, Any]:
    """Of a text without a character it is 1."""
    return {"perplexity": np.round(2 ** ngrams.bits(batch, fitted), DIGITS)}
