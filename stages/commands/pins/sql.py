"""Databases: the file of SQLite, or the rows that a server gives now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.commands._edit import Steps
from stages.commands.pins import files
from stages.sources.sql import SERVER, queried


def pinned(raw: Mapping[str, Any], cache: Path, named: bool) -> dict[Steps, Any]:
    """The sha256; a server is asked if it is wanted by name or has no pin."""
    match raw:
        case {"at": str(at), "query": str(query), "order": tuple(order)} if at.startswith(SERVER):
            wanted = named or not files.is_pin(raw.get("sha256"))
            return {("sha256",): queried(at, query, order, cache)} if wanted else {}
        case _:
            return files.pinned(raw, cache, named)
