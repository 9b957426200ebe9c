"""A data sheet for each source, after Datasheets for Datasets (Gebru et al., 2021): what came, and what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.core.files import read_json
from stages.core.funnel import Passage
from stages.core.records import Drop, read_table, reasons, shards


class Sheet(NamedTuple):
    """What ingest tells of a source, why rows of it are no documents, how many of these left at which step, and how
    many reach training."""

    told: Mapping[str, Any]
    rejects: Mapping[str, int]
    left: Mapping[str, int]
    trained: int

    @property
    def rows(self) -> int:
        """What was read of it."""
        told = self.told
        return told["documents"] + told["unwanted"] + told["over_quota"] + sum(self.rejects.values())

    def most(self, name: str) -> list[tuple[str, int]]:
        """Counts that ingest tells of, most first: JSON keeps no order."""
        return sorted(self.told[name].items(), key=lambda item: (-item[1], item[0]))

    @property
    def heard(self) -> int:
        """How many documents were asked for their language."""
        return sum(self.told["languages"].values())


def sheets(ingest: Path, ways: Sequence[Passage]) -> list[Sheet]:
    """The sheets of all sources, in order of arrival; `ways` are those of the funnel, ingest's first."""
    source = sources_of(ingest)
    rejects = dict[str, list[Drop]]()
    for one in read_json(ingest / "rejects.json"):
        rejects.setdefault(one["source"], []).append(Drop(one["place"], one["reason"]))
    left = {way.name: Counter(source.get(drop.id) for drop in way.gone) for way in ways[1:]}
    trained = Counter(source.get(one) for one in ways[-1].left)
    return [
        Sheet(
            told,
            reasons(rejects.get(told["name"], [])),
            {step: counts[told["name"]] for step, counts in left.items() if counts[told["name"]]},
            trained[told["name"]],
        )
        for told in read_json(ingest / "sources.json")
    ]


def sources_of(ingest: Path) -> dict[str, str]:
    """Document → source."""
    tables = [read_table(path, ["id", "source"]) for path in shards(ingest)]
    return {
        one: name
        for table in tables
        for one, name in zip(table.column("id").to_pylist(), table.column("source").to_pylist(), strict=True)
    }
