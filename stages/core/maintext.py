"""What the process does that takes web pages apart: their main text, and what they say of themselves.

The parsers are C, and pages come from anybody: of half a megabyte of `<div>` one of them makes minutes, in which Python
interrupts nothing. So `stages.core.pages` has this done by a process of its own, under limits that the system enforces.
"""

import gc
import logging
import resource
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from stages.core import declared

MEMORY = 2**31  # bytes that all of the process may take
# Where more than one character in so many can't be decoded, it is another encoding.
DAMAGE = 1_000
# PDF, zip (Word, EPUB), gzip, PNG, JPEG, GIF, programs, Parquet: what a folder of pages has beside them.
OTHER = (b"%PDF-", b"PK\3\4", b"\x1f\x8b", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"PAR1")
CONTROL = tuple(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))  # no XML, so no text in a tree either


class Page(NamedTuple):
    """The main text of a page; the rest only where the page declares it. The date is a day: YYYY-MM-DD."""

    text: str
    title: str | None
    author: str | None
    date: str | None
    language: str | None
    url: str | None


def serve() -> None:
    """Answers until nobody asks any more."""
    extractor, seconds, handle = sys.argv[1:]
    asked = Connection(int(handle))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, whatever it is doing
    logging.disable()
    if extractor == "trafilatura":
        hasten()
    page(b"<p>All that is imported later, for the first page.</p>", None, None, extractor)
    # Pages leave hardly any circles behind: to look for them all the time takes a tenth of it.
    gc.freeze()
    gc.disable()
    while True:
        try:
            html, charset, url = asked.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, float(seconds))
        answer = page(html, charset, url, extractor)
        signal.setitimer(signal.ITIMER_PROF, 0)
        asked.send(answer)
        gc.collect(0)  # what the page has left; a look at all would take a tenth of it again


def hasten() -> None:
    """Leaves out of trafilatura's work what no text hangs on: a look for the language, with numpy, and for classes of
    the elements of forms, which lxml would have Python do for every element."""
    sys.modules["py3langid"] = None  # pyright: ignore[reportArgumentType]
    from lxml.etree import ElementDefaultClassLookup
    from lxml.html import HtmlComment, HtmlElement, HtmlEntity, HtmlProcessingInstruction, html_parser
    from trafilatura.utils import HTML_PARSER

    classes = {"comment": HtmlComment, "pi": HtmlProcessingInstruction, "entity": HtmlEntity}
    for parser in (HTML_PARSER, html_parser):
        parser.set_element_class_lookup(ElementDefaultClassLookup(HtmlElement, **classes))


def page(html: bytes, charset: str | None, url: str | None, extractor: str) -> Page | str:
    """The page, by one of the extractors, or why there is none; what these raise is the page's fault."""
    if html.startswith(OTHER):
        return "no web page, by its first bytes"
    text = clean(decoded(html, charset))
    try:
        tree, main = by_trafilatura(text) if extractor == "trafilatura" else by_resiliparse(text)
    except Exception as error:
        return f"{extractor} fails on it: {type(error).__name__}"
    return Page(main, **declared.fields(tree, url)) if main else "no main text"


def clean(text: str) -> str:
    """The text without control characters, which hardly any has."""
    for one in CONTROL:
        if one in text:
            text = text.replace(one, "")
    return text


def by_trafilatura(html: str) -> tuple[Any, str]:
    """Its metadata are not asked for: they take half as long again, and know what day it is."""
    from trafilatura import extract, load_html

    tree = load_html(html)
    return tree, "" if tree is None else (extract(tree, include_comments=False, deduplicate=False) or "").strip()


def by_resiliparse(html: str) -> tuple[Any, str]:
    from lxml.html import HTMLParser, document_fromstring
    from resiliparse.extract.html2text import extract_plain_text  # pyright: ignore[reportMissingModuleSource]

    main = extract_plain_text(
        html, preserve_formatting=True, main_content=True, alt_texts=False, comments=False, post_meta=False
    ).strip()
    if not main:
        return None, ""
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    return document_fromstring(html.encode(), parser), main


def decoded(content: bytes, charset: str | None) -> str:
    """The text of some bytes, in the encoding that they show, that the server or the page names, or that is likely.

    What is UTF-8 by its bytes is nothing else, whatever somebody says of it, unless it has escapes, as the encodings of
    seven bits do, or zeros.
    """
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5  # pyright: ignore[reportMissingModuleSource]

    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if not (b"\x1b" in content or b"\0" in content):
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    named = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    text = content.decode(named or detect_encoding(content, from_html_meta=True) or "utf-8", "replace")
    if text.count("\ufffd") * DAMAGE <= len(text):
        return text
    return content.decode(detect_encoding(content) or "utf-8", "replace")
