"""A crawler that asks before it goes, goes where it may, takes its time, and is stopped by nothing that it meets."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from stages.commands.crawler.crawl import Yield, crawled
from stages.core import crawls
from stages.core.crawls import Record
from stages.scrape import Crawl
from tests.site import Handler, Route, Said, Server, page

AGENT = "testbot (+mailto:test@example.org)"
PACKED = {"Content-Encoding": "gzip"}


def crawl(site: str, **changes: Any) -> Crawl:
    """A crawl of all of a site."""
    usual: dict[str, Any] = {
        "name": "site",
        "seeds": (f"{site}/",),
        "allow": (f"{site}/*",),
        "deny": (),
        "depth": 5,
        "pages": 100,
        "types": ("text/html", "text/plain"),
        "size": 100_000,
        "seconds": 10,
        "at_once": 2,
        "delay": 0.0,
        "patience": 2,
        "agent": AGENT,
        "private": ("127.0.0.1",),
        "capture": None,
    }
    return Crawl.model_validate(usual | changes)


class Told:
    """What a capture tells: the paths that were kept, and why others were not."""

    def __init__(self, path: Path, got: Yield) -> None:
        self.got, self.records = got, list(records(path))
        self.kept = [below(one) for one in self.records if one.headers["warc-type"] == "response"]
        found = [json.loads(one.content) for one in self.records if one.headers["content-type"] == "application/json"]
        self.visits = {below_of(one["visit"]["address"]): one for one in found if "visit" in one}
        self.refused = {path: one["reason"] for path, one in self.visits.items() if one["reason"]}


def records(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for one in crawls.records(file, 2**30):
            assert isinstance(one, Record)
            yield one


def below(record: Record) -> str:
    return below_of(record.headers["warc-target-uri"])


def below_of(address: str) -> str:
    found = urlsplit(address)
    return found.path + (f"?{found.query}" if found.query else "")


def crawling(tmp_path: Path, routes: dict[str, Route], **changes: Any) -> Told:
    """What a crawl makes of a site."""
    with Server(routes) as site:
        return told(tmp_path, crawl(site.address, **changes))


def told(tmp_path: Path, wanted: Crawl) -> Told:
    capture = tmp_path / "site.warc.gz"
    return Told(capture, asyncio.run(crawled(wanted, capture)))


def test_it_follows_links_and_keeps_what_it_finds(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page("a", "/b#part", "mailto:x@y"), "/a": page("/"), "/b": Said("text", kind="text/plain")}
    found = crawling(tmp_path, routes)
    assert found.kept == ["/", "/a", "/b"]
    assert found.got == Yield(pages=3)
    assert [one.headers["warc-type"] for one in found.records[:1]] == ["warcinfo"]
