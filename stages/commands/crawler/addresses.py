"""Addresses of pages: their normal form, and which of them a crawl wants."""

from collections.abc import Iterator

from yarl import URL

from stages.core.faults import Fault
from stages.scrape import Crawl

LONGEST = 2_000  # characters: what is longer makes itself longer with every link


def canonical(link: str, base: str | None = None) -> str | None:
    """The normal form of an address, seen from the page `base`: without its fragment and a port that goes without
    saying, with the escapes that it needs (RFC 3986, 6.2.2). None: it is none of a page that anybody may see."""
    text = "".join(link.split()) if "\n" in link else link.strip()  # as browsers do
    try:
        url = URL(base).join(URL(text)) if base else URL(text)
        if url.scheme not in {"http", "https"} or not url.raw_host or url.raw_user or url.raw_password:
            return None
        found = f"{url.origin()}{url.raw_path_qs}"
    except ValueError:
        return None
    return found if len(found) <= LONGEST and found.isprintable() and " " not in found else None


def origin(address: str) -> str:
    """Scheme, host and port: what a robots.txt speaks for."""
    return f"{URL(address).origin()}"


def host(address: str) -> str:
    """The name, or the number, of whoever is asked."""
    return URL(address).raw_host or ""


def path(address: str) -> str:
    """What is asked of the host."""
    return URL(address).raw_path_qs


def fits(pattern: str, text: str, *, whole: bool = True) -> bool:
    """Whether a text is as the pattern says, where * stands for anything; or begins so, if not `whole`.

    No regular expression: servers send patterns too, and one with many stars would take them for ever.
    """
    first, *rest = pattern.split("*")
    if not text.startswith(first):
        return False
    at, last = len(first), rest.pop() if rest else None
    for piece in rest:
        if (found := text.find(piece, at)) < 0:
            return False
        at = found + len(piece)
    if not whole:
        return last is None or text.find(last, at) >= 0
    return at == len(text) if last is None else len(text) - len(last) >= at and text.endswith(last)


def within(places: str, address: str) -> bool:
    """Whether an address is one of these places. The star of a host stays in the host: `https://*.example.org/*` is not
    `https://elsewhere.org/x.example.org/`."""
    scheme, _, rest = (canonical(places) or places).partition("://")
    named, slash, below = rest.partition("/")
    at = URL(address)
    return at.scheme == scheme and fits(named, at.raw_authority) and fits(slash + below, at.raw_path_qs)


def unwanted(crawl: Crawl, address: str, depth: int) -> str | None:
    """Why a crawl does not go there, if so."""
    if not any(within(one, address) for one in crawl.allow):
        return "fits none of `allow`"
    if any(fits(one, address) for one in crawl.deny):
        return "fits one of `deny`"
    return f"more than {crawl.depth} links from a seed" if depth > crawl.depth else None


def seeds(crawl: Crawl) -> Iterator[str]:
    """Where it begins, in normal form."""
    for one in crawl.seeds:
        if (found := canonical(one)) is None:
            raise Fault(f"scrape.crawls: {crawl.name}: {one}: no page can be there; correct `seeds`")
        yield found
