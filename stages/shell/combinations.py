"""What is right in each section of params.yaml and impossible together."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from stages.core.faults import did_you_mean
from stages.core.params import Model
from stages.core.sides import HELD
from stages.shell import plugins


def combination_faults(values: dict[str, Any]) -> Iterator[str]:
    """All of them; `values` has the sections by name, None where one is wrong in itself."""
    for faults in (
        architecture_faults,
        weights_faults,
        source_faults,
        feature_faults,
        splitter_faults,
        split_faults,
        label_faults,
    ):
        yield from faults(values)


def architecture_faults(values: dict[str, Any]) -> Iterator[str]:
    """A task that the architecture can't do; parameters that do not go with the shared choices."""
    model: Model | None = values["model"]
    if model is None:
        return
    architecture = plugins.load("architectures", model.architecture)
    if model.task not in architecture.TASKS:
        able = [
            name for name in plugins.names("architectures") if model.task in plugins.load("architectures", name).TASKS
        ]
        yield (
            f"model: architecture {model.architecture} can't do task {model.task}; it can do "
            f"{', '.join(architecture.TASKS)}; {model.task} goes with {', '.join(able) or 'none'}"
        )
    if p := values["architectures"][model.architecture]:
        yield from architecture.faults(model, p)


def weights_faults(values: dict[str, Any]) -> Iterator[str]:
    """Pinned weights that are nowhere, or not whole: transformers' names, and the tokenizer they were trained with."""
    model, weights = values["model"], values["weights"]
    if model and weights and model.weights == "pinned":
        missing = [name for name in ("config.json", "tokenizer.json") if name not in weights.files]
        missing += [] if any(name.endswith(".safetensors") for name in weights.files) else ["model.safetensors"]
        if missing:
            yield f"weights.files: no {', '.join(missing)}, and model.weights is pinned; name all files, with sha256"
        if not weights.places:
            yield "weights.places: none, and model.weights is pinned; name one that has the files"


def source_faults(values: dict[str, Any]) -> Iterator[str]:
    """Sources that would give documents, shards and ids of one name; benchmarks that are no more told apart."""
    sources = values["ingest"].sources if values["ingest"] else ()
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            yield f"ingest.sources: {count} are named {name}; give each a name of its own"
    benchmarks = values["benchmarks"].sources if values["benchmarks"] else ()
    for name, count in Counter([*HELD, *(source.name for source in benchmarks)]).items():
        if count > 1:
            yield f"benchmarks.sources: a side or another one is named {name}; give each a name of its own"


def splitter_faults(values: dict[str, Any]) -> Iterator[str]:
    """Sizes that a method of splitting can't make."""
    if (split := values["split"]) and (p := (values["splitters"] or {}).get(split.method)):
        yield from plugins.load("splitters", split.method).faults(split, p)


def label_faults(values: dict[str, Any]) -> Iterator[str]:
    """Less trust in labels that are likely wrong, where nobody looks for them."""
    baseline, balance = values["baseline"], values["balance"]
    if baseline and balance and balance.trust.label_error < 1.0 and not baseline.folds:
        yield (
            f"balance.trust.label_error: {balance.trust.label_error}, but baseline.folds is 0: nobody looks; "
            "set it to 5, or this to 1.0"
        )


def feature_faults(values: dict[str, Any]) -> Iterator[str]:
    """Limits on what no chosen statistics give, or of the wrong kind; sources to learn from that there are not."""
    features, decisions, ingest = values["features"], values["filter"], values["ingest"]
    chosen = features.statistics if features else ()
    if features and decisions:
        for key, names, text in (("limits", decisions.limits, False), ("values", decisions.values, True)):
            for name in names:
                yield from (f"filter.{key}.{name}: {fault}" for fault in column_faults(name, chosen, text))
    known = [source.name for source in ingest.sources] if ingest else []
    for kind in chosen:
        named = getattr(values["statistics"][kind], "sources", ()) if ingest else ()
        for name in (name for name in named if name not in known):
            yield f"statistics.{kind}.sources: no source {name!r} in ingest.sources{did_you_mean(name, known)}"


def column_faults(name: str, chosen: Collection[str], text: bool) -> Iterator[str]:
    """What is wrong with a feature's name where a text, or a number, is wanted."""
    known = {column: str(kind) for one in chosen for column, kind in figures(one).items()}
    if name not in known:
        other = next((one for one in plugins.names("statistics") if name in figures(one)), None)
        there = f"no such feature{did_you_mean(name, known)}; there is: {', '.join(known) or 'none'}"
        yield f"only statistics {other} give it; add {other} to features.statistics" if other else there
    elif known[name] == "string" and not text:
        yield "it is a text and has no limits; say in filter.values which ones stay"
    elif known[name] != "string" and text:
        yield "it is a number; give it a limit in filter.limits"


def figures(kind: str) -> dict[str, Any]:
    """The columns of a kind of statistics, with their types."""
    return plugins.load("statistics", kind).COLUMNS


def split_faults(values: dict[str, Any]) -> Iterator[str]:
    """A side whose predictions are to be explained, but not made."""
    explain, evaluate = values["explain"], values["evaluate"]
    if explain and evaluate and explain.documents and explain.explainers and explain.side not in evaluate.splits:
        yield f"explain.side: {explain.side} is not evaluated; add it to evaluate.splits, or name another side"
