"""What every plug-in of a folder must be, under the parameters of params.yaml: a new file is tested here as it is."""

import ast
import inspect
import json
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, pipeline

from stages import tokenize, train
from stages.architectures import bert
from stages.core.files import write_json
from stages.core.params import Model, Section
from stages.core.records import Row
from stages.shell import plugins
from stages.shell.params import check, read
from tests import documents
from tests.sources import tables

ROOT = Path(__file__).parent.parent
SETTINGS = check(read(ROOT / "params.yaml")).values
# What the stages call, and with which arguments.
INTERFACE: dict[str, dict[str, list[str]]] = {
    "sources": {"attributes": ["p"], "needs": ["p"], "parts": ["p", "paths"], "read": ["p", "part", "paths"]},
    "cleaners": {"clean": ["text", "p"]},
    "statistics": {"described": ["batch", "p", "fitted"]},
    "augmenters": {"augment": ["text", "p", "seed"]},
    "balancers": {"targets": ["counts", "p"]},
    "tasks": {"labels": ["seen"], "loss": ["logits", "targets", "weights", "p"]},
    "architectures": {"faults": ["model", "p"], "build": ["p", "labels", "vocabulary", "max_tokens", "weights"]},
    "metrics": {"score": ["counts"]},
    "splitters": {"faults": ["sizes", "p"], "sides": ["items", "sizes", "p", "seed"]},
    "explainers": {"explain": ["value", "words", "p", "seed"]},
    "engines": {"executor": []},
}
TEXTS = ["", "a", "The inverse of a matrix.", "Ünïcödé – 日本語\tand\nlines  here", "x" * 500]


def every(folder: str) -> pytest.MarkDecorator:
    """For each plug-in of a folder."""
    modules = [pytest.param(plugins.load(folder, name), id=name) for name in plugins.names(folder)]
    return pytest.mark.parametrize("plugin", modules)


def settings(plugin: ModuleType) -> Any:
    """The parameters of a plug-in, as they are committed."""
    _, folder, name = plugin.__name__.split(".")
    return SETTINGS[folder][name]


def test_every_folder_has_an_interface():
    assert sorted(INTERFACE) == plugins.folders()


@pytest.mark.parametrize("folder", INTERFACE)
def test_every_plugin_has_what_the_stages_call(folder: str):
    for name in plugins.names(folder):
        plugin = plugins.load(folder, name)
        found = {function: [*inspect.signature(getattr(plugin, function)).parameters] for function in INTERFACE[folder]}
        assert found == INTERFACE[folder], name
        assert issubclass(getattr(plugin, "Params", Section), Section)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "stages").glob("*/[!_]*.py")), ids=lambda path: f"{path.parent.name}.{path.stem}"
)
def test_the_first_line_says_what_it_is(path: Path):
    told = ast.get_docstring(ast.parse(path.read_text()))
    assert told
    assert 15 < len(told.split("\n")[0]) <= 120


@every("cleaners")
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_a_cleaner_is_a_function_of_the_text(plugin: ModuleType, text: str):
    once = plugin.clean(text, settings(plugin))
    assert isinstance(once, str)
    assert plugin.clean(text, settings(plugin)) == once
    assert plugin.clean(once, settings(plugin)) == once


@every("augmenters")
def test_an_augmenter_draws_from_its_seed_alone(plugin: ModuleType):
    text = "Solve a linear system of equations with a triangular matrix by forward substitution."
    first = [plugin.augment(text, settings(plugin), seed) for seed in range(8)]
    random.seed(99)
    np.random.seed(99)
    assert [plugin.augment(text, settings(plugin), seed) for seed in range(8)] == first
    assert len(set(first)) > 1
    assert all(isinstance(plugin.augment(text, settings(plugin), 2**64 - 1), str) for text in TEXTS)


@every("balancers")
def test_a_balancer_makes_labels_more_alike_and_loses_none(plugin: ModuleType):
    counts = {"x": 900, "y": 90, "z": 1}
    targets = plugin.targets(counts, settings(plugin))
    assert targets.keys() == counts.keys()
    assert targets["x"] >= targets["y"] >= targets["z"] >= 1
    assert targets["x"] / targets["z"] < 900
    assert plugin.targets(dict(reversed(counts.items())), settings(plugin)) == pytest.approx(targets)
    assert plugin.targets({"x": 7, "y": 7}, settings(plugin)) == pytest.approx({"x": 7, "y": 7})


@every("metrics")
def test_a_metric_scores_tables_one_by_one_or_all_at_once(plugin: ModuleType):
    tables = np.array([np.eye(3) * 5, np.roll(np.eye(3), 1, axis=1), np.full((3, 3), 2.0)])
    scores = plugin.score(tables)
    assert scores.shape == (3,)
    assert [float(plugin.score(table)) for table in tables] == pytest.approx(scores.tolist())
    assert scores[0] > scores[2] > scores[1]


