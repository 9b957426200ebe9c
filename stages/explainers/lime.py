"""LIME: a linear model of how the score reacts when words are left out, near the text (Ribeiro et al., 2016)."""

from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stages.core.params import Section

Mask = NDArray[np.bool_]
Value = Callable[[Mask], NDArray[np.float64]]


class Params(Section):
    samples: Annotated[int, Field(ge=2)]


def explain(value: Value, words: int, p: Params, seed: int) -> list[float]:
    """One attribution per word. `value`: (subsets, words) of what is present → the score of each subset.

    The library works on strings: it gets the positions of the words for a text ("0 1 2 ..."), draws which to leave
    out, and what is left of the string says which words are present. So its own sampler, kernel and ridge are at work.
    """
    from lime.lime_text import LimeTextExplainer

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        return value(presence(texts, words))[:, None]

    explainer = LimeTextExplainer(split_expression=r"\s+", feature_selection="none", random_state=seed % 2**32)
    positions = " ".join(str(n) for n in range(words))
    told = explainer.explain_instance(positions, scores, labels=(0,), num_features=words, num_samples=p.samples)
    weights = dict(told.as_list(label=0))
    return [float(weights[str(n)]) for n in range(words)]


def presence(texts: Sequence[str], words: int) -> Mask:
    """("0 2", "1") of three words → the first and third are present; the second is."""
    mask = np.zeros((len(texts), words), bool)
    for row, text in zip(mask, texts, strict=True):
        row[[int(position) for position in text.split()]] = True
    return mask
