"""The linear baseline: fitted on train, chosen on validation, the first of equals."""

import csv
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages import baseline
from stages.baseline import Params
from stages.core import web
from stages.core.examples import Example
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.numeric import Compute
from stages.core.records import Document, read_table, write_documents, write_table
from stages.engines import process
from stages.engines.serial import Serial
from stages.shell.engine import Engine

P = Params(
    word_ngrams=(1, 2),
    character_ngrams=(2, 3),
    c=(1.0, 10.0),
    class_weights=(False, True),
    metric="macro_f1",
    folds=3,
    seed=1,
    compute=Compute(cpu="native", threads=1),
)
SERIAL = Engine(Serial(), Path())
WORDS = {"graphs": "edges nodes of a network path", "plots": "axes colours of a line figure"}
EXAMPLES = [Example(f"{label}{n}", f"{text} {n}", label) for n in range(6) for label, text in WORDS.items()]


def test_settings_come_in_the_declared_order() -> None:
    assert [(one["C"], one["class_weight"]) for one in baseline.settings(P)] == [
        *((1.0, None), (10.0, None), (1.0, "balanced"), (10.0, "balanced"))
    ]


def test_it_learns_and_the_first_of_equals_is_chosen() -> None:
    vectors, _, model, tried = baseline.fitted(EXAMPLES[:8], EXAMPLES[8:], P)
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
    split = [
        {"id": e.id, "side": side, "used": side == "train", "tied": e.id}
        for e, side in zip(EXAMPLES, sides, strict=True)
    ]
    write_table(tmp_path / "split/s.parquet", pa.Table.from_pylist(split))
    folders = (tmp_path / "clean", tmp_path / "split", tmp_path / "out")
    told = baseline.stage(Engine(Serial(), tmp_path), P, *folders)
    assert told == "8 passages, C 1: validation macro_f1 1.000"
    rows = read_table(tmp_path / "out/predictions.parquet").to_pylist()
    assert [(row["id"], row["side"]) for row in rows] == [(e.id, s) for e, s in zip(EXAMPLES, sides, strict=True)][8:]
    assert read_json(tmp_path / "out/baseline.json")["labels"] == ["graphs", "plots"]
    held_out = read_table(tmp_path / "out/out_of_fold.parquet").to_pylist()
    assert [row["id"] for row in held_out] == [e.id for e in EXAMPLES[:8]]
    assert {row["likely"] for row in held_out} == {None} and min(row["margin"] for row in held_out) > 0


# Out of fold

ALONE = {one.id: one.id for one in EXAMPLES}


def audited(examples: list[Example], tied: dict[str, str], p: Params = P, e: Engine = SERIAL) -> list[dict[str, Any]]:
    """The rows of the out-of-fold predictions."""
    seen = baseline.vectorizer(p).fit_transform([one.text for one in examples])
    return baseline.audited(e, examples, seen, tied, {"C": 10.0, "class_weight": None}, p)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("xyz")), min_size=1, max_size=60), st.integers(2, 6))
def test_groups_never_straddle_folds_and_every_label_is_learned_in_each(
    rows: list[tuple[int, str]], folds: int
) -> None:
    examples = [Example(f"{n}", "", label) for n, (_, label) in enumerate(rows)]
    tied = {f"{n}": f"{group}" for n, (group, _) in enumerate(rows)}
    fold = baseline.folds_of(examples, tied, P.model_copy(update={"folds": folds}))
    assert len(dict(zip(tied.values(), fold, strict=True))) == len(set(zip(tied.values(), fold, strict=True)))
    for held in set(fold) - {-1}:
        learned = {one.label for one, n in zip(examples, fold, strict=True) if n != held}
        assert {one.label for one in examples} == learned


