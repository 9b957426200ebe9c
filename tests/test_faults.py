"""Bad input in a real project: a failing exit status, one message that names place, value and remedy, no traceback."""

import csv
import os
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

from stages.core.files import read_json, write_json
from stages.core.funnel import ids_of
from stages.core.records import side_rows
from tests.conftest import ROOT, Clone
from tests.sources import tables

COMMANDS = {name: stage["cmd"] for name, stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items()}


def by_hand(clone: Clone, stage: str, weights: Path | str = "models/weights") -> tuple[int, str]:
    """A stage on what is there already, as DVC would run it."""
    return clone.tried(*COMMANDS[stage].replace("models/weights", str(weights)).split())


@pytest.fixture(scope="module")
def copied(light: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return light.copy(tmp_path_factory.mktemp("light") / "project")


@pytest.fixture
def scratch(copied: Clone) -> Iterator[Clone]:
    """A project from scratch, whose params.yaml may be changed."""
    yield copied
    copied.run("git", "checkout", "--quiet", "params.yaml")


# What is changed in params.yaml, the stage that meets it, and what it says of the project's {numbers}.
TOLD: dict[str, tuple[str, dict[str, Any], str]] = {
    "limits that nothing passes": (
        "filter",
        {"filter": {"limits": {"words": {"at_least": 5_000, "at_most": None}}}},
        "params.yaml: filter.limits: no document is left (words under 5000: {documents:,}); loosen the limits",
    ),
    "a budget that train has not": (
        "split",
        {"split": {"labels": 5_000}},
        (
            "params.yaml: split.labels: 5,000 wanted, train has {labelled:,} labelled documents; "
            "lower it, or set 0 to use all"
        ),
    ),
    "a budget smaller than the labels": (
        "split",
        {"split": {"labels": 4}},
        "params.yaml: split.labels: 4 are fewer than the 5 labels; raise it",
    ),
    "words in a row that no document has": (
        "baseline",
        {"baseline": {"word_ngrams": [2_000, 2_000]}},
        (
            "params.yaml: baseline.word_ngrams: no training document has 2000 words of two letters or more; "
            "lower the first length"
        ),
    ),
    "a learning rate that breaks the weights": (
        "train",
        {"train": {"learning_rate": 1e30}},
        "the loss is nan after step 1; lower train.learning_rate and train.head_learning_rate",
    ),
    "a mistake in another stage's section": (
        "dedup",
        {"train": {"epochs": 0, "seed": 10**5}, "clean": {"steps": ["mask", "masks"]}},
        (
            "params.yaml: 2 to mend:\n"
            "  clean.steps: no 'masks' in stages/cleaners; there is: "
            "mask, markup, mojibake, misspellings, whitespace, boilerplate, pii, unicode\n"
            "  train.epochs: input should be greater than 0, not 0"
        ),
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_a_stage_tells(what: str, scratch: Clone) -> None:
    stage, overlay, message = TOLD[what]
    data = scratch.root / "data"
    labels = {row["id"]: row["label"] for row in side_rows(data / "clean", ["id", "label"])}
    numbers = {
        "documents": len(ids_of(data / "features")),
        "labelled": sum(row["side"] == "train" and labels[row["id"]] is not None for row in side_rows(data / "split")),
    }
    scratch.change(overlay)
    assert by_hand(scratch, stage) == (1, f"{stage}: {message.format(**numbers)}\n")


def encoder(folder: Path) -> BertModel:
    """A BERT encoder for the pinned tokenizer, as small as can be."""
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    model = BertModel(BertConfig(**sizes), add_pooling_layer=False)
    model.save_pretrained(folder)
    return model


def with_tokenizer(folder: Path, clone: Clone) -> Path:
    """The pinned tokenizer beside other weights."""
    (folder / "tokenizer.json").write_bytes((clone.root / "models/weights/tokenizer.json").read_bytes())
    return folder


def test_weights_of_another_kind(built: Clone, tmp_path: Path) -> None:
    GPT2Model(GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    assert by_hand(built, "tokenize", with_tokenizer(tmp_path, built)) == (
        1,
        (
            f"tokenize: {tmp_path}: tokenizer.json does not go with config.json; pin files of one model:\n"
            "  token ids go up to 30,521, the weights have 300 (vocab_size)\n"
            "  [PAD] is token 0, the weights pad with None (pad_token_id)\n"
        ),
    )
    assert by_hand(built, "train", tmp_path) == (
        1,
        (
            f"train: {tmp_path}/config.json: model_type is 'gpt2', architecture bert wants 'bert'; "
            "pin a BERT encoder in weights.files, or choose another model.architecture\n"
        ),
    )


def test_weights_of_another_size(built: Clone, tmp_path: Path) -> None:
    encoder(tmp_path)
    config = read_json(tmp_path / "config.json")
    write_json(tmp_path / "config.json", config | {"max_position_embeddings": 40, "vocab_size": 30_523})
    status, told = by_hand(built, "tokenize", with_tokenizer(tmp_path, built))
    most = "params.yaml: tokenize.max_tokens: 48 wanted, the pinned weights read 40; lower it"
    assert (status, told) == (1, f"tokenize: {most}\n")
    assert by_hand(built, "train", tmp_path) == (
        1,
        (
            f"train: {tmp_path}: model.safetensors is not of a BERT encoder with this config.json; "
            "pin files of one model in weights.files:\n"
            "  bert.embeddings.position_embeddings.weight: 512 x 16, config.json wants 40 x 16\n"
            "  bert.embeddings.word_embeddings.weight: 30,522 x 16, config.json wants 30,523 x 16\n"
        ),
    )


def test_weights_that_are_no_numbers(built: Clone, tmp_path: Path) -> None:
    model = encoder(tmp_path)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.fill_(float("nan"))
    model.save_pretrained(tmp_path)
    assert by_hand(built, "train", tmp_path) == (
        1,
        "train: the loss is nan before the first step: the starting weights are no good; pin others in weights.files\n",
    )


def table(path: Path, labels: list[str]) -> dict[str, Any]:
    """A CSV file with a text a label, none like another; and its entry in `ingest.sources`."""
    rng = random.Random(1)
    texts = [" ".join("".join(rng.choices(string.ascii_lowercase, k=6)) for _ in range(8)) for _ in labels]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    told = {"name": "mine", "kind": "csv", "licence": None, "quota": None, "rejects": 0.0}
    return told | tables.table(tables.file(path), fields={"label": "label"})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["plenty", "enough"] * 30 + ["few", "few", "one"],
            (
                "2 of 4 labels are not on all sides; label more of them, merge them with others at the source, or "
                "take them away:\n  'few': 2 documents in 2 groups, none for test\n"
                "  'one': 1 document in 1 group, none for validation and test"
            ),
        ),
        # The words of these two are in tests/test_split.py; the way that a fault takes through DVC is the same.
        pytest.param(
            *(["same"] * 30, "all labels are 'same'; two labels are needed: label more, or mend ingest.sources"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *([""] * 30, "no document has a label; two labels are needed: label more, or mend ingest.sources"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["labels too small", "one label", "no label"],
)
def test_labels_that_can_not_be_learned(labels: list[str], message: str, scratch: Clone, tmp_path: Path) -> None:
    scratch.change({"ingest": {"sources": [table(tmp_path / "mine.csv", labels)]}, "split": {"labels": 0}})
    status, told = scratch.tried("dvc", "repro", "split")
    assert status == 255 and "Traceback" not in told
    assert f"\nsplit: {message}\n" in told
    assert f"ERROR: failed to reproduce 'split': failed to run: {COMMANDS['split']}, exited with 1" in told


# What plain DVC says before any stage of ours can; the README quotes it. Two runs at once: tests/test_kills.py.


def test_the_readme_quotes_what_dvc_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for said in (
        "ERROR: unable to read: 'params.yaml', YAML file structure is corrupted",
        "ERROR: failed to reproduce 'train': [Errno 2] No such file or directory:",
        "is busy, it is being blocked by:",
        "ERROR: unexpected error - …/.git/: repository path '…' is not owned by current",
        "`validation failed`",
    ):
        assert said in readme


def test_a_task_that_there_is_not(scratch: Clone) -> None:
    scratch.change({"model": {"task": "clasification"}, "tasks": {"clasification": {}}})
    status, told = scratch.tried("dvc", "repro")
    missing = scratch.root / "stages/tasks/clasification.py"
    assert status == 255 and "Traceback" not in told
    assert f"ERROR: failed to reproduce 'train': [Errno 2] No such file or directory: '{missing}'" in told
    status, told = scratch.tried("python", "-m", "stages.commands", "check")
    assert status == 1 and "  model.task: no 'clasification' in stages/tasks; there is: text_classification\n" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_checkout_of_somebody_else(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    for folder, _, files in os.walk(clone.root):
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            os.chown(path, 12345, 12345, follow_symlinks=False)
    assert "detected dubious ownership in repository" in clone.tried("git", "status")[1]
    assert clone.repro() == []
    status, told = clone.tried("dvc", "exp", "show")
    assert status == 255 and "Traceback" not in told
    said = f"ERROR: unexpected error - {clone.root}/.git/: repository path '{clone.root}' is not owned by current user"
    assert said in told
