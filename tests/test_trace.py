"""`reprolm trace`: the life of a document, what a text leads to, and drops that add up."""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.commands import _drops, _life, _screen, _search, trace
from stages.core.faults import Fault
from stages.core.funnel import ids_of, passages
from stages.core.records import Document, attributes_of, read_documents, read_table, side_rows, write_documents
from tests.conftest import Clone

TRACE = ("python", "-m", "stages.commands", "trace")
CAME = ("ingest", "dedup", "clean", "filter", "split", "augment", "balance")
SIDE = ("dedup", "clean", "features", "filter", "split", "augment", "balance", "tokenize")
HOSTILE = "\x1b[2J\x9b31m Wipe\r the screen \u202e and turn the line \x07 around"


@pytest.fixture(scope="module")
def odd(light: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project with three documents more: one that cleaning empties, one that attacks terminals, a near repeat of it;
    after split nothing is built again."""
    clone = light.copy(tmp_path_factory.mktemp("odd") / "project")
    path = clone.root / "data/ingest/000-docs-00000.parquet"
    documents, kind = read_documents(path), attributes_of(path)
    texts = {"a" * 16: "``====``", "b" * 16: HOSTILE * 3, "c" * 16: f"{HOSTILE * 3} again"}
    more = [Document(one, text, None, "docs", None, None, documents[0].attributes) for one, text in texts.items()]
    path.unlink()
    write_documents(path, [*documents, *more], kind)
    for stage, ins in (
        ("dedup", ["ingest"]),
        ("clean", ["ingest", "dedup"]),
        ("features", ["clean"]),
        ("filter", ["features"]),
        ("split", ["clean", "filter", "dedup", "benchmarks"]),
    ):
        outs = [stage, "leakage"] if stage == "split" else [stage]
        clone.run("python", "-m", f"stages.{stage}", *(f"data/{one}" for one in [*ins, *outs]), ENGINE="serial")
    clone.run("rm", "-r", "data/augment", "data/balance", "data/tokenize", "reports/explain")
    return clone


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clone], Path]:
    """Goes into a project's folder; gives the folder of its data."""

    def go(clone: Clone) -> Path:
        monkeypatch.chdir(clone.root)
        monkeypatch.setenv("COLUMNS", "100")
        return Path("data")

    return go


def stages(one: str) -> dict[str, dict[str, Any]]:
    """The entries of a life, whose keys are always the same."""
    told = _life.life(one)["stages"]
    assert {stage: tuple(entry) for stage, entry in told.items()} == {
        stage: ("status", *fields) for stage, fields in _life.FIELDS.items()
    }
    return told


def screen(what: str, is_text: bool = False) -> str:
    """What is printed; it fits a screen of 100 columns and has no character that could act on a terminal."""
    lines = list(trace.all_lines(trace.traced(what, is_text)))
    assert len(lines) <= 40 and max(sum(map(_screen.width, line)) for line in lines) <= 100
    assert not any(unicodedata.category(one)[0] == "C" for line in lines for one in line)
    return "\n".join(lines)


def fault(clone: Clone, *arguments: str) -> str:
    """The message of a call that must fail."""
    status, told = clone.tried(*TRACE, *arguments)
    assert status == 1 and "Traceback" not in told
    return told.strip()


def dropped(folder: Path, reason: str) -> dict[str, Any]:
    """The first document that left for a reason."""
    return next(row for row in side_rows(folder) if row["reason"] == reason)


def test_an_explained_document(built: Clone, inside: Callable[[Clone], Path]) -> None:
    data = inside(built)
    explained = json.loads(Path("reports/explain/explanations.json").read_text())["documents"][0]
    told = stages(explained["id"])
    assert [told[stage]["status"] for stage in ("ingest", "dedup", "clean", "filter", "split")] == ["kept"] * 5
    assert told["clean"]["replay"] == "same" and told["clean"]["steps"][-1]["text"] == told["clean"]["text"]
    assert told["explain"]["attributions"] == explained["attributions"]
    assert told["evaluate"]["baseline"] == told["baseline"]["predicted"] == explained["baseline"]
    best = max(told["evaluate"]["probabilities"].items(), key=lambda one: one[1])
    assert best == (explained["predicted"], pytest.approx(told["evaluate"]["confidence"]))
    assert len(told["tokenize"]["pieces"]) == len(told["tokenize"]["tokens"]) == told["tokenize"]["uncut"]
    row = read_table(Path(told["ingest"]["shard"])).slice(told["ingest"]["row"], 1).to_pylist()[0]
    assert row["id"] == explained["id"] and row["text"] == told["ingest"]["text"]
    seen = screen(explained["id"])
    assert "shap" in seen and f"label       {explained['label']}" in seen and "balance    no weight" in seen
    assert data.exists() and screen(explained["id"][:8].upper()) == seen


@pytest.mark.parametrize("reason", ["same text", "near-duplicate"])
def test_a_repeat_names_what_it_repeats(reason: str, built: Clone, inside: Callable[[Clone], Path]) -> None:
    row = dropped(inside(built) / "dedup", reason)
    told, kept = stages(row["id"]), stages(row["of"])
    assert told["dedup"]["of_text"] == kept["ingest"]["text"]
    assert (told["dedup"]["jaccard"] == 1) == (reason == "same text") and told["dedup"]["jaccard"] >= 0.8
    assert row["id"] in kept["dedup"]["repeated_by"]
    assert {told[stage]["status"] for stage in list(told)[2:]} == {"gone"}
    assert f"dropped: {reason}" in screen(row["id"]) and f"{row['of']}, Jaccard" in screen(row["id"])


def test_a_filtered_document(built: Clone, inside: Callable[[Clone], Path]) -> None:
    row = dropped(inside(built) / "filter", "words under 4")
    told = stages(row["id"])
    assert told["features"]["figures"]["words"] < 4 and told["split"]["status"] == "gone"
    assert screen(row["id"]).endswith("filter     dropped: words under 4")


def test_documents_that_training_does_not_see(built: Clone, inside: Callable[[Clone], Path]) -> None:
    data = inside(built)
    reserve = next(row for row in side_rows(data / "split") if row["side"] == "train" and not row["used"])
    held = next(row for row in side_rows(data / "split") if row["side"] == "test")
    assert stages(reserve["id"])["split"]["unused_because"] in {
        "in reserve, beyond the label budget",
        "without a label",
    }
    assert stages(held["id"])["split"]["unused_because"] == "held out for test"
    assert stages(held["id"])["balance"]["status"] == stages(reserve["id"])["evaluate"]["status"] == "none"
    assert "train; not trained on: " in screen(reserve["id"])


def test_a_child_and_its_origin(light: Clone, inside: Callable[[Clone], Path]) -> None:
    born = next(side_rows(inside(light) / "augment"))
    child, origin = stages(born["id"]), stages(born["origin"])
    assert child["augment"]["origin"] == born["origin"] and child["clean"]["status"] == "none"
    assert origin["augment"]["children"] == [{"id": born["id"], "text": born["text"]}]
    assert origin["split"]["used"] and child["balance"]["weight"] == origin["balance"]["weight"]
    assert screen(born["id"]).startswith(f"{born['id']}  a child of {born['origin']}\naugment    made from")
    assert f"child {born['id']}" in screen(born["origin"])
    assert _search.by_text(born["text"])[0].where == "child"


def test_a_document_that_cleaning_emptied(odd: Clone, inside: Callable[[Clone], Path]) -> None:
    inside(odd)
    told = stages("a" * 16)["clean"]
    assert (told["status"], told["reason"]) == ("dropped", "no letter left after cleaning")
    assert any(step["diff"] and "[-" in step["diff"] for step in told["steps"])
    assert "dropped: no letter left after cleaning" in screen("a" * 16)


def test_no_document_acts_on_the_terminal(odd: Clone, inside: Callable[[Clone], Path]) -> None:
    inside(odd)
    assert r"\x1b[2J\x9b31m Wipe\r the screen \u202e and" in screen("b" * 16)
    assert r"\x1b[2J" in screen(HOSTILE) and r"\u202e" in screen("wipe the screen", is_text=True)
    assert f"{'b' * 16}, Jaccard" in screen("c" * 16)
    raw = odd.said(*TRACE, "b" * 16, "--json")
    assert raw.isascii() and "\x1b" not in raw and json.loads(raw)["life"]["stages"]["ingest"]["text"] == HOSTILE * 3


def test_what_is_not_built_is_said(odd: Clone, inside: Callable[[Clone], Path]) -> None:
    inside(odd)
    told = stages(next(one["id"] for one in side_rows(Path("data/split"))))
    missing = [stage for stage, entry in told.items() if entry["status"] == "not built"]
    assert missing == ["augment", "balance", "tokenize", "explain"]
    assert "balance  not built" in "\n".join(_drops.lines(_drops.drops()))
    assert _drops.drops()["not_built"] == ("augment", "balance")


def test_cleaning_is_replayed_as_recorded_or_it_says_why_not(
    odd: Clone, inside: Callable[[Clone], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside(odd)
    steps, why = _life.replayed("Uses ``toolz``")
    assert (steps[-1]["text"], why) == ("Uses library", "same")
    lock = Path("dvc.lock").read_text()
    monkeypatch.chdir(tmp_path)
    assert _life.replayed("a") == ([], "dvc.lock not found, so the steps are not known")
    Path("dvc.lock").write_text(lock.replace("mojibake", "unmojibake"))
    assert _life.replayed("a") == ([], "this code doesn't know the steps that dvc.lock recorded")


def test_a_text_that_cleaning_would_now_change_otherwise(odd: Clone, tmp_path: Path) -> None:
    clone = odd.copy(tmp_path / "project")
    raw = {row["id"]: row["text"] for row in side_rows(clone.root / "data/ingest")}
    masked = (row["id"] for row in side_rows(clone.root / "data/clean") if "library" in row["text"])
    one = next(one for one in masked if "library" not in raw[one])
    clone.run("sed", "-i", "s/_: p.token/_: 'other'/", "stages/cleaners/mask.py")
    said = clone.said(*TRACE, one)
    assert "not sure    another text came out than what is stored: the cleaners' code has changed since" in said


def test_a_text_leads_to_the_same_to_what_contains_it_and_to_what_is_near(
    built: Clone, inside: Callable[[Clone], Path]
) -> None:
    row = dropped(inside(built) / "dedup", "near-duplicate")
    text = stages(row["id"])["ingest"]["text"]
    first, *others = _search.by_text(f"  {text.upper()}\n")
    assert (first.id, first.how, first.jaccard, first.fate) == (row["id"], "same text", 1.0, "dedup: near-duplicate")
    near = next(hit for hit in others if hit.id == row["of"])
    assert near.how == "near" and near.jaccard == row["jaccard"]
    part = " ".join(text.split()[:-1])
    assert row["id"] in {hit.id for hit in _search.by_text(part) if hit.how == "contains"}
    assert trace.traced(text, False)["life"]["id"] == row["id"]
    assert "\ndedup      dropped: near-duplicate" in screen(text)


def test_several_documents_are_listed_with_their_ids(built: Clone, inside: Callable[[Clone], Path]) -> None:
    row = dropped(inside(built) / "dedup", "same text")
    told = trace.traced(stages(row["id"])["ingest"]["text"], False)
    assert told["life"] is None and {row["id"], row["of"]} <= {hit["id"] for hit in told["documents"]}
    assert screen(told["query"]).startswith("same text\n  ") and row["of"] in screen(told["query"])


def test_without_signatures_what_is_near_is_not_found(
    odd: Clone, tmp_path: Path, inside: Callable[[Clone], Path]
) -> None:
    clone = odd.copy(tmp_path / "project")
    clone.run("rm", "-r", "data/dedup/signatures")
    inside(clone)
    assert {hit.how for hit in _search.by_text("wipe the screen")} == {"contains"}


def test_json_is_stable(light: Clone) -> None:
    one = next(side_rows(light.root / "data/split"))["id"]
    raw = light.said(*TRACE, one, "--json")
    assert raw == light.said(*TRACE, one[:12], "--json").replace(f'"query": "{one[:12]}"', f'"query": "{one}"')
    told = json.loads(raw)
    assert list(told) == ["documents", "life", "query"] and list(told["life"]) == ["id", "kind", "stages"]
    assert raw == json.dumps(told, indent=2, sort_keys=True) + "\n"


@pytest.mark.parametrize("project", ["built", "light", "odd"])
def test_every_document_is_in_exactly_one_of_kept_and_dropped(
    project: str, request: pytest.FixtureRequest, inside: Callable[[Clone], Path]
) -> None:
    data = inside(request.getfixturevalue(project))
    everyone, gone = set(ids_of(data / "ingest")), set[str]()
    for step in _drops.built():
        left, lost = set(step.left) - set(step.added), [drop.id for drop in step.gone]
        assert len(lost) == len(set(lost)) and not gone & set(lost)
        gone |= set(lost)
        assert {one for one in everyone if (one in left) == (one in gone)} == set(), step.name


@pytest.mark.parametrize("project", ["built", "light"])
def test_drops_are_the_funnel(project: str, request: pytest.FixtureRequest, inside: Callable[[Clone], Path]) -> None:
    data = inside(request.getfixturevalue(project))
    told = _drops.drops()
    for step, one in zip((way.step for way in passages(*(data / stage for stage in CAME))), told["steps"], strict=True):
        assert (one["step"], one["came"], one["kept"]) == (step.name, step.came, step.left)
        assert {reason["reason"]: reason["count"] for reason in one["reasons"]} == dict(step.gone)
        assert one["came"] + one["added"] == one["kept"] + one["dropped"]
        assert all(example["text"] for reason in one["reasons"] for example in reason["examples"])
    assert told["not_built"] == ()
    reported = json.loads(Path("reports/metrics.json").read_text())["documents"]
    assert {one["step"]: {"in": one["came"], "out": one["kept"]} for one in told["steps"]} == reported


def test_a_reject_has_a_place_and_no_id(odd: Clone, tmp_path: Path, inside: Callable[[Clone], Path]) -> None:
    clone = odd.copy(tmp_path / "project")
    reject = [{"source": "docs", "place": "toolz/x.py:3", "reason": "not Python"}]
    (clone.root / "data/ingest/rejects.json").unlink()
    (clone.root / "data/ingest/rejects.json").write_text(json.dumps(reject))
    inside(clone)
    first = _drops.drops()["steps"][0]
    assert first["came"] == first["kept"] + 1
    assert first["reasons"][0]["examples"] == [{"id": "toolz/x.py:3", "of": None, "text": None}]
    assert "1  not Python" in clone.said(*TRACE, "--drops")


def test_rows_that_nobody_wants_are_counted_and_have_no_name(
    odd: Clone, tmp_path: Path, inside: Callable[[Clone], Path]
) -> None:
    clone = odd.copy(tmp_path / "project")
    path = clone.root / "data/ingest/sources.json"
    sources = json.loads(path.read_text())
    path.unlink()
    path.write_text(json.dumps([one | {"unwanted": 70, "over_quota": 5} for one in sources]))
    inside(clone)
    first = _drops.drops()["steps"][0]
    assert first["came"] == first["kept"] + 75 and first["dropped"] == 75
    said = clone.said(*TRACE, "--drops")
    assert "70  left out by a source's parameters" in said and "5  over a source's quota" in said


def test_a_document_in_neither_is_a_bug(odd: Clone, tmp_path: Path, inside: Callable[[Clone], Path]) -> None:
    clone = odd.copy(tmp_path / "project")
    data = inside(clone)
    (data / "clean/drops/000-docs-00000.parquet").unlink()
    with pytest.raises(RuntimeError, match=r"clean: 1 documents not in exactly one of kept and dropped, e\.g\. aaaa"):
        list(passages(*(data / stage for stage in CAME)))


def test_what_can_be_wrong(built: Clone, inside: Callable[[Clone], Path], tmp_path: Path) -> None:
    one = min(ids_of(inside(built) / "ingest"))
    other = one[:-1] + ("0" if one[-1] != "0" else "1")
    assert fault(built, other) == (
        f"reprolm trace: {other}: no document has this id; its text finds it too; did you mean {one}?"
    )
    told = "'zyzzyva': no document has this text in it, or is near; fewer or other words may find more"
    assert fault(built, "zyzzyva") == f"reprolm trace: {told}"
    assert fault(built, "  ") == "reprolm trace: '  ': no text; give some words of the document, or its id"
    status, told = built.tried(*TRACE)
    assert status == 2 and told.endswith("error: one of the arguments ID|TEXT --drops is required\n")
    clone = built.copy(tmp_path / "project")
    clone.run("rm", "-r", "data/ingest")
    assert fault(clone, one) == "reprolm trace: data/ingest: no documents are here; `make repro` brings them in"


def test_the_beginning_of_several_ids(odd: Clone, tmp_path: Path, inside: Callable[[Clone], Path]) -> None:
    clone = odd.copy(tmp_path / "project")
    path = clone.root / "data/ingest/000-docs-00000.parquet"
    documents, kind = read_documents(path), attributes_of(path)
    path.unlink()
    write_documents(path, [*documents, documents[0]._replace(id="aaaabbbbccccdddd", text="Aaaa, says he")], kind)
    inside(clone)
    with pytest.raises(Fault) as told:
        _search.by_id("aaaa")
    assert str(told.value) == (
        f"aaaa: 2 ids begin so: {'a' * 16}, aaaabbbbccccdddd; give more of one, or --text to look for it in texts"
    )
    assert [hit.id for hit in _search.by_text("aaaa")] == ["aaaabbbbccccdddd"]
    assert _search.by_id("aaaabb") == "aaaabbbbccccdddd"


@pytest.mark.parametrize("word", ["fed", "dead beef", "facade", "0123456789abcdef0"])
def test_what_looks_like_an_id_but_is_none_is_a_text(word: str, built: Clone, inside: Callable[[Clone], Path]) -> None:
    inside(built)
    assert _search.by_id(word) is None


def test_other_signatures_are_refused() -> None:
    with pytest.raises(RuntimeError, match="signatures by legacy and sha1, which is not known here"):
        _search.signature("a", {"scheme": "legacy", "hash": "sha1"})


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(2, 40))
def test_a_cut_text_fits_and_is_harmless(text: str, room: int) -> None:
    told = _screen.cut(text, room)
    assert sum(map(_screen.width, told)) <= room
    assert all(one == " " or unicodedata.category(one)[0] not in "CZ" for one in told)


@settings(max_examples=50, deadline=None)
@given(st.text("ab \n.", max_size=30), st.text("ab \n.", max_size=30))
def test_a_diff_holds_both_texts(before: str, after: str) -> None:
    pieces = list(_screen.changes(before, after))
    assert "".join(text for sign, text in pieces if sign != "+") == before
    assert "".join(text for sign, text in pieces if sign != "-") == after


def test_a_diff_reads_as_that_of_git() -> None:
    assert _screen.diff("The numpy array", "The library array") == "The [-numpy-]{+library+} array"
    long = "one two three four five six seven eight numpy nine ten eleven twelve thirteen"
    assert _screen.short_diff(long, long.replace("numpy", "library"), 100) == (
        "…six seven eight [-numpy-]{+library+} nine ten eleven…"
    )


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output is a terminal that knows colours."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


def test_colours_only_where_they_are_wanted(terminal: pytest.MonkeyPatch) -> None:
    assert _screen.short_diff("a", "b", 20) == "\x1b[31m[-a-]\x1b[0m\x1b[32m{+b+}\x1b[0m"
    terminal.setenv("NO_COLOR", "1")
    assert _screen.short_diff("a", "b", 20) == "[-a-]{+b+}"
    terminal.setenv("NO_COLOR", "")
    terminal.setenv("TERM", "dumb")
    assert _screen.painted("a", "name") == "a"
