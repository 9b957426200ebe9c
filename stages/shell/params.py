"""params.yaml as typed values: every fault told at once, with its path and what was probably meant."""

import importlib
import typing
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from reprlib import repr as shortened
from types import ModuleType
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from stages.core.faults import Fault, did_you_mean
from stages.core.numeric import Compute
from stages.core.params import Model, Plugin, Section, Shared, Source
from stages.shell import plugins
from stages.shell.combinations import combination_faults

FILE = Path("params.yaml")
PINS = {"sha256", "version", "revision"}  # what `reprolm pin` writes
MOST = 100_000  # values in a file: a few lines of aliases can stand for billions
COMMON: dict[str, type[Section]] = {"model": Model, "compute": Compute}
# A source's parameters stand in its entry of ingest.sources; an engine has none, as it may not change a byte.
WITHOUT_SECTION = {"sources", "engines"}
S = TypeVar("S", bound=Section)


def stage_names() -> list[str]:
    """The stages, by their files."""
    return sorted(path.stem for path in plugins.STAGES.glob("*.py") if path.stem != "__init__")


def stage_module(name: str) -> ModuleType:
    """The module of a stage; all of them are cheap to import."""
    return importlib.import_module(f"stages.{name}")


def plugin_sections() -> list[str]:
    """The plug-in folders that may have a section."""
    return [folder for folder in plugins.folders() if folder not in WITHOUT_SECTION]


def read(path: Path = FILE) -> dict[str, Any]:
    """The tree of params.yaml, read with DVC's own reader (YAML 1.2: `1e-3` is a number); its lists as tuples."""
    from ruamel.yaml import YAML, YAMLError

    try:
        tree = YAML(typ="safe").load(path)
        odd = next(oddities(tree), None)
    except FileNotFoundError:
        raise Fault(f"{path}: not found; run in the folder of the project") from None
    except OSError as error:
        raise Fault(f"{path}: can't be read ({error.strerror}); a file that you may read is wanted") from None
    except YAMLError as error:
        raise Fault(f"{path}: not YAML: {located(error)}") from None
    except RecursionError:
        raise Fault(f"{path}: values within values too deep, or without end; write it flatter") from None
    except (ValueError, KeyError) as error:  # of ruamel: a date, a number or a tag with something else behind it
        raise Fault(f"{path}: a value is not what it looks like ({error}); put it in quotes if it is a text") from None
    if odd:
        raise Fault(f"{path}: {odd}")
    if not isinstance(tree, dict):
        raise Fault(f"{path}: has no sections; `git checkout {path}` brings the committed ones back")
    return frozen(tree)


def oddities(tree: Any) -> Iterator[str]:
    """What YAML can say and no parameter can be."""
    for number, value in enumerate(values(tree)):
        if number == MOST:
            yield f"more than {MOST:,} values, those counted that aliases repeat; write fewer"
            return
        if isinstance(value, int) and abs(value) >= 2**63:
            yield f"{shortened(value)} is too large; a number of 64 bits is wanted"
        if isinstance(value, dict):
            yield from (f"the key {key!r} is no text; put it in quotes" for key in value if not isinstance(key, str))


def values(tree: Any) -> Iterator[Any]:
    """All values of a tree, each as often as aliases repeat it."""
    yield tree
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for value in inner:
        yield from values(value)


def located(error: Exception) -> str:
    """What the parser says, and where; without the advice of some parsers how not to be told."""
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: {getattr(error, 'problem', '')}" if mark else str(error).partition("\n")[0]


def frozen(value: Any) -> Any:
    """Lists as tuples, all the way down: what was read can't be changed."""
    if isinstance(value, dict):
        return {key: frozen(one) for key, one in value.items()}
    return tuple(frozen(one) for one in value) if isinstance(value, list) else value