@every("tasks")
def test_a_task_weighs_its_documents(plugin: ModuleType):
    assert plugin.labels(["b", "a", "b"]) == ["a", "b"]
    logits, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])

    def loss(rows: slice, *weights: float) -> float:
        return plugin.loss(logits[rows], targets[rows], torch.tensor(weights), settings(plugin)).item()

    right, wrong = loss(slice(0, 1), 1.0), loss(slice(1, 2), 1.0)
    assert right < wrong
    assert loss(slice(0, 2), 1.0, 1.0) == pytest.approx((right + wrong) / 2)
    assert loss(slice(0, 2), 2.0, 0.0) == pytest.approx(right)


@every("explainers")
def test_an_explainer_gives_a_number_a_word(plugin: ModuleType):
    weights = np.array([0.0, 0.4, -0.2, 0.1])
    found = plugin.explain(lambda present: 0.3 + present @ weights, 4, settings(plugin), 7)
    assert len(found) == 4
    assert int(np.argmax(found)) == 1
    assert plugin.explain(lambda present: 0.3 + present @ weights, 4, settings(plugin), 7) == found


@every("engines")
def test_an_engine_gives_what_the_serial_one_gives(plugin: ModuleType):
    executor: Callable[[], AbstractContextManager[Any]] = plugin.executor
    with executor() as pool:
        futures = [pool.submit(pow, number, 2) for number in range(20)]
        assert [future.result() for future in futures] == [number**2 for number in range(20)]
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 1, 0).result()


def sources(folder: Path) -> dict[str, Any]:
    """A small source of each kind, as params.yaml would have it."""
    (docs,) = read(ROOT / "params.yaml")["ingest"]["sources"]
    smallest = next(wheel for wheel in docs["wheels"] if wheel["name"] == "networkx")
    own = {name: docs[name] for name in ("platforms", "skip", "text", "labels")}
    rows = {"fields": tables.FIELDS | {"label": "area", "key": "id", "attributes": ["area"]}}
    record = '{"id": 1, "text": "One text.", "area": "x"}'
    pq.write_table(pa.table({"id": ["1"], "text": ["One text."], "area": ["x"]}), folder / "t.parquet")

    def file(name: str, content: str | bytes | None = None) -> dict[str, Any]:
        return {"files": [tables.file(folder / name, content)]}

    squad = {"id": "1", "question": "What?", "answers": [{"text": "text", "answer_start": 4}]}
    article = {"title": "A", "paragraphs": [{"context": "One text.", "qas": [squad]}]}
    html = f"<title>One</title><p>{'A page is a text of some length, with commas. ' * 5}</p>"
    page = {"extractor": "resiliparse", "seconds": 30}
    told = f"WARC-Type: resource\r\nContent-Type: text/html\r\nContent-Length: {len(html)}"
    turns = [{"role": role, "content": "One text."} for role in ("user", "assistant")]
    conll = {"encoding": "utf-8", "separator": "tab", "columns": 2, "text": 1, "tags": 2, "scheme": "IOB2"}
    chat = {"turns": "turns", "role": "role", "content": "content", "roles": {"user": "U", "assistant": "A"}}
    return {
        "chat": file("chat.jsonl", json.dumps({"turns": turns}) + "\n") | chat | {"target": "A"},
        "conll": file("t.conll", "One\tO\ntext\tB-X\n") | conll | {"comment": None, "mark": None, "unit": "sentence"},
        "squad": file("squad.json", json.dumps({"data": [article]})) | {"shift": 0},
        "csv": tables.table(**rows) | file("t.csv", "id,text,area\n1,One text.,x\n2,Another text.,\n3\n"),
        "docx": file("t.docx", documents.docx("<w:p><w:r><w:t>One text.</w:t></w:r></w:p>")) | {"unit": "section"},
        "epub": file("t.epub", documents.epub({"o/a.xhtml": documents.xhtml("<p>One text.</p>")}))
        | {"unit": "chapter"},
        "html": file("t.html", html) | page,
        "hub": tables.TABLE | rows | tables.hub(folder / "cache", folder / "t.parquet"),
        "json": tables.TABLE | rows | file("t.json", f"[{record}, 1]") | {"records": None, "ends": None},
        "jsonl": tables.TABLE | rows | file("t.jsonl", f"{record}\n{{}}\n"),
        "markdown": file("t.md", "# One\n\nOne text.\n") | {"unit": "section", "code": "keep"},
        "parallel": tables.TABLE
        | {"fields": tables.FIELDS, "encoding": "utf-8"}
        | {"sets": [{"text": tables.file(folder / "lines.txt", "One text.\n")}]},
        "parquet": tables.TABLE | rows | file("t.parquet"),
        "pdf": file("t.pdf", documents.pdf([documents.lines("One text.")])) | {"unit": "page"},
        "sql": tables.TABLE | rows | tables.database(folder / "t.db", "One text."),
        "text": file("t.txt", "One text.\n\nAnother.\n") | {"encoding": "utf-8", "unit": "line", "label": None},
        "warc": file("t.warc", f"WARC/1.0\r\n{told}\r\n\r\n{html}") | {"records": ["resource"]} | page,
        "wheels": own | {"wheels": [smallest]},
    }


