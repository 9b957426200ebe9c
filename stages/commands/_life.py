"""The life of a document, read from what each stage wrote about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.commands._screen import diff
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.funnel import fate
from stages.core.records import read_table, shards, side_rows
from stages.shell import plugins
from stages.shell.params import FILE, Checked, read

LOCK, DATA, REPORTS = Path("dvc.lock"), Path("data"), Path("reports")
# Stage → what is told of a document there, besides its `status`; in the order of dvc.yaml.
FIELDS: dict[str, tuple[str, ...]] = {
    "ingest": ("source", "shard", "row", "label", "group", "attributes", "text"),
    "dedup": ("reason", "of", "jaccard", "of_text", "text", "cluster", "alike", "repeated_by"),
    "clean": ("reason", "text", "steps", "replay"),
    "features": ("figures",),
    "filter": ("reason",),
    "split": ("reason", "side", "used", "unused_because", "tied", "tied_to"),
    "baseline": ("side", "predicted", "confidence", "margin", "likely"),
    "augment": ("origin", "origin_text", "text", "diff", "children"),
    "balance": ("reason", "weight", "picks"),
    "tokenize": ("tokens", "pieces", "uncut"),
    "evaluate": ("side", "label", "predicted", "confidence", "baseline", "probabilities"),
    "explain": ("words", "base", "score", "attributions"),
}
CHILDS_OWN = ("augment", "balance", "tokenize")


@dataclass
class Subject:
    """A document that is looked at: where it stands, and what is known of it so far."""

    id: str
    shard: str
    row: dict[str, Any]
    place: int
    life: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def own(self, stage: str) -> dict[str, Any] | None:
        """Its row of a stage's side table."""
        return row_of(DATA / stage / self.shard, self.id)[1]

    @property
    def text(self) -> str:
        """As the stages after clean read it."""
        return self.life["clean"]["text"] or self.row["text"]


def output(stage: str) -> Path:
    """Where a stage writes."""
    return (REPORTS if stage in {"evaluate", "explain"} else DATA) / stage


def row_of(path: Path, one: str) -> tuple[int, dict[str, Any] | None]:
    """A document's place in a table, and its row."""
    ids: list[str] = read_table(path, ["id"]).column("id").to_pylist() if path.exists() else []
    if one not in ids:
        return -1, None
    place = ids.index(one)
    return place, read_table(path).slice(place, 1).to_pylist()[0]


def subject(one: str) -> Subject:
    """The document of an id that there is: an original, or a child."""
    for folder in (output("ingest"), output("augment")):
        for path in shards(folder):
            place, row = row_of(path, one)
            if row:
                return Subject(one, path.name, row, place)
    raise KeyError(one)


def life(one: str) -> dict[str, Any]:
    """Id, kind, and an entry a stage: its `status` is kept, dropped, done, none (nothing to tell), gone (dropped
    before) or not built."""
    found = subject(one)
    child, gone = found.row["origin"] is not None, False
    for stage, tell in TELL.items():
        told: dict[str, Any] | None = {"status": "not built"} if not output(stage).exists() else None
        if gone or (child and stage not in CHILDS_OWN):
            told = {"status": "gone" if gone else "none"}
        found.life[stage] = dict.fromkeys(("status", *FIELDS[stage])) | (told or tell(found) or {"status": "none"})
        gone = gone or found.life[stage]["status"] == "dropped"
    return {"id": one, "kind": "child" if child else "document", "stages": found.life}


def verdict(row: Mapping[str, Any]) -> dict[str, Any]:
    """Status and reason."""
    return {"status": "kept" if row["reason"] is None else "dropped", "reason": row["reason"]}


def of_ingest(one: Subject) -> dict[str, Any]:
    told = {key: one.row[key] for key in ("source", "label", "group", "attributes", "text")}
    return {"status": "kept", "shard": str(output("ingest") / one.shard), "row": one.place, **told}


def of_dedup(one: Subject) -> dict[str, Any] | None:
    own = one.own("dedup")
    if own is None:
        return None
    rows = list(side_rows(output("dedup"), ["id", "of", "cluster"]))
    alike = [row["id"] for row in rows if own["cluster"] and row["cluster"] == own["cluster"] and row["id"] != one.id]
    told = {key: own[key] for key in ("of", "jaccard", "cluster")}
    kept = own["of"] and subject(own["of"]).row["text"]
    repeats = [row["id"] for row in rows if row["of"] == one.id]
    return verdict(own) | told | {"of_text": kept, "text": one.row["text"], "alike": alike, "repeated_by": repeats}


def of_clean(one: Subject) -> dict[str, Any] | None:
    stored, gone = one.own("clean"), row_of(output("clean") / "drops" / one.shard, one.id)[1]
    if stored is None and gone is None:
        return None
    steps, replay = replayed(one.row["text"])
    last = steps[-1]["text"] if steps else one.row["text"]
    if replay == "same" and stored is not None and last != stored["text"]:
        replay = "another text came out than what is stored: the cleaners' code has changed since"
    text = stored["text"] if stored else last
    return verdict(gone or {"reason": None}) | {"text": text, "steps": steps, "replay": replay}


