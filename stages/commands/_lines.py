"""A life as lines: one screen, the stages in their order, no further than the document came."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stages.commands._screen import columns, cut, painted, short_diff

NAME, INSET = 10, 11  # columns of a stage's name, and of the name of a line within a stage
IDS, SHOWN = 3, 4  # of a list: ids; words or labels


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """The life of `_life.life`."""
    entries: Mapping[str, Mapping[str, Any]] = told["stages"]
    yield painted(told["id"], "name") + (f"  a child of {entries['augment']['origin']}" if is_child(told) else "")
    for stage, entry in entries.items():
        if entry["status"] == "gone" or (is_child(told) and entry["status"] == "none"):
            continue
        here = entry["status"] in {"kept", "dropped", "done"}
        for n, line in enumerate(TOLD[stage](entry) if here else missing(stage, entry)):
            yield painted(("" if n else stage).ljust(NAME), "name") + f" {line}"


def is_child(told: Mapping[str, Any]) -> bool:
    return told["kind"] == "child"


def missing(stage: str, entry: Mapping[str, Any]) -> Iterator[str]:
    """Why there is nothing to tell."""
    yield painted("not built" if entry["status"] == "not built" else NONE.get(stage, OLD), "quiet")


OLD = "has no row of it: built from other documents; `dvc repro` builds it again"
NONE = {
    "baseline": "not predicted: training saw it, or it has no label",
    "augment": "no children",
    "balance": "no weight: training does not see it",
    "evaluate": "not predicted: not on an evaluated side, or without a label",
    "explain": "not in the sample",
}


def room() -> int:
    """Columns beside the stage's name."""
    return columns() - NAME - 1


def named(name: str, text: str) -> str:
    """A line within a stage; `text` is cut already."""
    return f"{painted(f'{name:<{INSET}}', 'quiet')} {text}"


def quoted(name: str, text: str) -> str:
    """A line with a text of the document's."""
    return named(name, cut(text, room() - INSET - 1))


def changed(before: str, after: str) -> str:
    """What became of a text, within a stage's line."""
    return short_diff(before, after, room() - INSET - 1)


def some(ids: Sequence[str]) -> str:
    """Some ids, and how many more there are."""
    more = f" and {len(ids) - IDS:,} more" if len(ids) > IDS else ""
    return ", ".join(ids[:IDS]) + more


def filled(facts: Sequence[str]) -> Iterator[str]:
    """Facts, as many on a line as there is room for."""
    line = ""
    for fact in facts:
        if line and len(line) + len(fact) + 3 > room():
            yield cut(line, room())
            line = ""
        line += f" · {fact}" if line else fact
    if line:
        yield cut(line, room())


def outcome(entry: Mapping[str, Any]) -> str:
    """Kept, or dropped and why."""
    return "kept" if entry["status"] == "kept" else painted(f"dropped: {cut(entry['reason'], room() - 9)}", "removed")


def ingest(entry: Mapping[str, Any]) -> Iterator[str]:
    attributes = {"label": entry["label"], "group": entry["group"], **(entry["attributes"] or {})}
    yield cut(f"source {entry['source']}, {entry['shard']}, row {entry['row']:,}", room())
    there = {name: str(value) for name, value in attributes.items() if value not in (None, "")}
    # What repeats the text would take the room of what says where it stands.
    yield from filled([f"{name} {cut(value, 50)}" for name, value in there.items() if value != entry["text"]])
    yield quoted("text", entry["text"])


def dedup(entry: Mapping[str, Any]) -> Iterator[str]:
    yield outcome(entry)
    if entry["of"]:
        yield named("repeats", f"{entry['of']}, Jaccard {entry['jaccard']:.3f}")
        yield quoted("its text", entry["of_text"])
        if entry["of_text"] != entry["text"]:
            yield named("change", changed(entry["of_text"], entry["text"]))
    for name, ids in (("repeated by", entry["repeated_by"]), ("alike", entry["alike"])):
        if ids:
            yield quoted(name, some(ids))


def clean(entry: Mapping[str, Any]) -> Iterator[str]:
    yield outcome(entry)
    for step in entry["steps"]:
        quiet = painted("no change", "quiet")
        yield named(step["step"], changed(step["before"], step["text"]) if step["diff"] else quiet)
    if entry["replay"] != "same":
        yield named("not sure", cut(entry["replay"], room() - INSET - 1))
    yield quoted("text", entry["text"])


def features(entry: Mapping[str, Any]) -> Iterator[str]:
    kinds = {float: ".2f", int: ","}
    counts = {name: format(value, kinds.get(type(value), "")) for name, value in entry["figures"].items()}
    yield from filled([f"{name.replace('_', ' ')} {value}" for name, value in counts.items()])


def filtered(entry: Mapping[str, Any]) -> Iterator[str]:
    yield outcome(entry)


def split(entry: Mapping[str, Any]) -> Iterator[str]:
    why = f"; not trained on: {entry['unused_because']}" if entry["side"] == "train" and not entry["used"] else ""
    yield f"{entry['side']}{', used' if entry['used'] else ''}{why}"
    if entry["tied_to"]:
        yield quoted("group", f"with {some(entry['tied_to'])}")


def baseline(entry: Mapping[str, Any]) -> Iterator[str]:
    apart = ", not having learned from it" if entry["side"] == "train" else ""
    yield cut(f"{entry['predicted']} {entry['confidence']:.0%}{apart}", room())
    if entry["likely"] is not None:
        yield quoted("in doubt", f"likely {entry['likely']}")


def augment(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry["origin"]:
        yield f"made from {entry['origin']}"
        yield quoted("text", entry["text"])
        if entry["origin_text"]:
            yield named("change", changed(entry["origin_text"], entry["text"]))
    for child in entry["children"] or ():
        yield cut(f"child {child['id']}  {child['text']}", room())


def balance(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry["status"] == "dropped":
        yield outcome(entry)
    else:
        yield f"weight {entry['weight']:g}, {entry['picks']} pick{'s' * (entry['picks'] != 1)} an epoch"


def tokenize(entry: Mapping[str, Any]) -> Iterator[str]:
    number = len(entry["tokens"])
    left = f" of {entry['uncut']:,}, the rest is cut" if entry["uncut"] > number else ""
    yield f"{number:,} tokens{left}"
    yield cut(" ".join(entry["pieces"]), room())


def evaluate(entry: Mapping[str, Any]) -> Iterator[str]:
    for name, label, sure in (
        ("model", entry["predicted"], f" {entry['confidence']:.0%}"),
        ("baseline", entry["baseline"], ""),
    ):
        yield quoted(name, f"{label}{sure}, {'right' if label == entry['label'] else 'wrong'}")
    yield quoted("label", entry["label"])
    ranked = sorted((entry["probabilities"] or {}).items(), key=lambda one: -one[1])[:SHOWN]
    if ranked:
        yield quoted("likeliest", ", ".join(f"{label} {share:.1%}" for label, share in ranked))


def explain(entry: Mapping[str, Any]) -> Iterator[str]:
    for name, values in entry["attributions"].items():
        order = sorted(range(len(values)), key=lambda n: (-abs(values[n]), n))[: 2 * SHOWN]
        yield quoted(name, ", ".join(f"{entry['words'][n]} {values[n]:+.2f}" for n in order))


TOLD: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "ingest": ingest,
    "dedup": dedup,
    "clean": clean,
    "features": features,
    "filter": filtered,
    "split": split,
    "baseline": baseline,
    "augment": augment,
    "balance": balance,
    "tokenize": tokenize,
    "evaluate": evaluate,
    "explain": explain,
}
