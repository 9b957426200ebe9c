"""Tokens: learned on train alone, the same bytes each time; or the checkpoint's own."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages import tokenize
from stages.core.faults import Fault
from stages.core.files import write_json
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


def pinned(folder: Path, tokenizer: Any, **changes: Any) -> Path:
    """Weights as `tokenize` sees them: a tokenizer, and a configuration that fits it but for the changes."""
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    fitting = {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": 8, "pad_token_id": 0}
    write_json(folder / "config.json", fitting | changes)
    return folder


def test_pinned_weights_bring_their_tokenizer(tmp_path: Path) -> None:
    corpus(tmp_path)
    theirs: Any = tokenize.learned(["of their own"] * 5, 280)
    pinned(tmp_path / "weights", theirs)
    run(tmp_path, P.model_copy(update={"weights": "pinned"}), "out")
    assert tokenize.loaded(tmp_path / "out").get_vocab() == theirs.get_vocab()


def test_more_tokens_than_the_weights_read_are_a_fault(tmp_path: Path) -> None:
    tokenizer: Any = tokenize.learned(TEXTS, 280)
    weights = pinned(tmp_path / "weights", tokenizer, max_position_embeddings=5)
    tokenize.fitting(tokenizer, weights, 5)
    with pytest.raises(Fault) as fault:
        tokenize.fitting(tokenizer, weights, 1_024)
    told = "params.yaml: tokenize.max_tokens: 1,024 wanted, the pinned weights read 5; lower it"
    assert str(fault.value) == told


def without_ends() -> Any:
    """A tokenizer that puts nothing around a text."""
    from tokenizers import processors

    tokenizer: Any = tokenize.learned(TEXTS, 280)
    tokenizer.post_processor = processors.Sequence([])
    return tokenizer


def of_another_family() -> Any:
    """A tokenizer with RoBERTa's special tokens."""
    from tokenizers import Tokenizer, models

    return Tokenizer(models.WordLevel({"<s>": 0, "<pad>": 1, "</s>": 2, "[UNK]": 3}, "[UNK]"))


@pytest.mark.parametrize(
    ("tokenizer", "config", "told"),
    [
        (
            tokenize.learned(TEXTS, 280),
            {"vocab_size": 270},
            ["token ids go up to 279, the weights have 270 (vocab_size)"],
        ),
        (
            tokenize.learned(TEXTS, 280),
            {"pad_token_id": 1},
            ["[PAD] is token 0, the weights pad with 1 (pad_token_id)"],
        ),
        (
            of_another_family(),
            {"vocab_size": 3},
            [
                "token ids go up to 3, the weights have 3 (vocab_size)",
                "no [PAD], [CLS], [SEP], [MASK] among the tokens",
            ],
        ),
        (without_ends(), {}, ["no [CLS] and [SEP] around a text (post_processor)"]),
    ],
    ids=["more tokens", "another padding", "another family", "no ends"],
)
def test_a_tokenizer_that_does_not_fit_the_weights(
    tmp_path: Path, tokenizer: Any, config: dict[str, Any], told: list[str]
) -> None:
    weights = pinned(tmp_path / "weights", tokenizer, **config)
    with pytest.raises(Fault) as fault:
        tokenize.fitting(tokenizer, weights, 6)
    first, *rest = str(fault.value).splitlines()
    assert first == f"{weights}: tokenizer.json does not go with config.json; pin files of one model:"
    assert rest == [f"  {one}" for one in told]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1]", "has no keys; pin the config.json of the weights in weights.files"),
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "no JSON (Expecting value: line 1 column 1 (char 0)); pin the config.json of the weights in weights.files",
        ),
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(Fault) as fault:
        tokenize.configuration(tmp_path)
    assert str(fault.value) == f"{tmp_path}/config.json: {told}"


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Fault) as fault:
        tokenize.loaded(tmp_path)
    assert str(fault.value) == (
        f"{tmp_path}/tokenizer.json: no tokenizer (Model missing. at line 1 column 2); "
        "pin the tokenizer.json of the weights in weights.files"
    )


def test_weights_without_a_tokenizer_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(
        Fault, match=r"tokenizer.json: the pinned weights have no tokenizer; add tokenizer.json to weights.files"
    ):
        tokenize.loaded(tmp_path)
