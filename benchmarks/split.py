"""What splitting a large corpus costs, leaks told: `python benchmarks/split.py` prints seconds and memory.

DOCUMENTS in the environment says how many there are at most. `short` are the words of GoEmotions' comments, `long`
those of SciTLDR's abstracts, in another order each time; fetched as sources are, mirrors count. Each has a label and
one of so many authors, and of every hundred one has the whole text of an earlier one between words of its own: a leak,
where these two come to stand on train and on test. The whole stage on two cores, without its start; the memory is that
of all processes together.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from budget import ROOT, watched
from ingest import abstracts, comments, multiplied

sys.path.insert(0, str(ROOT))

from stages import dedup, split
from stages.core.params import Section
from stages.core.records import Document, texts_of, write_documents, write_drops, write_table
from stages.engines import process
from stages.shell.engine import Engine

DOCUMENTS, SHARD = int(os.environ.get("DOCUMENTS", "1000000")), 10_000
LEAKAGE = split.Leakage(unit="word", ngram=8, share=0.7, remove=("ngrams",))
METHODS = ("stratified", "random")


def texts(name: str, cache: Path) -> Iterator[str]:
    """Texts without end."""
    rng, before = random.Random(0), list[str]()
    for row in multiplied(abstracts(cache) if name == "long" else comments(cache)):
        text = row["text"]
        if rng.random() < 0.01 and before:
            text = f"{text} {rng.choice(before)} {text}"
        elif len(before) < SHARD:
            before.append(text)
        yield text


def written(found: Iterator[str], root: Path) -> int:
    """The texts as the stages before split leave them; gives their bytes."""
    size, rng, n = 0, random.Random(1), 0
    kind = texts_of("author")
    while some := list(islice(found, SHARD)):
        size += sum(len(text.encode()) for text in some)
        rows = [
            Document(f"{n + m:016x}", text, "abc"[m % 3], "s", None, None, {"author": f"{rng.randrange(DOCUMENTS)}"})
            for m, text in enumerate(some)
        ]
        name = f"{n:09}.parquet"
        write_documents(root / "clean" / name, rows, kind)
        write_drops(root / "filter" / name, ())
        kept = [{"id": row.id, "joins": []} for row in rows]
        write_table(root / "dedup" / name, pa.Table.from_pylist(kept, dedup.SCHEMA))
        n += len(some)
    return size


def run(root: Path, method: str) -> None:
    """The stage, in a process of its own; prints its seconds and what was found."""
    p = split.Params(
        method=method,
        validation=0.05,
        test=0.05,
        together=("author",),
        labels=0,
        leakage=LEAKAGE,
        seed=1,
        settings={method: Section()},
    )
    with process.executor() as executor, tempfile.TemporaryDirectory(dir=root) as folder:
        began, out = time.monotonic(), Path(folder) / "out"
        clean, filtered, alike, benchmarks = (root / name for name in ("clean", "filter", "dedup", "benchmarks"))
        split.stage(
            Engine(executor, root / "cache"), p, clean, filtered, alike, benchmarks, out, out.with_name("leakage")
        )
        found = json.loads((out.with_name("leakage") / "leakage.json").read_text())["test"]["ngrams"]["found"]
        print(time.monotonic() - began, found)


def main() -> None:
    """Prints the table."""
    if sys.argv[1:]:
        run(Path(sys.argv[1]), sys.argv[2])
        return
    print("| texts | documents | bytes each | method | seconds | MiB at most | test documents with a leak |")
    print("|---|---|---|---|---|---|---|")
    for name in ("short", "long"):
        for documents in (DOCUMENTS // 4, DOCUMENTS):
            with tempfile.TemporaryDirectory() as folder:
                root = Path(folder)
                (root / "benchmarks").mkdir()
                size = written(islice(texts(name, root / "cache"), documents), root)
                for method in METHODS:
                    told, _, peak = watched([sys.executable, __file__, folder, method], ROOT, dict(os.environ))
                    seconds, found = told.split()[-2:]
                    print(
                        f"| {name} | {documents:,} | {size / documents:,.0f} | {method} | {float(seconds):.1f} | "
                        f"{peak / 2**20:,.0f} | {int(found):,} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
