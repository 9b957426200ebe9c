"""The linear baseline: fitted on train, chosen on validation, the first of equals."""

from pathlib import Path

import pyarrow as pa
import pytest

from stages import baseline
from stages.baseline import Params
from stages.core.examples import Example
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.numeric import Compute
from stages.core.records import Document, read_table, write_documents, write_table
from stages.engines.serial import Serial
from stages.shell.engine import Engine

P = Params(
    word_ngrams=(1, 2),
    character_ngrams=(2, 3),
    c=(1.0, 10.0),
    class_weights=(False, True),
    metric="macro_f1",
    compute=Compute(cpu="native", threads=1),
)
WORDS = {"graphs": "edges nodes of a network path", "plots": "axes colours of a line figure"}
EXAMPLES = [Example(f"{label}{n}", f"{text} {n}", label) for n in range(6) for label, text in WORDS.items()]


def test_settings_come_in_the_declared_order() -> None:
    assert [(one["C"], one["class_weight"]) for one in baseline.settings(P)] == [
        *((1.0, None), (10.0, None), (1.0, "balanced"), (10.0, "balanced"))
    ]


def test_it_learns_and_the_first_of_equals_is_chosen() -> None:
    vectors, model, tried = baseline.fitted(EXAMPLES[:8], EXAMPLES[8:], P)
    assert [one["macro_f1"] for one in tried] == [1.0] * 4
    assert model.estimator.C == 1.0 and model.estimator.class_weight is None
    (row,) = baseline.predictions(vectors, model, [Example("x", "nodes and edges", "plots")], "test")
    assert (row["id"], row["side"], row["predicted"]) == ("x", "test", "graphs") and 0.5 < row["confidence"] <= 1.0


def test_word_ngrams_longer_than_any_text_are_a_fault() -> None:
    baseline.fitted(EXAMPLES[:8], EXAMPLES[8:], P.model_copy(update={"word_ngrams": (5, 5), "c": (1.0,)}))
    with pytest.raises(Fault) as fault:
        baseline.fitted(EXAMPLES[:8], EXAMPLES[8:], P.model_copy(update={"word_ngrams": (7, 9)}))
    assert str(fault.value) == (
        "params.yaml: baseline.word_ngrams: no training document has 7 words of two letters or more; "
        "lower the first length"
    )


def test_the_stage_predicts_what_is_held_out_and_writes_what_was_tried(tmp_path: Path) -> None:
    sides = ["train"] * 8 + ["validation", "validation", "test", "test"]
    documents = [Document(*one, "docs", None, None, {"a": ""}) for one in EXAMPLES]
    write_documents(tmp_path / "clean/s.parquet", documents, pa.struct([("a", pa.string())]))
    split = [{"id": e.id, "side": side, "used": side == "train"} for e, side in zip(EXAMPLES, sides, strict=True)]
    write_table(tmp_path / "split/s.parquet", pa.Table.from_pylist(split))
    folders = (tmp_path / "clean", tmp_path / "split", tmp_path / "out")
    told = baseline.stage(Engine(Serial(), tmp_path), P, *folders)
    assert told == "8 passages, C 1: validation macro_f1 1.000"
    rows = read_table(tmp_path / "out/predictions.parquet").to_pylist()
    assert [(row["id"], row["side"]) for row in rows] == [(e.id, s) for e, s in zip(EXAMPLES, sides, strict=True)][8:]
    assert read_json(tmp_path / "out/baseline.json")["labels"] == ["graphs", "plots"]
