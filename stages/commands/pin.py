"""Pin what comes from outside: fetch it, show what came, write its sha256 into params.yaml; `pin scrape` crawls."""

import argparse
import importlib
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from stages.commands._edit import Steps, at, dotted, edited, load
from stages.commands.pins.files import listed
from stages.core.faults import Fault, did_you_mean
from stages.core.files import read_json, writing
from stages.core.params import Source
from stages.core.records import Chunk, reasons
from stages.ingest import CAPTURES, Counted, pinned
from stages.shell import plugins
from stages.shell.cache import cache_root
from stages.shell.params import FILE, Checked, frozen, read, told

HOW = Path(__file__).parent / "pins"  # how a kind is pinned; `files` where there is no file of its own
SCRAPE, BEFORE = Path("data/scrape"), Path("data/ingest/sources.json")
# Rows that are looked at, of which are shown, characters of each; labels that are named.
ROWS, SHOWN, WIDTH, LABELS = 100_000, 3, 100, 20


@dataclass(frozen=True)
class Entry:
    """What has pins: its name, where it stands in params.yaml, what stands there, and how it is pinned."""

    name: str
    place: Steps
    raw: Any
    how: ModuleType


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to pin, and whether to write."""
    parser.add_argument(
        "names",
        metavar="SOURCE",
        nargs="*",
        help="a source, `weights`, or `scrape` and names of crawls: fetched anew, pinned as it is now; without names: "
        "what has no pin, and files here that are no longer as pinned",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what came and write nothing")


def main(options: argparse.Namespace) -> int:
    """Pins one entry after the other; one that can't be had keeps no other from being pinned."""
    if options.names[:1] == ["scrape"]:
        return crawl(options.names[1:], dry=options.dry_run)
    entries = chosen(read(FILE), options.names)
    faults: list[str] = []
    done = 0
    for entry in entries:
        try:
            done += pin(entry, named=bool(options.names), dry=options.dry_run)
        except Fault as fault:
            faults.append(f"{entry.name}: {fault}")
    if faults:
        raise Fault("\n".join(faults))
    if not done:
        print(f"{FILE}: nothing to do; pinned are {', '.join(one.name for one in entries)}")
    return 0


def crawl(names: Sequence[str], *, dry: bool) -> int:
    """Crawls again what is named, or what has no capture."""
    if dry:
        raise Fault("scrape: a crawl can't be tried without being kept; leave --dry-run away")
    from stages.commands import _crawl

    return _crawl.pin(names, FILE)


def chosen(tree: Mapping[str, Any], names: Sequence[str]) -> list[Entry]:
    """The entries of these names, or all of them."""
    found = list(entries(tree))
    known = list(dict.fromkeys(entry.name for entry in found))
    for name in names:
        if name not in known:
            there = ", ".join(known) or "nothing"
            raise Fault(f"{FILE}: nothing called {name!r} has pins; there is: {there}{did_you_mean(name, known)}")
    return [entry for entry in found if not names or entry.name in names]


def entries(tree: Mapping[str, Any]) -> Iterator[Entry]:
    """The sources and benchmarks, and the weights where they are pinned. Whether the rest of the file is right is told
    elsewhere."""
    for place in (("ingest", "sources"), ("benchmarks", "sources")):
        for n, raw in enumerate(listed(at(tree, place))):
            match raw:
                case {"name": str(name), "kind": str(kind)}:
                    yield Entry(name, (*place, n), raw, how(kind))
                case _:
                    pass
    if at(tree, ("model", "weights")) == "pinned" and isinstance(weights := tree.get("weights"), dict):
        yield Entry("weights", ("weights",), weights, how("weights"))


def how(kind: str) -> ModuleType:
    """The module that pins what is of a kind."""
    own = kind if kind.isidentifier() and (HOW / f"{kind}.py").exists() else "files"
    return importlib.import_module(f"stages.commands.pins.{own}")


def pin(entry: Entry, *, named: bool, dry: bool) -> bool:
    """Pins an entry, and says what came. Gives whether there was something to do."""
    text = FILE.read_bytes()
    found: dict[Steps, Any] = entry.how.pinned(entry.raw, cache_root(), named)
    changes = {(*entry.place, *steps): value for steps, value in found.items() if at(entry.raw, steps) != frozen(value)}
    if not changes and not named:
        return False
    print(f"{entry.name}:" + (" as pinned" if not changes else ""))
    for steps, value in changes.items():
        old = at(entry.raw, steps[len(entry.place) :])
        print(f"  {dotted(steps[len(entry.place) :])}: {short(old)} → {short(value)}")
    after = edited(text.decode(), changes)
    if changes and not dry:
        write(text, after)
        print(f"  written to {FILE}", flush=True)
    for line in seen(entry, after):
        print(f"  {line}", flush=True)
    return True


