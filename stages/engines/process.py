"""Shards over the cores of this machine, a process each."""

import os
from collections.abc import Generator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context


@contextmanager
def executor() -> Generator[Executor]:
    """The engine, for the time of a stage. Spawned, as forking a process that has threads can hang."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        yield pool
