"""Quality as likeness to documents that are declared good: cross-entropy difference (Moore and Lewis 2010).

It is how many bits a character the good documents make a text cheaper than the others do: above 0 it is more like the
good ones. `sources` are those whose documents are good; all other sources are what they are told from. The models are
those of stages/core/ngrams.py; they are kept beside the figures, see nothing of what a source gives for validation or
test, and judge each document by what they learned from others.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core import ngrams
from stages.core.faults import Fault
from stages.core.figures import Batch, Sample
from stages.core.params import Positive, Section

COLUMNS = {"quality": pa.float64()}
DIGITS = 6


class Params(Section):
    sources: tuple[str, ...]
    documents: Positive


def learned(p: Params, sample: Sample) -> pa.Table:
    """A model of the good ones and one of the others, each from so many documents at most."""
    good = ngrams.counted(sample(lambda source: source in p.sources, p.documents))
    others = ngrams.counted(sample(lambda source: source not in p.sources, p.documents))
    for counts, which in ((good, "is"), (others, "is not")):
        if not counts.any():
            raise Fault(
                f"params.yaml: statistics.quality.sources: no document {which} of {', '.join(p.sources) or 'any'} "
                "(those given for validation and test are not to learn from); good ones and others are wanted"
            )
    return ngrams.table([good, others])


def loaded(kept: pa.Table) -> Any:
    """The models."""
    return ngrams.models(kept, 2)


def described(batch: Batch, p: Params, fitted: Any) -> Mapping[str, Any]:
    """Of a text without a character it is 0."""
    good, others = (ngrams.bits(batch, one) for one in fitted)
    return {"quality": np.round(others - good, DIGITS)}