@every("sources")
def test_a_source_gives_the_same_rows_each_time(plugin: ModuleType, tmp_path: Path):
    kind = plugin.__name__.rpartition(".")[2]
    p = tables.parameters(kind, **sources(tmp_path)[kind])
    rows, again = (list(tables.items(kind, p, tmp_path / "cache")) for _ in range(2))
    assert rows == again
    documents = [row for row in rows if isinstance(row, Row)]
    keys = [row.key for row in documents if row.key is not None]
    assert documents
    assert len(set(keys)) == len(keys)
    kinds = {field.name for field in plugin.attributes(p)}
    assert all(row.attributes.keys() | {"none"} <= kinds | {"none"} for row in documents)


# Each architecture from scratch, as small as it gets.
SCRATCH: dict[str, Any] = {"bert": bert.Params(dropout=0.0, sizes=bert.Sizes(width=32, layers=1, heads=2))}
LABELS = ["algebra", "plots"]
EXAMPLES = [
    (f"{verb} the {noun} of it.", label)
    for label, noun in enumerate(("matrix", "figure"))
    for verb in ("Solve", "Draw", "Find", "Show")
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One that was learned here, as the stage learns it."""
    learned = tokenize.learned([text for text, _ in EXAMPLES], 300)
    learned.enable_truncation(16)
    return learned


@pytest.fixture
def built(plugin: ModuleType, tokenizer: Tokenizer) -> Any:
    """A new model of an architecture."""
    torch.manual_seed(1)
    torch.set_num_threads(1)  # more cost time on models as small as these
    return plugin.build(SCRATCH[plugin.__name__.rpartition(".")[2]], LABELS, tokenizer.get_vocab_size(), 16, None)


def padded(tokenizer: Tokenizer, more: int = 0) -> dict[str, torch.Tensor]:
    """All examples as a batch, with `more` columns of padding than it needs."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch([text for text, _ in EXAMPLES])]
    width = max(map(len, rows)) + more
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


@every("architectures")
def test_an_architecture_learns(built: Any, tokenizer: Tokenizer):
    targets = torch.tensor([label for _, label in EXAMPLES])
    optimizer = torch.optim.AdamW(built.train().parameters(), lr=3e-3)
    losses: list[float] = []
    for _ in range(25):
        loss = built(**padded(tokenizer), labels=targets).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@every("architectures")
def test_padding_changes_nothing(built: Any, tokenizer: Tokenizer):
    with torch.inference_mode():
        narrow, wide = (built.eval()(**padded(tokenizer, more)).logits for more in (0, 5))
    assert torch.allclose(narrow, wide, atol=1e-5)


@every("architectures")
def test_an_architecture_saves_loads_and_serves_as_any_other(built: Any, tokenizer: Tokenizer, tmp_path: Path):
    built.eval().save_pretrained(tmp_path)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    write_json(tmp_path / "tokenizer_config.json", train.TOKENIZER)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path, local_files_only=True).eval()
    assert loaded.config.id2label == dict(enumerate(LABELS))
    with torch.inference_mode():
        expected = built(**padded(tokenizer)).logits
        assert torch.equal(loaded(**padded(tokenizer)).logits, expected)
    answers: Any = pipeline("text-classification", model=str(tmp_path))([text for text, _ in EXAMPLES], top_k=None)
    for answer, row in zip(answers, expected.softmax(-1).tolist(), strict=True):
        assert {one["label"]: one["score"] for one in answer} == pytest.approx(
            dict(zip(LABELS, row, strict=True)), abs=1e-5
        )


@every("architectures")
def test_an_architecture_says_what_does_not_go_with_it(plugin: ModuleType):
    name = plugin.__name__.rpartition(".")[2]
    for task in plugin.TASKS:
        assert task in plugins.names("tasks")
        model = Model(task=task, architecture=name, weights="none")
        assert list(plugin.faults(model, SCRATCH[name])) == []
