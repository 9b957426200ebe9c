"""What became of the documents, stage by stage: how many came, how many went on, and why the rest did not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.core.files import read_json
from stages.core.records import Drop, reasons, side_rows


@dataclass(frozen=True)
class Step:
    """One station of the way to the training set. `gone` and `added` count documents by reason."""

    name: str
    came: int
    left: int
    gone: Mapping[str, int] = field(default_factory=dict[str, int])
    added: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def balance(self) -> int:
        """Documents nobody accounts for; 0 unless there is a bug."""
        return self.came + sum(self.added.values()) - sum(self.gone.values()) - self.left


@dataclass(frozen=True)
class Funnel:
    """All steps, in order; and the documents of each side of the split."""

    steps: tuple[Step, ...]
    sides: Mapping[str, Mapping[str, int]]

    def checked(self) -> "Funnel":
        """The funnel, if every document is accounted for: nothing disappears in silence."""
        for step in self.steps:
            if step.balance:
                raise RuntimeError(f"{step.name}: {step.balance} documents without a reason: {step}")
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if before.left != after.came:
                raise RuntimeError(f"{before.name} gave {before.left} documents, {after.name} got {after.came}")
        return self


def rows_of(folder: Path) -> int:
    """Rows in all shards."""
    return sum(1 for _ in side_rows(folder, ["id"]))


def sifted(name: str, rows: Iterable[Mapping[str, Any]]) -> Step:
    """A stage that wrote a row for every document that came, with a reason where it leaves."""
    verdicts = list(rows)
    drops = [Drop(row["id"], row["reason"]) for row in verdicts if row["reason"] is not None]
    return Step(name, len(verdicts), len(verdicts) - len(drops), reasons(drops))


def ingested(folder: Path) -> Step:
    """What the sources gave, and what could not be read."""
    rejects = [Drop(one["place"], one["reason"]) for one in read_json(folder / "rejects.json")]
    documents = rows_of(folder)
    return Step("ingest", documents + len(rejects), documents, reasons(rejects))


def cleaned(folder: Path) -> Step:
    """The stage that writes documents and drops apart."""
    documents, gone = rows_of(folder), sifted("clean", side_rows(folder / "drops", ["id", "reason"]))
    return Step("clean", documents + gone.came, documents, gone.gone)


def budgeted(split: Sequence[Mapping[str, Any]], labels: Mapping[str, str | None]) -> Step:
    """From all that have a side to the labelled training documents within the label budget."""
    sided = [row for row in split if row["side"] is not None]
    fates = Counter(fate(row["side"], labels[row["id"]]) for row in sided if not row["used"])
    return Step("budget", len(sided), len(sided) - fates.total(), dict(fates.most_common()))


def fate(side: str, label: str | None) -> str:
    """Why a document of the split is not trained on."""
    if side != "train":
        return f"held out for {side}"
    return "without a label" if label is None else "in reserve, beyond the label budget"


def balanced(came: int, picks: Iterable[int]) -> Step:
    """Documents that training sees at least once; how often is no matter of the funnel."""
    left = sum(one > 0 for one in picks)
    return Step("balance", came, left, {"not picked": came - left} if came > left else {})


def sides_of(split: Iterable[Mapping[str, Any]], labels: Mapping[str, str | None]) -> dict[str, dict[str, int]]:
    """Documents and labelled documents of each side."""
    counts = {side: {"documents": 0, "labelled": 0} for side in ("train", "validation", "test")}
    for row in split:
        if row["side"] is not None:
            counts[row["side"]]["documents"] += 1
            counts[row["side"]]["labelled"] += labels[row["id"]] is not None
    return counts


def count(ingest: Path, dedup: Path, clean: Path, filtered: Path, split: Path, augment: Path, balance: Path) -> Funnel:
    """The funnel from source to training set, read from what the stages wrote."""
    labels: dict[str, str | None] = {row["id"]: row["label"] for row in side_rows(clean, ["id", "label"])}
    sided = list(side_rows(split, ["id", "side", "used", "reason"]))
    budget, children = budgeted(sided, labels), rows_of(augment)
    steps = (
        ingested(ingest),
        sifted("dedup", side_rows(dedup, ["id", "reason"])),
        cleaned(clean),
        sifted("filter", side_rows(filtered, ["id", "reason"])),
        sifted("split", sided),
        budget,
        Step("augment", budget.left, budget.left + children, added={"made from these": children} if children else {}),
        balanced(budget.left + children, (row["picks"] for row in side_rows(balance, ["picks"]))),
    )
    return Funnel(steps, sides_of(sided, labels)).checked()
