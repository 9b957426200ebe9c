"""What is right in each section of params.yaml and impossible together."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from stages.core.params import Model
from stages.core.sides import HELD
from stages.shell import plugins


def combination_faults(values: dict[str, Any]) -> Iterator[str]:
    """All of them; `values` has the sections by name, None where one is wrong in itself."""
    for faults in (architecture_faults, weights_faults, source_faults, splitter_faults, split_faults):
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


def split_faults(values: dict[str, Any]) -> Iterator[str]:
    """A side whose predictions are to be explained, but not made."""
    explain, evaluate = values["explain"], values["evaluate"]
    if explain and evaluate and explain.documents and explain.explainers and explain.side not in evaluate.splits:
        yield f"explain.side: {explain.side} is not evaluated; add it to evaluate.splits, or name another side"
