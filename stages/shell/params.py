"""params.yaml as typed values: every fault told at once, with its path and what was probably meant."""

import importlib
import typing
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from stages.core.faults import Fault
from stages.core.numeric import Compute
from stages.core.params import Model, Plugin, Section, Shared, Source
from stages.shell import plugins

FILE = Path("params.yaml")
S = TypeVar("S", bound=Section)


def stage_names() -> list[str]:
    """The stages, by their files."""
    return sorted(path.stem for path in plugins.STAGES.glob("*.py") if path.stem != "__init__")


def stage_module(name: str) -> ModuleType:
    """The module of a stage; all of them are cheap to import."""
    return importlib.import_module(f"stages.{name}")


def read(path: Path = FILE) -> dict[str, Any]:
    """The tree of params.yaml, read with DVC's own reader (YAML 1.2: `1e-3` is a number); its lists as tuples."""
    from ruamel.yaml import YAML, YAMLError

    try:
        tree = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise Fault(f"{path}: not found; run in the folder of the project") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise Fault(f"{path}: not YAML: {error}") from None
    if not isinstance(tree, dict):
        raise Fault(f"{path}: has no sections; `git checkout {path}` brings the committed ones back")
    return frozen(tree)


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was read can't be changed."""
    if isinstance(value, dict):
        return {str(key): frozen(one) for key, one in value.items()}
    return tuple(frozen(one) for one in value) if isinstance(value, list) else value


@dataclass
class Checked:
    """What a params tree means, and all that is wrong with it."""

    tree: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: list[str] = field(default_factory=list[str])

    def validate(self, kind: type[S], raw: Any, place: str, told: Collection[str] = ()) -> S | None:
        """`raw` as a `kind`; what is wrong with it goes to the faults, less the keys that were `told` elsewhere."""
        try:
            return kind.model_validate(raw)
        except ValidationError as error:
            mine = [one for one in error.errors() if not one["loc"] or one["loc"][0] not in told]
            self.faults += [explained(place, one, kind) for one in mine]
            return None

    def plugin(self, folder: str, name: str, raw: Any, place: str) -> Section | None:
        """The typed parameters of a plug-in."""
        try:
            return self.validate(getattr(plugins.load(folder, name), "Params", Section), raw, place)
        except Fault as fault:
            self.faults.append(f"{place}: {fault}")
            return None


def explained(place: str, error: Any, kind: type[Section]) -> str:
    """One pydantic error as a sentence: path, value, and the nearest known key for one that is not known."""
    path = ".".join([place, *(str(step) for step in error["loc"])])
    if error["type"] == "missing":
        return f"{path}: missing"
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown{did_you_mean(str(error['loc'][-1]), owner(kind, error['loc'][:-1]).model_fields)}"
    if error["type"] == "value_error":
        return f"{path}: {error['ctx']['error']}"
    return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


def owner(kind: Any, location: tuple[Any, ...]) -> type[Section]:
    """The section class in which a location inside `kind` stands."""
    for step in location:
        if isinstance(step, str) and step in getattr(kind, "model_fields", {}):
            kind = kind.model_fields[step].annotation
        kind = next((one for one in (kind, *typing.get_args(kind)) if isinstance(one, type) and issubclass(one, Section)), kind)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else Section


def did_you_mean(word: str, known: Any) -> str:
    """The nearest names, as the end of a sentence."""
    close = plugins.nearest(word, known)[:2]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def check(tree: dict[str, Any]) -> Checked:
    """All sections, all plug-ins and their combinations; no data is needed."""
    checked = Checked(tree)
    sections: dict[str, type[Section]] = {"model": Model, "compute": Compute}
    known = [*sections, *stage_names(), *plugins.folders()]
    for name in tree:
        if name not in known:
            checked.faults.append(f"{name}: unknown section{did_you_mean(name, known)}")
    for name, kind in sections.items():
        checked.values[name] = checked.validate(kind, tree.get(name, {}), name)
    for folder in plugins.folders():
        checked.values[folder] = plugin_section(checked, folder)
    checked.faults += chosen_faults(Model, tree.get("model", {}), "model", checked)
    for name in stage_names():
        checked.values[name] = stage_section(checked, name)
    if not checked.faults:
        checked.faults += combinations(checked.values)
    return checked


def plugin_section(checked: Checked, folder: str) -> dict[str, Any]:
    """The plug-ins' own sections of a folder: name → typed parameters; those without parameters need no section."""
    raw = checked.tree.get(folder, {})
    if not isinstance(raw, dict):
        checked.faults.append(f"{folder}: a mapping from plug-ins to their parameters is wanted, not {raw!r}")
        return {}
    values = {name: checked.plugin(folder, name, one, f"{folder}.{name}") for name, one in raw.items()}
    bare = {name: Section() for name in plugins.names(folder) if name not in raw and bare_plugin(folder, name)}
    return bare | values


