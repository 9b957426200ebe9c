"""What a page says to crawlers: its links, its canonical address, its opt-outs."""

from collections.abc import Mapping
from typing import Any

from stages.commands.crawler.addresses import canonical
from stages.core.maintext import decoded

PIECE = 2**16


class Said:
    """Filled by the parser as the page goes by: no tree is made, which some pages are built to make endless."""

    def __init__(self, address: str, name: str) -> None:
        self.base, self.name = address, name
        self.links: dict[str, None] = {}
        self.canonical: str | None = None
        self.robots: list[str] = []
        self.reserved: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        match tag:
            case "base" if "href" in attributes:
                self.base = canonical(attributes["href"], self.base) or self.base
            case "a" | "area" if "nofollow" not in attributes.get("rel", "").lower().split():
                self.link(attributes.get("href"))
            case "link" if "canonical" in attributes.get("rel", "").lower().split():
                self.canonical = self.canonical or canonical(attributes.get("href", ""), self.base)
            case "meta":
                self.meta(attributes.get("name", "").lower(), attributes.get("content", ""))
            case _:
                pass

    def link(self, href: str | None) -> None:
        if href and (found := canonical(href, self.base)):
            self.links[found] = None

    def meta(self, name: str, content: str) -> None:
        if name in {"robots", self.name.lower()}:
            self.robots.append(content)
        elif name == "tdm-reservation":
            self.reserved.append(content)

    def close(self) -> None:
        """The parser calls it at the end."""


def said(content: bytes, charset: str | None, address: str, name: str) -> Said:
    """What a page says to the crawler of that name."""
    from lxml.etree import HTMLParser, LxmlError

    found = Said(address, name)
    parser: Any = HTMLParser(target=found, encoding="utf-8")
    html = decoded(content, charset).replace("\0", "").encode("utf-8", "replace")
    try:
        for at in range(0, len(html), PIECE):
            parser.feed(html[at : at + PIECE])
        parser.close()
    except LxmlError:
        pass  # what came before the parser gave up counts
    return found
