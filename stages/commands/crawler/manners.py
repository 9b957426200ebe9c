"""What the owners of a site ask for: robots.txt (RFC 9309), and opt-outs from mining and learning (TDMRep, `noai`)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from protego import Protego

from stages.commands.crawler.addresses import fits, path

ROBOTS, RESERVED = "/robots.txt", "/.well-known/tdmrep.json"
LARGEST = 500 * 2**10  # bytes of a robots.txt that must be read at least, says the RFC; the rest is cut off
# Whoever wants a page in no index, or in no archive, does not want it in a corpus either.
OPT_OUTS = ("noai", "noindex", "none", "noarchive", "nocache")
NOFOLLOW = {"nofollow", "none"}
# Of robots' words, those that have a value: before their colon stands no name of a crawler.
VALUED = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}


@dataclass(frozen=True)
class Manners:
    """What one origin asks for. `closed` is why nothing may be asked there; `reserved` are patterns of the paths that
    may not be mined."""

    robots: Protego | None = None
    reserved: tuple[str, ...] = ()
    closed: str | None = None

    def refusal(self, address: str, name: str) -> str | None:
        """Why this crawler may not go there, if so."""
        if self.closed or self.robots is None:
            return self.closed
        if not self.robots.can_fetch(address, name):
            return "robots.txt"
        return "opt-out: tdm-reservation, in tdmrep.json" if self.keeps_back(path(address)) else None

    def keeps_back(self, asked: str) -> bool:
        """Whichever rule says so: where several fit, the site's wish is not to be argued with."""
        return any(fits(one.removesuffix("$"), asked, whole=one.endswith("$")) for one in self.reserved)


def of_robots(content: bytes, name: str) -> tuple[Protego, float]:
    """The rules, and the seconds between two requests that they ask for."""
    robots = Protego.parse(content[:LARGEST].decode("utf-8", "replace").lstrip("\ufeff"))
    rate = robots.request_rate(name)
    return robots, max(robots.crawl_delay(name) or 0.0, rate.seconds / rate.requests if rate and rate.requests else 0.0)


def of_tdmrep(content: bytes) -> tuple[str, ...]:
    """The patterns of paths that are reserved; of what is no such file, none."""
    try:
        rules: Any = json.loads(content)
    except (ValueError, RecursionError):
        return ()
    found = (one for one in (rules if isinstance(rules, list) else [rules]) if isinstance(one, dict))
    return tuple(
        f"{one['location']}" for one in found if "location" in one and says_reserved(f"{one.get('tdm-reservation')}")
    )


def says_reserved(value: str) -> bool:
    return value.strip() == "1"


def words(values: Iterable[str], name: str) -> Iterator[str]:
    """The words of X-Robots-Tag, or of a meta element, that are for this crawler, or for all."""
    for value in values:
        meant = True
        for one in value.lower().split(","):
            before, colon, after = one.partition(":")
            if colon and before.strip() not in VALUED:
                meant, one = before.strip() == name.lower(), after  # noqa: PLW2901
            if meant:
                yield one.strip()


def opted_out(said: Iterable[str]) -> str | None:
    """The word that keeps a page back, if one does."""
    return next((one for one in said if one in OPT_OUTS), None)
