"""What finding near-duplicates costs, and what is found: `python benchmarks/dedup.py [PEER ...]` prints the tables.

Each PEER is the Python of a virtual environment of its own, with rensa 0.5.0, text-dedup 0.4.0 or datatrove[processing]
0.10.1 and spacy in it; without any only datasketch is compared. DOCUMENTS in the environment says how many documents
there are at most, RUNS how often each way runs. `short` are real texts as they are (GoEmotions' comments, Banking77's
questions, SciTLDR's abstracts; fetched as sources are, mirrors count), `long` are the abstracts again and again, their
words in another order each time. To every ten a near copy of an earlier one is added: words taken out, put in,
exchanged.

Ours is the whole of stage `dedup` on one core, from shards to side tables; that numba loads what it has compiled
before, once a process, is told apart. datasketch, rensa and text-dedup get the texts in memory. For the first two,
which ask for lists of shingles, these are normalised and cut in plain Python; datasketch is done when its `MinHashLSH`
has been asked for each document, rensa when it has its flags, text-dedup when it has its clusters: candidates that
nobody verifies. datatrove goes from a file of JSON lines to another with its own tokens and bands. Imports are not
counted. Runs take turns.

`python benchmarks/dedup.py large` runs the stage on all cores over two million synthesised documents, and on parts.
"""

import importlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from budget import ROOT, watched
from ingest import abstracts, comments, multiplied, questions

sys.path.insert(0, str(ROOT))

from stages import dedup
from stages.core.files import read_json
from stages.core.records import Document, side_rows, texts_of, write_documents
from stages.engines import process, serial
from stages.shell.engine import Engine

DOCUMENTS, RUNS = int(os.environ.get("DOCUMENTS", "60000")), int(os.environ.get("RUNS", "3"))
SHARD, SAMPLE, LARGE = 10_000, 5_000, 2_000_000
P = dedup.Params(
    unit="word",
    ngram=5,
    steps=(),
    apart=(),
    permutations=120,
    recall=0.99,
    threshold=0.8,
    together=0.5,
    sample=0,
    seed=1,
    settings={},
)
BANDS, ROWS = dedup.banding(P)
TEXTS = """
import json, sys, time
from pathlib import Path

way, path, size, permutations, bands = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
texts = json.loads(path.read_text())

def shingles(text):
    words = text.lower().split()
    return {" ".join(words[n : n + size]) for n in range(max(len(words) - size + 1, 1))}
"""
DATASKETCH = """
import psutil
from datasketch import MinHash, MinHashLSH
from xxhash import xxh32_intdigest

def update():
    for text in texts:
        one = MinHash(permutations)
        for shingle in shingles(text):
            one.update(shingle.encode())
        yield one

def bulk(**how):
    tokens = ([shingle.encode() for shingle in shingles(text)] for text in texts)
    return MinHash.generator(tokens, num_perm=permutations, **how)

def xxhash():
    return bulk(hashfunc=xxh32_intdigest)

began = time.process_time()
hashes = list({"update": update, "bulk": bulk, "xxhash": xxhash}[way]())
signed = time.process_time() - began
before = psutil.Process().memory_info().rss
lsh = MinHashLSH(num_perm=permutations, params=(bands, permutations // bands))
for n, one in enumerate(hashes):
    lsh.query(one)
    lsh.insert(n, one)
print(signed, time.process_time() - began, psutil.Process().memory_info().rss - before)
"""
RENSA = """
import rensa

began = time.process_time()
tokens = [list(shingles(text)) for text in texts]
hashes = rensa.RMinHash.digest_matrix_from_token_sets(tokens, permutations, 1)
signed = time.process_time() - began
rensa.RMinHashLSH(0.8, permutations, bands).query_duplicate_flags_matrix_one_shot(hashes)
print(signed, time.process_time() - began, 0)
"""
TEXT_DEDUP = """
from collections import defaultdict

import numpy as np
from text_dedup import minhash

rows, prime = permutations // bands, np.uint64((1 << 61) - 1)
how = {"num_perm": permutations, "ngram_size": size, "min_length": 0, "dtype": np.uint64}
how |= {"hashranges": [(n * rows, (n + 1) * rows) for n in range(bands)], "modulo_prime": prime}
how |= {"max_hash": np.uint32((1 << 32) - 1), "hash_func": lambda data: minhash.sha1_hash(data, d=32)}
how["permutations"] = [minhash.RNG.randint(n, prime, permutations, np.uint64) for n in (1, 0)]
began = time.process_time()
found = [minhash.embed_func(text, n, **how) for n, text in enumerate(texts)]
signed = time.process_time() - began
tables = [defaultdict(set) for _ in range(bands)]
for one in found:
    for table, value in zip(tables, one[minhash.SIGNATURE_COLUMN]):
        table[value].add(one[minhash.INDEX_COLUMN])
for table in tables:
    for cluster in table.values():
        for one in cluster:
            minhash.uf.union(one, min(cluster))
kept = sum(minhash.uf.find(n) == n for n in range(len(texts)))
print(signed, time.process_time() - began, 0)
"""
DATATROVE = """
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline import dedup
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

place, config = path.with_suffix(".datatrove"), MinhashConfig()
(place / "in").mkdir(parents=True)
with (place / "in/0.jsonl").open("w") as file:
    file.writelines(json.dumps({"id": str(n), "text": text}) + "\\n" for n, text in enumerate(texts))
reader, (signatures, buckets, gone) = JsonlReader(str(place / "in")), (str(place / n) for n in "sbg")
steps = [
    [reader, dedup.MinhashDedupSignature(signatures, config)],
    [dedup.MinhashDedupBuckets(signatures, buckets, config=config)],
    [dedup.MinhashDedupCluster(buckets, gone, config)],
    [reader, dedup.MinhashDedupFilter(gone), JsonlWriter(str(place / "out"))],
]
began = time.process_time()
for n, (pipeline, tasks) in enumerate(zip(steps, (1, config.num_buckets, 1, 1))):
    LocalPipelineExecutor(pipeline, tasks=tasks, logging_dir=str(place / f"log{n}")).run()
print(0, time.process_time() - began, 0)
"""


