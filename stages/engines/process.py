"""Shards over the cores of this machine, a process each."""

import os
from collections.abc import Generator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread


@contextmanager
def executor() -> Generator[Executor]:
    """The engine, for the time of a stage. Spawned, as forking a process that has threads can hang."""
    processes = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=leave_with_parent) as pool:
        yield pool


def leave_with_parent() -> None:
    """Ends this process when the stage's is killed: nobody would ever tell it to."""
    parent = parent_process()
    if parent is not None:
        Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
