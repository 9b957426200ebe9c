"""A crawler that asks before it goes, goes where it may, takes its time, and is stopped by nothing that it meets."""

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.commands.crawler.addresses import canonical, within
from stages.commands.crawler.crawl import Yield, crawled
from stages.commands.crawler.markup import said
from stages.core import crawls
from stages.core.crawls import Record
from stages.core.faults import Fault
from stages.core.web import public
from stages.scrape import Crawl
from tests.conftest import ROOT
from tests.site import Handler, Route, Said, Server, page

AGENT = "testbot (+mailto:test@example.org)"
PACKED = {"Content-Encoding": "gzip"}
AT_ONCE = {"Retry-After": "0"}
UNREADABLE = "no answer that can be trusted or read"


def crawl(site: str, **changes: Any) -> Crawl:
    """A crawl of all of a site."""
    usual: dict[str, Any] = {
        "name": "site",
        "seeds": (f"{site}/",),
        "allow": (f"{site}/*",),
        "deny": (),
        "depth": 5,
        "pages": 100,
        "types": ("text/html", "text/plain"),
        "size": 100_000,
        "seconds": 10,
        "at_once": 1,
        "delay": 0.0,
        "patience": 2,
        "agent": AGENT,
        "private": ("127.0.0.1",),
        "capture": None,
    }
    return Crawl.model_validate(usual | changes)


class Told:
    """What a capture tells: the paths that were kept, and why others were not."""

    def __init__(self, path: Path, got: Yield) -> None:
        self.got, self.records = got, list(records(path))
        self.kept = [below(one) for one in self.records if one.headers["warc-type"] == "response"]
        found = [json.loads(one.content) for one in self.records if one.headers["content-type"] == "application/json"]
        self.addresses = {one["visit"]["address"]: one for one in found if "visit" in one}
        self.visits = {below_of(address): one for address, one in self.addresses.items()}
        self.refused = {path: one["reason"] for path, one in self.visits.items() if one["reason"]}


