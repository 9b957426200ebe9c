"""The stage on a tiny model made here: real tokenizer, real weights, real explainers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from stages import explain
from stages.architectures import bert
from stages.core import inference
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.inference import Classifier
from stages.core.numeric import Compute
from stages.core.page import LEVELS, marked
from stages.core.records import Document, write_documents, write_table
from stages.engines.serial import Serial
from stages.explainers import lime, shap
from stages.shell.engine import Engine

TEXTS = {
    "d0": ("Solve a linear system of equations with a triangular matrix.", "algebra"),
    "d1": ("Draw a line between two points <b>of the plot</b> & label it.", "plotting"),
    "d2": ("Eigenvalues of a symmetric matrix, largest first.", "algebra"),
    "d3": ("Set the colour of the line in the plot.", "plotting"),
    "d4": ("Plot the matrix.", "plotting"),
    "d5": ("Multiply.", "algebra"),
}
LABELS = ["algebra", "plotting"]
WHOLE = ["solve", "linear", "system", "equations", "matrix", "plot", "line", "draw", "points", "colour", "the", "of"]


def tiny_tokenizer() -> Tokenizer:
    """Word pieces of a vocabulary written down: the trainer of the library finds another one each time."""
    letters = "abcdefghijklmnopqrstuvwxyz.,<>&/"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{one}" for one in letters), *WHOLE]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(40)
    return tokenizer


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before would have left: data/clean, models/train, reports/evaluate."""
    root = tmp_path_factory.mktemp("built")
    documents = [Document(name, text, label, "here", None, None, {"n": 1}) for name, (text, label) in TEXTS.items()]
    write_documents(root / "clean" / "000-here-00000.parquet", documents, pa.struct([("n", pa.int64())]))
    torch.manual_seed(0)
    tokenizer = tiny_tokenizer()
    params = bert.Params(dropout=0.0, sizes=bert.Sizes(width=32, layers=1, heads=2))
    model = bert.build(params, LABELS, tokenizer.get_vocab_size(), 40, None)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(6)  # far from 50 : 50, or there would be nothing to explain
    model.save_pretrained(root / "train")
    tokenizer.save(str(root / "train" / "tokenizer.json"))
    write_predictions(root)
    return root


def write_predictions(root: Path) -> None:
    classifier = Classifier.load(root / "train")
    found = classifier.probabilities(classifier.encode([text for text, _ in TEXTS.values()]))
    rows = [
        {"id": name, "side": "validation", "label": TEXTS[name][1], "predicted": LABELS[int(row.argmax())]}
        | {"confidence": float(row.max()), "probabilities": row.tolist(), "baseline": "algebra"}
        for name, row in zip(TEXTS, found, strict=True)
    ]
    write_table(root / "evaluate" / "predictions.parquet", pa.Table.from_pylist(rows))


def params(**changes: Any) -> explain.Params:
    settings = {"shap": shap.Params(evaluations=100), "lime": lime.Params(samples=60)}
    told: dict[str, Any] = {"side": "validation", "documents": 4, "explainers": ("shap", "lime"), "seed": 5}
    more = {"settings": settings, "compute": Compute(cpu="avx2", threads=1)}
    return explain.Params.model_validate(told | more | changes)


def run(root: Path, out: Path, p: explain.Params) -> str:
    return explain.stage(Engine(Serial(), out), p, root / "clean", root / "train", root / "evaluate", out)


def test_every_word_gets_a_number_and_shap_adds_up(built: Path, tmp_path: Path):
    assert run(built, tmp_path, params()) == "4 documents explained by shap, lime"
    documents = read_json(tmp_path / "explanations.json")["documents"]
    for one in documents:
        assert " ".join(one["words"]) == TEXTS[one["id"]][0]
        assert [len(numbers) for numbers in one["attributions"].values()] == [len(one["words"])] * 2
        assert one["base"] + sum(one["attributions"]["shap"]) == pytest.approx(one["confidence"], abs=1e-3)
    assert any(abs(number) > 0.01 for one in documents for number in one["attributions"]["shap"])


def test_unrounded_shap_adds_up(built: Path):
    classifier = Classifier.load(built / "train")
    reading = explain.read(classifier, TEXTS["d0"][0])
    score, words = explain.Score(classifier, reading, "algebra"), len(reading.words)
    values = shap.explain(score, words, shap.Params(evaluations=40), 1)
    base, full = score(np.array([[False] * words, [True] * words]))
    assert base + sum(values) == pytest.approx(full, abs=1e-6)


