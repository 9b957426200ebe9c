"""Random words swapped with their neighbour or deleted (Wei and Zou 2019, Easy Data Augmentation), by nlpaug."""

import random
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from stages.core.params import Section


class Params(Section):
    action: Literal["swap", "delete"]
    share: Annotated[float, Field(gt=0.0, lt=1.0)]


@cache
def augmenter(action: str, share: float) -> Any:
    """nlpaug's augmenter, made once a process: it imports torch."""
    from nlpaug.augmenter.word import RandomWordAug

    return RandomWordAug(action=action, aug_p=share)


def augment(text: str, p: Params, seed: int) -> str:
    """The text with `share` of its words swapped or deleted. nlpaug draws from the global generators only."""
    import numpy as np

    make = augmenter(p.action, p.share)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    made = make.augment(text)
    return made[0] if made else text