def test_labels_are_spread_evenly_over_the_folds_whatever_the_order() -> None:
    many = [Example(f"{n}", "", "x" if n % 10 else "y") for n in range(100)]
    tied = {one.id: one.id for one in many}
    fold = baseline.folds_of(many, tied, P)
    assert sorted(Counter(zip((one.label for one in many), fold, strict=True)).values()) == [3, 3, 4, 30, 30, 30]
    back = baseline.folds_of(many[::-1], tied, P)
    assert back[::-1] == fold


def test_a_label_that_one_group_has_is_not_judged() -> None:
    rows = {
        row["id"]: row
        for row in audited([*EXAMPLES, Example("only", "a text of its own", "lone")], ALONE | {"only": "only"})
    }
    assert rows["only"] == {"id": "only", **dict.fromkeys(("fold", "predicted", "confidence", "margin", "likely"))}
    assert {row["fold"] for row in rows.values()} == {0, 1, 2, None}


def test_where_every_label_has_one_group_only_nothing_is_judged() -> None:
    rows = audited(EXAMPLES[:2], ALONE)
    assert [row["fold"] for row in rows] == [None, None]


def test_a_planted_error_is_found_with_the_label_that_is_likely() -> None:
    wrong = EXAMPLES[3]._replace(label="graphs")
    rows = {row["id"]: row for row in audited([*EXAMPLES[:3], wrong, *EXAMPLES[4:]], ALONE)}
    assert {one: row["likely"] for one, row in rows.items() if row["likely"]} == {wrong.id: "plots"}
    assert rows[wrong.id]["margin"] < 0 and rows[wrong.id]["predicted"] == "plots"


def test_nobody_judges_what_it_has_learned_from() -> None:
    """Twins with a wrong label speak for each other unless they are held out together."""
    twins = [Example(f"twin{n}", "edges nodes twin", "plots") for n in range(2)]
    apart, together = ({one.id: one.id for one in twins}, {one.id: "twins" for one in twins})
    six = P.model_copy(update={"folds": 6})
    margins = [
        [row["margin"] for row in audited([*EXAMPLES, *twins], ALONE | tied, six)[-2:]] for tied in (apart, together)
    ]
    assert max(margins[1]) < 0 and max(margins[1]) < min(margins[0])


def test_without_folds_there_is_no_audit_and_one_fold_is_a_mistake() -> None:
    assert audited(EXAMPLES, ALONE, P.model_copy(update={"folds": 0})) == []
    with pytest.raises(ValidationError, match="one fold leaves nothing to learn from; 0 is off, 5 is usual"):
        Params.model_validate(P.model_dump() | {"folds": 1})


def test_any_engine_says_the_same_to_the_bit() -> None:
    with process.executor() as pool:
        assert audited(EXAMPLES, ALONE, e=Engine(pool, Path())) == audited(EXAMPLES, ALONE)


BANKING77 = (
    "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/train.csv",
    "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
)


@pytest.mark.skipif("REPROLM_MIRRORS" not in os.environ, reason="REPROLM_MIRRORS names no mirror of the public data")
def test_labels_that_were_exchanged_in_real_texts_are_found(tmp_path: Path) -> None:
    """Every tenth question of 8 intents gets the next intent; what else is flagged may have been wrong before."""
    with web.fetched(*BANKING77, tmp_path).open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    intents = sorted({label for _, label in rows})[:8]
    right = [Example(f"{n}", text, label) for n, (text, label) in enumerate(rows) if label in intents]
    wrong = {one.id: intents[(intents.index(one.label) + 1) % 8] for one in right[::10]}
    spoiled = [one._replace(label=wrong.get(one.id, one.label)) for one in right]
    found = {row["id"] for row in audited(spoiled, {one.id: one.id for one in right}) if row["likely"]}
    precision, recall = (len(found & wrong.keys()) / len(of) for of in (found, wrong))
    print(f"{len(wrong)} of {len(right)} exchanged: precision {precision:.2f}, recall {recall:.2f}")
    assert precision > 0.8
    assert recall > 0.7
