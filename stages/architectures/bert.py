"""BERT encoder with a mean-pooling head: from a pinned checkpoint, or from scratch in any size."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stages.core.params import Model, Positive, Section

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TASKS = ("text_classification",)


class Sizes(Section):
    """What a checkpoint would bring; for a model from scratch."""

    width: Positive
    layers: Positive
    heads: Positive


class Params(Section):
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    sizes: Sizes | None


def faults(model: Model, p: Params) -> Iterator[str]:
    """What does not go together with the shared choices."""
    if model.weights == "pinned" and p.sizes:
        yield "architectures.bert.sizes: the pinned weights bring their own; set it to null, or model.weights to none"
    if model.weights == "none" and not p.sizes:
        yield "architectures.bert.sizes: missing, as model.weights is none; e.g. {width: 128, layers: 2, heads: 2}"
    if p.sizes and p.sizes.width % p.sizes.heads:
        yield f"architectures.bert.sizes: width {p.sizes.width} is no multiple of heads {p.sizes.heads}"


def build(p: Params, labels: list[str], vocabulary: int, max_tokens: int, weights: Path | None) -> "PreTrainedModel":
    """The model before training, with dropout and labels set; its head, or all of it, drawn from torch's generator."""
    from stages.core.mean_pooling import MeanPooledBertConfig, MeanPooledBertForSequenceClassification, register

    register()
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: n for n, label in enumerate(labels)}}
    places = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
    dropout: dict[str, Any] = dict.fromkeys(places, p.dropout)
    if weights:
        config = MeanPooledBertConfig.from_pretrained(weights, **names, **dropout)
        return MeanPooledBertForSequenceClassification.from_pretrained(
            weights, config=config, use_safetensors=True, local_files_only=True
        )
    assert p.sizes, "faults() has seen to it"  # noqa: S101
    config = MeanPooledBertConfig(
        vocab_size=vocabulary,
        hidden_size=p.sizes.width,
        num_hidden_layers=p.sizes.layers,
        num_attention_heads=p.sizes.heads,
        intermediate_size=4 * p.sizes.width,
        max_position_embeddings=max_tokens,
        **names,
        **dropout,
    )
    return MeanPooledBertForSequenceClassification(config)
