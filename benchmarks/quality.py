"""What quality tags cost beside datatrove's filters, and whether both say the same: `python benchmarks/quality.py PEER`

PEER is the Python of a virtual environment of its own: `python -m venv PLACE && PLACE/bin/pip install datatrove==0.10.1
spacy==3.8.18 regex` makes it, and PLACE/bin/python is it. The texts are web pages with all that is on them (those of
mozilla/readability in test-pages.tar.gz, of the mirror that REPROLM_MIRRORS names; as plain text by resiliparse),
articles (COVID-QA) and abstracts (SciTLDR), each corpus repeated up to MEGABYTES. RUNS in the environment
says how often all is run.

Ours is the whole of stage `features` in one process, from shards to side tables, with the statistics gopher, c4 and
fineweb; that numba starts and loads what it has compiled before is counted, and told apart. datatrove's Gopher, C4 and
FineWeb filters get the texts in memory, document after document; they stop at the first limit that is broken. CPU
seconds, medians of runs in turns; imports are not counted; datatrove gets each different text once, and its seconds
are multiplied. It then tells of how many documents the two decide differently: with the words that datatrove has from
spaCy, and with words at white space, as ours are; and of how many a share of repeated text is not exactly the same
number: datatrove joins the words of n-grams, so that "ab c" repeats "a bc".
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from budget import ROOT

sys.path.insert(0, str(ROOT))

from ingest import abstracts

from stages import features
from stages.core import web
from stages.core.records import Document, read_table, shards, texts_of, write_documents
from stages.core.scripts import RARER, WITHOUT_SPACES
from stages.engines.serial import Serial
from stages.shell.engine import Engine
from stages.shell.params import read
from stages.statistics import c4, fineweb, gopher

MEGABYTES, RUNS, SHARD = 40, int(os.environ.get("RUNS", "3")), 2_000
COVID_QA = "https://raw.githubusercontent.com/deepset-ai/COVID-QA/fb2eb5e249618457e5359806601086c635c8eb8f"
COVID = (
    f"{COVID_QA}/data/question-answering/200423_covidQA.json",
    "ab310b4e39f726e087c8fa3d1787c73771dacddc584977204ebe3cc889ee1264",
)
UNSPACED = re.compile(f"[{WITHOUT_SPACES}{RARER}]")
P = features.Params(
    statistics=("gopher", "c4", "fineweb"),
    settings={
        "gopher": gopher.Params(**read(ROOT / "params.yaml")["statistics"]["gopher"]),
        "c4": c4.Params(),
        "fineweb": fineweb.Params(),
    },
)
# datatrove's filters, the figures that each decides by, and those that are dropped outside of these ends.
LIMITS: dict[str, dict[str, tuple[float | None, float | None]]] = {
    "Gopher quality": {
        "gopher_words": (50, 100_000),
        "gopher_mean_word_length": (3, 10),
        "gopher_hashes_per_word": (None, 0.1),
        "gopher_ellipses_per_word": (None, 0.1),
        "gopher_bullet_lines": (None, 0.9),
        "gopher_ellipsis_lines": (None, 0.3),
        "gopher_alphabetic_words": (0.8, None),
        "gopher_stop_words": (2, None),
    },
    "Gopher repetition": {
        "gopher_repeated_paragraphs": (None, 0.3),
        "gopher_repeated_paragraph_characters": (None, 0.2),
        "gopher_repeated_lines": (None, 0.3),
        "gopher_repeated_line_characters": (None, 0.2),
        "gopher_top_2_gram": (None, 0.2),
        "gopher_top_3_gram": (None, 0.18),
        "gopher_top_4_gram": (None, 0.16),
        **{f"gopher_repeated_{n}_grams": (None, (20 - n) / 100) for n in range(5, 11)},
    },
    "C4": {
        "c4_sentences": (5, None),
        "c4_lorem_ipsum_lines": (None, 0),
        "c4_curly_bracket_lines": (None, 0),
    },
    "FineWeb": {
        "fineweb_lines_with_end": (0.12, None),
        "fineweb_short_lines": (None, 0.67),
        "fineweb_repeated_line_characters": (None, 0.01),
        "fineweb_newlines_per_word": (None, 0.3),
    },
}
# Runs in the peer's environment: texts come in; what it costs, what is dropped and the shares of repeated text go out.
PEER = """
import json, sys, time
from loguru import logger
logger.remove()
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter)
from datatrove.pipeline.filters import fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter as g
words, texts = sys.argv[1], json.load(sys.stdin)
if words == "white space":
    for module in (fineweb_quality_filter, gopher_quality_filter, g):
        module.split_into_words = lambda text, language: text.split()