def replayed(text: str) -> tuple[list[dict[str, Any]], str]:
    """The text after each step, with the parameters that dvc.lock recorded; and "same", or why that is not known."""
    if not LOCK.exists():
        return [], f"{LOCK} not found, so the steps are not known"
    record = read(LOCK).get("stages", {}).get("clean", {}).get("params", {}).get(str(FILE), {})
    try:
        p = Checked(record).section("clean")
    except Fault:
        p = None
    if p is None:
        return [], f"this code doesn't know the steps that {LOCK} recorded"
    steps: list[dict[str, Any]] = []
    for step in p.steps:
        after = plugins.load("cleaners", step).clean(text, p.settings[step])
        steps.append(
            {"step": step, "diff": diff(text, after) if after != text else None, "before": text, "text": after}
        )
        text = after
    return steps, "same"


def of_features(one: Subject) -> dict[str, Any] | None:
    row = one.own("features")
    return row and {"status": "done", "figures": {key: row[key] for key in row if key not in {"id", "given"}}}


def of_filter(one: Subject) -> dict[str, Any] | None:
    row = one.own("filter")
    return row and verdict(row)


def of_split(one: Subject) -> dict[str, Any] | None:
    row = one.own("split")
    if row is None:
        return None
    rows = side_rows(output("split"), ["id", "tied"])
    others = [other["id"] for other in rows if other["tied"] == row["tied"] and other["id"] != one.id]
    why = None if row["used"] else fate(row["side"], one.row["label"])
    told = {key: row[key] for key in ("side", "used", "tied")}
    return verdict(row) | told | {"unused_because": why, "tied_to": others}


def of_baseline(one: Subject) -> dict[str, Any] | None:
    if row := row_of(output("baseline") / "predictions.parquet", one.id)[1]:
        return {"status": "done", **{key: row[key] for key in FIELDS["baseline"] if key in row}}
    row = row_of(output("baseline") / "out_of_fold.parquet", one.id)[1]
    if row is None or row["fold"] is None:
        return None
    return {"status": "done", "side": "train", **{key: row[key] for key in FIELDS["baseline"] if key in row}}


def of_augment(one: Subject) -> dict[str, Any] | None:
    if origin := one.row["origin"]:
        row, text = row_of(output("clean") / one.shard, origin)[1], one.row["text"]
        before = row["text"] if row else None
        marked = None if before is None else diff(before, text)
        return {"status": "done", "origin": origin, "origin_text": before, "text": text, "diff": marked}
    path = output("augment") / one.shard
    rows = read_table(path, ["id", "origin", "text"]).to_pylist() if path.exists() else []
    children = [{"id": row["id"], "text": row["text"]} for row in rows if row["origin"] == one.id]
    return {"status": "done", "children": children} if children else None


def of_balance(one: Subject) -> dict[str, Any] | None:
    row = one.own("balance")
    return row and verdict(row) | {"weight": row["weight"], "picks": row["picks"]}


def of_tokenize(one: Subject) -> dict[str, Any] | None:
    row = one.own("tokenize")
    if row is None:
        return None
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(output("tokenize") / "tokenizer.json"))
    tokenizer.no_truncation()
    pieces = [tokenizer.id_to_token(token) for token in row["tokens"]]
    return {"status": "done", "tokens": row["tokens"], "pieces": pieces, "uncut": len(tokenizer.encode(one.text).ids)}


def of_evaluate(one: Subject) -> dict[str, Any] | None:
    row = row_of(output("evaluate") / "predictions.parquet", one.id)[1]
    if row is None:
        return None
    baseline = output("baseline") / "baseline.json"
    labels = read_json(baseline)["labels"] if baseline.exists() else []
    told = {key: row[key] for key in ("side", "label", "predicted", "confidence", "baseline")}
    return {"status": "done", **told, "probabilities": dict(zip(labels, row["probabilities"], strict=False)) or None}


def of_explain(one: Subject) -> dict[str, Any] | None:
    documents = read_json(output("explain") / "explanations.json")["documents"]
    row = next((row for row in documents if row["id"] == one.id), None)
    return row and {"status": "done", **{key: row[key] for key in FIELDS["explain"]}}


TELL: dict[str, Callable[[Subject], dict[str, Any] | None]] = {
    "ingest": of_ingest,
    "dedup": of_dedup,
    "clean": of_clean,
    "features": of_features,
    "filter": of_filter,
    "split": of_split,
    "baseline": of_baseline,
    "augment": of_augment,
    "balance": of_balance,
    "tokenize": of_tokenize,
    "evaluate": of_evaluate,
    "explain": of_explain,
}
