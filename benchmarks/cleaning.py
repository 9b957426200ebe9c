"""How fast texts are cleaned, and how much personal data is found: `python benchmarks/cleaning.py PEER/bin/python`.

Mojibake: ours beside `ftfy.fix_text` on SciTLDR's abstracts and GoEmotions' comments; the texts that come out are the
same, or it stops. Personal data: presidio-research's 1,500 synthetic texts, in which each value is known; found is what
is covered wholly. The peer is presidio-analyzer in an environment of its own (`pip install presidio-analyzer`): its
recognisers of the same kinds, by patterns and check digits, without a language model, and without asking the network
for the list of domains. They look for six kinds and replace nothing; ours are told looking for the same, for all, and
with all replaced. CPU seconds of one process, medians of runs in turns; imports are not counted.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from budget import ROOT

sys.path.insert(0, str(ROOT))

import ftfy
from ingest import abstracts, comments

from stages.cleaners import mojibake, pii
from stages.core import web

PRESIDIO = "https://raw.githubusercontent.com/microsoft/presidio-research/7622dec1e5f7d25dc60b57c28c39f4c4af197018"
SYNTH = (
    f"{PRESIDIO}/data/synth_dataset_v2.json",
    "ec08a771ba8135314cafb60752b2295212222ba3a4cd75d73811839c699e0012",
)
RUNS = 5
KINDS: dict[str, pii.Name] = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IP_ADDRESS": "ip",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "US_SSN": "national_id",
}
RECOGNISERS = ["Email", "Phone", "Ip", "CreditCard", "Iban", "UsSsn"]
# Runs in the peer's environment: texts come in, what it costs and what is found goes out.
PEER = """
import json, logging, sys, time
logging.disable()
import tldextract
from presidio_analyzer import predefined_recognizers
offline = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR = offline
kinds, names = json.loads(sys.argv[1]), json.loads(sys.argv[2])
each = [(kind, getattr(predefined_recognizers, name + "Recognizer")()) for kind, name in zip(kinds, names)]
texts = json.load(sys.stdin)
begun = time.process_time()
found = [[(kind, one.start, one.end) for kind, recogniser in each for one in recogniser.analyze(text, [kind], None)]
         for text in texts]
print(json.dumps([time.process_time() - begun, found]))
"""
Found = list[list[tuple[str, int, int]]]  # of each text: kind, start, end


def cost(work: Callable[[], Any]) -> float:
    """CPU seconds."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def mending(cache: Path) -> Iterator[str]:
    """A row for each set of texts."""
    for name, read in (("abstracts", abstracts), ("comments", comments)):
        texts = [row["text"] for row in read(cache)]
        if [mojibake.clean(text, mojibake.Params()) for text in texts] != [ftfy.fix_text(text) for text in texts]:
            raise SystemExit(f"{name}: not what ftfy gives")
        mine, theirs = list[float](), list[float]()
        for _ in range(RUNS):
            mine.append(cost(lambda texts=texts: [mojibake.clean(text, mojibake.Params()) for text in texts]))
            theirs.append(cost(lambda texts=texts: [ftfy.fix_text(text) for text in texts]))
        size = sum(map(len, texts)) / 1e6
        ours, other = statistics.median(mine), statistics.median(theirs)
        plain = sum(map(str.isascii, texts)) / len(texts)
        yield f"| {name} | {len(texts):,} | {plain:.0%} | {size / ours:.0f} | {size / other:.1f} | {other / ours:.1f} |"


class Synthetic(NamedTuple):
    """A text, and of each value in it: kind, start, end."""

    text: str
    values: list[tuple[str, int, int]]


def synthetic(cache: Path) -> list[Synthetic]:
    """The texts with their values."""
    rows = json.loads(web.fetched(*SYNTH, cache).read_text(encoding="utf-8"))
    return [
        Synthetic(
            row["full_text"],
            [(one["entity_type"], one["start_position"], one["end_position"]) for one in row["spans"]],
        )
        for row in rows
    ]


def ours(texts: list[str]) -> Found:
    """What we find, by the peer's names."""
    return [
        [(kind, match.start, -match.minus_end) for kind, name in KINDS.items() for match in pii.matches(text, (name,))]
        for text in texts
    ]


def peers(python: str, texts: list[str]) -> tuple[float, Found]:
    """CPU seconds and what is found."""
    command = [python, "-c", PEER, json.dumps(list(KINDS)), json.dumps(RECOGNISERS)]
    done = subprocess.run(command, input=json.dumps(texts), stdout=subprocess.PIPE, text=True, check=True)
    return tuple(json.loads(done.stdout))


def recall(rows: list[Synthetic], found: Found, kind: str) -> tuple[int, int, int]:
    """How many values there are of a kind, how many are covered wholly, and how much else is taken for one."""
    there = [(n, start, end) for n, row in enumerate(rows) for one, start, end in row.values if one == kind]
    taken = [(n, start, end) for n, each in enumerate(found) for one, start, end in each if one == kind]
    covered = sum(any(n == m and a <= start and end <= b for m, a, b in taken) for n, start, end in there)
    wrong = sum(not any(n == m and a < end and start < b for m, a, b in there) for n, start, end in taken)
    return len(there), covered, wrong


def finding(python: str, cache: Path) -> Iterator[str]:
    """A row for each kind, and then what it costs."""
    rows = synthetic(cache)
    texts = [row.text for row in rows]
    p = pii.Params(kinds=tuple(pii.KINDS), replace="tag", key_sha256=None)
    costs: dict[str, list[float]] = {"theirs": [], "same": [], "every": [], "replacing": []}
    theirs = Found()
    for _ in range(RUNS):
        seconds, theirs = peers(python, texts)
        costs["theirs"].append(seconds)
        for name, kinds in (("same", tuple(KINDS.values())), ("every", tuple(pii.KINDS))):
            costs[name].append(cost(lambda kinds=kinds: [pii.matches(text, kinds) for text in texts]))
        costs["replacing"].append(cost(lambda: [pii.clean(text, p) for text in texts]))
    mine = ours(texts)
    for kind, name in KINDS.items():
        (count, covered, wrong), (_, other, others) = recall(rows, mine, kind), recall(rows, theirs, kind)
        yield f"| {name} | {count} | {covered / count:.3f} | {other / count:.3f} | {wrong} | {others} |"
    median = {name: statistics.median(each) for name, each in costs.items()}
    size = sum(len(text.encode()) for text in texts) / 1e6
    yield "\n| looking for personal data | MB/s | times as fast as presidio |\n|---|---|---|"
    for name, said in (
        ("theirs", "presidio, these kinds"),
        ("same", "these kinds"),
        ("every", "all kinds"),
        ("replacing", "all kinds, replaced"),
    ):
        yield f"| {said} | {size / median[name]:.2f} | {median['theirs'] / median[name]:.0f} |"


def main() -> None:
    """Prints the two tables."""
    with tempfile.TemporaryDirectory() as place:
        print("| mojibake | texts | ASCII | MB/s | ftfy.fix_text | ratio |\n|---|---|---|---|---|---|")
        for row in mending(Path(place)):
            print(row, flush=True)
        if not sys.argv[1:]:
            return
        print("\n| personal data | values | recall | presidio | else taken | presidio |\n|---|---|---|---|---|---|")
        for row in finding(sys.argv[1], Path(place)):
            print(row, flush=True)


if __name__ == "__main__":
    main()
