"""How well and how fast web pages become text: `python benchmarks/extraction.py test-pages.tar.gz`.

The pages are those of mozilla/readability (ab4027a, `git archive` of test/test-pages): 130 with the main text that the
reader's mode of a browser shows. Quality is how many words of that text, and how few others, an extractor finds. Speed
is that of stage ingest with the source `html` in two processes, start-up and all, and that of trafilatura, in turns.
Where other programs want the same cores, only the seconds of computing can be compared: half of ours beside theirs.
"""

import argparse
import re
import resource
import statistics
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from html.parser import HTMLParser
from os import sched_getaffinity, sched_setaffinity
from pathlib import Path
from typing import NamedTuple

from budget import ROOT

sys.path.insert(0, str(ROOT))

from stages import ingest
from stages.core import pages
from stages.core.inputs import File, folder_sha256
from stages.core.maintext import Page
from stages.core.params import Source
from stages.core.records import read_documents, shards
from stages.shell.engine import Engine, engine
from stages.sources import html

COPIES = 16  # of each page, so that starting up counts for little
ROUNDS = 3
PROCESSES = 2
SECONDS = 60


class Words(HTMLParser):
    """The words of a page, markup aside."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_data(self, data: str) -> None:
        self.found += re.findall(r"\w+", data)


def f1(found: list[str], wanted: list[str]) -> float:
    """The harmonic mean of the shares of words that are wanted and found."""
    common = (Counter(found) & Counter(wanted)).total()
    return 2 * common / (len(found) + len(wanted)) if common else 0.0


def quality(folder: Path) -> None:
    """Prints a row an extractor: the mean over all pages."""
    sources = sorted(folder.rglob("source.html"))
    wanted = [Words(path.with_name("expected.html").read_text("utf-8")).found for path in sources]
    print("| extractor | F1 of words | pages without text |\n|---|---|---|")
    for extractor in ("trafilatura", "resiliparse"):
        found = [pages.extract(path.read_bytes(), None, None, extractor, SECONDS) for path in sources]
        texts = [page.text if isinstance(page, Page) else "" for page in found]
        score = statistics.mean(f1(re.findall(r"\w+", one), two) for one, two in zip(texts, wanted, strict=True))
        print(f"| {extractor} | {score:.3f} | {texts.count('')} of {len(texts)} |", flush=True)
        pages.running(extractor, SECONDS).stop()


def ours(folder: Path, scratch: Path) -> dict[str, str]:
    """The text of each page by stage ingest, which knows nothing of them yet."""
    file = File(at=str(folder), sha256=folder_sha256(folder), members="*source.html", constants={})
    p = html.Params(files=(file,), extractor="trafilatura", seconds=SECONDS)
    source = Source(name="pages", kind="html", licence=None, quota=None, rejects=1.0, params=p)
    with engine() as e:
        fresh = Engine(e.executor, scratch / "cache")
        ingest.stage(fresh, ingest.Params(sources=(source,), shard_documents=1000), scratch / "scrape", scratch / "out")
    documents = [one for path in shards(scratch / "out") for one in read_documents(path)]
    return {one.attributes["path"]: one.text for one in documents}


def theirs(folder: Path) -> dict[str, str]:
    """The same by trafilatura in this process."""
    from trafilatura import extract

    found = {path: extract(path.read_bytes(), include_comments=False) for path in folder.rglob("source.html")}
    return {path.relative_to(folder).as_posix(): text for path, text in found.items() if text}


class Took(NamedTuple):
    """Seconds by the clock, and of computing, by all processes together."""

    clock: float
    computing: float


def now() -> Took:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Took(time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used))


def timed(run: Callable[[Path], dict[str, str]], folder: Path) -> tuple[Took, dict[str, str]]:
    began = now()
    result = run(folder)
    return Took(*(after - before for before, after in zip(began, now(), strict=True))), result


def speed(folder: Path) -> None:
    """Prints the medians of both, which take turns, and how many texts are the same."""
    sched_setaffinity(0, sorted(sched_getaffinity(0))[:PROCESSES])
    theirs(next(folder.iterdir()))  # imports, and fills its caches
    runs = dict[str, list[Took]](ours=[], theirs=[])
    texts = dict[str, dict[str, str]]()
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as scratch:
            for name, run in {"ours": partial(ours, scratch=Path(scratch)), "theirs": theirs}.items():
                took, texts[name] = timed(run, folder)
                runs[name].append(took)
    medians = {name: Took(*map(statistics.median, zip(*all_, strict=True))) for name, all_ in runs.items()}
    print("\n| | seconds | of computing | pages a second |\n|---|---|---|---|")
    for name, what in {"ours": f"html, {PROCESSES} processes", "theirs": "trafilatura"}.items():
        clock, computing = medians[name]
        print(f"| {what} | {clock:.1f} | {computing:.1f} | {len(texts[name]) / clock:.1f} |")
    same = sum(texts["ours"].get(path) == text.strip() for path, text in texts["theirs"].items())
    clock, computing = (theirs / ours for theirs, ours in zip(medians["theirs"], medians["ours"], strict=True))
    print(f"\n{clock:.2f} times as fast, {PROCESSES * computing:.2f} by the seconds of computing; ", end="")
    print(f"{same} of {len(texts['theirs'])} texts are the same")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    with tempfile.TemporaryDirectory() as folder:
        for copy in range(COPIES):
            with tarfile.open(archive) as opened:
                opened.extractall(Path(folder, f"{copy}"), filter="data")
        quality(Path(folder, "0"))
        speed(Path(folder))


if __name__ == "__main__":
    main()
