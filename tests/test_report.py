"""The report: counts that add up, an honest first line, tracked files without text."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from stages import report
from stages.commands import summary
from stages.core import charts, dag, verdict
from stages.core.faults import Fault
from stages.core.files import read_json, write_json
from stages.core.records import Document, write_documents, write_table

INPUTS = (
    *(
        "dvc.yaml",
        "data/ingest",
        "data/dedup",
        "data/clean",
        "data/filter",
        "data/split",
        "data/leakage",
        "data/augment",
    ),
    *("data/balance", "models/train", "reports/evaluate", "reports/explain"),
)
OUTPUTS = ("reports/metrics.json", "reports/figures", "reports/index.html")
SECRET = "<script>document.title = 'ran'</script> secret"
SHARD = "000-docs-00000.parquet"
SOURCE = {
    "name": "docs",
    "kind": "csv",
    "licence": None,
    "documents": 9,
    "characters": [43, 43, 43, 43, 43],
    "fields": {"label": 8},
    "labels": {"plots": 4, "graphs": 4},
    "sides": {},
    "languages": {"en": 9},
    "unwanted": 30,
    "over_quota": 2,
    "pins": [{"of": f"{n}.csv", "sha256": f"{n}" * 64} for n in range(5)],
}
DOUBT = {"id": "d3", "label": "graphs", "likely": "plots", "margin": -0.51234, "other": None}
BALANCE = {
    "strata": [
        {"stratum": "graphs", "documents": 2, "counts_as": 2.5},
        {"stratum": "plots", "documents": 1, "counts_as": 0.5},
    ],
    "doubts": {
        "judged": 3,
        "label_errors": 1,
        "conflicts": 1,
        "pairs": [{"label": "graphs", "likely": "plots", "documents": 1}],
        "worst": [DOUBT, {"id": "d4", "label": "plots", "likely": None, "margin": None, "other": "d0"}],
    },
}
DAG = """
stages:
  ingest: {cmd: x, outs: [data/ingest]}
  clean: {cmd: x, desc: mend the text, deps: [data/ingest, stages/clean.py], outs: [data/clean]}
  train: {cmd: x, deps: [data/clean], outs: [{models/train: {cache: false}}]}
  report: {cmd: x, deps: [data/ingest, data/clean/drops, models/train], metrics: [reports/metrics.json]}
