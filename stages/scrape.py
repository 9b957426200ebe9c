"""What crawls fetched, from their pinned captures; only `reprolm pin scrape` goes to the web for pages."""

import gzip
import json
import shutil
import zlib
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from stages.core import web
from stages.core.faults import Fault
from stages.core.fetch import verified
from stages.core.files import write_json
from stages.core.params import Count, Distinct, Positive, Section, Sha256, distinct, written
from stages.shell.engine import Engine
from stages.shell.run import run

CAPTURES = "captures.json"
WANTED = ("seeds", "allow", "deny", "depth", "pages", "types", "size")  # the rest says how, not what
LONGEST, LINES = 1_000, 20  # of the heads of a record
Address = Annotated[str, written(r"https?://[^/\s]+(/\S*)?", "an address is wanted, such as https://example.org/docs/")]
Places = Annotated[
    str,
    written(r"https?://[^/\s]+/\S*", "addresses are wanted, where * stands for anything: https://example.org/docs/*"),
]
Media = Annotated[str, written(r"[a-z]+/[a-z0-9.+-]+", "a media type is wanted, such as text/html")]
Agent = Annotated[
    str, written(r"[A-Za-z_-]+ \(\+\S+\)", "a name and an address of yours are wanted: name (+mailto:you@example.org)")
]
Host = Annotated[str, written(r"[a-z0-9.:-]+", "a host is wanted, such as wiki.intranet or 10.0.0.7")]


class Capture(Section):
    """Where a capture is, a path or an address, and what it is: `reprolm pin scrape` writes both."""

    at: web.Place
    sha256: Sha256


class Crawl(Section):
    """A crawl: what is wanted of the web, and how politely.

    From `seeds` on, it follows links up to `depth` of them, to addresses that fit one of `allow` and none of `deny`
    (`*` stands for anything), until it has `pages`. Kept is what is of one of the `types` and has no more than `size`
    bytes, packed or not, and has come in `seconds`.

    A host is asked `at_once` for so many at most, with `delay` seconds between the starts, or more where its robots.txt
    says so; one that wants longer pauses than `patience` seconds is left alone. `agent` names the crawler as robots.txt
    may speak of it, and where its owner can be reached. Addresses that are not public, of this machine or a company's
    network, are reached on the hosts of `private` alone.
    """

    name: Annotated[str, written(r"[a-z0-9_]+", "a-z, 0-9 and _ are wanted, as it becomes the name of a file")]
    seeds: Annotated[tuple[Address, ...], Field(min_length=1), Distinct]
    allow: Annotated[tuple[Places, ...], Field(min_length=1), Distinct]
    deny: tuple[str, ...]
    depth: Count
    pages: Positive
    types: Annotated[tuple[Media, ...], Field(min_length=1), Distinct]
    size: Positive
    seconds: Positive
    at_once: Positive
    delay: Annotated[float, Field(ge=0.0)]
    patience: Positive
    agent: Agent
    private: Annotated[tuple[Host, ...], Distinct]
    capture: Capture | None


def named_apart(crawls: tuple[Crawl, ...]) -> tuple[Crawl, ...]:
    """The crawls, no two of one name."""
    distinct(tuple(one.name for one in crawls))
    return crawls


class Params(Section):
    crawls: Annotated[tuple[Crawl, ...], AfterValidator(named_apart)]


def captured(capture: Capture, cache: Path) -> Path:
    """The file with the pinned bytes."""
    if capture.at.startswith(web.SCHEMES):
        return web.fetched(capture.at, capture.sha256, cache)
    if not (path := Path(capture.at)).is_file():
        raise Fault(f"{path}: no such capture; `dvc pull {path}` brings it, or correct `at` in params.yaml")
    return verified(path, capture.sha256, capture.at)


def noted(path: Path) -> Any:
    """The parameters that our crawler writes into the first record; of a capture that another one made, none."""
    try:
        with gzip.open(path) as file:
            lines = iter(partial(file.readline, LONGEST), b"\r\n")
            heads = dict(line.decode().split(": ", 1) for line in islice(lines, 1, LINES))
            return json.loads(file.read(int(heads["Content-Length"])))
    except (OSError, EOFError, zlib.error, ValueError, KeyError):
        return {}


def same(crawl: Crawl, path: Path) -> Path:
    """The capture, if it holds what the parameters say: they may have been changed since."""
    before, now = noted(path), crawl.model_dump(mode="json")
    if other := [key for key in WANTED if isinstance(before, dict) and before.get(key, now[key]) != now[key]]:
        raise Fault(
            f"scrape.crawls: {crawl.name}: captured with another {', '.join(other)}; "
            f"`reprolm pin scrape {crawl.name}` crawls anew, or bring the old values back"
        )
    return path


def stage(e: Engine, p: Params, out: Path) -> str:
    """Lays the captures out, each under the name of its crawl, and what they are."""
    if missing := [one.name for one in p.crawls if one.capture is None]:
        raise Fault(f"scrape.crawls: {', '.join(missing)}: no capture yet; `reprolm pin scrape` crawls and pins it")
    out.mkdir()
    pins = dict[str, str]()
    for crawl, capture in ((one, one.capture) for one in p.crawls if one.capture):
        name = f"{crawl.name}.warc.gz"
        # Copied: a link would lead who edits the one file into what DVC keeps of the other.
        shutil.copyfile(same(crawl, captured(capture, e.cache)), out / name)
        pins[name] = capture.sha256
    write_json(out / CAPTURES, pins)
    return f"{len(pins)} capture{'s' * (len(pins) > 1)} verified" if pins else "no crawl is declared"


if __name__ == "__main__":
    run(stage)
