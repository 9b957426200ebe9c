"""Pinned weights: any BERT encoder is taken, with a new head; what is none is told by its tensors."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2Model,
    RobertaConfig,
    RobertaModel,
)

from stages.architectures import bert
from stages.core.faults import Fault

SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


def labelled(labels: int) -> dict[str, Any]:
    """With a head for so many labels."""
    return SIZES | {"num_labels": labels}


OTHERS = {
    "gpt2": GPT2Model(GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=32)),
    "roberta": RobertaModel(RobertaConfig(**SIZES)),
    "distilbert": DistilBertModel(DistilBertConfig(vocab_size=300, dim=16, n_layers=1, n_heads=2, hidden_dim=32)),
}
NOT_ENCODER = (
    "model.safetensors is not of a BERT encoder with this config.json; pin files of one model in weights.files:"
)


def built(weights: Path) -> Any:
    """The model with two labels."""
    torch.manual_seed(1)
    return bert.build(bert.Params(dropout=0.1, sizes=None), ["a", "b"], 300, 16, weights)


def saved(folder: Path, model: Any) -> Path:
    model.save_pretrained(folder)
    return folder


def configured(folder: Path, **changes: Any) -> Path:
    """BERT's configuration in place of what is there."""
    (folder / "config.json").write_text(json.dumps(BertConfig(**SIZES).to_dict() | changes), encoding="utf-8")
    return folder


def message(weights: Path) -> str:
    """What is said to weights that can't be taken, less their place."""
    with pytest.raises(Fault) as fault:
        built(weights)
    return str(fault.value).removeprefix(f"{weights}")


@pytest.mark.parametrize(
    "model",
    [
        BertModel(BertConfig(**SIZES)),
        BertModel(BertConfig(**SIZES), add_pooling_layer=False).half(),
        BertForPreTraining(BertConfig(**SIZES)),
        BertForSequenceClassification(BertConfig(**labelled(2))),
        BertForSequenceClassification(BertConfig(**labelled(3))),
    ],
    ids=["encoder", "half precision", "masked words", "a head for two labels", "a head for three labels"],
)
def test_any_bert_encoder_is_taken_with_a_new_head(model: Any, tmp_path: Path) -> None:
    weights, encoder = saved(tmp_path / "weights", model), getattr(model, "bert", model)
    mine = built(weights)
    assert torch.equal(mine.bert.embeddings.word_embeddings.weight, encoder.embeddings.word_embeddings.weight.float())
    assert mine.dtype == torch.float32 and mine.classifier.weight.shape == (2, 16)
    if hasattr(model, "classifier"):
        assert not torch.equal(mine.classifier.weight, model.classifier.weight[:2])
    assert mine.classifier.bias.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", OTHERS)
def test_another_model_is_a_fault(kind: str, tmp_path: Path) -> None:
    assert message(saved(tmp_path / "weights", OTHERS[kind])) == (
        f"/config.json: model_type is {kind!r}, architecture bert wants 'bert'; "
        "pin a BERT encoder in weights.files, or choose another model.architecture"
    )


def test_tensors_of_something_else_are_told(tmp_path: Path) -> None:
    weights = configured(saved(tmp_path / "weights", OTHERS["gpt2"]))
    first, *lines = message(weights).splitlines()
    assert first == f": {NOT_ENCODER}"
    assert lines[0] == "  h.0.attn.c_attn.bias: unknown" and lines[-1] == "  and 27 more" and len(lines) == 11


def test_tensors_of_another_size_and_missing_ones_are_told(tmp_path: Path) -> None:
    weights = saved(tmp_path / "weights", BertModel(BertConfig(**SIZES)))
    embedding = "bert.embeddings.word_embeddings.weight"
    assert message(configured(weights, vocab_size=4_000)) == (
        f": {NOT_ENCODER}\n  {embedding}: 300 x 16, config.json wants 4,000 x 16"
    )
    lines = message(configured(weights, num_hidden_layers=2)).splitlines()
    assert lines[1] == "  bert.encoder.layer.1.attention.output.LayerNorm.bias: missing" and lines[-1] == "  and 6 more"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda whole: whole[:-10],
            "SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered",
        ),
        (lambda _: b"", "SafetensorError: Error while deserializing header: header too small"),
        (
            lambda _: b"version https://git-lfs.github.com/spec/v1\n",
            "SafetensorError: Error while deserializing header: header too large",
        ),
    ],
    ids=["cut", "empty", "a pointer of Git LFS"],
)
def test_a_damaged_file_is_a_fault(damage: Any, said: str, tmp_path: Path) -> None:
    weights = saved(tmp_path / "weights", BertModel(BertConfig(**SIZES)))
    file = weights / "model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    assert message(weights) == f": no weights of a BERT encoder ({said}); pin whole files in weights.files"


def test_a_configuration_that_contradicts_itself_is_a_fault(tmp_path: Path) -> None:
    weights = configured(saved(tmp_path / "weights", BertModel(BertConfig(**SIZES))), num_attention_heads=3)
    assert message(weights) == (
        ": no weights of a BERT encoder (ValueError: The hidden size (16) is not a multiple of the number of attention "
        "heads (3)); pin whole files in weights.files"
    )


def test_weights_in_another_format_are_a_fault(tmp_path: Path) -> None:
    weights = saved(tmp_path / "weights", BertModel(BertConfig(**SIZES)))
    shutil.move(weights / "model.safetensors", weights / "pytorch_model.bin")
    assert message(weights).startswith(": no weights of a BERT encoder (OSError: Error no file named model.safetensors")
