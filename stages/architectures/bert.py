"""BERT encoder with a mean-pooling head: from a pinned checkpoint, or from scratch in any size."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stages.core.faults import Fault, lines
from stages.core.files import read_json
from stages.core.params import Model, Section

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TASKS = ("text_classification",)
KINDS = ("bert", "bert-mean-pooled")  # model types of checkpoints
SPARE = re.compile(r"(bert\.)?pooler\.|cls\.|classifier\.|.*\.position_ids$")  # heads, and what is no weight
Size = Annotated[int, Field(gt=0, le=65_536)]


class Sizes(Section):
    """What a checkpoint would bring; for a model from scratch."""

    width: Size
    layers: Size
    heads: Size


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
        return pretrained(weights, **names, **dropout)
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


def pretrained(weights: Path, **settings: Any) -> "PreTrainedModel":
    """The encoder of a checkpoint with a new head, whatever head it has had."""
    import torch
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    from stages.core.mean_pooling import MeanPooledBertConfig, MeanPooledBertForSequenceClassification

    kind = read_json(weights / "config.json").get("model_type")
    if kind not in KINDS:
        raise Fault(
            f"{weights}/config.json: model_type is {kind!r}, architecture bert wants {KINDS[0]!r}; "
            "pin a BERT encoder in weights.files, or choose another model.architecture"
        )
    try:
        both: Any = MeanPooledBertForSequenceClassification.from_pretrained(
            weights,
            config=MeanPooledBertConfig.from_pretrained(weights, **settings),
            dtype="float32",
            use_safetensors=True,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # they are told below
            output_loading_info=True,
        )
    except (OSError, LookupError, ValueError, SafetensorError, StrictDataclassError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise Fault(f"{weights}: no weights of a BERT encoder ({said}); pin whole files in weights.files") from error
    model, loading = both
    if strange := list(misfits(loading)):
        raise Fault(
            f"{weights}: model.safetensors is not of a BERT encoder with this config.json; "
            f"pin files of one model in weights.files:{lines(strange)}"
        )
    if "classifier.weight" not in loading["missing_keys"]:  # a head for other labels
        torch.nn.init.normal_(model.classifier.weight, std=model.config.initializer_range)
        torch.nn.init.zeros_(model.classifier.bias)
    return model


def misfits(loading: Mapping[str, Any]) -> Iterator[str]:
    """Tensors of another size, those of something else than an encoder and the heads it may have, missing ones."""
    wrong = [
        (name, f"{told(found)}, config.json wants {told(wanted)}") for name, found, wanted in loading["mismatched_keys"]
    ]
    for name, what in (
        *sorted(wrong),
        *((name, "unknown") for name in sorted(loading["unexpected_keys"])),
        *((name, "missing") for name in sorted(loading["missing_keys"])),
    ):
        if not SPARE.match(name):
            yield f"{name}: {what}"


def told(shape: Sequence[int]) -> str:
    """`30,522 x 384`."""
    return " x ".join(f"{size:,}" for size in shape)