def test_the_bytes_do_not_depend_on_batches_or_order(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(built, tmp_path / "one", params())
    monkeypatch.setattr(inference, "BATCH", 7)
    run(built, tmp_path / "two", params())
    for name in ("explanations.json", "index.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_faithfulness_stands_between_random_and_best(built: Path, tmp_path: Path):
    run(built, tmp_path, params(documents=6))
    for numbers in read_json(tmp_path / "explanations.json")["faithfulness"].values():
        assert numbers["random"] < numbers["comprehensiveness"] <= numbers["best"] + 1e-4
        assert 0 < numbers["above_random"] <= 1


def test_the_page_escapes_texts_and_has_no_script(built: Path, tmp_path: Path):
    run(built, tmp_path, params(documents=6))
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert html.count("<article") == 6
    assert "&lt;b&gt;of" in html and "&amp;" in html
    assert "<b>of" not in html and "<script" not in html and not re.search(r"(?:src|href)=", html)


@pytest.mark.parametrize("changes", [{"documents": 0}, {"explainers": ()}])
def test_off_needs_no_model(tmp_path: Path, changes: dict[str, Any]):
    assert run(tmp_path / "nothing", tmp_path / "out", params(**changes)) == "off"
    empty = {"side": "validation", "documents": [], "faithfulness": {}}
    assert read_json(tmp_path / "out" / "explanations.json") == empty
    assert "no explainer is named" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_a_side_that_was_not_evaluated_is_told(built: Path, tmp_path: Path):
    with pytest.raises(Fault, match=r"explain\.side: test was not evaluated; add it to evaluate\.splits"):
        run(built, tmp_path, params(side="test"))


def test_absent_words_leave_the_special_tokens(built: Path):
    reading = explain.read(Classifier.load(built / "train"), "Plot the matrix.")
    assert reading.words == ["Plot", "the", "matrix."]
    assert reading.without(np.array([False] * 3)) == [2, 3]
    assert reading.without(np.array([True] * 3)) == reading.token_ids.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Moore-Penrose  (pseudo) inverse.\n", ["Moore-Penrose", "(pseudo)", "inverse."]),
        ("固有値 of x", ["固", "有", "値", "of", "x"]),
        ("plot " * 60, ["plot"] * 38),  # cut where the model's text is cut: 40 tokens, two of them special
        ("", []),
    ],
)
def test_words(built: Path, text: str, words: list[str]):
    assert explain.read(Classifier.load(built / "train"), text).words == words


def test_the_strongest_word_of_a_text_is_marked_as_such():
    found = list(marked(["a", "b", "c"], [0.2, -0.4, 0.0]))
    assert [(sign, level) for _, sign, level, _ in found] == [("+", 2), ("−", LEVELS), ("−", 0)]
    assert [level for *_, level, _ in marked(["a"], [0.0])] == [0]


def prediction(name: str, label: str, predicted: str, confidence: float) -> dict[str, Any]:
    return {"id": name, "label": label, "predicted": predicted, "confidence": confidence}


PREDICTIONS = [
    *(prediction(f"a{n}", "a", "a", 0.9) for n in range(20)),
    prediction("b0", "b", "b", 0.8),
    prediction("c0", "c", "c", 0.7),
    *(prediction(f"w{n}", "abc"[n % 3], "d", n / 10) for n in range(10)),
]


def test_half_are_sure_mistakes_and_every_class_has_its_turn():
    chosen = explain.choose(PREDICTIONS, 6, seed=1)
    wrong, right = chosen[:3], chosen[3:]
    assert {row["label"] for row in wrong} == {row["label"] for row in right} == {"a", "b", "c"}
    assert all(row["predicted"] == "d" and row["confidence"] >= 0.5 for row in wrong)
    assert [row["label"] for row in right] == ["a", "b", "c"]  # the surest first


def test_the_choice_does_not_depend_on_order_and_fills_up():
    assert explain.choose(PREDICTIONS[::-1], 6, seed=1) == explain.choose(PREDICTIONS, 6, seed=1)
    assert explain.choose(PREDICTIONS, 6, seed=1) != explain.choose(PREDICTIONS, 6, seed=2)
    assert len(explain.choose(PREDICTIONS, 20, seed=1)) == 20
    assert len(explain.choose(PREDICTIONS, 31, seed=1)) == 31  # ten mistakes only; the rest is right
    assert len(explain.choose(PREDICTIONS[-10:], 8, seed=1)) == 8  # no right one


def test_importing_the_stage_is_cheap():
    heavy = "{'torch', 'shap', 'lime', 'sklearn', 'transformers', 'jinja2'}"
    code = f"import json, sys, stages.explain; print(json.dumps(sorted({heavy} & set(sys.modules))))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == []
