"""A crawl: from its seeds on, as far as its parameters and the owners of the pages allow, into a capture."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stages.commands.crawler.addresses import canonical, seeds, unwanted
from stages.commands.crawler.archive import Archive, Outcome, Visit, digest
from stages.commands.crawler.hosts import MOVED, Host, Hosts
from stages.commands.crawler.manners import NOFOLLOW, opted_out, says_reserved, words
from stages.commands.crawler.markup import said
from stages.commands.crawler.wire import Answer, Refused, Wire, unpacked
from stages.scrape import Crawl
from stages.shell.progress import progress
from stages.sources.warc import HTML, media

TOGETHER = 100  # requests at once, at all hosts
SENT_ON = 10  # times, one after the other
KEPT = "kept"
ELSEWHERE, SAME = "its canonical address is another", "the same content as another page"


@dataclass
class Yield:
    """What a crawl brought: pages that are kept, visits refused by reason, addresses that it did not go to."""

    pages: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    outside: Counter[str] = field(default_factory=Counter[str])


def redirected(visit: Visit, answer: Answer) -> Outcome | None:
    """Where a server sends on to: a visit of its own, with all checks anew."""
    if answer.status not in MOVED:
        return None
    onward = canonical(answer.first("location"), visit.address)
    if visit.sent_on == SENT_ON:
        return Outcome(visit, f"sent on more than {SENT_ON} times")
    return Outcome(visit, "sent on to another address", answer.first("location"), onward)


def wanted(answer: Answer, crawl: Crawl) -> bytes:
    """What the server meant to send, if that is what the crawl is after."""
    if answer.status != HTTPStatus.OK:
        raise Refused(f"the server answers {answer.status}")
    if (kind := media(answer.first("content-type"))[0]) not in crawl.types:
        raise Refused(f"content type {kind or 'not said'}")
    body = unpacked(answer, crawl.size)
    if len(body) > crawl.size:
        raise Refused(f"more than {crawl.size:,} bytes, unpacked")
    return body


def judged(visit: Visit, answer: Answer, crawl: Crawl, name: str) -> Outcome:
    """Whether an answer is kept, for all that itself says, and where it leads."""
    if found := redirected(visit, answer):
        return found
    body, (kind, charset) = wanted(answer, crawl), media(answer.first("content-type"))
    page = said(body if kind in HTML else b"", charset, visit.address, name)
    told = [*words(answer.all("x-robots-tag"), name), *words(page.robots, name)]
    links = () if NOFOLLOW & set(told) else tuple(page.links)
    if any(map(says_reserved, [*answer.all("tdm-reservation"), *page.reserved])):
        return Outcome(visit, "opt-out: tdm-reservation")
    if word := opted_out(told):
        return Outcome(visit, f"opt-out: {word}", links=links)
    onward = page.canonical if page.canonical != visit.address else None
    return Outcome(visit, None, None, onward, links, digest(body))


class Crawler:
    """The state of a crawl; all of it can be made again from the capture."""

    def __init__(self, crawl: Crawl, archive: Archive, hosts: Hosts) -> None:
        self.crawl, self.archive, self.hosts = crawl, archive, hosts
        self.seen: dict[str, str | None] = {}  # address → what became of it, once that is known
        self.kept = dict[str, str]()  # address by the digest of its content
        self.outside = dict[str, str]()
        self.got = Yield()
        self.running = dict[asyncio.Task[tuple[Outcome, Answer | None]], Host]()

    def begin(self) -> None:
        """What is done already comes first, so that it is not done again."""
        for one in self.archive.done:
            self.seen[one.visit.address] = None
        for one in seeds(self.crawl):
            self.add(Visit(0, one))
        for one in self.archive.done:
            self.settle(one)

    def add(self, visit: Visit) -> None:
        """Goes there some time, unless it has been or does not want to."""
        if visit.address in self.seen:
            return
        if reason := unwanted(self.crawl, visit.address, visit.depth):
            self.outside[visit.address] = reason
            return
        self.outside.pop(visit.address, None)  # it had been too deep
        self.seen[visit.address] = None
        self.hosts.of(visit.address).push(visit)

    def settle(self, found: Outcome) -> None:
        """What a visit means for the others."""
        visit = found.visit
        self.seen[visit.address] = found.reason or KEPT
        if found.reason is None:
            self.got.pages += 1
            self.kept[found.digest or ""] = visit.address
        else:
            self.got.refused[found.reason] += 1
        if found.onward and found.reason is not None:
            self.add(Visit(visit.depth, found.onward, visit.sent_on + 1, visit.address))
        for one in found.links:
            self.add(Visit(visit.depth + 1, one, 0, visit.address))

    def unique(self, found: Outcome) -> Outcome:
        """The same, less its canonical address; or refused, where that one is kept, or is still to be visited and does
        not send us back, or where another page has the same content."""
        visit, other = found.visit, found.onward
        if found.reason is not None:
            return found
        if other and self.is_better(other, visit):
            return replace(found, reason=ELSEWHERE, about=other)
        if same := self.kept.get(found.digest or ""):
            return replace(found, reason=SAME, about=same, onward=None)
        return replace(found, onward=None)

    def is_better(self, other: str, visit: Visit) -> bool:
        """Whether a page's canonical address stands for it."""
        if other in self.seen:
            return self.seen[other] in {None, KEPT}
        return visit.sent_on < SENT_ON and unwanted(self.crawl, other, visit.depth) is None

    async def visit(self, visit: Visit) -> tuple[Outcome, Answer | None]:
        """Goes to an address, if its owner does not mind."""
        try:
            if reason := await self.hosts.refusal(visit.address):
                return Outcome(visit, reason), None
            answer = await self.hosts.asked(visit.address, self.crawl.size)
            return judged(visit, answer, self.crawl, self.hosts.name), answer
        except Refused as error:
            return Outcome(visit, error.reason, error.about), None

    def start(self) -> None:
        """Sets off for as many addresses as hosts and limits allow."""
        for host in self.hosts.known.values():
            while host.queue and host.active < self.crawl.at_once and self.room():
                task = asyncio.create_task(self.visit(host.pop()))
                self.running[task] = host
                host.active += 1

    def room(self) -> bool:
        return len(self.running) < min(TOGETHER, self.crawl.pages - self.got.pages)

    async def run(self, bar: "tqdm[Any]") -> Yield:
        """Goes on until nothing is left that may be visited."""
        self.begin()
        try:
            self.start()
            while self.running:
                done, _ = await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self.running.pop(task).active -= 1
                    self.write(*task.result())
                bar.update(self.got.pages - bar.n)
                self.start()
        finally:
            for task in self.running:
                task.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)
        left = sum(len(one.queue) for one in self.hosts.known.values())
        self.got.outside = Counter(self.outside.values()) + Counter({f"beyond {self.crawl.pages:,} pages": left})
        return self.got

    def write(self, found: Outcome, answer: Answer | None) -> None:
        """Settles a visit, and writes it down first."""
        outcome = self.unique(found)
        self.archive.add(outcome, answer)
        self.settle(outcome)


async def crawled(crawl: Crawl, path: Path) -> Yield:
    """Crawls into a capture, or goes on with one that was interrupted."""
    archive = Archive(path, crawl)
    try:
        async with Wire(crawl) as wire:
            crawler = Crawler(crawl, archive, Hosts(crawl, wire, archive))
            with progress((), crawl.name, crawl.pages) as bar:
                return await crawler.run(bar)
    finally:
        archive.close()
