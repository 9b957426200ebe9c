"""Crawls on purpose: the capture into crawls/, under DVC; its pin into params.yaml; what came, and what not, told."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stages.commands._edit import edited
from stages.commands.crawler.crawl import Yield, crawled
from stages.core.faults import Fault, did_you_mean
from stages.core.files import writing
from stages.core.hashing import sha256
from stages.scrape import Crawl
from stages.shell.locks import held, locks_folder
from stages.shell.params import Checked, read
from stages.shell.params import told as told_all

CAPTURES = Path("crawls")


def pin(names: Sequence[str], file: Path) -> int:
    """Crawls what is named, or all that has no capture yet, and pins it in the file."""
    for _, crawl in chosen(declared(file), names):
        print("\n".join(captured(crawl)), flush=True)
        capture = CAPTURES / f"{crawl.name}.warc.gz"
        # Hours may have passed, and the file be another.
        ((place, _),) = chosen(declared(file), [crawl.name])
        change = {("scrape", "crawls", place, "capture"): {"at": f"{capture}", "sha256": sha256(capture)}}
        text = edited(file.read_bytes().decode(), change)  # as text, the ends of its lines would become others
        with writing(file) as beside:
            beside.write_bytes(text.encode())
        under_dvc(capture)
        print(f"  pinned in {file}; `dvc push` takes the capture to the remote, Git its {capture}.dvc", flush=True)
    return 0


def declared(file: Path) -> Sequence[Crawl]:
    """The crawls of a params file, whatever is wrong with its other sections."""
    checked = Checked(read(file))
    if (section := checked.section("scrape")) is None:
        raise Fault(told_all(checked.faults, file))
    return section.crawls


def chosen(crawls: Sequence[Crawl], names: Sequence[str]) -> list[tuple[int, Crawl]]:
    """The crawls of these names, with their places; without names, those that have no capture."""
    known = [one.name for one in crawls]
    if unknown := [name for name in names if name not in known]:
        raise Fault(f"scrape.crawls: no {', '.join(unknown)}{did_you_mean(unknown[0], known)}; there is: {told(known)}")
    wanted = names or [one.name for one in crawls if one.capture is None]
    if not wanted:
        raise Fault(f"scrape.crawls: nothing to capture; name what shall be crawled again: {told(known)}")
    return [(place, one) for place, one in enumerate(crawls) if one.name in wanted]


def told(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def captured(crawl: Crawl) -> Iterator[str]:
    """Crawls into the capture, which appears when it is whole; says what came of it."""
    target = CAPTURES / f"{crawl.name}.warc.gz"
    partial = CAPTURES / f"{crawl.name}.warc.gz.part"  # stays, where this is interrupted: the next run goes on with it
    CAPTURES.mkdir(exist_ok=True)
    with held([target], locks_folder()):
        try:
            got = asyncio.run(crawled(crawl, partial))
        except KeyboardInterrupt:
            raise Fault(f"{crawl.name}: interrupted; the same command goes on from here") from None
        if not got.pages:
            partial.unlink()
            raise Fault("\n".join([f"{crawl.name}: not one page was kept:", *reasons(got), "correct scrape.crawls"]))
        size = partial.stat().st_size
        os.replace(partial, target)
    yield f"{crawl.name}: {got.pages:,} pages in {target}, {size:,} bytes"
    yield from reasons(got)


def reasons(got: Yield) -> Iterator[str]:
    """Why the rest was not kept, the commonest reason first."""
    yield from counted("refused", got.refused)
    yield from counted("not wanted", got.outside)


def counted(what: str, counts: Mapping[str, int]) -> Iterator[str]:
    for reason, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        yield f"  {count:,} {what}: {reason}"


def under_dvc(path: Path) -> None:
    """Lets DVC keep the capture, and Git ignore it. The pin stands already: what was crawled is not crawled again."""
    command = [sys.executable, "-m", "dvc", "add", "--quiet", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault(
            f"{path}: pinned, but DVC can't keep it; mend this and run `dvc add {path}`:\n{done.stderr.strip()}"
        )
