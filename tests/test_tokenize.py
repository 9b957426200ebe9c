"""Tokens: learned on train alone, the same bytes each time; or the checkpoint's own."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages import tokenize
from stages.core.faults import Fault
from stages.core.records import read_table, write_table
from stages.engines.serial import Serial
from stages.shell.engine import Engine
from stages.tokenize import Params

TEXTS = ["Solve a linear system", "solve the system of equations", "Größe 日本 ∑"]
P = Params(max_tokens=6, vocabulary=300, weights="none")


def corpus(root: Path) -> Path:
    """Three documents, the first two of train; the first has a child, the last was filtered."""
    rows = [{"id": f"{n}", "origin": None, "text": text} for n, text in enumerate([*TEXTS, "gone"])]
    child = [{"id": "c", "origin": "0", "text": "linear solve"}]
    schema = pa.schema([("id", pa.string()), ("origin", pa.string()), ("text", pa.string())])
    for folder, table in (("clean", rows), ("augment", child)):
        write_table(root / folder / "s.parquet", pa.Table.from_pylist(table, schema))
    sides = [{"id": "0", "side": "train"}, {"id": "1", "side": "train"}, {"id": "2", "side": "test"}]
    write_table(root / "split/s.parquet", pa.Table.from_pylist(sides))
    return root


def run(root: Path, p: Params, out: str) -> str:
    """The stage on the corpus."""
    weights, clean, split, augment = (root / name for name in ("weights", "clean", "split", "augment"))
    return tokenize.stage(Engine(Serial(), root), p, weights, clean, split, augment, root / out)


def test_a_tokenizer_learned_twice_is_the_same_bytes() -> None:
    once, again = (tokenize.learned(TEXTS * 20, 400) for _ in range(2))
    assert once.to_str() == again.to_str() and 260 < once.get_vocab_size() <= 400


def test_no_text_has_an_unknown_token() -> None:
    tokenizer = tokenize.learned(["plain"], 300)
    encoding = tokenizer.encode("Größe 日本 ∑")
    assert "[UNK]" not in encoding.tokens and (encoding.tokens[0], encoding.tokens[-1]) == ("[CLS]", "[SEP]")
    assert tokenizer.decode(encoding.ids).strip() == "größe 日本 ∑"


def test_documents_with_a_side_and_children_get_tokens_cut_to_length(tmp_path: Path) -> None:
    told = run(corpus(tmp_path), P, "out")
    tokens = {row["id"]: row["tokens"] for row in read_table(tmp_path / "out/s.parquet").to_pylist()}
    assert tokens.keys() == {"0", "1", "2", "c"}
    assert {one: len(ids) for one, ids in tokens.items()} == {"0": 6, "1": 6, "2": 6, "c": 4}
    assert told.startswith("4 documents, 2 cut to 6 tokens")


def test_train_alone_is_learned_from(tmp_path: Path) -> None:
    corpus(tmp_path)
    assert list(tokenize.train_texts(tmp_path / "clean", tmp_path / "split")) == TEXTS[:2]


def test_pinned_weights_bring_their_tokenizer(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "weights").mkdir()
    theirs: Any = tokenize.learned(["of their own"] * 5, 280)
    theirs.save(str(tmp_path / "weights/tokenizer.json"))
    run(tmp_path, P.model_copy(update={"weights": "pinned"}), "out")
    assert tokenize.loaded(tmp_path / "out").get_vocab() == theirs.get_vocab()


def test_weights_without_a_tokenizer_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(
        Fault, match=r"tokenizer.json: the pinned weights have no tokenizer; add tokenizer.json to weights.files"
    ):
        tokenize.loaded(tmp_path)
