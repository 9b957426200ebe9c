"""What became of the documents, stage by stage: how many came, how many went on, and why the rest did not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.core.files import read_json
from stages.core.records import Drop, read_drops, read_table, reasons, shards, side_rows

# What ingest counts without a name, and how it is said.
UNREAD = {"unwanted": "left out by a source's parameters", "over_quota": "over a source's quota"}


@dataclass(frozen=True)
class Step:
    """One station of the way to the training set. `gone` and `added` count documents by reason."""

    name: str
    came: int
    left: int
    gone: Mapping[str, int] = field(default_factory=dict[str, int])
    added: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Passage:
    """The same by name: the documents that came to a stage, those that left it for the next, those that are gone.
    `unread` counts, by reason, rows that got no name, as they are wanted by nobody."""

    name: str
    came: Sequence[str]
    left: Sequence[str]
    gone: Sequence[Drop] = ()
    added: Sequence[str] = ()
    unread: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def step(self) -> Step:
        """The counts."""
        added = {"made from these": len(self.added)} if self.added else {}
        came = len(self.came) + sum(self.unread.values())
        return Step(self.name, came, len(self.left), {**self.unread, **reasons(self.gone)}, added)

    def checked(self) -> "Passage":
        """The passage, if every document is in exactly one of `left` and `gone`: nothing disappears in silence."""
        came, left, gone = {*self.came, *self.added}, set(self.left), {drop.id for drop in self.gone}
        astray = sorted((came ^ (left | gone)) | (left & gone))
        if astray or len(self.came) + len(self.added) != len(self.left) + len(self.gone):
            told = f", e.g. {astray[0]}" if astray else ""
            raise RuntimeError(f"{self.name}: {len(astray)} documents not in exactly one of kept and dropped{told}")
        return self


@dataclass(frozen=True)
class Funnel:
    """All steps, in order; and the documents of each side of the split."""

    steps: tuple[Step, ...]
    sides: Mapping[str, Mapping[str, int]]


def ids_of(folder: Path) -> list[str]:
    """The documents of all shards."""
    return [one for path in shards(folder) for one in read_table(path, ["id"]).column("id").to_pylist()]


def ingested(folder: Path) -> Passage:
    """What the sources gave, and what could not be read."""
    rejects = [Drop(one["place"], one["reason"]) for one in read_json(folder / "rejects.json")]
    documents = ids_of(folder)
    sources = read_json(folder / "sources.json")
    counts = {said: sum(one[name] for one in sources) for name, said in UNREAD.items()}
    unread = {said: number for said, number in counts.items() if number}
    return Passage("ingest", [*(reject.id for reject in rejects), *documents], documents, rejects, unread=unread)


def sifted(name: str, came: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Passage:
    """A stage that wrote a row for every document that came, with a reason where it leaves."""
    verdicts = list(rows)
    drops = [Drop(row["id"], row["reason"]) for row in verdicts if row["reason"] is not None]
    return Passage(name, came, [row["id"] for row in verdicts if row["reason"] is None], drops)


def cleaned(came: Sequence[str], folder: Path) -> Passage:
    """The stage that writes documents and drops apart."""
    drops = [drop for path in shards(folder / "drops") for drop in read_drops(path)]
    return Passage("clean", came, ids_of(folder), drops)


def budgeted(came: Sequence[str], split: Iterable[Mapping[str, Any]], labels: Mapping[str, str | None]) -> Passage:
    """From all that have a side to the labelled training documents within the label budget."""
    sided = [row for row in split if row["side"] is not None]
    drops = [Drop(row["id"], fate(row["side"], labels[row["id"]])) for row in sided if not row["used"]]
    return Passage("budget", came, [row["id"] for row in sided if row["used"]], drops)


def fate(side: str, label: str | None) -> str:
    """Why a document of the split is not trained on."""
    if side != "train":
        return f"held out for {side}"
    return "without a label" if label is None else "in reserve, beyond the label budget"


def augmented(came: Sequence[str], folder: Path) -> Passage:
    """The stage that adds documents."""
    children = ids_of(folder)
    return Passage("augment", came, [*came, *children], added=children)


def sides_of(split: Iterable[Mapping[str, Any]], labels: Mapping[str, str | None]) -> dict[str, dict[str, int]]:
    """Documents and labelled documents of each side."""
    counts = {side: {"documents": 0, "labelled": 0} for side in ("train", "validation", "test")}
    for row in split:
        if row["side"] is not None:
            counts[row["side"]]["documents"] += 1
            counts[row["side"]]["labelled"] += labels[row["id"]] is not None
    return counts


def labels_of(clean: Path) -> dict[str, str | None]:
    """Document → label."""
    return {row["id"]: row["label"] for row in side_rows(clean, ["id", "label"])}


def passages(
    ingest: Path, dedup: Path, clean: Path, filtered: Path, split: Path, augment: Path, balance: Path
) -> Iterator[Passage]:
    """The way from source to training set, read from what the stages wrote; of each stage only when it is asked for."""
    yield (now := ingested(ingest).checked())
    yield (now := sifted("dedup", now.left, side_rows(dedup, ["id", "reason"])).checked())
    yield (now := cleaned(now.left, clean).checked())
    yield (now := sifted("filter", now.left, side_rows(filtered, ["id", "reason"])).checked())
    yield (now := sifted("split", now.left, side_rows(split, ["id", "reason"])).checked())
    yield (now := budgeted(now.left, side_rows(split, ["id", "side", "used"]), labels_of(clean)).checked())
    yield (now := augmented(now.left, augment).checked())
    yield sifted("balance", now.left, side_rows(balance, ["id", "reason"])).checked()


def count(ways: Sequence[Passage], clean: Path, split: Path) -> Funnel:
    """The funnel from source to training set."""
    return Funnel(tuple(one.step for one in ways), sides_of(side_rows(split, ["id", "side"]), labels_of(clean)))