filters = [GopherQualityFilter(), GopherRepetitionFilter(), C4QualityFilter(), FineWebQualityFilter()]
for one in filters:
    one.filter(Document(text="The first text makes spaCy load. " * 20, id="0"))
begun = time.process_time()
found = [[one.filter(Document(text=text, id="0")) is not True for one in filters] for text in texts]
spent = time.process_time() - begun

def apart(words, n):
    seen, characters, at = set(), 0, 0
    while at < len(words) - n + 1:
        gram = tuple(words[at : at + n])
        characters += len("".join(gram)) if gram in seen else 0
        at += n if gram in seen else 1
        seen.add(gram)
    return characters

def shares(text, repeated):
    for pieces in (filters[1].paragraph_exp.split(text.strip()), filters[1]._line_splitter.split(text)):
        count, characters = g.find_duplicates(pieces)
        yield count / len(pieces)
        yield characters / len(text)
    each = text.split()
    for n in (2, 3, 4):
        yield g.find_top_duplicate(g.get_n_grams(each, n)) / len(text) if len(each) >= n else 0.0
    for n in range(5, 11):
        yield repeated(each, n) / len(text)

ways = [g.find_all_duplicate, apart] if words == "white space" else []
print(json.dumps([spent, found, [[list(shares(text, way)) for text in texts] for way in ways]]))
"""


class Corpus(NamedTuple):
    """Different texts, and how often each comes."""

    name: str
    texts: list[str]
    copies: int

    @property
    def size(self) -> int:
        """Characters of the different texts."""
        return sum(map(len, self.texts))


def pages() -> Iterator[str]:
    """The text of whole pages."""
    from resiliparse.extract.html2text import extract_plain_text  # pyright: ignore[reportMissingModuleSource]

    mirror = Path(os.environ["REPROLM_MIRRORS"].split()[-1])
    with tarfile.open(mirror / "html_mozilla_readability/test-pages.tar.gz") as archive:
        for member in sorted(archive, key=lambda one: one.name):
            if member.name.endswith("source.html") and (file := archive.extractfile(member)):
                yield extract_plain_text(file.read().decode("utf-8", "replace"), main_content=False)


def corpora(cache: Path) -> Iterator[Corpus]:
    """Three corpora of about the same size."""
    covid = json.loads(web.fetched(*COVID, cache).read_text(encoding="utf-8"))["data"]
    articles = [paragraph["context"] for article in covid for paragraph in article["paragraphs"]]
    for name, texts in (
        ("pages", list(pages())),
        ("articles", articles),
        ("abstracts", [row["text"] for row in abstracts(cache)]),
    ):
        different = [text for text in dict.fromkeys(texts) if text.strip()]
        yield Corpus(name, different, -(-MEGABYTES * 10**6 // sum(map(len, different))))


def written(corpus: Corpus, folder: Path) -> None:
    """The corpus as shards."""
    every = islice(cycle(corpus.texts), len(corpus.texts) * corpus.copies)
    documents = [Document(f"{n:016x}", text, None, "s", None, None, {"a": ""}) for n, text in enumerate(every)]
    for begin in range(0, len(documents), SHARD):
        write_documents(folder / f"{begin:09}.parquet", documents[begin : begin + SHARD], texts_of("a"))


def tagged(folder: Path) -> None:
    """In a process of its own: prints the CPU seconds of the stage, and of the same again, when numba has started."""
    spent = list[float]()
    features.MANY = 0  # as so much text is seldom so small once compressed as what repeats itself
    for again in range(2):
        begun = time.process_time()
        features.stage(Engine(Serial(), folder), P, folder / "documents", folder / f"features-{again}")
        spent.append(time.process_time() - begun)
    print(json.dumps(spent))


def ours(folder: Path) -> list[float]:
    """Both."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        (Path(place) / "documents").symlink_to(folder / "documents")
        command = [sys.executable, __file__, "--tag", place]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        target = folder / "features"
        if not target.exists():
            (Path(place) / "features-0").rename(target)
    return json.loads(done.stdout)


