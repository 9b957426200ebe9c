"""Texts of benchmarks: read as sources are, and no further than they can be."""

from pathlib import Path
from typing import Any

import pytest

from stages import benchmarks
from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.params import Source
from stages.core.records import read_table
from stages.engines.serial import Serial
from stages.shell.engine import Engine
from tests.sources import tables


def table(path: Path, *lines: str, **shared: Any) -> Source:
    """A CSV benchmark of a file with these lines."""
    return tables.source(path.stem, "csv", **tables.table(tables.file(path, "\n".join(lines) + "\n")), **shared)


def told(root: Path, *sources: Source) -> str:
    """The stage, and what it says."""
    e = Engine(Serial(), root / "cache")
    return benchmarks.stage(e, benchmarks.Params(sources=sources), root / "out")


def test_a_table_of_texts_is_written_for_each(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    of_lines: dict[str, Any] = {
        "files": [tables.file(lines, "one\ntwo\n")],
        "encoding": "utf-8",
        "unit": "line",
        "label": None,
    }
    exams = table(tmp_path / "exams.csv", "text", "first", "second", "third", quota=2)
    assert told(tmp_path, exams, tables.source("lines", "text", **of_lines)) == "4 texts of exams, lines"
    assert read_table(tmp_path / "out/exams.parquet").to_pydict() == {"text": ["first", "second"]}
    assert read_table(tmp_path / "out/lines.parquet").to_pydict() == {"text": ["one", "two"]}
    assert read_json(tmp_path / "out/benchmarks.json") == {"exams": 2, "lines": 2}


def test_without_any_there_is_nothing(tmp_path: Path) -> None:
    assert told(tmp_path) == "none declared"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["benchmarks.json"]


@pytest.mark.parametrize(
    ("lines", "rejects", "message"),
    [
        (("text", "a", "b,c"), 0.1, "1 texts came, 1 rows are rejected, `rejects` allows 10.0%"),
        (("text",), 1.0, "0 texts came, 0 rows are rejected, `rejects` allows 100.0%"),
    ],
    ids=["too many rejects", "nothing came"],
)
def test_a_benchmark_that_can_not_be_read(tmp_path: Path, lines: tuple[str, ...], rejects: float, message: str) -> None:
    with pytest.raises(Fault) as fault:
        told(tmp_path, table(tmp_path / "exams.csv", *lines, rejects=rejects))
    assert str(fault.value) == f"benchmarks.sources: exams: {message}; mend the source or its parameters"
