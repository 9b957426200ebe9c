"""What a web page says of itself: in metadata, for search engines, in markup. Nothing is guessed from its text."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urljoin

LONGEST = 500  # characters of a title, an author or an address that is one
CDATA = re.compile(r"^\s*<!\[CDATA\[|\]\]>\s*$")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
TITLES = ("og:title", "twitter:title", "citation_title", "dc.title")
AUTHORS = ("author", "article:author", "citation_author", "dc.creator", "parsely-author", "sailthru.author")
DATES = (
    *("article:published_time", "og:published_time", "datepublished", "citation_publication_date", "parsely-pub-date"),
    *("sailthru.date", "pubdate", "publishdate", "date", "dc.date", "dc.date.issued", "dcterms.created"),
)
LANGUAGES = ("content-language", "language", "dc.language", "og:locale")


def fields(tree: Any, url: str | None) -> dict[str, str | None]:
    """Title, author, date, language and address of a page, where it says them; `url` is where it was."""
    metas = dict[str, list[str]]()
    for one in tree.iter("meta"):
        name = one.get("property") or one.get("name") or one.get("itemprop") or one.get("http-equiv") or ""
        metas.setdefault(name.lower(), []).append(one.get("content") or "")
    linked = list(nodes(tree))

    def first(names: Iterable[str], *others: str) -> list[str]:
        return [*(value for name in names for value in metas.get(name, ())), *others]

    return {
        "title": short(*first(TITLES), *texts(tree, "title"), *values(linked, "headline"), *texts(tree, "h1")),
        "author": short(*(one for one in (*first(AUTHORS), *authors(linked)) if "://" not in one)),
        "date": day(*first(DATES), *values(linked, "datePublished"), *times(tree)),
        "language": language(tree.get("lang"), tree.get("xml:lang"), *first(LANGUAGES)),
        "url": address(url, *canonical(tree), *first(("og:url",))),
    }


def nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of its JSON-LD that stand on top, or in a list or a graph on top."""
    for script in tree.iter("script"):
        if script.get("type") == "application/ld+json":
            try:
                found = json.loads(CDATA.sub("", script.text or ""), strict=False)
            except (ValueError, RecursionError):
                continue
            for one in objects(found):
                yield one
                yield from objects(one.get("@graph"))


def objects(found: Any) -> list[dict[str, Any]]:
    """An object, or those of a list."""
    return [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, dict)]


def values(linked: Iterable[Mapping[str, Any]], name: str) -> Iterator[str]:
    """The texts of that name."""
    return (value for node in linked if isinstance(value := node.get(name), str))


def authors(linked: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Their names, one by one."""
    for node in linked:
        found = node.get("author")
        people = found if isinstance(found, list) else [found]
        names = [one.get("name") if isinstance(one, dict) else one for one in people]
        yield ", ".join(one for one in names if isinstance(one, str))


def texts(tree: Any, tag: str) -> Iterator[str]:
    return (one.text_content() for one in tree.iter(tag))


def times(tree: Any) -> Iterator[str]:
    """Where an article itself says when it was published."""
    for one in tree.iter("time"):
        if one.get("itemprop") == "datePublished" or one.get("pubdate") is not None:
            yield one.get("datetime") or ""


def canonical(tree: Any) -> Iterator[str]:
    return (one.get("href") or "" for one in tree.iter("link") if (one.get("rel") or "").lower() == "canonical")


def short(*candidates: str) -> str | None:
    """The first that says something and is no text of its own, on one line."""
    lines = (" ".join(one.split()) for one in candidates)
    return next((one for one in lines if one and len(one) <= LONGEST), None)


def day(*candidates: str) -> str | None:
    """The first that begins with a day, as YYYY-MM-DD."""
    for one in candidates:
        if found := DAY.match(one.strip()):
            try:
                return date(*map(int, found.groups())).isoformat()
            except ValueError:
                continue
    return None


def language(*candidates: str | None) -> str | None:
    """The first that is written as a language is, such as en or pt-BR."""
    tags = ((one or "").strip().replace("_", "-") for one in candidates)
    return next((one for one in tags if LANGUAGE.fullmatch(one)), None)


def address(url: str | None, *candidates: str) -> str | None:
    """The first that is an address, seen from where the page was."""
    for one in candidates:
        try:
            found = urljoin(url or "", one.strip())
        except ValueError:
            continue
        if one.strip() and found.startswith(("http://", "https://")) and len(found) <= LONGEST:
            return found
    return url
