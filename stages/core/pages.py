"""Web pages as documents: their main text, by a process that a page may bring down."""

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from multiprocessing.connection import Pipe
from threading import Lock
from typing import Literal

import pyarrow as pa

from stages.core.inputs import File, attributes_of
from stages.core.maintext import Page
from stages.core.records import Row

Extractor = Literal["trafilatura", "resiliparse"]

LARGEST = 2**23  # bytes of a page: Wikipedia's longest articles have a fifth of it
TOO_LARGE = f"more than {LARGEST:,} bytes"
SERVE = "from stages.core import maintext; maintext.serve()"


def extract(html: bytes, charset: str | None, url: str | None, extractor: Extractor, seconds: int) -> Page | str:
    """A page, or why there is none. `charset` and `url` are what its server said, if it did.

    The seconds are of computing, not of waiting, so that a busy machine loses no page that an idle one reads.
    """
    return TOO_LARGE if len(html) > LARGEST else running(extractor, seconds).ask(html, charset, url)


class Process:
    """The process that takes pages apart. One that ends it is none, and the next one gets another."""

    def __init__(self, extractor: Extractor, seconds: int) -> None:
        self.extractor, self.seconds = extractor, seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = Lock()  # an engine's workers may be threads

    def start(self) -> "subprocess.Popen[bytes]":
        # Not by multiprocessing, which imports the stage anew: that takes longer than all the rest.
        self.near, far = Pipe()
        command = [sys.executable, "-c", SERVE, self.extractor, f"{self.seconds}", f"{far.fileno()}"]
        path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[far.fileno()], env=path)
        far.close()
        return self.process

    def ask(self, html: bytes, charset: str | None, url: str | None) -> Page | str:
        with self.lock:
            process = self.process or self.start()
            try:
                self.near.send((html, charset, url))
                return self.near.recv()
            except (EOFError, ConnectionError):
                self.stop()
        if process.returncode >= 0:
            raise RuntimeError(f"the process for web pages ended by itself: {process.returncode}")
        if process.returncode == -signal.SIGPROF:
            return f"{self.extractor} takes more than {self.seconds} seconds for it"
        return f"{self.extractor} dies of it: {signal.Signals(-process.returncode).name}"

    def stop(self) -> None:
        """Ends the process: it does so itself where nobody can ask any more, so nobody needs to be told."""
        if self.process is not None:
            self.near.close()
            self.process.wait()
            self.process = None


@cache
def running(extractor: Extractor, seconds: int) -> Process:
    """One process for all pages that this one reads: to start it takes as long as ten pages do."""
    process = Process(extractor, seconds)
    atexit.register(process.stop)
    return process


def attributes(files: Sequence[File], *names: str) -> pa.DataType:
    """What pages declare, further names, and what files have in common."""
    return attributes_of(files, *names, *Page._fields[1:])


def row(page: Page, key: str, file: File, **known: str | None) -> Row:
    """A page as a document-to-be."""
    shared = file.constants
    about = {name: value for name, value in page._asdict().items() if name != "text"} | known | file.further
    return Row(key, page.text, shared.get("label"), shared.get("group"), about, split=shared.get("split"))
