"""Weights and picks: as much in all as promised, never a copy; what is doubtful counts less, and nothing vanishes."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import balance
from stages.balance import Candidate, Params, balanced, none_vanishes, picked, strata_of, summary, whole
from stages.core.doubts import Doubt
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.records import Document, read_table, write_documents, write_table
from stages.engines import process, serial
from stages.shell import plugins
from stages.shell.engine import Engine
from tests.conftest import Clone, ran

KEPT_SIZE = ("frequency", "effective_number", "temperature")
SETTINGS: dict[str, dict[str, Any]] = {
    "frequency": {"power": 0.5},
    "effective_number": {"beta": 0.99},
    "temperature": {"temperature": 2.0},
    "oversample": {"share": 1.0},
    "undersample": {"share": 1.0},
}
OFF: dict[str, dict[str, Any]] = {
    "frequency": {"power": 0.0},
    "effective_number": {"beta": 0.0},
    "temperature": {"temperature": 1.0},
    "oversample": {"share": 0.0},
    "undersample": {"share": 0.0},
}
COUNTS = st.dictionaries(st.text(max_size=3), st.integers(1, 60), min_size=1, max_size=8)
METHODS = st.sampled_from(sorted(SETTINGS))


def p(method: str = "frequency", by: str = "weights", trust: tuple[float, float] = (1.0, 1.0), **more: Any) -> Params:
    """Parameters with the settings of one method; `more` are others than its usual ones."""
    settings = {method: plugins.load("balancers", method).Params.model_validate(more or SETTINGS[method])}
    doubt = {"label_error": trust[0], "conflict": trust[1]}
    own = {"strata": ("label",), "method": method, "by": by, "trust": doubt, "seed": 1}
    return Params.model_validate(own | {"settings": settings})


def corpus(counts: dict[str, int]) -> list[Candidate]:
    """So many documents of each label."""
    return [Candidate(f"{label} {n}", label, "docs", None, 0) for label, count in counts.items() for n in range(count)]


def per_label(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    """The sum of a column over the documents of each label."""
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        sums[row["label"]] += row[name]
    return dict(sums)


@given(COUNTS, METHODS)
def test_weights_have_mean_1(counts: dict[str, int], method: str) -> None:
    rows = balanced(corpus(counts), {}, p(method))
    assert sum(row["weight"] for row in rows) / len(rows) == pytest.approx(1.0, abs=1e-6)
    assert {row["picks"] for row in rows} == {1} and min(row["weight"] for row in rows) > 0


@given(COUNTS, METHODS)
def test_picks_are_as_many_as_the_method_promises_and_no_label_is_lost(counts: dict[str, int], method: str) -> None:
    rows = balanced(corpus(counts), {}, p(method, "picks"))
    most, least = max(counts.values()), min(counts.values())
    promised = {"oversample": len(counts) * most, "undersample": len(counts) * least}
    assert sum(row["picks"] for row in rows) == promised.get(method, len(rows))
    assert min(per_label(rows, "picks").values()) >= 1
    assert {row["reason"] for row in rows if not row["picks"]} <= {"not picked"}


@given(COUNTS, METHODS)
def test_documents_of_a_label_are_picked_alike(counts: dict[str, int], method: str) -> None:
    by_label: dict[str, set[int]] = defaultdict(set)
    for row in balanced(corpus(counts), {}, p(method, "picks")):
        by_label[row["label"]].add(row["picks"])
    assert all(max(picks) - min(picks) <= 1 for picks in by_label.values())


@given(COUNTS, st.sampled_from(sorted(OFF)), st.sampled_from(["weights", "picks"]))
def test_a_method_that_is_off_changes_nothing(counts: dict[str, int], method: str, by: str) -> None:
    rows = balanced(corpus(counts), {}, p(method, by, **OFF[method]))
    assert {(row["weight"], row["picks"], row["reason"]) for row in rows} == {(1.0, 1, None)}


@given(st.integers(1, 60), st.integers(1, 8), METHODS, st.sampled_from(["weights", "picks"]))
def test_labels_that_are_equal_stay_as_they_are(count: int, labels: int, method: str, by: str) -> None:
    rows = balanced(corpus({str(n): count for n in range(labels)}), {}, p(method, by))
    assert {(row["weight"], row["picks"]) for row in rows} == {(1.0, 1)}


@given(COUNTS, METHODS, st.sampled_from(["weights", "picks"]), st.randoms())
def test_the_draw_does_not_depend_on_the_order(counts: dict[str, int], method: str, by: str, random: Any) -> None:
    candidates = corpus(counts)
    mixed = random.sample(candidates, len(candidates))
    there, here = (balanced(some, {}, p(method, by)) for some in (candidates, mixed))
    assert {row["id"]: row for row in there} == {row["id"]: row for row in here}


def test_weights_and_picks_by_hand() -> None:
    counts = {"x": 30, "y": 10}
    halved = {row["label"]: row["weight"] for row in balanced(corpus(counts), {}, p(power=1.0))}
    assert halved == {"x": pytest.approx(20 / 30, abs=1e-6), "y": 2.0}
    assert per_label(balanced(corpus(counts), {}, p(by="picks", power=1.0)), "picks") == {"x": 20, "y": 20}
    assert per_label(balanced(corpus(counts), {}, p("oversample", "picks", share=0.5)), "picks") == {"x": 30, "y": 20}
    assert per_label(balanced(corpus(counts), {}, p("undersample", "picks", share=0.5)), "picks") == {"x": 20, "y": 10}


def test_another_seed_picks_others() -> None:
    one = p("undersample", "picks")
    first, second = (balanced(corpus({"x": 40, "y": 20}), {}, one.model_copy(update={"seed": n})) for n in (1, 2))
    assert first != second and per_label(first, "picks") == per_label(second, "picks")


def test_strata_may_be_sources_or_both() -> None:
    few = [Candidate(f"{n}", "x" if n % 3 else "y", "small" if n < 6 else "large", None, 0) for n in range(30)]
    sizes = {
        strata: {name: len(members) for name, members in strata_of(few, {}, one).items()}
        for strata in (("source",), ("source", "label"))
        for one in [p().model_copy(update={"strata": strata})]
    }
    assert sizes["source",] == {"small": 6, "large": 24}
    assert sizes["source", "label"] == {"small · x": 4, "small · y": 2, "large · x": 16, "large · y": 8}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 100), min_size=1, max_size=9))
def test_whole_numbers_have_the_sum_of_the_parts(parts: dict[str, float]) -> None:
    numbers = whole(parts)
    assert sum(numbers.values()) == round(sum(round(part, 9) for part in parts.values()))
    assert all(abs(numbers[name] - part) < 1.000001 for name, part in parts.items())


# Doubts


ERROR, CONFLICT = Doubt("x", "y", -0.4, None), Doubt("x", None, 0.2, "x 9")


def test_what_is_doubtful_counts_less_and_its_label_as_much_as_before() -> None:
    rows = {row["id"]: row for row in balanced(corpus({"x": 4, "y": 4}), {"x 0": ERROR}, p(trust=(0.5, 1.0)))}
    assert rows["x 0"]["weight"] == pytest.approx(rows["x 1"]["weight"] / 2, abs=1e-5)
    assert sum(row["weight"] for row in rows.values()) == pytest.approx(8, abs=1e-5)
    assert per_label(list(rows.values()), "weight")["x"] == pytest.approx(4, abs=1e-5)


@pytest.mark.parametrize("by", ["weights", "picks"])
def test_what_nobody_trusts_is_dropped_with_a_reason_and_not_counted(by: str) -> None:
    doubted = {"x 0": ERROR, "x 1": CONFLICT, "x 2": Doubt("x", "y", -0.1, "y 1")}
    rows = balanced(corpus({"x": 6, "y": 3}), doubted, p(by=by, trust=(0.0, 0.0), power=1.0))
    gone = {row["id"]: row["reason"] for row in rows if row["reason"]}
    wrong, other = "label likely wrong", "same text with another label"
    assert gone == {"x 0": wrong, "x 1": other, "x 2": wrong}
    assert [(row["weight"], row["picks"]) for row in rows[:3]] == [(0.0, 0)] * 3
    assert {(row["weight"], row["picks"]) for row in rows[3:]} == {(1.0, 1)}  # 3 of each label are left


def test_the_trust_in_one_doubt_says_nothing_of_the_other() -> None:
    rows = balanced(corpus({"x": 3}), {"x 0": ERROR, "x 1": CONFLICT}, p(trust=(1.0, 0.0)))
    assert [row["reason"] for row in rows] == [None, "same text with another label", None]


def test_a_child_is_as_doubtful_as_its_origin() -> None:
    child = Candidate("child", "x", "docs", "x 0", 7)
    rows = balanced([*corpus({"x": 3}), child], {"x 0": ERROR}, p(trust=(0.0, 1.0)))
    assert [row["reason"] for row in rows] == ["label likely wrong", None, None, "label likely wrong"]


def test_picks_of_the_doubtful_are_rarer() -> None:
    candidates = corpus({"x": 1000, "y": 1000})
    doubted = {one.id: ERROR for one in candidates[:500]}
    rows = balanced(candidates, doubted, p(by="picks", trust=(0.5, 1.0)))
    doubtful, others = (Counter(row["picks"] for row in some) for some in (rows[:500], rows[500:1000]))
    assert sum(n * times for n, times in doubtful.items()) == pytest.approx(1000 / 3, abs=20)
    assert sum(n * times for n, times in others.items()) == pytest.approx(2000 / 3, abs=20)


def test_a_label_that_would_vanish_is_a_fault() -> None:
    rows = balanced(corpus({"x": 1, "y": 3}), {"x 0": ERROR}, p(trust=(0.0, 1.0)))
    with pytest.raises(Fault) as fault:
        none_vanishes(rows)
    assert str(fault.value) == (
        "params.yaml: balance: training would see nothing of these labels; raise balance.trust above 0.0, or take "
        "another method or other strata:\n  'x': 1 of 1 gone"
    )


# The stage


def written(root: Path) -> tuple[Path, Path, Path, Path, Path]:
    """Two shards: a child, a text with two labels, a label that is likely wrong, a repeat that dedup dropped."""
    kind = pa.struct([("a", pa.string())])
    texts = ["one", "Two ", "two", "three", "four", "five"]
    labels = ["x", "x", "y", "x", "y", "x"]
    documents = [
        Document(f"d{n}", text, label, "docs", None, None, {"a": ""})
        for n, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    child = documents[3]._replace(id="c", origin="d3", text="thr ee")
    for name, some, born in (("0.parquet", documents[:3], []), ("1.parquet", documents[3:], [child])):
        write_documents(root / "clean" / name, some, kind)
        write_documents(root / "augment" / name, born, kind)
        used = [{"id": one.id, "used": one.id != "d5"} for one in some]
        write_table(root / "split" / name, pa.Table.from_pylist(used))
    gone = [{"id": "d9", "reason": "same text, other label", "of": "d0"}, {"id": "d0", "reason": None, "of": None}]
    write_table(root / "dedup/0.parquet", pa.Table.from_pylist(gone))
    row = {"fold": 0, "margin": 0.5, "likely": None}
    judged = [{"id": f"d{n}", **row} for n in range(4)] + [{"id": "d4", "fold": 1, "margin": -0.25, "likely": "x"}]
    write_table(root / "baseline/out_of_fold.parquet", pa.Table.from_pylist(judged))
    return root / "clean", root / "dedup", root / "split", root / "baseline", root / "augment"


def test_the_stage_writes_a_row_for_each_document_and_what_is_doubtful(tmp_path: Path) -> None:
    engine = Engine(serial.Serial(), tmp_path)
    told = balance.stage(engine, p(power=0.0), *written(tmp_path), tmp_path / "out")
    assert told == "6 training documents, as they are; 4 labels in doubt"
    rows = [read_table(tmp_path / "out" / name).to_pylist() for name in ("0.parquet", "1.parquet")]
    assert [[row["id"] for row in shard] for shard in rows] == [["d0", "d1", "d2"], ["d3", "d4", "c"]]
    made = read_json(tmp_path / "out/balance.json")
    assert made["strata"] == [
        {"stratum": "x", "documents": 4, "counts_as": 4.0},
        {"stratum": "y", "documents": 2, "counts_as": 2.0},
    ]
    assert {name: made["doubts"][name] for name in ("judged", "label_errors", "conflicts")} == {
        "judged": 5,
        "label_errors": 1,
        "conflicts": 3,
    }
    assert made["doubts"]["pairs"] == [{"label": "y", "likely": "x", "documents": 1}]
    assert [(one["id"], one["other"]) for one in made["doubts"]["worst"]] == [
        *(("d4", None), ("d0", "d9"), ("d1", "d2"), ("d2", "d1"))
    ]


def test_what_is_dropped_is_counted_by_its_reason(built: Clone, tmp_path: Path) -> None:
    clone = built.copy(tmp_path / "project")
    clone.change({"balance": {"trust": {"label_error": 0.0}}})
    assert ran(clone.run("dvc", "repro", "balance")) == ["balance"]
    doubtful = read_json(clone.root / "data/balance/balance.json")["doubts"]["label_errors"]
    told = json.loads(clone.said("python", "-m", "stages.commands", "trace", "--drops", "--json"))
    (reason,) = told["steps"][-1]["reasons"]
    assert (reason["reason"], reason["count"]) == ("label likely wrong", doubtful) and doubtful > 0
    worst = reason["examples"][0]["id"]
    lines = clone.said("python", "-m", "stages.commands", "trace", worst)
    assert "in doubt    likely" in lines and "balance    dropped: label likely wrong" in lines


def test_any_engine_draws_the_same(tmp_path: Path) -> None:
    folders, one = written(tmp_path), p("oversample", "picks")
    balance.stage(Engine(serial.Serial(), tmp_path), one, *folders, tmp_path / "serial")
    with process.executor() as pool:
        balance.stage(Engine(pool, tmp_path), one, *folders, tmp_path / "process")
    there, here = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("serial", "process")
    )
    assert there == here and len(there) == 3


def test_what_is_told() -> None:
    rows = [{"picks": 2}, {"picks": 0}]
    evened = [{"documents": 1, "counts_as": 2.0}, {"documents": 2, "counts_as": 1.0}]
    assert summary(evened, rows, p(by="picks")) == "2 picks of 2 documents, picks from 0.50 to 2.00"
    assert summary([{"documents": 2, "counts_as": 2.0}], rows, p()) == "2 training documents, as they are"


def test_a_quota_is_drawn_per_stratum() -> None:
    drawn = picked({"x": {"a": 1.0, "b": 1.0}, "y": {"c": 1.0}}, {"x": 1.0, "y": 2.0}, 1)
    assert (drawn["a"] + drawn["b"], drawn["c"]) == (1, 2)