def write(before: bytes, after: str) -> None:
    """Writes params.yaml, unless somebody else has meanwhile."""
    if FILE.read_bytes() != before:
        raise Fault(f"{FILE}: it was edited while this was fetched; run `reprolm pin` again")
    with writing(FILE) as beside:
        beside.write_bytes(after.encode())
        beside.chmod(FILE.stat().st_mode)


def short(value: Any) -> str:
    """A value as a line shows it: of a hash, its beginning."""
    if value is None or isinstance(value, tuple):
        return "none"
    if isinstance(value, list | dict):
        return f"{len(value)} entries"
    return f"{value[:12]}…" if isinstance(value, str) and len(value) >= 40 else f"{value}"


def seen(entry: Entry, text: str) -> Iterator[str]:
    """What an entry brings as it is pinned in the text."""
    if entry.place[0] == "weights":
        return
    source = typed(entry, text)
    module = plugins.load("sources", source.kind)
    paths = tuple(one.fetch(cache_root()) for one in module.needs(source.params))
    yield f"{sum(map(size, paths)):,} bytes, licence {source.licence or 'unknown'}"
    look = Look(Counted(module.attributes(source.params), source.name))
    parts = module.parts(source.params, paths)
    with closing(item for part in parts for item in module.read(source.params, part, paths)) as items:
        look.at(items)
    yield from look.told(built(entry.name))


def typed(entry: Entry, text: str) -> Source:
    """The source as ingest would take it."""
    place = dotted(entry.place)
    checked = Checked(frozen(load(text)))
    source = checked.typed(Source, checked.source(at(checked.tree, entry.place), place), place)
    if source is None or checked.faults:
        raise Fault(f"it can't be read yet; {told(checked.faults, FILE)}")
    return pinned(source, SCRAPE) if (SCRAPE / CAPTURES).exists() else source


def size(path: Path) -> int:
    """Bytes of a file, or of all that is in a folder; a tar archive is an index beside its members."""
    folder = path if path.is_dir() else path.parent if path.parent.parent.name == "unpacked" else None
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file()) if folder else path.stat().st_size


def built(name: str) -> int | None:
    """How many documents the last build had from a source."""
    known = read_json(BEFORE) if BEFORE.exists() else []
    return next((one["documents"] for one in known if one["name"] == name), None)


@dataclass
class Look:
    """What the first rows of a source are like."""

    counted: Counted
    rows: int = 0
    whole: bool = True
    labels: "Counter[str]" = field(default_factory=Counter[str])
    first: list[str] = field(default_factory=list[str])

    def at(self, items: "Generator[Any]") -> None:
        """Reads until it is enough."""
        for chunk in self.counted.chunks(items):
            self.rows += len(chunk.rows)
            self.labels.update(label for label in column(chunk, "label") if label)
            self.labels.update(label for labels in column(chunk, "labels") for label in labels or ())
            self.first += [line(text) for text in column(chunk, "text", SHOWN - len(self.first))]
            if self.rows >= ROWS:
                self.whole = False
                return

    def told(self, before: int | None) -> Iterator[str]:
        """Rows, rejects by reason, labels, and some of the rows."""
        of = "" if self.whole else "looked at the first ones alone: "
        yield f"{of}{self.rows:,} rows" + ("" if before is None else f", {before:,} documents in the last build")
        if self.counted.unwanted:
            yield f"{self.counted.unwanted:,} unwanted"
        for reason, count in reasons(self.counted.rejects).items():
            yield f"{count:,} rejected: {reason}"
        if self.labels:
            yield "labels " + ", ".join(f"{line(label)} {count:,}" for label, count in self.labels.most_common(LABELS))
        yield from (f"> {one}" for one in self.first)


def column(chunk: Chunk, name: str, most: int | None = None) -> list[Any]:
    """A column of a chunk, empty where it has none of the name."""
    table: pa.Table = chunk.rows
    return table.column(name).slice(0, most).to_pylist() if name in table.column_names else []


def line(text: str) -> str:
    """A text on one line, without what would move a terminal."""
    plain = "".join(one if one.isprintable() else " " for one in text[: 4 * WIDTH])
    cut = " ".join(plain.split())
    return cut if len(cut) <= WIDTH else f"{cut[: WIDTH - 1]}…"
