"""Web archives, as crawlers write them: WARC, WET and ARC."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from stages.core import crawls, inputs, maintext, pages
from stages.core.crawls import Broken, Damage, Record
from stages.core.inputs import File, Part
from stages.core.maintext import Page
from stages.core.params import Distinct, Positive, Section
from stages.core.records import Reject, Row, Unwanted

OK = 200
HTML = ("text/html", "application/xhtml+xml")
PLAIN = "text/plain"
OWN = "metadata:"  # crawlers keep their logs as resources too


class Params(Section):
    """`records`: which types are documents. A `response` is what a server answered, if it found the page; a `resource`
    is the same without the answer's headers; a `conversion` is text that somebody else has made of it, as in WET. What
    is neither HTML nor plain text is unwanted in any of them, and so are the logs of crawlers.

    `extractor` and `seconds` are as for html.
    """

    files: Annotated[tuple[File, ...], Field(min_length=1)]
    records: Annotated[tuple[Literal["response", "resource", "conversion"], ...], Field(min_length=1), Distinct]
    extractor: pages.Extractor
    seconds: Positive


def attributes(p: Params) -> pa.DataType:
    return pages.attributes(p.files, "target", "fetched", "type")


def needs(p: Params) -> tuple[File, ...]:
    return p.files


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    return inputs.parts(p.files, paths, whole=True, groups=inputs.MEMBERS)


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Row | Reject | Unwanted]:
    file = p.files[part.file]
    for place, stream in inputs.opened(file, paths[part.file], part, crawls.unpack):
        for record in crawls.records(stream, pages.LARGEST):
            found = record.reason if isinstance(record, Damage) else document(record, p, file)
            yield Reject(f"{place}:{record.offset}", found) if isinstance(found, str) else found or Unwanted(1)


def document(record: Record, p: Params, file: File) -> Row | str | None:
    """The document that a record is; or why it can't be read; None: it is unwanted."""
    told = record.headers
    target = told.get("warc-target-uri", "").strip("<>") or None
    if told.get("warc-type") not in p.records or (target or "").startswith(OWN):
        return None
    try:
        found = sent(record)
    except Broken as error:
        return f"{error}"
    page = found and made(*found, target, p)
    if page is None or isinstance(page, str):
        return page
    fetched = told.get("warc-date")
    key = told.get("warc-record-id", "").strip("<>") or f"{target} {fetched}"
    return pages.row(page, key, file, target=target, fetched=fetched, type=found and found[1])


def sent(record: Record) -> tuple[bytes, str, str | None] | None:
    """The content of a record, its type and its encoding, unless it is unwanted."""
    told, answer = record.headers, None
    if told["warc-type"] == "response" and (answer := crawls.answer(record.content)) is None:
        raise Broken("no answer of a server, though it is called one")
    said = (answer.headers if answer else told).get("content-type")
    kind, charset = media(said or told.get("warc-identified-payload-type", ""))
    if kind not in (*HTML, PLAIN) or (answer and answer.status != OK):
        return None
    if record.cut:
        raise Broken(pages.TOO_LARGE)
    return crawls.body(answer, pages.LARGEST + 1) if answer else record.content, kind, charset


def media(header: str) -> tuple[str, str | None]:
    """The type of a content, and its encoding if that is said."""
    kind, *rest = (one.strip() for one in header.lower().split(";"))
    return kind, next((one.partition("=")[2].strip("\"' ") for one in rest if one.startswith("charset")), None)


def made(content: bytes, kind: str, charset: str | None, target: str | None, p: Params) -> Page | str:
    """A page from HTML, or from text that is all that there is."""
    if kind in HTML:
        return pages.extract(content, charset, target, p.extractor, p.seconds)
    if len(content) > pages.LARGEST:
        return pages.TOO_LARGE
    text = maintext.decoded(content, charset).strip()
    return Page(text, None, None, None, None, target) if text else "no text"
