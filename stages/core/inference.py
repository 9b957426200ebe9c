"""A built model at work: texts to token ids, token ids to probabilities. Shared by the stages and by `predict`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stages.core.mean_pooling import register

BATCH = 64
TokenIds = Sequence[int]


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Positions in batches of equal-as-can-be length: padding is what costs on a CPU. Ties stay in order."""
    order = sorted(range(len(lengths)), key=lambda n: (lengths[n], n))
    return [order[start : start + size] for start in range(0, len(order), size)]


def padded(rows: Sequence[TokenIds], padding: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`input_ids` and `attention_mask`, both (rows, longest row)."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


@dataclass(frozen=True)
class Classifier:
    """A sequence classifier with its tokenizer, as `train` wrote it to a folder."""

    model: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> "Classifier":
        """From local files only: safetensors, never pickles, never code."""
        from tokenizers import Tokenizer
        from transformers import AutoModelForSequenceClassification

        register()
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        return cls(model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")))

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the columns of `probabilities`."""
        return [self.model.config.id2label[n] for n in range(self.model.config.num_labels)]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens, cut to the length the model was trained at (tokenizer.json says it)."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def probabilities(
        self, rows: Sequence[TokenIds], watch: Callable[[list[list[int]]], Iterable[list[int]]] = iter
    ) -> NDArray[np.float32]:
        """(rows, labels). `watch` may wrap the batches in a progress bar."""
        result = np.zeros((len(rows), len(self.labels)), np.float32)
        for batch in watch(by_length([len(row) for row in rows], BATCH)):
            result[batch] = self._batch([rows[n] for n in batch])
        return result

    @torch.inference_mode()
    def _batch(self, rows: Sequence[TokenIds]) -> NDArray[np.float32]:
        ids, mask = padded(rows, self.model.config.pad_token_id)
        return torch.softmax(self.model(input_ids=ids, attention_mask=mask).logits, -1).numpy()