def bare_plugin(folder: str, name: str) -> bool:
    """Whether a plug-in has no parameters, and so no section."""
    return not getattr(plugins.load(folder, name), "Params", Section).model_fields


def stage_section(checked: Checked, stage: str) -> Section | None:
    """A stage's `Params`, from its own section and from what it shares with others."""
    kind = stage_module(stage).Params
    raw, elsewhere = checked.tree.get(stage, {}), shared_fields(kind)
    if not isinstance(raw, dict):
        checked.faults.append(f"{stage}: a mapping from keys to values is wanted, not {raw!r}")
        return None
    checked.faults += [f"{stage}.{name}: unknown; it stands in {elsewhere[name]}" for name in raw if name in elsewhere]
    if stage == "ingest" and isinstance(raw.get("sources"), tuple):
        entries = [source(checked, one, f"ingest.sources[{n}]") for n, one in enumerate(raw["sources"])]
        raw = raw | {"sources": tuple(one for one in entries if one)}
    checked.faults += chosen_faults(kind, raw, stage, checked)
    values = raw | {name: shared(checked, path) for name, path in elsewhere.items()}
    return checked.validate(kind, values, stage, told=set(elsewhere))


def source(checked: Checked, raw: Any, place: str) -> Source | None:
    """An entry of `ingest.sources`: the keys besides name and kind are the plug-in's."""
    if not isinstance(raw, dict):
        checked.faults.append(f"{place}: name, kind and the source's own keys are wanted, not {raw!r}")
        return None
    rest = {key: one for key, one in raw.items() if key not in ("name", "kind")}
    params = checked.plugin("sources", str(raw.get("kind")), rest, place)
    named = {key: one for key, one in raw.items() if key in ("name", "kind")}
    return checked.validate(Source, named | {"params": params}, place)


def shared(checked: Checked, path: str) -> Any:
    """The value of a shared path such as `model.task` or `architectures.${model.architecture}`."""
    model = checked.values.get("model")
    for key in Model.model_fields:
        path = path.replace(f"${{model.{key}}}", str(getattr(model, key, None)))
    section, _, rest = path.partition(".")
    value = checked.values.get(section)
    if not rest or value is None:
        return value
    return value.get(rest) if isinstance(value, dict) else getattr(value, rest)


def metadata(info: FieldInfo, kind: type[Any]) -> Any:
    """The marker of a type on a field, or None."""
    return next((one for one in info.metadata if isinstance(one, kind)), None)


def shared_fields(kind: type[Section]) -> dict[str, str]:
    """Field → path, for the fields that stand outside the stage's own section."""
    marks = {name: metadata(info, Shared) for name, info in kind.model_fields.items()}
    return {name: mark.path for name, mark in marks.items() if mark}


def chosen_faults(kind: type[Section], raw: dict[str, Any], place: str, checked: Checked) -> Iterator[str]:
    """Names of plug-ins that there are not, or whose own section is missing."""
    for name, info in kind.model_fields.items():
        mark, value = metadata(info, Plugin), raw.get(name)
        if mark is None or value is None or name in shared_fields(kind):
            continue
        for one in (value,) if isinstance(value, str) else value:
            if one not in plugins.names(mark.folder):
                close = ", ".join(plugins.nearest(str(one), plugins.names(mark.folder)))
                yield f"{place}.{name}: no {one!r} in stages/{mark.folder}; there is: {close}"
            elif one not in checked.values.get(mark.folder, {}):
                yield f"{mark.folder}.{one}: missing section, as {place}.{name} names it"


def combinations(values: dict[str, Any]) -> Iterator[str]:
    """What is right on its own and impossible together."""
    model: Model = values["model"]
    architecture = plugins.load("architectures", model.architecture)
    if model.task not in architecture.TASKS:
        pairs = [name for name in plugins.names("architectures") if model.task in plugins.load("architectures", name).TASKS]
        yield (
            f"model: architecture {model.architecture} can't do task {model.task}; "
            f"it can do {', '.join(architecture.TASKS)}; {model.task} goes with {', '.join(pairs) or 'none'}"
        )
    yield from architecture.faults(model, values["architectures"][model.architecture])


def settings(stage: str, path: Path = FILE) -> Any:
    """The parameters of one stage; all sections are checked, as a fault in a later one would waste hours."""
    checked = check(read(path))
    if checked.faults:
        raise Fault(told(checked.faults, path))
    return checked.values[stage]


def told(faults: list[str], path: Path) -> str:
    """All faults of a params file as one message."""
    return "\n".join([f"{path}: {len(faults)} to mend:", *(f"  {fault}" for fault in faults)])
