"""Learn or load the tokenizer; documents to token ids."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from stages.core.faults import Fault
from stages.core.params import Positive, Section, Shared
from stages.core.records import read_table, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SCHEMA = pa.schema([("id", pa.string()), ("tokens", pa.list_(pa.int32()))])


class Params(Section):
    max_tokens: Annotated[int, Field(ge=3)]  # [CLS], a token, [SEP]
    vocabulary: Positive
    weights: Annotated[Literal["pinned", "none"], Shared("model.weights")]


def learned(texts: Iterable[str], vocabulary: int) -> Any:
    """Byte-level BPE (Radford et al. 2019): no text has an unknown token, and training repeats to the byte."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])  # type: ignore[assignment]
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ends)  # type: ignore[assignment]
    return tokenizer


def loaded(weights: Path) -> Any:
    """The tokenizer that the checkpoint was trained with."""
    from tokenizers import Tokenizer

    path = weights / "tokenizer.json"
    if not path.exists():
        raise Fault(f"{path}: the pinned weights have no tokenizer; add tokenizer.json to weights.files")
    return Tokenizer.from_file(str(path))


def encode_shard(name: str, p: Params, sources: tuple[Path, ...], split: Path, out: Path) -> tuple[int, int]:
    """The tokens of one shard's documents and of their children; gives how many documents, and how many were cut."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    kept = set(read_table(split / name, ["id"]).column("id").to_pylist())
    rows = [row for source in sources for row in read_table(source / name, ["id", "origin", "text"]).to_pylist()]
    rows = [row for row in rows if row["id"] in kept or row["origin"] in kept]
    encodings = tokenizer.encode_batch([row["text"] for row in rows])
    table = [{"id": row["id"], "tokens": encoding.ids} for row, encoding in zip(rows, encodings, strict=True)]
    write_table(out / name, pa.Table.from_pylist(table, schema=SCHEMA))
    return len(rows), sum(bool(encoding.overflowing) for encoding in encodings)


def train_texts(source: Path, split: Path) -> Iterator[str]:
    """What a tokenizer may learn from: all of train, labelled or not."""
    for path in shards(source):
        side = {row["id"]: row["side"] for row in read_table(split / path.name, ["id", "side"]).to_pylist()}
        for row in read_table(path, ["id", "text"]).to_pylist():
            if side.get(row["id"]) == "train":
                yield row["text"]


def stage(e: Engine, p: Params, weights: Path, source: Path, split: Path, augment: Path, out: Path) -> str:
    """tokenizer.json, cut to `max_tokens`, and a side table of token ids a shard."""
    out.mkdir()
    tokenizer = loaded(weights) if p.weights == "pinned" else learned(train_texts(source, split), p.vocabulary)
    tokenizer.no_padding()
    tokenizer.enable_truncation(p.max_tokens)
    tokenizer.save(str(out / "tokenizer.json"))
    names = [path.name for path in shards(source)]
    counts = e.map(encode_shard, names, p, (source, augment), split, out)
    documents, cut = (sum(column) for column in zip(*counts, strict=True))
    return f"{documents:,} documents, {cut:,} cut to {p.max_tokens} tokens, vocabulary {tokenizer.get_vocab_size():,}"


if __name__ == "__main__":
    run(stage)
