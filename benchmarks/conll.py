"""How fast a large CoNLL file is read, beside `datasets`: `python benchmarks/conll.py PEER` prints medians and ratios.

PEER is the Python of a virtual environment of its own: `python -m venv PLACE && PLACE/bin/pip install datasets==5.2.0`
makes it, and PLACE/bin/python is it. The file is WNUT 17's training data, fetched as a source is (mirrors count), as
often as COPIES says, in two halves, as the process engine reads files side by side. The peer is the generator of the
usual loading script (id, tokens, tags), with its features (tags as classes) and without, which writes Arrow; ours is
ingest's read of a source: text, character spans, ids; checked, and written as Parquet. What ingest does with all parts
together afterwards (repeats between them, quotas, summaries) is not in it. Runs take turns, so that what else the
machine does falls on all.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from budget import ROOT

sys.path.insert(0, str(ROOT))

from stages import ingest
from stages.core import web
from stages.core.hashing import sha256
from stages.core.inputs import File
from stages.core.params import Source
from stages.engines import process, serial
from stages.shell.engine import Engine
from stages.sources import conll

GITHUB = "https://raw.githubusercontent.com"
AT = f"{GITHUB}/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603/wnut17train.conll"
SHA256 = "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5"
SENTENCES, COPIES, RUNS, SHARD = 3_394, 100, 5, 10_000
ENGINES = {"serial": serial, "process": process}
PEER = """
import datasets, sys, tempfile, time
from datasets import ClassLabel, Features, List, Value

features, processes, *paths = sys.argv[1:]
types = ("corporation", "creative-work", "group", "location", "person", "product")
names = ["O", *(f"{prefix}-{name}" for name in types for prefix in "BI")]
kinds = {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))}

def examples(paths):
    number = 0
    for path in paths:
        tokens, tags = [], []
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith("-DOCSTART-") or not line.strip():
                    if tokens:
                        yield {"id": str(number), "tokens": tokens, "ner_tags": tags}
                        number += 1
                        tokens, tags = [], []
                else:
                    token, tag = line.rstrip("\\n").split("\\t")
                    tokens.append(token)
                    tags.append(tag)
        if tokens:
            yield {"id": str(number), "tokens": tokens, "ner_tags": tags}
            number += 1

datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as folder:
    began = time.perf_counter()
    made = datasets.Dataset.from_generator(
        examples, features=Features(kinds) if features == "features" else None, cache_dir=folder,
        gen_kwargs={"paths": paths}, num_proc=int(processes) if processes != "1" else None,
    )
    print(len(made), time.perf_counter() - began)
"""


def ours(engine: str, source: Source, folder: Path) -> tuple[int, float]:
    """Documents, and the seconds to read and write them; that the engine starts is not counted."""
    with ENGINES[engine].executor() as executor, tempfile.TemporaryDirectory(dir=folder) as out:
        list(executor.map(conll.attributes, [source.params] * 8))
        began = time.perf_counter()
        (parts,) = ingest.read(Engine(executor, folder), [source], SHARD, Path(out))
        return sum(len(part.numbers) for part in parts), time.perf_counter() - began


def theirs(python: str, features: str, processes: int, paths: Sequence[Path]) -> tuple[int, float]:
    """Examples, and the seconds to make a data set of them; imports are not counted."""
    command = [python, "-c", PEER, features, f"{processes}", *map(str, paths)]
    environment = os.environ | {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    count, seconds = done.stdout.split()
    return int(count), float(seconds)


def made(folder: Path) -> tuple[Source, list[Path]]:
    """The large files, and what params.yaml would say of them."""
    content = web.fetched(AT, SHA256, folder).read_bytes() + b"\n"
    paths = [folder / "0.conll", folder / "1.conll"]
    for path in paths:
        path.write_bytes(content * (COPIES // len(paths)))
    files = tuple(File(at=str(path), sha256=sha256(path), members=None, constants={}) for path in paths)
    columns: dict[str, Any] = {"separator": "tab", "columns": 2, "text": 1, "tags": 2, "scheme": "IOB2"}
    p = conll.Params(files=files, encoding="utf-8", comment=None, mark=None, unit="sentence", **columns)
    return Source(name="wnut", kind="conll", licence="CC-BY-4.0", quota=None, rejects=0.0, params=p), paths


def main() -> None:
    """Prints a row a way to read: the median, and how many times as long as each of ours it takes."""
    with tempfile.TemporaryDirectory() as place:
        source, paths = made(Path(place))
        ways: dict[str, Callable[[], tuple[int, float]]] = {
            "reprolm, serial": lambda: ours("serial", source, Path(place)),
            "reprolm, process": lambda: ours("process", source, Path(place)),
            "datasets, as a loading script": lambda: theirs(sys.argv[1], "features", 1, paths),
            "datasets, as a loading script, 2 processes": lambda: theirs(sys.argv[1], "features", 2, paths),
            "datasets, without features": lambda: theirs(sys.argv[1], "none", 1, paths),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(RUNS):
            for name, way in ways.items():
                count, took = way()
                seconds[name].append(took)
                if count != COPIES * SENTENCES:
                    sys.exit(f"{name}: {count:,} sentences, {COPIES * SENTENCES:,} are there")
    medians = {name: statistics.median(one) for name, one in seconds.items()}
    serial_, process_ = list(medians.values())[:2]
    print(f"{COPIES * SENTENCES:,} sentences, medians of {RUNS}\n")
    print("| | seconds | times our serial | times our process |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {median / serial_:.1f} | {median / process_:.1f} |")


if __name__ == "__main__":
    main()
