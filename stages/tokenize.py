"""Learn or load the tokenizer; documents to token ids."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field

from stages.core.faults import Fault, lines
from stages.core.files import read_json
from stages.core.params import Section, Shared
from stages.core.records import read_table, shards, write_table
from stages.shell.engine import Engine
from stages.shell.run import run

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LEAST = len(SPECIAL) + 256  # tokens of a learned vocabulary: the special ones and every byte
SCHEMA = pa.schema([("id", pa.string()), ("tokens", pa.list_(pa.int32()))])


class Params(Section):
    max_tokens: Annotated[int, Field(ge=3, le=100_000)]  # [CLS], a token, [SEP]
    vocabulary: Annotated[int, Field(ge=LEAST, le=1_000_000)]
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
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library knows no other
        raise Fault(f"{path}: no tokenizer ({error}); pin the tokenizer.json of the weights in weights.files") from None


def configuration(weights: Path) -> dict[str, Any]:
    """What the checkpoint says of itself."""
    path = weights / "config.json"
    try:
        config = read_json(path)
    except (OSError, ValueError) as error:
        raise Fault(f"{path}: no JSON ({error}); pin the config.json of the weights in weights.files") from None
    if not isinstance(config, dict):
        raise Fault(f"{path}: has no keys; pin the config.json of the weights in weights.files")
    return config


def fitting(tokenizer: Any, weights: Path, max_tokens: int) -> None:
    """The tokenizer must be that of the weights, and a cut document no longer than they can read."""
    config = configuration(weights)
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and max_tokens > positions:
        raise Fault(
            f"params.yaml: tokenize.max_tokens: {max_tokens:,} wanted, the pinned weights read {positions:,}; lower it"
        )
    if strange := list(misfits(tokenizer, config)):
        raise Fault(f"{weights}: tokenizer.json does not go with config.json; pin files of one model:{lines(strange)}")


def misfits(tokenizer: Any, config: dict[str, Any]) -> Iterator[str]:
    """What the weights know nothing of, or know by another number."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    last, size, padding = max(vocabulary.values()), config.get("vocab_size"), config.get("pad_token_id", 0)
    if isinstance(size, int) and last >= size:
        yield f"token ids go up to {last:,}, the weights have {size:,} (vocab_size)"
    if missing := [token for token in SPECIAL if token not in vocabulary]:
        yield f"no {', '.join(missing)} among the tokens"
    elif vocabulary["[PAD]"] != padding:
        yield f"[PAD] is token {vocabulary['[PAD]']}, the weights pad with {padding} (pad_token_id)"
    elif tokenizer.encode("").tokens != ["[CLS]", "[SEP]"]:
        yield "no [CLS] and [SEP] around a text (post_processor)"


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
    if p.weights == "pinned":
        fitting(tokenizer, weights, p.max_tokens)
    tokenizer.save(str(out / "tokenizer.json"))
    names = [path.name for path in shards(source)]
    counts = e.map(encode_shard, names, p, (source, augment), split, out)
    documents, cut = (sum(column) for column in zip(*counts, strict=True))
    return f"{documents:,} documents, {cut:,} cut to {p.max_tokens} tokens, vocabulary {tokenizer.get_vocab_size():,}"


if __name__ == "__main__":
    run(stage)