@dataclass
class Checked:
    """What a params tree means, section by section, and all that is wrong with it."""

    tree: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: list[str] = field(default_factory=list[str])

    def section(self, name: str) -> Any:
        """The value of a section, made when it is first asked for: typed parameters, or plug-in → typed parameters;
        None where it is wrong."""
        if name not in self.values:
            self.values[name] = None
            self.values[name] = self.made(name)
        return self.values[name]

    def made(self, name: str) -> Any:
        """See `section`."""
        if name in plugin_sections():
            return self.of_plugins(name, self.tree.get(name, {}))
        if name not in self.tree:
            self.faults.append(f"{name}: missing section")
            return None
        return self.of_section(name, self.tree[name])

    def of_section(self, stage: str, raw: Any) -> Section | None:
        """A section that is no plug-ins': typed from its own keys, and from what a stage shares with others."""
        kind = kind_of(stage)
        elsewhere = shared_fields(kind)
        if isinstance(raw, dict):
            self.faults += [
                f"{stage}.{name}: unknown here; it is {elsewhere[name]}" for name in raw if name in elsewhere
            ]
            raw = raw | {name: self.shared(path) for name, path in elsewhere.items()}
            if isinstance(entries := raw.get("sources"), tuple):
                raw["sources"] = tuple(self.source(one, f"{stage}.sources[{n}]") for n, one in enumerate(entries))
        return self.typed(kind, raw, stage)

    def of_plugins(self, folder: str, raw: Any) -> dict[str, Section | None]:
        """The parameters of a folder's plug-ins by name: of those that have a section, and of the chosen ones that need
        none. The others are not imported: what nobody chose may be broken."""
        if not isinstance(raw, dict):
            self.faults.append(f"{folder}: names with their parameters are wanted, not {shortened(raw)}")
            return dict.fromkeys(plugins.names(folder))
        chosen = {
            name
            for section in (*COMMON, *stage_names())
            for _, of, name in named(kind_of(section), self.tree.get(section))
            if of == folder and name in plugins.names(folder) and name not in raw
        }
        bare = {name: Section() for name in sorted(chosen) if not plugin_params(folder, name).model_fields}
        return bare | {name: self.plugin(folder, name, one, f"{folder}.{name}") for name, one in raw.items()}

    def plugin(self, folder: str, name: str, raw: Any, place: str) -> Section | None:
        """The typed parameters of a plug-in."""
        try:
            kind = plugin_params(folder, name)
        except Fault as fault:
            self.faults.append(f"{place}: {fault}")
            return None
        return self.typed(kind, raw, place)

    def source(self, raw: Any, place: str) -> Any:
        """An entry of `ingest.sources`: the keys that not all of them have are the plug-in's."""
        if not isinstance(raw, dict):
            return raw
        named = {key: one for key, one in raw.items() if key in Source.model_fields}
        kind, rest = raw.get("kind"), {key: one for key, one in raw.items() if key not in named}
        if not isinstance(kind, str):
            return named | {"params": None}
        return named | {"params": self.plugin("sources", kind, rest, place)}

    def shared(self, path: str) -> Any:
        """The value of a shared path such as `model.task` or `architectures.${model.architecture}`."""
        model = self.section("model")
        for key in Model.model_fields:
            path = path.replace(f"${{model.{key}}}", str(getattr(model, key, None)))
        section, _, key = path.partition(".")
        value = self.section(section)
        if not key or value is None:
            return value
        return value.get(key) if isinstance(value, dict) else getattr(value, key)

    def typed(self, kind: type[S], raw: Any, place: str) -> S | None:
        """`raw` as a `kind`; what is wrong with it goes to the faults, less what is shared and told elsewhere."""
        elsewhere, before = shared_fields(kind), len(self.faults)
        try:
            value = kind.model_validate(raw)
        except ValidationError as error:
            self.faults += [explained(place, one, kind) for one in error.errors() if not echo(one, elsewhere)]
            value = None
        self.faults += self.chosen_faults(kind, raw, place)
        return value if len(self.faults) == before else None

    def chosen_faults(self, kind: type[Section], raw: Any, place: str) -> Iterator[str]:
        """Names of plug-ins that there are not, or whose own section is missing."""
        for key, folder, name in named(kind, raw):
            if name not in plugins.names(folder):
                yield f"{place}.{key}: {plugins.unknown(folder, name)}"
            elif name not in self.section(folder):
                yield f"{folder}.{name}: missing section, as {place}.{key} names it"


