"""What the machine refuses is no damage to a file: it stops a source, and no reject tells of it."""

from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest

from stages.core import columnar, delimited, documents
from stages.core.inputs import File
from stages.core.streams import Stretch
from stages.sources import json, squad
from tests.sources.tables import DIALECT

FILE = File(at="f", sha256="0" * 64, members=None, constants={})


def passages(stream: Any) -> Any:
    """A document whose pages are read one by one."""
    yield documents.Passage(1, "Text.", {})
    documents.content(stream)


READERS: dict[str, Callable[[Any], Any]] = {
    "csv": lambda stream: list(delimited.records(stream, delimited.Dialect(**DIALECT), "f", 1)),
    "documents": lambda stream: list(documents.rows(FILE, "f", passages(stream), "page", whole=False)),
    "json": json.document,
    "parquet": columnar.whole,
    "squad": lambda stream: squad.loaded(stream, "f"),
}


@pytest.mark.parametrize("kind", READERS)
def test_it_stops_the_source(kind: str):
    with Path("/proc/self/mem").open("rb") as file, pytest.raises(OSError, match="Input/output error"):
        READERS[kind](BufferedReader(Stretch(file, 100)))