"""


def table(path: Path, rows: list[dict[str, Any]], **columns: pa.DataType) -> None:
    """A side table."""
    write_table(path / SHARD, pa.Table.from_pylist(rows, pa.schema(list(columns.items()))))


def estimate(value: float) -> dict[str, float]:
    """With an interval of ±.02."""
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def evaluation(gap: float, *sides: str) -> dict[str, Any]:
    """What evaluate writes, where the model is better by `gap`."""
    classes = {"graphs": 0.75, "plots": 0.5}
    per_class = {
        name: {"precision": f1, "recall": f1, "f1": f1, "support": 2, "baseline_f1": f1 - gap}
        for name, f1 in classes.items()
    }
    bins = {"low": 0.5, "high": 0.6, "confidence": 0.55, "accuracy": 0.5, "count": 4}
    return {
        **{side: {"macro_f1": estimate(0.6), "accuracy": estimate(0.7), "log_loss": 1.25} for side in sides},
        "baseline": {side: {"macro_f1": estimate(0.6 - gap), "accuracy": estimate(0.7 - gap)} for side in sides},
        "difference": {"macro_f1": estimate(gap), "accuracy": estimate(gap)},
        "per_class": dict.fromkeys(sides, per_class),
        "calibration": {side: [bins] for side in sides},
        "settings": {"resamples": 100, "level": 0.95, "seed": 1, "split": sides[-1]},
    }


def explanation(text: str) -> dict[str, Any]:
    """What explain writes about a document."""
    words = text.split()
    attributions = {"lime": [0.1] * len(words), "shap": [0.2, *[-0.3] * (len(words) - 1)]}
    told = {
        "id": "d1",
        "side": "test",
        "label": "graphs",
        "predicted": "plots",
        "baseline": "graphs",
        "confidence": 0.8,
    }
    return told | {"words": words, "attributions": attributions}


def write_data(root: Path) -> None:
    """Ten documents: one rejected, one dropped by each of dedup, clean and filter; two of them are trained on."""
    texts = {"d": pa.string(), "r": pa.string(), "b": pa.bool_()}
    documents = [
        Document(f"d{n}", SECRET, None if n == 8 else "graphs" if n % 2 else "plots", "docs", None, None, {"n": 1})
        for n in range(9)
    ]
    write_documents(root / "data/ingest" / SHARD, documents, pa.struct([("n", pa.int64())]))
    write_json(root / "data/ingest/rejects.json", [{"source": "docs", "place": "a:1", "reason": "not Python"}])
    write_json(root / "data/ingest/sources.json", [SOURCE])
    reasons = {"id": texts["d"], "reason": texts["r"]}
    drop = {"d0": "near-duplicate"}
    table(root / "data/dedup", [{"id": one.id, "reason": drop.get(one.id)} for one in documents], **reasons)
    write_documents(root / "data/clean" / SHARD, documents[2:], pa.struct([("n", pa.int64())]))
    table(root / "data/clean/drops", [{"id": "d1", "reason": "empty"}], **reasons, of=texts["d"])
    drop = {"d2": "too short"}
    table(root / "data/filter", [{"id": one.id, "reason": drop.get(one.id)} for one in documents[2:]], **reasons)
    sides = {"d3": "train", "d4": "train", "d5": "train", "d6": "validation", "d7": "test", "d8": "train"}
    split = [{"id": one, "side": side, "used": one in ("d3", "d4"), "reason": None} for one, side in sides.items()]
    table(root / "data/split", split, **reasons, side=texts["d"], used=texts["b"])
    told = {kind: {"found": n, "left": n // 2} for n, kind in enumerate(("exact", "near", "template", "ngrams"), 1)}
    exams = {"exams": {"documents": 7, "ngrams": {"found": 5, "left": 4}}}
    leaks = {"validation": {"documents": 1, **told}, "test": {"documents": 1, **told}, "benchmarks": exams}
    write_json(root / "data/leakage/leakage.json", leaks)
    child = documents[3]._replace(id="c3", origin="d3")
    write_documents(root / "data/augment" / SHARD, [child], pa.struct([("n", pa.int64())]))
    rows = [{"id": one, "reason": why} for one, why in (("d3", None), ("d4", "not picked"), ("c3", None))]
    table(root / "data/balance", rows, **reasons)
    write_json(root / "data/balance/balance.json", BALANCE)


def built(root: Path, gap: float = 0.05, sides: tuple[str, ...] = ("validation", "test")) -> Path:
    """A project in which all stages before report have run."""
    write_data(root)
    (root / "dvc.yaml").write_text(DAG, encoding="utf-8")
    steps = [{"step": n, "loss": 3 / n, "learning_rate": 0.1} for n in range(1, 9)]
    scores = {"macro_f1": 0.6, "accuracy": 0.7}
    epochs = [{"epoch": n, "step": 4 * n, "validation_loss": 1.5 / n, "validation": scores} for n in (1, 2)]
    write_json(root / "models/train/history.json", {"steps": steps, "epochs": epochs, "best_epoch": 2})
    write_json(root / "reports/evaluate/metrics.json", evaluation(gap, *sides))
    pairs = [("graphs", "graphs"), ("plots", "graphs"), ("graphs", "graphs"), ("plots", "plots")]
    rows = [
        {"id": f"p{n}", "side": side, "label": a, "predicted": b} for side in sides for n, (a, b) in enumerate(pairs)
    ]
    write_table(root / "reports/evaluate/predictions.parquet", pa.Table.from_pylist(rows))
    by = {"comprehensiveness": 0.3, "random": 0.1, "best": 0.6, "above_random": None}
    told = {"side": "test", "documents": [explanation(SECRET)], "faithfulness": {"shap": by}}
    write_json(root / "reports/explain/explanations.json", told)
    return root


def reported(root: Path) -> str:
    """Runs the stage in a project; gives what the terminal says."""
    ins, outs = ([root / path for path in paths] for paths in (INPUTS, OUTPUTS))
    engine: Any = None
    return report.stage(engine, report.Params(), *ins, *outs)


def outputs(root: Path) -> dict[str, bytes]:
    """All files that the stage writes."""
    figures = sorted((root / "reports/figures").iterdir())
    return {path.name: path.read_bytes() for path in (root / OUTPUTS[0], root / OUTPUTS[2], *figures)}


def test_metrics_hold_scores_beside_the_baseline_and_the_documents_of_each_stage(tmp_path: Path) -> None:
    reported(built(tmp_path))
    told = read_json(tmp_path / "reports/metrics.json")
    assert told["test"]["macro_f1"] == {"value": 0.6, "low": 0.58, "high": 0.62}
    assert told["baseline"]["test"]["accuracy"]["value"] == 0.65
    assert {name: (one["in"], one["out"]) for name, one in told["documents"].items()} == {
        "ingest": (42, 9),
        "dedup": (9, 8),
        "clean": (8, 7),
        "filter": (7, 6),
        "split": (6, 6),
        "budget": (6, 2),
        "augment": (2, 3),
        "balance": (3, 2),
    }


def test_leaks_that_are_left_are_metrics_and_those_that_were_found_are_on_the_page(tmp_path: Path) -> None:
    reported(built(tmp_path))
    left = {"exact": 0, "near": 1, "template": 1, "ngrams": 2}
    told = read_json(tmp_path / "reports/metrics.json")["leakage"]
    assert told == {"test": left, "validation": left, "exams": {"ngrams": 4}}
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    table = page.partition('aria-label="Leaks"')[2].partition("</table>")[0]
    assert re.sub("<[^>]*>", " ", table).split()[-8:] == ["exams", "7", "–", "–", "5", "→", "4", "–"]


def test_the_quality_of_dedup_is_told_where_it_was_asked_for(tmp_path: Path) -> None:
    built(tmp_path)
    reported(tmp_path)
    assert "repeats" not in read_json(tmp_path / "reports/metrics.json")
    sample = {"documents": 4, "removed": 1, "removed_without_reason": 0.0, "pairs": 3, "recall": 0.75}
    edits = [{"edit": "a word put in", "jaccard": 0.8, "found": {"0.5": 1.0, "0.8": 0.5}}]
    clusters = [{"first": "d3", "documents": 9, "kept": 2}, {"first": "d1", "documents": 3, "kept": 1}]
    sweep = [{"threshold": 0.8, "removed": 2, "pairs": 3, "recall": 0.75}]
    quality = {"sample": sample, "edits": edits, "clusters": clusters, "sweep": sweep}
    write_json(tmp_path / "data/dedup/quality.json", quality | {"lines": [{"line": SECRET, "share": 0.5}]})
    for path in OUTPUTS[1:2]:
        shutil.rmtree(tmp_path / path)
    reported(tmp_path)
    assert read_json(tmp_path / "reports/metrics.json")["repeats"] == sample
    assert read_json(tmp_path / "reports/figures/thresholds.json") == sweep
    assert read_json(tmp_path / "reports/figures/edits.json")[1] == {
        "label": "a word put in",
        "threshold": 0.8,
        "found": 0.5,
    }
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    told = page.partition("How well repeats are found")[2].partition("</details>")[0]
    assert "<td>9</td><td>2</td><td>&lt;script&gt;" in told and "dropped by a later stage" in told
    assert all(SECRET.encode() not in content for name, content in outputs(tmp_path).items() if name.endswith("json"))


def test_the_label_budget_says_what_became_of_the_rest(tmp_path: Path) -> None:
    reported(built(tmp_path))
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    for reason in ("held out for test", "without a label", "in reserve, beyond the label budget", "made from these"):
        assert f"1</b> {reason}" in page


def test_each_source_has_a_data_sheet_whose_counts_add_up(tmp_path: Path) -> None:
    reported(built(tmp_path))
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    sheet = page.partition('id="sources"')[2].partition("</article>")[0]
    told = " ".join(re.sub("<[^>]*>", " ", sheet).split())
    for said in (
        *("docs kind csv · licence unknown", "read 42 documents 9 left out by its parameters 30 over its quota 2"),
        *("rejected not Python 1", "median 43", "en 9", "label 8", "graphs 4 plots 4", "reach training 1"),
        "afterwards dedup −1 clean −1 filter −1 label budget −4 balance −1",
        *("pinned 0.csv 000000000000 1.csv", "2 more 3.csv 333333333333"),
    ):
        assert said in told, told


def test_what_training_counts_is_shown_before_and_after(tmp_path: Path) -> None:
    reported(built(tmp_path))
    assert read_json(tmp_path / "reports/figures/balance.json") == BALANCE["strata"]
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8").partition('id="balance"')[2]
    told = " ".join(re.sub("<[^>]*>", " ", page.partition("</section>")[0]).split())
    assert "graphs 2 2.5 1.25" in told and "plots 1 0.5 0.50" in told


def test_labels_in_doubt_are_told_with_texts_on_the_page_alone(tmp_path: Path) -> None:
    reported(built(tmp_path))
    first, second = read_json(tmp_path / "reports/figures/doubts.json")
    assert first == DOUBT | {"margin": -0.5123} and second == {
        "id": "d4",
        "label": "plots",
        "likely": None,
        "other": "d0",
    }
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8").partition('id="doubts"')[2]
    told = " ".join(re.sub("<[^>]*>", " ", page.partition("</section>")[0]).split())
    assert "the labels of 1 of 3 training documents likely wrong" in told and "1 came with another label" in told
    assert "labelled graphs, likely plots margin −.512 · d3 &lt;script&gt;" in told
    assert "labelled plots d0 has another label · d4 &lt;script&gt;" in told


def test_that_nobody_looked_for_wrong_labels_is_said(tmp_path: Path) -> None:
    nothing = {"judged": 0, "label_errors": 0, "conflicts": 0, "pairs": [], "worst": []}
    write_json(built(tmp_path) / "data/balance/balance.json", BALANCE | {"doubts": nothing})
    reported(tmp_path)
    assert "<code>baseline.folds</code> is 0" in (tmp_path / "reports/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("gap", "begin"),
    [
        (0.05, "The model beats the linear baseline: test macro-F1 .600 [.580, .620] against .550 [.530, .570]"),
        (-0.05, "The model loses to the linear baseline: test macro-F1 .600 [.580, .620] against .650"),
        (0.01, "The model and the linear baseline do not differ beyond noise: test macro-F1 .600"),
    ],
)
def test_the_first_line_is_honest(gap: float, begin: str, tmp_path: Path) -> None:
    assert reported(built(tmp_path, gap)).startswith(begin)
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    assert f"<h1>{begin.partition(':')[0]}.</h1>" in page


def test_without_test_the_report_is_about_validation(tmp_path: Path) -> None:
    assert "validation macro-F1" in reported(built(tmp_path, sides=("validation",)))
    told = read_json(tmp_path / "reports/metrics.json")
    assert "test" not in told and "test" not in told["baseline"]
    assert verdict.headline(told)[-1] == "test was not scored: evaluate.splits does not name it"


def test_same_bytes_twice(tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    for root in roots:
        reported(built(root))
    assert outputs(roots[0]) == outputs(roots[1])


def test_tracked_files_hold_no_text(tmp_path: Path) -> None:
    reported(built(tmp_path))
    files = outputs(tmp_path)
    assert sorted(files) == [
        *("balance.json", "calibration.json", "confusion.csv", "doubts.json", "funnel.json", "index.html"),
        *("loss.json", "metrics.json", "per_class.json", "validation.json"),
    ]
    assert not any(b"secret" in content for name, content in files.items() if name != "index.html")
    assert files["confusion.csv"].decode().splitlines()[1:3] == ["graphs,graphs", "graphs,graphs"]


def test_text_of_documents_is_escaped(tmp_path: Path) -> None:
    reported(built(tmp_path))
    page = (tmp_path / "reports/index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;document.title" in page and "<script" not in page
    assert "http://" not in page and "https://" not in page


def test_no_explanations(tmp_path: Path) -> None:
    write_json(
        built(tmp_path) / "reports/explain/explanations.json", {"side": "test", "documents": [], "faithfulness": {}}
    )
    reported(tmp_path)
    assert "explain.documents" in (tmp_path / "reports/index.html").read_text(encoding="utf-8")


def test_arrows_are_left_out_where_a_longer_way_leads(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(DAG, encoding="utf-8")
    stages = dag.stages(tmp_path / "dvc.yaml")
    assert stages[3].after == ("ingest", "clean", "train")
    assert dag.direct({one.name: one.after for one in stages})["report"] == ["train"]
    drawing = dag.drawing(stages)
    assert [node.y for node in drawing.nodes] == [15, 71, 127, 183]
    assert len(drawing.paths) == 3


def test_a_stage_stands_beside_what_is_needed_as_late() -> None:
    links = {"weights": [], "ingest": [], "clean": ["ingest"], "train": ["clean", "weights"]}
    assert dag.layers(links) == {"weights": 1, "ingest": 0, "clean": 1, "train": 2}


@pytest.mark.parametrize(
    ("value", "sign", "said"),
    [
        (0.5812, False, ".581"),
        (-0.054, True, "−.054"),
        (0.0, True, ".000"),
        (-0.0001, True, ".000"),
        (1.25, False, "1.250"),
        (0.9999, False, "1.000"),
        (0.031, True, "+.031"),
        (10.5, False, "10.500"),
        (None, False, "-"),
    ],
)
def test_numbers(value: float | None, sign: bool, said: str) -> None:
    assert verdict.number(value, sign) == said


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ((0.506, 0.598), [".50", ".55", ".60"]),
        ((-0.077, 0.0), ["−.08", "−.06", "−.04", "−.02", "0"]),
        ((0.0, 2531.0), ["0", "1,000", "2,000", "3,000"]),
        ((0.7, 0.7), [".6", ".8"]),
    ],
)
def test_ticks_are_round(values: tuple[float, float], marks: list[str]) -> None:
    assert [said for _, said in charts.scale(values, 0, 100, 4).marks] == marks


def test_a_long_curve_is_thinned_to_means() -> None:
    rows = [{"step": n, "loss": float(n)} for n in range(1, 6)]
    assert charts.thinned(rows, 3) == [{"step": 2, "loss": 1.5}, {"step": 4, "loss": 3.5}, {"step": 5, "loss": 5.0}]


def test_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    options: Any = SimpleNamespace()
    with pytest.raises(Fault, match="make repro"):
        summary.main(options)
    reported(built(tmp_path))
    assert summary.main(options) == 0
    first, second, page = capsys.readouterr().out.splitlines()
    assert first.startswith("The model beats") and second.startswith("test accuracy .700")
    assert page == "page: reports/index.html"


def test_summary_of_a_clone_that_has_only_what_git_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    reported(built(tmp_path))
    summary.PAGE.unlink()
    options: Any = SimpleNamespace()
    summary.main(options)
    assert "page: reports/index.html (not here yet: `dvc pull` fetches it" in capsys.readouterr().out
