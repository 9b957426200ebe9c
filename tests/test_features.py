"""Statistics as the stage writes them down: a row a document, and what kinds learn from documents."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages import features
from stages.core.faults import Fault
from stages.core.hashing import document_id
from stages.core.params import Section
from stages.core.records import Document, read_table, texts_of, write_documents
from stages.engines.serial import Serial
from stages.shell import plugins
from stages.shell.engine import Engine

ENGLISH = ["The cat sat on the mat and looked at the dog.", "A matrix is a table of numbers in rows and columns."]
GERMAN = ["Die Katze saß auf der Matte und sah den Hund an.", "Eine Matrix ist eine Tabelle aus Zahlen in Zeilen."]


def documents(source: str, texts: list[str], split: str | None = None) -> list[Document]:
    """Of a source, each text twenty times with a number in it."""
    return [
        Document(document_id(source, n), f"{text} {n}", None, source, None, None, {"a": ""}, split=split)
        for n, text in enumerate(texts * 20)
    ]


def run(folder: Path, *shards: list[Document], **settings: Section) -> dict[str, dict[str, Any]]:
    """What the stage says of documents, by id."""
    for n, shard in enumerate(shards):
        write_documents(folder / f"in/{n:03}.parquet", shard, texts_of("a"))
    p = features.Params(statistics=tuple(settings), settings=settings)
    told = features.stage(Engine(Serial(), folder), p, folder / "in", folder / "out")
    rows = [row for n in range(len(shards)) for row in read_table(folder / f"out/{n:03}.parquet").to_pylist()]
    assert told == f"{len(rows)} documents described by {len(features.columns(p))} figures"
    return {row["id"]: row for row in rows}


def params(kind: str, **settings: Any) -> Section:
    return plugins.load("statistics", kind).Params(**settings)


def test_a_shard_has_a_typed_row_a_document(tmp_path: Path) -> None:
    made = documents("docs", ENGLISH)
    made[3] = made[3]._replace(split="test")
    found = run(tmp_path, made, [], lexical=params("lexical"), fineweb=params("fineweb"))
    assert list(found) == [document.id for document in made]
    assert [one["given"] for one in found.values()] == [n == 3 for n in range(40)]
    assert [one["characters"] for one in found.values()] == [len(document.text) for document in made]
    kinds = read_table(tmp_path / "out/000.parquet").schema
    assert kinds == read_table(tmp_path / "out/001.parquet").schema
    assert kinds.field("words").type == pa.int32() and kinds.field("fineweb_short_lines").type == pa.float64()


def test_nothing_chosen_is_nothing_described(tmp_path: Path) -> None:
    found = run(tmp_path, documents("docs", ENGLISH))
    assert {tuple(one) for one in found.values()} == {("id", "given")}


def test_batches_and_shards_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents("docs", [*ENGLISH, *GERMAN, "", "日本"])
    kinds = {"lexical": params("lexical"), "gopher": params("gopher", stop_words=("the",))}
    whole = run(tmp_path / "whole", made, **kinds)
    monkeypatch.setattr("stages.core.buffers.BATCH", 64)
    assert run(tmp_path / "cut", made[:50], made[50:], **kinds) == whole
    monkeypatch.setattr(features, "MANY", 0)  # numba from the first byte on
    assert run(tmp_path / "fast", made, **kinds) == whole


def test_perplexity_is_of_what_was_learned_from(tmp_path: Path) -> None:
    shards = [documents("docs", ENGLISH), documents("web", GERMAN)]
    kind = params("perplexity", sources=("docs",), documents=100)
    found = run(tmp_path, *shards, perplexity=kind)
    english, german = ([found[one.id]["perplexity"] for one in shard] for shard in shards)
    assert max(english) < min(german) and min(english) >= 1
    assert (tmp_path / "out/learned/perplexity.parquet").exists()


def test_quality_is_likeness_to_the_good_ones(tmp_path: Path) -> None:
    shards = [documents("docs", ENGLISH), documents("web", GERMAN)]
    found = run(tmp_path, *shards, quality=params("quality", sources=("docs",), documents=100))
    assert all(found[one.id]["quality"] > 0 for one in shards[0])
    assert all(found[one.id]["quality"] < 0 for one in shards[1])


@pytest.mark.parametrize("kind", ["perplexity", "quality"])
def test_what_is_given_for_validation_or_test_is_not_learned_from(tmp_path: Path, kind: str) -> None:
    settings = {kind: params(kind, sources=("docs",), documents=100)}
    train = [*documents("docs", ENGLISH), *documents("web", GERMAN)]
    without = run(tmp_path / "without", train, **settings)
    judged = [*documents("web", ["Πάντα ῥεῖ."], "test"), *documents("docs", ["Панта рей."], "validation")]
    judged = [one._replace(id=f"f{one.id[1:]}", source=one.source) for one in judged]
    beside = run(tmp_path / "beside", train, judged, **settings)
    assert {one: beside[one] for one in without} == without


def test_the_order_of_documents_is_nothing_to_learn_from(tmp_path: Path) -> None:
    made = documents("docs", [*ENGLISH, *GERMAN])
    settings = {"perplexity": params("perplexity", sources=("docs",), documents=30)}
    assert run(tmp_path / "one", made, **settings) == run(tmp_path / "other", made[::-1], **settings)


@pytest.mark.parametrize(
    ("kind", "sources", "message"),
    [
        ("perplexity", ("web",), "statistics.perplexity.sources: no document of web to learn from"),
        ("quality", ("web",), "statistics.quality.sources: no document is of web "),
        ("quality", ("docs",), "statistics.quality.sources: no document is not of docs "),
    ],
)
def test_nothing_to_learn_from_is_a_fault(tmp_path: Path, kind: str, sources: tuple[str, ...], message: str) -> None:
    with pytest.raises(Fault, match=message):
        run(tmp_path, documents("docs", ENGLISH), **{kind: params(kind, sources=sources, documents=10)})