def kind_of(section: str) -> type[Section]:
    """The type of a section that several stages share, or of a stage's."""
    return COMMON.get(section) or stage_module(section).Params


def plugin_params(folder: str, name: str) -> type[Section]:
    """The `Params` of a plug-in; one without any has no choices."""
    return getattr(plugins.load(folder, name), "Params", Section)


def echo(error: Any, elsewhere: Collection[str]) -> bool:
    """Whether an error is told elsewhere: in a shared section; or it is of a list that is too short without its faulty
    entries, as pydantic counts."""
    too_short = error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]
    return too_short or bool(error["loc"] and error["loc"][0] in elsewhere)


def explained(place: str, error: Any, kind: type[Section]) -> str:
    """One pydantic error as a sentence: path, value, and the nearest known key for one that is not known."""
    *outer, last = error["loc"] or ("",)
    steps = (step for step in error["loc"] if step != "[key]")  # what pydantic adds where the key itself is wrong
    path = place + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    given = error["input"]
    match error["type"]:
        case "missing":
            told = "missing"
        case "extra_forbidden":
            told = f"unknown{did_you_mean(str(last), owner(kind, outer).model_fields)}"
        case "value_error":
            told = str(error["ctx"]["error"])
        case "model_type":
            told = f"keys with values are wanted, not {shortened(given)}"
        case "too_short":
            told = f"at least {error['ctx']['min_length']} wanted, not {shortened(given)}"
        case "string_type" if given is None and (last in PINS or (place, *outer) == ("weights", "files")):
            told = "not pinned yet; `reprolm pin` fetches it, shows what came and writes it here"
        case "string_type" if isinstance(given, int | float | date):
            told = f"YAML reads {given} as a {type(given).__name__}; put it in quotes"
        case _:
            told = f"{error['msg'][0].lower()}{error['msg'][1:]}, not {shortened(given)}"
    return f"{path}: {told}"


def owner(kind: Any, location: Iterable[int | str]) -> type[Section]:
    """The section class in which a location inside `kind` stands."""
    for step in location:
        if isinstance(step, str) and step in getattr(kind, "model_fields", {}):
            kind = kind.model_fields[step].annotation
        kind = next((one for one in (kind, *typing.get_args(kind)) if is_section(one)), kind)
    return kind if is_section(kind) else Section


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def named(kind: type[Section], raw: Any) -> Iterator[tuple[str, str, str]]:
    """Key, folder and name of each plug-in that a section names; whether a value is of the right type is told
    elsewhere."""
    for key, info in kind.model_fields.items():
        mark = metadata(info, Plugin)
        if mark and not metadata(info, Shared) and isinstance(raw, dict):
            names = value if isinstance(value := raw.get(key), tuple) else (value,)
            yield from ((key, mark.folder, name) for name in names if isinstance(name, str))


def metadata(info: FieldInfo, kind: type[Any]) -> Any:
    """The marker of a type on a field, or None."""
    return next((one for one in info.metadata if isinstance(one, kind)), None)


def shared_fields(kind: type[Section]) -> dict[str, str]:
    """Field → path, for the fields that stand outside the stage's own section."""
    marks = {name: metadata(info, Shared) for name, info in kind.model_fields.items()}
    return {name: mark.path for name, mark in marks.items() if mark}


def check(tree: dict[str, Any]) -> Checked:
    """All sections, all plug-ins and their combinations; no data is needed."""
    checked = Checked(tree)
    known = [*COMMON, *stage_names(), *plugin_sections()]
    for name in [*tree, *(name for name in known if name not in tree)]:
        if name in known:
            checked.section(name)
        else:
            checked.faults.append(f"{name}: unknown section{did_you_mean(name, known)}")
    checked.faults += combination_faults(checked.values)
    return checked


def settings(stage: str, path: Path = FILE) -> Any:
    """The parameters of one stage; all sections are checked, as a fault in a later one would waste hours."""
    checked = check(read(path))
    if checked.faults:
        raise Fault(told(checked.faults, path))
    return checked.values[stage]


def told(faults: list[str], path: Path) -> str:
    """All faults of a params file as one message."""
    return "\n".join([f"{path}: {len(faults)} to mend:", *(f"  {fault}" for fault in faults)])
