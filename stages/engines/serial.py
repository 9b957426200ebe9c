"""One shard after the other, in this process: the reference that every other engine must equal."""

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any


class Serial(Executor):
    """An executor that runs what it is given at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def executor() -> Generator[Executor]:
    """The engine, for the time of a stage."""
    yield Serial()
