"""Maps a function over shards with whichever engine ENGINE names; the order, and so the bytes, are the shards' own."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from stages.core.faults import Fault
from stages.shell import plugins
from stages.shell.cache import cache_root
from stages.shell.progress import progress

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True)
class Engine:
    """What a stage is given to do its work with."""

    executor: Executor
    cache: Path

    def map(self, function: Callable[..., T], items: Sequence[S], *fixed: Any, what: str = "shards") -> list[T]:
        """`function(item, *fixed)` for each item, results in the order of the items."""
        results = self.executor.map(function, items, *map(repeat, fixed))
        return list(progress(results, what, len(items)))


def chosen() -> ModuleType:
    """The plug-in that the environment names; `process` where it names none."""
    name = os.environ.get("ENGINE", "process")
    try:
        return plugins.load("engines", name)
    except Fault as fault:
        raise Fault(f"environment: ENGINE={name}: {fault}") from None


@contextmanager
def engine() -> Generator[Engine]:
    """The engine, for the time of a stage."""
    with chosen().executor() as executor:
        yield Engine(executor, cache_root())