def theirs(python: str, words: str, texts: Sequence[str]) -> tuple[float, list[list[bool]], list[list[list[float]]]]:
    """CPU seconds; of each text whether a filter drops it; and its shares of repeated text, as datatrove finds repeated
    n-grams, and with their words kept apart."""
    command = [python, "-c", PEER, words]
    done = subprocess.run(command, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True)
    return tuple(json.loads(done.stdout))


def outside(row: dict[str, Any], limits: dict[str, tuple[float | None, float | None]]) -> bool:
    """Whether a document is dropped."""
    return any(
        (low is not None and row[name] < low) or (high is not None and row[name] > high)
        for name, (low, high) in limits.items()
    )


def measured(python: str, corpus: Corpus, folder: Path) -> Iterator[str]:
    """A row of what it costs, and one a filter of who decides otherwise."""
    written(corpus, folder / "documents")
    mine, peers = list[list[float]](), dict[str, list[float]]()
    dropped, shares = dict[str, list[list[bool]]](), list[list[list[float]]]()
    for _ in range(RUNS):
        mine.append(ours(folder))
        for words in ("spaCy", "white space"):
            seconds, dropped[words], shares = theirs(python, words, corpus.texts)
            peers.setdefault(words, []).append(seconds * corpus.copies)
    first, again = (statistics.median(each) for each in zip(*mine, strict=True))
    spacy, space = (statistics.median(each) for each in peers.values())
    count, each = len(corpus.texts) * corpus.copies, corpus.size // len(corpus.texts)
    yield (
        f"| {corpus.name} | {count:,} | {each:,} | {first:.2f} | {again:.2f} | {spacy:.1f} | {space:.1f} | "
        f"{spacy / first:.0f} | {spacy / again:.0f} | {space / again:.0f} |"
    )
    rows = [row for path in shards(folder / "features") for row in read_table(path).to_pylist()][: len(corpus.texts)]
    for n, (name, limits) in enumerate(LIMITS.items()):
        mine_drops = [outside(row, limits) for row in rows]
        differ = {
            words: sum(one != each[n] for one, each in zip(mine_drops, found, strict=True))
            for words, found in dropped.items()
        }
        yield (
            f"  {corpus.name}: {name}: {sum(mine_drops):,} of {len(rows):,} dropped; decided otherwise: "
            f"{differ['spaCy']} with spaCy's words, {differ['white space']} with words at white space"
        )
    own = [[row[column] for column in LIMITS["Gopher repetition"]] for row in rows]
    spaced = [not UNSPACED.search(text) for text in corpus.texts]
    joined, apart = (
        sum(mine != other for mine, other, one in zip(own, each, spaced, strict=True) if one) for each in shares
    )
    yield (
        f"  {corpus.name}: of the {sum(spaced):,} with spaces between all words, {joined} have another share of "
        f"repetition than by datatrove, {apart} than with the words of n-grams kept apart"
    )


def main() -> None:
    """Prints the table, and then the differences."""
    if sys.argv[1] == "--tag":
        tagged(Path(sys.argv[2]))
        return
    heads = ("texts", "documents", "characters each", "ours", "ours, started", "datatrove", "at white space")
    print(f"| {' | '.join((*heads, 'ratio', 'started', 'started, at white space'))} |\n|---|{'---:|' * 9}", flush=True)
    told = list[str]()
    with tempfile.TemporaryDirectory() as place:
        for corpus in corpora(Path(place) / "cache"):
            row, *rest = measured(sys.argv[1], corpus, Path(place) / corpus.name)
            print(row, flush=True)
            told += rest
    print("\nDifferent documents on which the two decide differently:\n" + "\n".join(told))


if __name__ == "__main__":
    main()