class Way(NamedTuple):
    """A peer's way: the package it takes, and its code."""

    told: str
    package: str
    code: str


WAYS = {
    "update": Way("datasketch `update`", "datasketch", DATASKETCH),
    "bulk": Way("datasketch bulk", "datasketch", DATASKETCH),
    "xxhash": Way("datasketch bulk, xxhash", "datasketch", DATASKETCH),
    "flags": Way("rensa", "rensa", RENSA),
    "function": Way("text-dedup", "text_dedup", TEXT_DEDUP),
    "pipeline": Way("datatrove, as it comes", "datatrove", DATATROVE),
}


class Cost(NamedTuple):
    """CPU seconds until there are signatures, and until it is done; bytes of the index. What is not told is 0."""

    signed: float
    done: float
    held: float


def edited(text: str, rng: random.Random) -> str:
    """A near copy: a word is taken out, put in or exchanged with the next, and in longer texts up to one of twenty."""
    words = text.split()
    for _ in range(rng.randint(1, max(len(words) // 20, 1))):
        at = rng.randrange(len(words))
        match rng.randrange(3):
            case 0 if len(words) > 1:
                del words[at]
            case 1:
                words.insert(at, rng.choice(words))
            case _:
                words[at : at + 2] = reversed(words[at : at + 2])
    return " ".join(words)


def planted(texts: Sequence[str]) -> Iterator[str]:
    """The texts, and after every tenth a near copy of one of the last thousand."""
    rng = random.Random(0)
    for n, text in enumerate(texts):
        yield text
        if n % 10 == 9:
            yield edited(texts[rng.randrange(max(0, n - 1_000), n + 1)], rng)


def corpora(cache: Path) -> Iterator[tuple[str, list[str]]]:
    """Two corpora: real texts, most of them short; and long ones."""
    real = [row["text"] for row in chain(abstracts(cache), questions(cache), comments(cache))]
    random.Random(0).shuffle(real)
    for name, texts in (("long", (row["text"] for row in multiplied(abstracts(cache)))), ("short", real)):
        yield name, list(islice(planted([text for text in islice(texts, DOCUMENTS) if text.strip()]), DOCUMENTS))


def written(texts: Sequence[str], folder: Path) -> None:
    """The texts as ingest leaves them."""
    for n in range(0, len(texts), SHARD):
        rows = [
            Document(f"{n + m:016x}", text, None, "s", None, None, {}) for m, text in enumerate(texts[n : n + SHARD])
        ]
        write_documents(folder / f"{n:08}.parquet", rows, texts_of())


def decided(source: Path, out: Path) -> str:
    """The stage, and what it says."""
    with serial.executor() as executor:
        return dedup.stage(Engine(executor, out), P, source, out)


def cost(command: Sequence[str]) -> Cost:
    """What a process prints."""
    quiet = os.environ | {"LOGURU_LEVEL": "ERROR"}
    told = subprocess.run(command, cwd=ROOT, env=quiet, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return Cost(*map(float, told[-3:]))


def having(package: str, pythons: Sequence[str]) -> str | None:
    """The first of these interpreters that has a package."""
    story = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return next((one for one in pythons if not subprocess.run([one, "-c", story], check=False).returncode), None)


def compared(name: str, texts: Sequence[str], place: Path, pythons: Sequence[str]) -> Iterator[str]:
    """A row of the table for each way."""
    written(texts, place / "in")
    (place / "texts.json").write_text(json.dumps(texts))
    told = [P.ngram, BANDS * ROWS, BANDS]
    commands: dict[str, list[str]] = {"ours": [sys.executable, __file__, "ours", str(place / "in"), str(place)]}
    for way, one in WAYS.items():
        if python := having(one.package, pythons):
            commands[way] = [python, "-c", TEXTS + one.code, way, str(place / "texts.json"), *map(str, told)]
    found: dict[str, list[Cost]] = {way: [] for way in commands}
    cost(commands["ours"])  # compiles
    for _ in range(RUNS):
        for way, command in commands.items():
            found[way].append(cost(command))
            shutil.rmtree(place / "texts.datatrove", ignore_errors=True)
    medians = {way: Cost(*map(statistics.median, zip(*costs, strict=True))) for way, costs in found.items()}
    load, ours, held = medians.pop("ours")
    for told_of, done in (("ours", ours), ("ours, and numba loads", load + ours)):
        yield f"| {name} | {told_of} | | | {done:.2f} | {done / ours:.1f} | {held / len(texts):,.0f} |"
    for way, one in medians.items():
        signed = f"{one.signed:.2f} | {one.signed / ours:.1f}" if one.signed else " | "
        index = f"{one.held / len(texts):,.0f}" if one.held else ""
        yield f"| {name} | {WAYS[way].told} | {signed} | {one.done:.2f} | {one.done / ours:.1f} | {index} |"


def ours(source: Path, out: Path) -> None:
    """Prints the CPU seconds that numba takes to load what it has compiled before and those of the stage, and the bytes
    of its index: keys, and the buckets they are put in."""
    for module in ("datasketch", "numba"):
        importlib.import_module(module)
    began = time.process_time()
    dedup.ready(P.unit, P.ngram)
    loaded = time.process_time()
    decided(source, out)
    seconds, documents = time.process_time() - loaded, sum(1 for _ in side_rows(out, ["id"]))
    print(loaded - began, seconds, documents * BANDS * (np.dtype(np.uint64).itemsize + np.dtype(np.int32).itemsize))


def quality(texts: Sequence[str], place: Path) -> str:
    """What brute force says of the decisions about all texts, for a sample of them."""
    written(texts, place / "in")
    with serial.executor() as executor:
        p = P.model_copy(update={"sample": SAMPLE})
        dedup.stage(Engine(executor, place), p, place / "in", place / "out")
    told = read_json(place / "out/quality.json")["sample"]
    return (
        f"{told['documents']:,} of them beside all: {told['pairs']:,} pairs from {P.threshold} on, recall "
        f"{told['recall']:.4f}; {told['removed']:,} removed, {told['removed_without_reason']:.4f} of them without a "
        f"kept neighbour; {told['kept_despite_one']:.4f} of the others kept despite one"
    )


def synthesised(folder: Path, documents: int) -> None:
    """So many texts of invented words, some frequent and most rare; their lengths are those of pages, a few words or
    thousands. Every tenth is a near copy of one of the thousand before."""
    words = np.array([f"{n:x}" for n in range(10**5, 3 * 10**5)], object)
    for shard in range(documents // SHARD):
        rng, edits = np.random.default_rng(shard), random.Random(shard)
        sizes = np.exp(rng.normal(4.2, 1.0, SHARD)).astype(int) + 3
        drawn = words[(len(words) ** rng.random(sizes.sum())).astype(int) - 1]
        texts = [" ".join(one) for one in np.split(drawn, np.cumsum(sizes)[:-1])]
        for n in range(1_000, SHARD, 10):
            texts[n] = edited(texts[n - edits.randrange(1, 1_000)], edits)
        rows = (Document(f"{shard:08x}{n:08x}", text, None, "s", None, None, {}) for n, text in enumerate(texts))
        write_documents(folder / f"{shard:08}.parquet", rows, texts_of())


def part(source: Path, shards: int, folder: Path) -> Path:
    """A folder with the first shards only."""
    folder.mkdir()
    for path in sorted(source.iterdir())[:shards]:
        (folder / path.name).symlink_to(path)
    return folder


def scaled(place: Path) -> Iterator[str]:
    """A row of the table for each size, and how time grows."""
    synthesised(place / "all", LARGE)
    processes(part(place / "all", LARGE // 8 // SHARD, place / "first"), place / "first.out")  # compiles
    told = list[tuple[int, float]]()
    for size in (LARGE // 8, LARGE // 4, LARGE // 2, LARGE):
        source = part(place / "all", size // SHARD, place / str(size))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, __file__, "processes", str(source), str(place / f"{size}.out")]
        _, seconds, peak = watched(command, ROOT, dict(os.environ))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        told.append((size, cpu))
        yield f"| {size:,} | {cpu:.1f} | {seconds:.1f} | {peak / 2**30:.2f} |"
    sizes, seconds = np.log(np.array(told)).T
    exponent = np.polyfit(sizes, seconds, 1)[0]
    yield f"\ntime grows with the number of documents to the power {exponent:.2f}"


def processes(source: Path, out: Path) -> None:
    """The stage on as many cores as there are; what it says goes to standard output."""
    with process.executor() as executor:
        print(dedup.stage(Engine(executor, out), P, source, out))


def main() -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as folder:
        match sys.argv[1:]:
            case ["ours", source, place]:
                ours(Path(source), Path(tempfile.mkdtemp(dir=place)) / "out")
            case ["processes", source, out]:
                processes(Path(source), Path(out))
            case ["large"]:
                print("| documents | CPU seconds | seconds | GiB of memory |\n|---|---|---|---|")
                for row in scaled(Path(folder)):
                    print(row, flush=True)
            case peers:
                compare(Path(folder), [sys.executable, *peers])


def compare(place: Path, pythons: Sequence[str]) -> None:
    """The first table, and what was found."""
    told = list[str]()
    print(f"CPU seconds, medians of {RUNS}\n\n| | | signatures | times ours | done | times ours | index, bytes each |")
    print("|---|---|---|---|---|---|---|")
    for name, texts in corpora(place):
        for row in compared(name, texts, place / name, pythons):
            print(row, flush=True)
        size = statistics.mean(len(text.encode()) for text in texts)
        found = quality(texts, place / f"{name}.sample")
        told.append(f"{name}: {len(texts):,} documents of {size:,.0f} bytes; {found}")
    print("", *told, sep="\n")


if __name__ == "__main__":
    main()