def records(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        for one in crawls.records(file, 2**30):
            assert isinstance(one, Record)
            yield one


def below(record: Record) -> str:
    return below_of(record.headers.get("warc-target-uri", ""))


def below_of(address: str) -> str:
    found = urlsplit(address)
    return found.path + (f"?{found.query}" if found.query else "")


def crawling(tmp_path: Path, routes: Mapping[str, Route], **changes: Any) -> Told:
    """What a crawl makes of a site."""
    with Server(routes) as site:
        return told(tmp_path, crawl(site.address, **changes))


def told(tmp_path: Path, wanted: Crawl) -> Told:
    tmp_path.mkdir(exist_ok=True)
    capture = tmp_path / "site.warc.gz"
    return Told(capture, asyncio.run(crawled(wanted, capture)))


def test_it_follows_links_and_keeps_what_it_finds(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/": page("a", "/b#part", "mailto:x@y"),
        "/a": page("/"),
        "/b": Said("text", kind="text/plain"),
    }
    found = crawling(tmp_path, routes)
    assert found.kept == ["/", "/a", "/b"]
    assert found.got == Yield(pages=3)
    assert [one.headers["warc-type"] for one in found.records[:1]] == ["warcinfo"]


def test_the_capture_is_the_answer_as_it_was_sent_under_a_name_that_another_crawl_gives_it_again(
    tmp_path: Path,
) -> None:
    body = gzip.compress(page(text="ä").encode(), mtime=0)
    with Server({"/": Said(body, headers=PACKED)}) as site:
        for name in ("one", "two"):
            asyncio.run(crawled(crawl(site.address), tmp_path / name))
    one, two = (list(records(tmp_path / name))[-2] for name in ("one", "two"))
    answer = crawls.answer(one.content)
    assert answer and answer.body == body and crawls.body(answer, 10**6).decode() == page(text="ä")
    assert one.headers["warc-record-id"] == two.headers["warc-record-id"]


def test_another_reader_takes_the_capture_for_whole(tmp_path: Path) -> None:
    from fastwarc.warc import ArchiveIterator  # pyright: ignore[reportMissingModuleSource]

    found = crawling(tmp_path, {"/": page("/a", text="ä"), "/a": Said("text", kind="text/plain")})
    with (tmp_path / "site.warc.gz").open("rb") as file:
        bodies = [one.reader.read() for one in ArchiveIterator(file, parse_http=False)]
    assert bodies == [one.content for one in found.records]


# What is wanted


PATTERNS = [
    ("https://example.org/docs/*", "https://example.org/docs/", True),
    ("https://example.org/docs/*", "https://example.org/doc", False),
    ("https://example.org/*.html", "https://example.org/a/b.html", True),
    ("https://example.org/*.html", "https://example.org/a.html?x", False),
    ("https://*.example.org/*", "https://de.example.org/", True),
    ("https://*.example.org/*", "https://elsewhere.org/x.example.org/", False),
    ("https://example.org/*", "http://example.org/", False),
    ("https://example.org/*a*a", "https://example.org/a", False),
    ("https://EXAMPLE.org/", "https://example.org/", True),
    ("https://*.bücher.example:443/ä*", "https://a.xn--bcher-kva.example/%C3%A4b", True),
    ("https://example.org/[a]", "https://example.org/a", False),
]


@pytest.mark.parametrize(("places", "address", "inside"), PATTERNS)
def test_patterns_of_addresses(places: str, address: str, inside: bool) -> None:
    assert within(places, address) is inside


ADDRESSES = [
    ("HTTP://Example.ORG:80/a/../b/%7efoo/%c3%a4#part", "http://example.org/b/~foo/%C3%A4"),
    ("https://bücher.example:443", "https://xn--bcher-kva.example/"),
    ("  https://example.org/a\nb ", "https://example.org/ab"),
    ("?x=1", "https://example.org/base/page?x=1"),
    ("//other.org", "https://other.org/"),
    ("https://user:secret@example.org/", None),
    ("javascript:void(0)", None),
    ("mailto:you@example.org", None),
    ("https://example.org:99999/", None),
    ("https://exa mple.org/", None),
    (f"https://example.org/{'a' * 2_000}", None),
]


@pytest.mark.parametrize(("link", "address"), ADDRESSES)
def test_normal_form_of_addresses(link: str, address: str | None) -> None:
    assert canonical(link, "https://example.org/base/page") == address


def test_a_seed_where_no_page_can_be(tmp_path: Path) -> None:
    with pytest.raises(
        Fault, match=r"^scrape.crawls: site: http://me:secret@x.org/: no page can be there; correct `seeds`$"
    ):
        told(tmp_path, crawl("http://x.org", seeds=("http://me:secret@x.org/",)))


def test_what_fits_no_pattern_or_a_denied_one_or_is_too_deep_is_counted_and_not_asked_for(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page("/in/a", "/out", "/in/a.pdf"), "/in/a": page("/in/b"), "/in/b": page("/in/c")}
    with Server(routes) as site:
        wanted = crawl(site.address, allow=(f"{site.address}/", f"{site.address}/in/*"), deny=("*.pdf",), depth=2)
        found = told(tmp_path, wanted)
    assert found.kept == ["/", "/in/a", "/in/b"]
    assert found.got.outside == {"fits none of `allow`": 1, "fits one of `deny`": 1, "more than 2 links from a seed": 1}
    assert not {"/out", "/in/a.pdf", "/in/c"} & set(site.paths)


def test_what_was_too_deep_is_visited_when_a_shorter_way_is_found(tmp_path: Path) -> None:
    def late(handler: Handler) -> None:
        while "/deep" not in handler.server.paths:
            time.sleep(0.01)
        time.sleep(0.2)  # what it leads to is known by then
        handler.say(Said(page("/x", text="z")))

    routes: dict[str, Route] = {"/": page("/a", "/z"), "/a": page("/deep"), "/deep": page("/x"), "/x": "x", "/z": late}
    assert crawling(tmp_path, routes, depth=2, at_once=2).kept == ["/", "/a", "/deep", "/z", "/x"]


def test_as_many_pages_as_wanted_and_the_rest_is_told(tmp_path: Path) -> None:
    pages = {f"/{n}": page(text=f"{n}") for n in range(10)}
    found = crawling(tmp_path, pages | {"/": page(*pages)}, pages=4, at_once=8)
    assert (len(found.kept), found.got.outside) == (4, {"beyond 4 pages": 7})


def test_types_sizes_and_statuses_that_are_not_wanted(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/": page("/pdf", "/nothing", "/gone", "/long", "/bomb", "/odd", "/torn"),
        "/pdf": Said("%PDF", kind="application/pdf"),
        "/nothing": Said("", kind=None),
        "/long": Said("x" * 100_001),
        "/bomb": Said(gzip.compress(b"x" * 10**7), headers=PACKED),
        "/odd": Said("x", headers={"Content-Encoding": "rot13"}),
        "/torn": Said(gzip.compress(page().encode())[:-9], headers=PACKED),
    }
    assert crawling(tmp_path, routes).refused == {
        "/pdf": "content type application/pdf",
        "/nothing": "content type not said",
        "/gone": "the server answers 404",
        "/long": "more than 100,000 bytes",
        "/bomb": "more than 100,000 bytes, unpacked",
        "/odd": "its answer is packed as 'rot13'",
        "/torn": "its answer breaks off",
    }


# Pages that are the same


def test_the_same_content_is_kept_once(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page("/a", "/b"), "/a": page(text="same"), "/b": page(text="same")}
    found = crawling(tmp_path, routes, at_once=1)
    assert (found.kept, found.refused) == (["/", "/a"], {"/b": "the same content as another page"})


def test_the_canonical_address_of_a_page_stands_for_it(tmp_path: Path) -> None:
    head = '<link rel="canonical" href="/a">'
    routes: dict[str, Route] = {"/": page("/a?print"), "/a?print": page(head=head), "/a": page(head=head, text="a")}
    found = crawling(tmp_path, routes)
    assert (found.kept, found.refused) == (["/", "/a"], {"/a?print": "its canonical address is another"})


def test_of_pages_that_call_each_other_canonical_one_is_kept(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/": page("/a"),
        "/a": page(head='<link rel="canonical" href="/b">', text="a"),
        "/b": page(head='<link rel="canonical" href="/a">', text="b"),
    }
    found = crawling(tmp_path, routes)
    assert (found.kept, found.refused) == (["/", "/b"], {"/a": "its canonical address is another"})


def test_a_canonical_address_that_may_not_be_visited_changes_nothing(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page(head='<link rel="canonical" href="https://elsewhere.org/">')}
    assert crawling(tmp_path, routes).kept == ["/"]


# Where servers send on to


def test_each_hop_is_a_visit_with_all_checks(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/": page("/a", "/c", "/d"),
        "/a": Said(status=301, headers={"Location": "/b"}),
        "/b": page(text="b"),
        "/c": Said(status=302, headers={"Location": "/secret"}),
        "/d": Said(status=302, headers={"Location": "http://elsewhere.org/"}),
        "/robots.txt": Said("User-agent: *\nDisallow: /secret", kind="text/plain"),
    }
    found = crawling(tmp_path, routes)
    assert (found.kept, found.refused["/secret"]) == (["/", "/b"], "robots.txt")
    assert found.refused["/a"] == "sent on to another address"
    assert found.got.outside == {"fits none of `allow`": 1}


def test_redirects_in_a_circle_and_without_end(tmp_path: Path) -> None:
    def on(handler: Handler) -> None:
        handler.say(Said(status=302, headers={"Location": f"{handler.path}x"}))

    routes: dict[str, Route] = {f"/endless{'x' * n}": on for n in range(50)}
    routes |= {"/": page("/endless", "/circle"), "/circle": Said(status=302, headers={"Location": "/circle"})}
    found = crawling(tmp_path, routes)
    assert Counter(found.refused.values()) == {"sent on to another address": 11, "sent on more than 10 times": 1}


def test_links_of_pages_in_other_encodings(tmp_path: Path) -> None:
    content = '<a href="/ä">'.encode("cp1252")
    routes: dict[str, Route] = {"/": Said(content, kind="text/html; charset=windows-1252"), "/%C3%A4": "found"}
    assert crawling(tmp_path, routes).kept == ["/", "/%C3%A4"]


# What owners ask for


def robots(*lines: str) -> Said:
    return Said("\n".join(lines), kind="text/plain")


def test_robots_txt_is_asked_first_and_once(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/robots.txt": robots(
            "User-agent: testbot", "Disallow: /no", "Allow: /no/but", "", "User-agent: *", "Disallow: /"
        ),
        "/": page("/no", "/no/but"),
        "/no/but": page(text="yes"),
    }
    with Server(routes) as site:
        found = told(tmp_path, crawl(site.address))
        assert site.paths[0] == "/robots.txt" and site.paths.count("/robots.txt") == 1 and "/no" not in site.paths
        assert site.agents == {AGENT}
    assert (found.kept, found.refused) == (["/", "/no/but"], {"/no": "robots.txt"})
    (kept,) = (one for one in found.records if below(one) == "/robots.txt")
    assert kept.content.startswith(b"User-agent: testbot")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_where_there_is_no_robots_txt_all_is_allowed(tmp_path: Path, status: int) -> None:
    assert crawling(tmp_path, {"/": page(), "/robots.txt": Said(status=status)}).kept == ["/"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_where_robots_txt_can_not_be_had_nothing_is(tmp_path: Path, status: int) -> None:
    routes: dict[str, Route] = {"/": page(), "/robots.txt": Said(status=status, headers=AT_ONCE)}
    found = crawling(tmp_path, routes)
    assert found.refused == {"/": f"/robots.txt can't be had: the server answers {status}"}


def test_robots_txt_may_be_elsewhere_but_not_further_than_five_hops(tmp_path: Path) -> None:
    def hops(count: int) -> dict[str, Route]:
        steps = [f"/hop{n}" for n in range(count - 1)]
        ways = zip(["/robots.txt", *steps], [*steps, "/rules"], strict=True)
        return {here: Said(status=301, headers={"Location": there}) for here, there in ways}

    routes: dict[str, Route] = {"/": page(), "/rules": robots("User-agent: *", "Disallow: /")}
    assert crawling(tmp_path / "five", routes | hops(5)).refused == {"/": "robots.txt"}
    assert crawling(tmp_path / "six", routes | hops(6)).kept == ["/"]


def test_of_a_robots_txt_without_end_the_first_500_kib_count(tmp_path: Path) -> None:
    text = "User-agent: *\nDisallow: /no\n" + "# and so on\n" * 10**5 + "Disallow: /\n"
    found = crawling(tmp_path, {"/": page("/no"), "/robots.txt": Said(text, kind="text/plain")})
    assert (found.kept, found.refused) == (["/"], {"/no": "robots.txt"})


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_requests_at_once_than_wanted(tmp_path: Path, at_once: int) -> None:
    gate, inside, most = threading.Semaphore(0), Counter[str](), list[int]()

    def enter(handler: Handler) -> None:
        inside["now"] += 1
        most.append(inside["now"])
        if inside["now"] == at_once:  # all are in: nobody else is to come before one has left
            time.sleep(0.1)
            gate.release(at_once)
        gate.acquire(timeout=1)
        inside["now"] -= 1
        handler.say(Said(page(text=handler.path)))

    pages: dict[str, Route] = {f"/{n}": enter for n in range(6)}
    crawling(tmp_path, pages | {"/": page(*pages)}, at_once=at_once)
    assert max(most) == at_once


def test_pauses_between_requests_are_kept(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page("/a", "/b"), "/a": page(text="a"), "/b": page(text="b")}
    with Server(routes | {"/robots.txt": robots("User-agent: *", "Crawl-delay: 0.4")}) as site:
        told(tmp_path, crawl(site.address, delay=0.2, at_once=8))
        times = [when for _, when in site.asked]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.15
    assert min(later - earlier for earlier, later in pairwise(times[1:])) > 0.35


def test_whoever_wants_more_patience_than_there_is_is_left_alone(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/": page(), "/robots.txt": robots("User-agent: *", "Crawl-delay: 60")}
    asks = "the host asks for pauses of more than 2 seconds"
    assert crawling(tmp_path / "one", routes).refused == {"/": asks}
    busy = Said(status=503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"})
    routes = {"/": page("/a", "/b"), "/a": busy, "/b": "b"}
    found = crawling(tmp_path / "two", routes, at_once=1)
    assert found.refused == {"/a": asks, "/b": asks}


def test_a_busy_server_is_asked_again_when_it_says(tmp_path: Path) -> None:
    def busy(handler: Handler) -> None:
        again = handler.server.paths.count("/") > 1
        handler.say(Said(page()) if again else Said(status=503, headers={"Retry-After": "1"}))

    with Server({"/": busy}) as site:
        assert told(tmp_path, crawl(site.address)).kept == ["/"]
        first, second = (when for path, when in site.asked if path == "/")
    assert second - first > 0.9


def test_a_server_that_stays_busy_is_not_asked_for_ever(tmp_path: Path) -> None:
    with Server({"/": Said(status=500, headers=AT_ONCE)}) as site:
        assert told(tmp_path, crawl(site.address)).refused == {"/": "the server answers 500"}
        assert site.paths.count("/") == 4


OPT_OUTS = {
    "noai": (Said(page(head='<meta name="robots" content="NOAI, noimageai">')), "opt-out: noai"),
    "noindex": (Said(page(head="<meta content=noindex name=ROBOTS>")), "opt-out: noindex"),
    "meta of this crawler": (Said(page(head='<meta name="testbot" content="noarchive">')), "opt-out: noarchive"),
    "header": (Said("x", headers={"X-Robots-Tag": "noai"}), "opt-out: noai"),
    "header for this crawler": (
        Said("x", headers={"X-Robots-Tag": "otherbot: nofollow, testbot: none"}),
        "opt-out: none",
    ),
    "header of TDMRep": (Said("x", headers={"TDM-Reservation": "1"}), "opt-out: tdm-reservation"),
    "meta of TDMRep": (Said(page(head='<meta name="tdm-reservation" content="1">')), "opt-out: tdm-reservation"),
    "header for another crawler": (Said("x", headers={"X-Robots-Tag": "otherbot: noai, noindex"}), None),
    "words with values": (Said("x", headers={"X-Robots-Tag": "unavailable_after: 1 Jan 2100, max-snippet: 3"}), None),
    "mining allowed": (Said("x", headers={"TDM-Reservation": "0"}), None),
}


@pytest.mark.parametrize(("answer", "reason"), OPT_OUTS.values(), ids=OPT_OUTS)
def test_opt_outs_are_honoured_and_written_down(tmp_path: Path, answer: Said, reason: str | None) -> None:
    found = crawling(tmp_path, {"/": page("/a"), "/a": answer})
    assert found.refused.get("/a") == reason
    assert ("/a" in found.kept) is (reason is None)
    assert found.got.refused == ({reason: 1} if reason else {})


def test_what_tdmrep_json_reserves_is_not_asked_for(tmp_path: Path) -> None:
    rules = [{"location": "/kept/*", "tdm-reservation": 1}, {"location": "/*.html$", "tdm-reservation": 1}]
    rules.append({"location": "/*", "tdm-reservation": 0})
    routes: dict[str, Route] = {
        "/.well-known/tdmrep.json": Said(json.dumps(rules), kind="application/json"),
        "/": page("/kept/a", "/a.html", "/a.html?x"),
        "/a.html?x": "free",
    }
    with Server(routes) as site:
        found = told(tmp_path, crawl(site.address))
        assert not {"/kept/a", "/a.html"} & set(site.paths)
    reason = "opt-out: tdm-reservation, in tdmrep.json"
    assert (found.kept, found.refused) == (["/", "/a.html?x"], {"/a.html": reason, "/kept/a": reason})


@pytest.mark.parametrize("content", ["<html>not found</html>", "[" * 10**5, "[1, {}]", '{"location": 1}'])
def test_what_is_no_tdmrep_json_reserves_nothing(tmp_path: Path, content: str) -> None:
    assert crawling(tmp_path, {"/.well-known/tdmrep.json": content, "/": page()}).kept == ["/"]


def test_links_that_shall_not_be_followed(tmp_path: Path) -> None:
    routes: dict[str, Route] = {
        "/": '<base href="/in/"><a rel="ugc nofollow" href=no>no</a><map><area href=yes></map>',
        "/in/yes": page("/no", head='<meta name=robots content="nofollow">'),
    }
    with Server(routes) as site:
        assert told(tmp_path, crawl(site.address)).kept == ["/", "/in/yes"]
        assert not {"/in/no", "/no"} & set(site.paths)


# Servers that mean no good


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",  # noqa: S104
            "224.0.0.1",
        ),
        *("255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2001:0:0:0:0:0:80ff:fffe"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert public(address)


def test_a_private_address_is_reached_only_on_a_host_that_is_named(tmp_path: Path) -> None:
    inner = {"/": page(text="secret")}
    with Server(inner) as secret, Server({"/": page(text="public")}) as site:
        there = [
            f"http://{name}:{secret.server_port}/" for name in ("localhost", "0x7f.1", "2130706433", "[::ffff:7f00:1]")
        ]
        site.routes |= {"/": page(*there, "/on"), "/on": Said(status=302, headers={"Location": there[0]})}
        allow = (f"{site.address}/*", *(f"{one}*" for one in there))
        found = told(tmp_path, crawl(site.address, allow=allow))
        assert secret.paths == []
    assert found.kept == ["/"]
    others = [one["reason"] for address, one in found.addresses.items() if not address.startswith(site.address)]
    assert len(others) == 4 and all(one.startswith("/robots.txt can't be had: no ") for one in others)


def test_a_name_that_leads_to_a_private_address_later_is_refused_then(tmp_path: Path, monkeypatch: Any) -> None:
    """The address that is checked is the one that is connected to: a name server may change its mind."""
    asked: list[str] = []

    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with Server({"/": page()}) as site:
        monkeypatch.setattr(socket, "getaddrinfo", answer)
        there = f"http://pages.example:{site.server_port}"
        found = told(tmp_path, crawl(there))
        assert (site.paths, set(asked)) == ([], {"pages.example"})
    assert found.refused == {"/": "/robots.txt can't be had: no public address"}


def test_servers_that_send_without_end_or_drop_by_drop(tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while not handler.server.over.is_set():
            handler.wfile.write(b"<p>more</p>" * 1_000)

    def heads(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.server.over.is_set():
            handler.wfile.write(b"X-More: more\r\n" * 1_000)

    def drops(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while not handler.server.over.wait(0.05):
            handler.wfile.write(b"x")

    def slow_head(handler: Handler) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Type: " + b"text/html;" * 100:
            handler.wfile.write(bytes([byte]))
            if handler.server.over.wait(0.05):
                return

    ways: dict[str, Route] = {"/endless": endless, "/heads": heads, "/drops": drops, "/slow": slow_head}
    found = crawling(tmp_path, ways | {"/": page(*ways)}, seconds=1)
    assert found.kept == ["/"]
    assert found.refused == {
        "/endless": "more than 100,000 bytes",
        "/heads": UNREADABLE,
        "/drops": "more than 1 seconds",
        "/slow": "more than 1 seconds",
    }


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here, which makes the certificate")
def test_a_server_that_can_not_say_who_it_is(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server({"/": page()}) as site:
        site.socket = context.wrap_socket(site.socket, server_side=True)
        found = told(tmp_path, crawl(site.address.replace("http:", "https:")))
    assert (found.refused, site.paths) == ({"/": f"/robots.txt can't be had: {UNREADABLE}"}, [])


def test_answers_that_break_off_or_are_none(tmp_path: Path) -> None:
    def half(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\nhalf")
        handler.close_connection = True

    def nonsense(handler: Handler) -> None:
        handler.wfile.write(b"\0\1\2 what?\r\n\r\n")
        handler.close_connection = True

    found = crawling(tmp_path, {"/": page("/half", "/nonsense"), "/half": half, "/nonsense": nonsense}, patience=1)
    assert found.refused == {"/half": "no answer", "/nonsense": UNREADABLE}


def test_a_host_that_does_not_answer_is_left_alone(tmp_path: Path) -> None:
    def never(handler: Handler) -> None:
        handler.server.over.wait()

    pages: dict[str, Route] = {f"/{n}": never for n in range(9)}
    with Server(pages | {"/": page(*pages)}) as site:
        found = told(tmp_path, crawl(site.address, seconds=1, at_once=1))
        assert len(site.paths) == 8
    assert found.got.refused == {"more than 1 seconds": 5, "the host left 5 visits without an answer": 4}


BOMBS = {
    "nested": "<div>" * 20_000,
    "links within links": "<a href=/a><b>" * 7_000,
    "attributes": f"<a {' '.join(f'a{n}=1' for n in range(10_000))}>",
    "not closed": "<!--" * 20_000,
    "zeros": "\0<a href=/a>\0" * 1_000,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_pages_that_are_made_to_be_hard(tmp_path: Path, bomb: str) -> None:
    found = crawling(tmp_path, {"/": Said(bomb), "/a": "a"})
    assert found.kept in (["/"], ["/", "/a"])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_page_with_or_without_links(content: bytes) -> None:
    assert all(one.startswith("http") for one in said(content, None, "https://example.org/", "testbot").links)


# Interrupted


def labyrinth() -> dict[str, Route]:
    """A site with pages, redirects, twins and dead ends."""
    pages = {f"/{n}": page(f"/{2 * n}", f"/{2 * n + 1}", f"/r{n}", text=f"{n}") for n in range(1, 16)}
    sent = {f"/r{n}": Said(status=302, headers={"Location": f"/{n + 1}"}) for n in range(1, 16)}
    return {"/": page("/1"), "/16": page(text="twin"), "/17": page(text="twin"), **pages, **sent}


def end_of(path: Path) -> tuple[list[str], dict[str, str]]:
    """What a capture of the labyrinth holds, in any order; which of the twins came first is left to chance."""
    found = Told(path, Yield())
    twins = {"/16", "/17"}
    assert len(found.kept) == len(set(found.kept)) and len(twins & set(found.kept)) == 1
    refused = {path: reason for path, reason in found.refused.items() if path not in twins}
    return sorted(set(found.kept) - twins), refused


def test_a_capture_that_breaks_off_anywhere_is_gone_on_with(tmp_path: Path) -> None:
    with Server(labyrinth()) as site:
        whole = crawl(site.address, at_once=2)
        asyncio.run(crawled(whole, tmp_path / "whole"))
        content = (tmp_path / "whole").read_bytes()
        for number in range(13):
            part = tmp_path / f"{number}"
            part.write_bytes(content[: number * len(content) // 12])
            site.asked.clear()
            got = asyncio.run(crawled(whole, part))
            assert end_of(part) == end_of(tmp_path / "whole") and got.pages == 17
            if number == 12:
                assert site.paths == []


def test_a_crawl_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path: Path) -> None:
    story = "import asyncio, pathlib, sys\nfrom stages.commands.crawler.crawl import crawled\n"
    story += "from stages.scrape import Crawl\n"
    story += "asyncio.run(crawled(Crawl.model_validate_json(sys.argv[1]), pathlib.Path(sys.argv[2])))"
    kills = 0
    with Server(labyrinth()) as site:
        wanted = crawl(site.address, delay=0.02, at_once=2)
        asyncio.run(crawled(wanted, tmp_path / "whole"))
        site.asked.clear()
        command = [sys.executable, "-c", story, wanted.model_dump_json(), str(tmp_path / "part")]
        while True:
            process, before = subprocess.Popen(command, cwd=ROOT), len(site.asked)
            while process.poll() is None and len(site.asked) < before + 15:
                time.sleep(0.005)
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            kills += 1
        again = Counter(site.paths)
    assert process.returncode == 0 and kills > 1
    assert end_of(tmp_path / "part") == end_of(tmp_path / "whole")
    # Only what was on its way is asked for again.
    assert sum(again.values()) - len(again) <= kills * (2 + wanted.at_once)


def test_a_capture_of_other_parameters_is_not_gone_on_with(tmp_path: Path) -> None:
    with Server({"/": page()}) as site:
        told(tmp_path, crawl(site.address))
        with pytest.raises(Fault, match=r"site.warc.gz: begun with another depth, delay; delete it to begin anew"):
            told(tmp_path, crawl(site.address, depth=1, delay=0.1))
