"""Tell the life of a document, by id or text; or where documents were dropped, and why."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stages.commands import _drops, _lines
from stages.commands._life import life, output
from stages.commands._screen import columns, cut, painted
from stages.commands._search import HOW, Hit, by_id, by_text
from stages.core.faults import Fault
from stages.core.records import shards

SHOWN = 5  # documents of each kind that a text leads to
LEAD = 15  # characters of a text before the query


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which document, or all that were dropped."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("what", metavar="ID|TEXT", nargs="?", help="an id or how it begins (4 digits or more), or a text")
    what.add_argument("--drops", action="store_true", help="the documents that each stage dropped: reasons, examples")
    parser.add_argument("--text", action="store_true", help="what is given is a text, even if it looks like an id")
    parser.add_argument("--json", action="store_true", help="everything, uncut, for programs")


def main(options: argparse.Namespace) -> int:
    """Prints a life; or the documents that a text leads to, and the life of the one that it can only be; or drops."""
    if not shards(output("ingest")):
        raise Fault(f"{output('ingest')}: no documents are here; `make repro` brings them in")
    told = _drops.drops() if options.drops else traced(options.what, options.text)
    if options.json:
        # In ASCII: no control character of a document gets to a terminal this way either.
        print(json.dumps(told, indent=2, sort_keys=True))
    else:
        written("\n".join(_drops.lines(told) if options.drops else all_lines(told)))
    return 0


def written(text: str) -> None:
    """To standard output; what its encoding does not know as an escape."""
    sys.stdout.buffer.write(f"{text}\n".encode(sys.stdout.encoding, "backslashreplace"))


def traced(given: str, is_text: bool) -> dict[str, Any]:
    """The documents that a text leads to, and the life of the one that was asked for."""
    what = os.fsencode(given).decode("utf-8", "replace")  # bytes of the command line that are no UTF-8
    one = None if is_text else by_id(what)
    hits = by_text(what) if one is None else []
    if one is None and not hits:
        raise Fault(f"{what!r}: no document has this text in it, or is near; fewer or other words may find more")
    one = one or exact(hits)
    return {"query": what, "documents": [asdict(hit) for hit in hits], "life": life(one) if one else None}


def exact(hits: Sequence[Hit]) -> str | None:
    """The one document that a text can only be: the same, or without any such the only one that contains it."""
    for how in HOW[:2]:
        if found := [hit.id for hit in hits if hit.how == how]:
            return found[0] if len(found) == 1 else None
    return None


def all_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """What a text leads to, then a life."""
    for how in HOW:
        found = [hit for hit in told["documents"] if hit["how"] == how]
        if found:
            more = f", {SHOWN} of {len(found):,}" if len(found) > SHOWN else ""
            yield painted(f"{how}{more}", "name")
        yield from listed(found[:SHOWN], told["query"])
    if told["life"]:
        yield from [""] * bool(told["documents"])
        yield from _lines.lines(told["life"])


def listed(hits: Sequence[Mapping[str, Any]], query: str) -> Iterator[str]:
    """A line each: id, Jaccard similarity, what became of it, and the text from where the query begins."""
    fates = max((len(hit["fate"]) for hit in hits), default=0)
    for hit in hits:
        alike = "" if hit["jaccard"] is None else f"{hit['jaccard']:.3f}"
        yield cut(f"  {hit['id']}  {alike:5}  {hit['fate']:{fates}}  {around(query, hit['text'])}", columns())


def around(query: str, text: str) -> str:
    """The text, without its beginning where the query stands far from it."""
    place = text.lower().find(query.lower().strip())
    return f"…{text[place - LEAD :]}" if place > LEAD else text
