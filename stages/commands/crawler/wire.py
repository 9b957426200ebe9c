"""Requests to servers that may be slow, endless or hostile, and to no address that the crawl may not reach."""

import asyncio
import socket
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
from yarl import URL

from stages.commands.crawler.addresses import host
from stages.core import crawls
from stages.core.web import public
from stages.scrape import Crawl

PIECE = 2**16


class Refused(Exception):
    """What is not fetched, and why, with what that speaks of; another try would be the same."""

    def __init__(self, reason: str, about: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.about = reason, about


class Silent(Refused):
    """A server that does not answer, or not in time."""


class Failed(Exception):
    """What did not come; another try may bring it."""


class Answer(NamedTuple):
    """What a server answered. The body is as it was sent, packed as the headers say, but in one piece."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def rest(self) -> float | None:
        """The seconds that the server asks to be left alone for, if it does (RFC 9110, 10.2.3)."""
        asked = self.first("retry-after").strip()
        if asked.isascii() and asked.isdecimal():
            return float(asked)
        try:
            until = parsedate_to_datetime(asked)
        except ValueError:
            return None
        return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def sockets(*, private: bool) -> Callable[[Any], socket.socket]:
    """What makes the sockets: it sees the very address that is connected to, whatever a name server says next."""

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, (address, *_) = info
        if not private and not public(address):
            raise Refused("no public address", address)
        return socket.socket(family, kind, protocol)

    return make


class Wire:
    """The connections of a crawl."""

    def __init__(self, crawl: Crawl) -> None:
        self.crawl = crawl
        self.private: Collection[str] = set(crawl.private)
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.anybody = await self.stack.enter_async_context(self.session(private=False))
        self.named = await self.stack.enter_async_context(self.session(private=True))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stack.aclose()

    def session(self, *, private: bool) -> aiohttp.ClientSession:
        """No cookies, no proxy of the environment, nothing that is unpacked before its size is known."""
        return aiohttp.ClientSession(
            # Addresses one after the other: the first one that is not public ends it.
            connector=aiohttp.TCPConnector(limit=0, happy_eyeballs_delay=None, socket_factory=sockets(private=private)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self.crawl.agent, "Accept-Encoding": "gzip", "Accept": ", ".join(self.crawl.types)},
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )

    async def get(self, address: str, most: int, *, cut: bool) -> Answer:
        """What a server answers within the seconds of the crawl. More than `most` bytes are cut off or refused."""
        session = self.named if host(address) in self.private else self.anybody
        try:
            async with (
                asyncio.timeout(self.crawl.seconds),
                session.get(URL(address, encoded=True), allow_redirects=False) as found,
            ):
                body = b"" if found.status in range(300, 400) else await content(found, most, cut=cut)
                heads = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in found.raw_headers)
                return Answer(found.status, heads, body)
        except TimeoutError:
            raise Silent(f"more than {self.crawl.seconds} seconds") from None
        except (aiohttp.ClientResponseError, aiohttp.ClientSSLError, aiohttp.InvalidURL) as error:
            raise Refused("no answer that can be trusted or read", type(error).__name__) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(type(error).__name__) from None


async def content(found: aiohttp.ClientResponse, most: int, *, cut: bool) -> bytes:
    """The body. Whoever sends more than that is left."""
    body = bytearray()
    async for piece in found.content.iter_chunked(PIECE):
        body += piece
        if len(body) > most:
            found.close()
            if not cut:
                raise Refused(f"more than {most:,} bytes")
            break
    return bytes(body[:most])


def unpacked(answer: Answer, most: int) -> bytes:
    """The body as it was meant, `most` bytes of it and one more to show that there are more."""
    headers = {key.lower(): value for key, value in reversed(answer.headers) if key.lower() != "transfer-encoding"}
    try:
        return crawls.body(crawls.Answer(answer.status, headers, answer.body), most + 1)
    except crawls.Broken as error:
        raise Refused(f"{error}") from None
