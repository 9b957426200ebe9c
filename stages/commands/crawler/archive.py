"""The capture of a crawl, a WARC that is its journal too: what is whole in it is done, the rest is done again."""

import gzip
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from pydantic import TypeAdapter

from stages.commands.crawler.wire import Answer
from stages.core import crawls
from stages.core.crawls import Damage, Record
from stages.core.faults import Fault
from stages.scrape import Crawl

MOST = 2**30  # bytes of a record: more than any crawl allows
FETCHED, FOUND = "application/http;msgtype=response", "application/json"
# The body lies here in one piece; what a server said of its pieces would mislead whoever reads it.
TRANSFER = {"transfer-encoding", "content-length", "connection", "keep-alive"}


@dataclass(frozen=True, order=True)
class Visit:
    """An address to go to: how many links from a seed, how often sent on, and by which page."""

    depth: int
    address: str
    sent_on: int = 0
    via: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a visit: kept, or the reason why not, with what that speaks of; and where it leads."""

    visit: Visit
    reason: str | None = None
    about: str | None = None
    onward: str | None = None
    links: tuple[str, ...] = ()
    digest: str | None = None


OUTCOME = TypeAdapter(Outcome)


class Archive:
    """A capture on its way. Each visit is written at once: the answer, if it is kept, then a record of the outcome, in
    gzip members of their own."""

    def __init__(self, path: Path, crawl: Crawl) -> None:
        self.path, self.about = path, crawl.model_dump(mode="json", exclude={"capture"})
        self.done = list(self.resumed()) if path.exists() else []
        self.file = path.open("ab")
        if not self.file.tell():
            self.write(record("warcinfo", json.dumps(self.about).encode(), FOUND))

    def resumed(self) -> Iterator[Outcome]:
        """The visits that are done. What a kill cut off goes."""
        whole, begun = 0, False
        with self.path.open("rb") as file:
            for one, end in ended(crawls.records(file, MOST), self.path.stat().st_size):
                kind = one.headers.get("warc-type")
                if kind == "warcinfo":
                    begun = self.same(one.content)
                elif kind == "metadata" and one.headers.get("content-type") == FOUND:
                    yield OUTCOME.validate_json(one.content)
                whole = whole if kind == "response" else end
        with self.path.open("r+b") as file:
            file.truncate(whole if begun else 0)

    def same(self, content: bytes) -> bool:
        """Whether this was begun for the same crawl: two in one capture could not be told apart."""
        before = json.loads(content)
        if other := [key for key in self.about if before.get(key) != self.about[key]]:
            raise Fault(
                f"{self.path}: begun with another {', '.join(other)}; "
                "delete it to begin anew, or bring the old values back to go on"
            )
        return True

    def write(self, *members: bytes) -> None:
        self.file.write(b"".join(members))
        self.file.flush()

    def add(self, found: Outcome, answer: Answer | None) -> None:
        """Writes what became of a visit."""
        address = found.visit.address
        members = [response(address, answer)] if answer and found.reason is None else []
        self.write(*members, record("metadata", OUTCOME.dump_json(found), FOUND, address))

    def evidence(self, address: str, content: bytes) -> None:
        """What the owner of a site asked for, as it was that day."""
        self.write(record("metadata", content, "text/plain", address))

    def close(self) -> None:
        self.file.close()


def ended(items: Iterator[Record | Damage], size: int) -> Iterator[tuple[Record, int]]:
    """The records before the first damage, each with where the next one begins. One whose own member is damaged, be it
    behind the record, is not among them."""
    before: Record | None = None
    for one in items:
        if before and before.offset < one.offset:
            yield before, one.offset
        before = one if isinstance(one, Record) else None
        if before is None:
            return
    if before:
        yield before, size


def digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def response(address: str, answer: Answer) -> bytes:
    """The record of an answer. Its id hangs on address and content, so that another crawl gives an unchanged page the
    same one: it becomes the document's."""
    heads = [(key, value) for key, value in answer.headers if key.lower() not in TRANSFER]
    lines = [f"{key}: {value}\r\n" for key, value in (*heads, ("Content-Length", f"{len(answer.body)}"))]
    status = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
    whole = "".join([status, *lines, "\r\n"]).encode("latin-1") + answer.body
    same = digest(answer.body)
    id_ = uuid.uuid5(uuid.NAMESPACE_URL, f"{address} {same}")
    return record("response", whole, FETCHED, address, id_, same)


def record(
    kind: str,
    content: bytes,
    media: str,
    address: str | None = None,
    id_: uuid.UUID | None = None,
    payload: str | None = None,
) -> bytes:
    """A record of WARC 1.1 as a gzip member of its own."""
    told = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<{(id_ or uuid.uuid4()).urn}>",
        "WARC-Date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        **({"WARC-Target-URI": address} if address else {}),
        **({"WARC-Payload-Digest": payload} if payload else {}),
        "WARC-Block-Digest": digest(content),
        "Content-Type": media,
        "Content-Length": f"{len(content)}",
    }
    head = "".join(f"{key}: {value}\r\n" for key, value in told.items())
    return gzip.compress(f"WARC/1.1\r\n{head}\r\n".encode() + content + b"\r\n\r\n", mtime=0)
