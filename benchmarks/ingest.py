"""How fast sources are ingested, and in how much memory: `python benchmarks/ingest.py` prints medians and ratios.

Each row of real data (SciTLDR's abstracts, GoEmotions' comments, Banking77's questions; fetched as sources are, mirrors
count) comes many times, its words in another order each time: lengths, words and labels as they are, but other texts.
Ours is the whole of stage `ingest` on two cores, in a fresh cache: sha256, parts, ids, checks, shards, what is found
out over all parts, the data sheet, and what is remembered for the next time. The peer reads the same file with
pyarrow's own reader on two cores and writes the same columns as Parquet, compressed in the same way. Imports and the
start of the engine are not counted. Runs take turns, so that what else the machine does
falls on all. The last table is of memory alone: of all processes together, at most.
"""

import csv
import importlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import psutil
from budget import ROOT, watched

sys.path.insert(0, str(ROOT))

from stages import ingest
from stages.core import web
from stages.core.hashing import sha256
from stages.core.params import Source
from stages.core.records import ROW_GROUP
from stages.engines import process
from stages.shell import plugins
from stages.shell.engine import Engine
from stages.shell.params import frozen

GITHUB = "https://raw.githubusercontent.com"
SCITLDR = (
    f"{GITHUB}/allenai/scitldr/5ccad9c00a60ad75c9e04abf7f27d0f53f983b20/SciTLDR-Data/SciTLDR-A/train.jsonl",
    "b222771d387be585cfdf5ae957b36757138415a352e0a3e3b23f73f87c3b1119",
)
GOEMOTIONS = (
    f"{GITHUB}/monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b/data/original/train.tsv",
    "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
)
BANKING77 = (
    f"{GITHUB}/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/train.csv",
    "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
)
SIZE, RUNS, SHARD, CORES = 500 * 10**6, 3, 10_000, 2
LARGE = (5 * 10**8, 2 * 10**9)  # bytes of the files of which memory is told
DIALECT = {"encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": None, "header": True}
Row = dict[str, str]


class Case(NamedTuple):
    """A file to read, as what, and where its rows come from."""

    name: str
    kind: str
    key: str | None
    rows: Callable[[Path], list[Row]]


def abstracts(cache: Path) -> list[Row]:
    papers = map(json.loads, web.fetched(*SCITLDR, cache).read_text(encoding="utf-8").splitlines())
    return [{"key": one["paper_id"], "text": " ".join(one["source"]), "label": "computer science"} for one in papers]


def comments(cache: Path) -> list[Row]:
    with web.fetched(*GOEMOTIONS, cache).open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [{"key": key, "text": text, "label": labels} for text, labels, key in rows]


def questions(cache: Path) -> list[Row]:
    with web.fetched(*BANKING77, cache).open(encoding="utf-8", newline="") as file:
        return [{"text": one["text"], "label": one["category"]} for one in csv.DictReader(file)]


CASES = (
    Case("JSONL, abstracts with keys", "jsonl", "key", abstracts),
    Case("JSONL, comments with keys", "jsonl", "key", comments),
    Case("JSONL, questions", "jsonl", None, questions),
    Case("CSV, abstracts with keys", "csv", "key", abstracts),
    Case("CSV, comments with keys", "csv", "key", comments),
    Case("CSV, questions", "csv", None, questions),
)


def multiplied(rows: list[Row]) -> Iterator[Row]:
    """The rows again and again, each time with other keys and their words in another order."""
    rng = random.Random(0)
    yield from rows
    for copy in count(2):
        for row in rows:
            words = row["text"].split()
            rng.shuffle(words)
            yield row | {"text": " ".join(words)} | ({"key": f"{row['key']}-{copy}"} if "key" in row else {})


def write(case: Case, size: int, path: Path, cache: Path) -> None:
    """The file of a case, of so many bytes."""
    rows = case.rows(cache)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        if case.kind == "csv":
            table.writeheader()
        for n, row in enumerate(multiplied(rows)):
            if case.kind == "csv":
                table.writerow(row)
            else:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            if n % 1_000 == 0 and file.tell() > size:
                break


