"""Owen values by shap's partition explainer: words share credit within phrases, phrases within halves of the text.

Lundberg and Lee (2017); a game's Owen values add up exactly: base + attributions = score.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from stages.core.params import Section

Mask = NDArray[np.bool_]
Value = Callable[[Mask], NDArray[np.float64]]
BATCH = 32  # the widest nodes first where evaluations run out: larger batches look less far


class Params(Section):
    evaluations: Annotated[int, Field(ge=4)]


class Presence:
    """A masker for shap over the presence of words: what the value function reads is the mask itself."""

    immutable_outputs = True

    def __init__(self, words: int) -> None:
        self.shape = (1, words)
        self.clustering = balanced(words)

    def __call__(self, mask: Mask, _: Any) -> tuple[Mask]:
        return (mask[None].astype(bool),)


def explain(value: Value, words: int, p: Params, seed: int) -> list[float]:
    """One attribution per word. `value`: (subsets, words) of what is present → the score of each subset."""
    import shap

    if words < 2:  # shap wants a pair to begin with
        return [float(one) for one in value(np.ones((1, words), bool)) - value(np.zeros((1, words), bool))][:words]
    np.random.seed(seed % 2**32)  # shap breaks ties of its queue with numpy's global generator
    explainer = shap.PartitionExplainer(value, Presence(words))
    told: Any = explainer(
        np.ones((1, words), bool),
        max_evals=p.evaluations,
        batch_size=BATCH,
        silent=True,
    )
    return np.asarray(told.values, float)[0].tolist()


def balanced(words: int) -> NDArray[np.float64]:
    """Halves of halves of the text as scipy's linkage matrix: (left, right, height, words below), children first."""
    rows: list[list[float]] = []

    def node(start: int, stop: int) -> int:
        if stop - start == 1:
            return start
        middle = start + (stop - start) // 2
        rows.append([node(start, middle), node(middle, stop), stop - start, stop - start])
        return words + len(rows) - 1

    node(0, words)
    return np.array(rows, float)
