"""The pace at which hosts are asked, and what becomes of those that do not answer."""

import asyncio
import heapq
import time
from http import HTTPStatus

from stages.commands.crawler.addresses import canonical, host, origin
from stages.commands.crawler.archive import Archive, Visit
from stages.commands.crawler.manners import LARGEST, RESERVED, ROBOTS, Manners, of_robots, of_tdmrep
from stages.commands.crawler.wire import Answer, Failed, Refused, Silent, Wire, unpacked
from stages.core.web import PASSING, PAUSE, TRIES
from stages.scrape import Crawl

SILENT = 5  # visits without an answer, one after the other, after which a host is left alone
REDIRECTS = 5  # of a robots.txt, as the RFC says
MOVED = {301, 302, 303, 307, 308}
DAY = 86_400.0  # seconds for which a robots.txt holds, says the RFC


class Host:
    """A host: what is still to be visited there, and when it may be asked again. `closed` is why it is left alone."""

    def __init__(self, delay: float) -> None:
        self.delay, self.free = delay, 0.0
        self.queue = list[Visit]()
        self.active = self.silent = 0
        self.closed: str | None = None
        self.lock = asyncio.Lock()

    def push(self, visit: Visit) -> None:
        heapq.heappush(self.queue, visit)

    def pop(self) -> Visit:
        """The one nearest to a seed."""
        return heapq.heappop(self.queue)

    async def turn(self) -> None:
        """Waits until the host may be asked. One after the other: a pause that comes up holds for all who wait."""
        async with self.lock:
            while (wait := self.free - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            self.free = time.monotonic() + self.delay

    def pause(self, seconds: float) -> None:
        self.free = max(self.free, time.monotonic() + seconds)


class Hosts:
    """All hosts of a crawl, and what their owners ask for."""

    def __init__(self, crawl: Crawl, wire: Wire, archive: Archive) -> None:
        self.crawl, self.wire, self.archive = crawl, wire, archive
        self.name = crawl.agent.partition(" ")[0]
        self.known = dict[str, Host]()
        self.manners = dict[str, tuple[float, asyncio.Task[Manners]]]()

    def of(self, address: str) -> Host:
        return self.known.setdefault(host(address), Host(self.crawl.delay))

    async def asked(self, address: str, most: int, *, cut: bool = False) -> Answer:
        """What a server answers; one that often does not is left alone."""
        there = self.of(address)
        try:
            answer = await self.tried(there, address, most, cut=cut)
        except Silent:
            there.silent += 1
            if there.silent == SILENT:
                there.closed = f"the host left {SILENT} visits without an answer"
            raise
        there.silent = 0
        return answer

    async def tried(self, there: Host, address: str, most: int, *, cut: bool) -> Answer:
        """What a server answers in as many tries as are fair. How long it is left alone before the next one, it says
        itself, or the number of tries."""
        why: Refused = Silent("no answer")
        for attempt in range(TRIES):
            if there.closed:
                raise Refused(there.closed)
            await there.turn()
            try:
                answer = await self.wire.get(address, most, cut=cut)
            except Failed as error:
                why, pause = Silent("no answer", f"{error}"), None
            else:
                if answer.status not in PASSING:
                    return answer
                why, pause = Refused(f"the server answers {answer.status}"), answer.rest()
            self.pause(there, min(PAUSE * 2**attempt, self.crawl.patience) if pause is None else pause)
        raise why

    def pause(self, there: Host, seconds: float) -> None:
        """Leaves a host alone for a while; for good, if it wants more patience than the crawl has."""
        if seconds > self.crawl.patience:
            there.closed = f"the host asks for pauses of more than {self.crawl.patience} seconds"
        there.pause(seconds)

    async def refusal(self, address: str) -> str | None:
        """Why nothing may be asked there, if so. The owners are asked once a day for each origin."""
        where = origin(address)
        since, task = self.manners.get(where, (0.0, None))
        if task is None or time.monotonic() - since > DAY:
            task = asyncio.create_task(self.learned(where))
            self.manners[where] = time.monotonic(), task
        return (await task).refusal(address, self.name)

    async def learned(self, where: str) -> Manners:
        """What the owner of an origin asks for. Where that can't be had, nothing else is asked there."""
        name = ROBOTS
        try:
            robots, delay = of_robots(await self.file(where + ROBOTS), self.name)
            there = self.of(where)
            there.delay = max(there.delay, delay)
            self.pause(there, delay)
            name = RESERVED
            reserved = of_tdmrep(await self.file(where + RESERVED))
        except Refused as error:
            return Manners(closed=self.of(where).closed or f"{name} can't be had: {error}")
        return Manners(robots, reserved)

    async def file(self, address: str) -> bytes:
        """What a site says about itself: nothing, where there is no such file, or a way to it without end."""
        for _ in range(REDIRECTS + 1):
            answer = await self.asked(address, LARGEST, cut=True)
            if answer.status == HTTPStatus.OK:
                content = unpacked(answer, LARGEST)
                self.archive.evidence(address, content)
                return content
            onward = canonical(answer.first("location"), address) if answer.status in MOVED else None
            if onward is None:
                break
            address = onward
        return b""