def source(case: Case, path: Path) -> Source:
    """What params.yaml would say of the file."""
    none = dict.fromkeys(("labels", "pair", "targets", "spans", "group", "split"))
    fields = none | {"text": "text", "label": "label", "key": case.key, "attributes": []}
    file = {"at": str(path), "sha256": sha256(path), "members": None, "constants": {}}
    raw = {"files": [file], "fields": fields, "separator": None, "rename": {}, "sides": {}, "where": {}}
    params = plugins.load("sources", case.kind).Params.model_validate(
        frozen(raw | ({"dialect": DIALECT} if case.kind == "csv" else {}))
    )
    return Source(name="s", kind=case.kind, licence=None, quota=None, rejects=0.0, params=params)


def ready(kind: str) -> None:
    """Imports what the stage does; waits, so that each process of the engine has one to do."""
    plugins.load("sources", kind)
    for name in ("pyarrow.csv", "pyarrow.json", "py3langid.langid"):
        importlib.import_module(name)
    time.sleep(2)


class Cost(NamedTuple):
    """Seconds, and CPU seconds of all processes."""

    seconds: float
    cpu: float


def spent() -> Cost:
    """Both, up to now."""
    this = psutil.Process()
    each = [one.cpu_times() for one in (this, *this.children(recursive=True))]
    return Cost(time.perf_counter(), sum(one.user + one.system for one in each))


@contextmanager
def timed() -> Generator[None]:
    """Prints what a block costs."""
    before = spent()
    yield
    after = spent()
    print(after.seconds - before.seconds, after.cpu - before.cpu)


def ours(case: Case, path: Path, folder: Path) -> None:
    """The stage."""
    p = ingest.Params(sources=(source(case, path),), shard_documents=SHARD)
    with process.executor() as executor:
        list(executor.map(ready, [case.kind] * CORES))
        ready(case.kind)
        with timed():
            ingest.stage(Engine(executor, folder / "cache"), p, folder / "scrape", folder / "out")


def theirs(case: Case, path: Path, folder: Path) -> None:
    """pyarrow's reader and writer."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet as pq

    pa.set_cpu_count(CORES)
    with timed():
        table = (pyarrow.json.read_json if case.kind == "jsonl" else pyarrow.csv.read_csv)(path)
        pq.write_table(table, folder / "peer.parquet", compression="zstd", row_group_size=ROW_GROUP)


WAYS = {"ours": ours, "theirs": theirs}


def measured(case: int, way: str, path: Path) -> tuple[Cost, int]:
    """What a process of its own costs, and the bytes of memory that it and those it starts have at most."""
    told, _, peak = watched([sys.executable, __file__, f"{case}", way, str(path)], ROOT, dict(os.environ))
    return Cost(*map(float, told.splitlines()[-1].split())), peak


def speed(place: Path) -> Iterator[str]:
    """A row of the table for each case."""
    for n, case in enumerate(CASES):
        write(case, SIZE, path := place / "file", place)
        found: dict[str, list[Cost]] = {way: [] for way in WAYS}
        for _ in range(RUNS):
            for way, costs in found.items():
                costs.append(measured(n, way, path)[0])
        mine, other = (Cost(*map(statistics.median, zip(*costs, strict=True))) for costs in found.values())
        yield (
            f"| {case.name} | {mine.seconds:.2f} | {other.seconds:.2f} | {mine.seconds / other.seconds:.2f} "
            f"| {mine.cpu:.2f} | {other.cpu:.2f} | {mine.cpu / other.cpu:.2f} |"
        )


def memory(place: Path) -> Iterator[str]:
    """A row of the table for each size."""
    for size in LARGE:
        write(CASES[0], size, path := place / "file", place)
        cost, peak = measured(0, "ours", path)
        yield f"| {path.stat().st_size / 1e9:.1f} | {peak / 2**20:,.0f} | {cost.seconds:.1f} |"


def main() -> None:
    """Prints the two tables."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    with tempfile.TemporaryDirectory() as place:
        if sys.argv[1:]:
            case, way, path = sys.argv[1:]
            WAYS[way](CASES[int(case)], Path(path), Path(place))
            return
        print(f"{SIZE / 1e6:.0f} MB each, {CORES} cores, medians of {RUNS}\n")
        print("| | seconds | pyarrow | ratio | CPU seconds | pyarrow | ratio |\n|---|---|---|---|---|---|---|")
        for row in speed(Path(place)):
            print(row, flush=True)
        print(f"\n{CASES[0].name}\n\n| GB | MiB of memory | seconds |\n|---|---|---|")
        for row in memory(Path(place)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
