"""Text classification: one label of several for each document."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stages.core.params import Section, Share

if TYPE_CHECKING:
    from torch import Tensor


class Params(Section):
    label_smoothing: Share


def labels(seen: Iterable[str]) -> list[str]:
    """The classes in alphabetical order, which is the order of the model's outputs."""
    return sorted(set(seen))


def loss(logits: "Tensor", targets: "Tensor", weights: "Tensor", p: Params) -> "Tensor":
    """Weighted mean cross-entropy with label smoothing (Szegedy et al. 2016).

    `logits` (batch, labels), `targets` and `weights` (batch); weights have mean 1 over the training documents.
    """
    from torch.nn.functional import cross_entropy

    return (cross_entropy(logits, targets, reduction="none", label_smoothing=p.label_smoothing) * weights).mean()
