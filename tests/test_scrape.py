"""A capture is laid out only with its pinned bytes, read by the pin that stands in one place, and made on purpose."""

import gzip
import hashlib
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from stages import ingest, scrape
from stages.commands import _crawl
from stages.commands.crawler.archive import Archive
from stages.core.faults import Fault
from stages.core.files import read_json, write_json
from stages.core.hashing import sha256
from stages.core.inputs import File
from stages.core.params import Source
from stages.core.records import Document, read_documents, shards
from stages.engines.serial import Serial
from stages.scrape import Crawl, Params
from stages.shell.engine import Engine
from stages.shell.params import check, read
from tests.conftest import ROOT, Clone, environment, lay, ran
from tests.site import Handler, Route, Said, Server, page
from tests.sources import tables
from tests.test_crawl import crawl

TEXT = "A long sentence that says what this page is about, with commas, and more of them, so that it is its text."


def pinned(at: Path | str, content: bytes) -> dict[str, str]:
    return {"at": f"{at}", "sha256": hashlib.sha256(content).hexdigest()}


def laid_out(root: Path, capture: dict[str, str] | None, **changes: Any) -> str:
    """What the stage says."""
    root.mkdir(exist_ok=True)
    params = Params(crawls=(crawl("https://example.org", capture=capture, **changes),))
    return scrape.stage(Engine(Serial(), root / "cache"), params, root / "out")


def test_a_capture_is_laid_out_under_the_name_of_its_crawl(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    assert laid_out(tmp_path, pinned(tmp_path / "x", b"x")) == "1 capture verified"
    assert (tmp_path / "out/site.warc.gz").read_bytes() == b"x"
    assert read_json(tmp_path / "out/captures.json") == {"site.warc.gz": hashlib.sha256(b"x").hexdigest()}


def test_a_capture_may_come_from_any_place_that_has_it(tmp_path: Path) -> None:
    with Server({"/x": "x"}) as site:
        laid_out(tmp_path, pinned(f"{site.address}/x", b"x"))
    assert (tmp_path / "out/site.warc.gz").read_bytes() == b"x"


def test_where_no_crawl_is_declared_there_is_none(tmp_path: Path) -> None:
    told = scrape.stage(Engine(Serial(), tmp_path), Params(crawls=()), tmp_path / "out")
    assert (told, read_json(tmp_path / "out/captures.json")) == ("no crawl is declared", {})


def test_captures_that_are_not_there_or_not_the_pinned_ones(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"^scrape.crawls: site: no capture yet; `reprolm pin scrape` crawls and pins it$"):
        laid_out(tmp_path, None)
    missing = tmp_path / "gone"
    with pytest.raises(
        Fault, match=rf"^{missing}: no such capture; `dvc pull {missing}` brings it, or correct `at` in"
    ):
        laid_out(tmp_path / "one", pinned(missing, b"x"))
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(Fault, match=r"other: the bytes are not the pinned ones"):
        laid_out(tmp_path / "two", pinned(tmp_path / "other", b"x"))


def test_a_capture_of_what_is_no_longer_wanted(tmp_path: Path) -> None:
    """How politely it was crawled does not matter any more."""
    path = tmp_path / "site.warc.gz"
    before = crawl("https://example.org", depth=3, delay=3.0)
    with closing(Archive(path, before)):
        pass
    assert laid_out(tmp_path / "one", pinned(path, path.read_bytes()), depth=3) == "1 capture verified"
    told = r"^scrape.crawls: site: captured with another depth; `reprolm pin scrape site` crawls anew, or bring the old"
    with pytest.raises(Fault, match=told):
        laid_out(tmp_path / "two", pinned(path, path.read_bytes()), depth=4)


@pytest.mark.parametrize(
    "content", [b"", b"WARC/1.1\r\nA: b\r\n\r\n", b"WARC/1.1\r\nContent-Length: 2\r\n\r\n[]", b"\xff" * 99]
)
def test_a_capture_that_another_crawler_made(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(content))
    assert laid_out(tmp_path, pinned(path, path.read_bytes())) == "1 capture verified"


WRONG = {
    "seeds": (("example.org",), "an address is wanted, such as https://example.org/docs/, not 'example.org'"),
    "allow": (("*",), "addresses are wanted, where * stands for anything: https://example.org/docs/*, not '*'"),
    "types": (("html",), "a media type is wanted, such as text/html, not 'html'"),
    "agent": ("bot", "a name and an address of yours are wanted: name (+mailto:you@example.org), not 'bot'"),
    "private": (("http://intranet",), "a host is wanted, such as wiki.intranet or 10.0.0.7, not 'http://intranet'"),
    "name": ("my site", "a-z, 0-9 and _ are wanted, as it becomes the name of a file, not 'my site'"),
}


@pytest.mark.parametrize(("key", "value", "told"), [(key, *one) for key, one in WRONG.items()], ids=WRONG)
def test_what_is_wrong_with_a_crawl_is_told(key: str, value: Any, told: str) -> None:
    entry = crawl("https://example.org").model_dump() | {key: value}
    (fault,) = check(read(ROOT / "params.yaml") | {"scrape": {"crawls": (entry,)}}).faults
    assert fault == f"scrape.crawls[0].{key}{'[0]' if isinstance(value, tuple) else ''}: {told}"


def test_two_crawls_of_one_name() -> None:
    with pytest.raises(ValidationError, match="site: named more than once"):
        Params(crawls=(crawl("https://example.org"), crawl("https://example.com")))


# What ingest makes of it


def file(at: str, sha256: str) -> File:
    return File(at=at, sha256=sha256, members=None, constants={})


def test_a_capture_is_pinned_once() -> None:
    for at, pin in (("data/scrape/x.warc.gz", "0" * 64), ("x.warc.gz", "scrape")):
        with pytest.raises(ValidationError, match="scrape belongs to a file of data/scrape/, and to no other"):
            file(at, pin)


def source(*files: File) -> Source:
    return tables.source("web", "warc", files=files, records=("response",), extractor="resiliparse", seconds=30)


def test_the_pin_of_a_capture_is_what_stage_scrape_laid_out(tmp_path: Path) -> None:
    write_json(tmp_path / "captures.json", {"x.warc.gz": "1" * 64})
    found = ingest.pinned(source(file("data/scrape/x.warc.gz", "scrape"), file("y", "2" * 64)), tmp_path)
    assert [one.sha256 for one in found.params.files] == ["1" * 64, "2" * 64]
    told = r"^ingest.sources: web: data/scrape/z.warc.gz: no crawl of that name in scrape.crawls; captures: x.warc.gz$"
    with pytest.raises(Fault, match=told):
        ingest.pinned(source(file("data/scrape/z.warc.gz", "scrape")), tmp_path)


# From the web to documents


def article(number: int, text: str = TEXT) -> str:
    head = f"<title>Title {number}</title><meta name=author content='A. Writer'>"
    head += f"<meta property='article:published_time' content='2026-01-0{number}'>"
    return page("/", "/2", "/3", "/private", head=head, text=f"{text} This is page {number}.")


ENTRY = {
    "name": "web",
    "kind": "warc",
    "licence": None,
    "quota": None,
    "rejects": 0.0,
    "files": [{"at": "data/scrape/site.warc.gz", "sha256": "scrape", "members": None, "constants": {}}],
    "records": ["response"],
    "extractor": "resiliparse",
    "seconds": 30,
}


STORY = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to it
from stages.commands._crawl import pin
from stages.core.faults import Fault
try:
    sys.exit(pin(sys.argv[1:], Path("params.yaml")))
except Fault as fault:
    sys.exit(f"{fault}")
"""
ABOUT = {"title": "Title 2", "date": "2026-01-02", "author": "A. Writer", "language": "en"}


def capture(clone: Clone, *names: str) -> str:
    """What `reprolm pin scrape` does."""
    return clone.run("python", "-c", STORY, *names)


def documents(clone: Clone) -> dict[str, Document]:
    """The documents by the path of their page."""
    found = (one for path in shards(clone.root / "data/ingest") for one in read_documents(path))
    return {urlsplit(one.attributes["url"]).path: one for one in found}


def test_from_a_site_to_documents(cloned: Callable[[Path], Clone], tmp_path: Path) -> None:
    clone = cloned(tmp_path / "project")
    routes: dict[str, Route] = {
        "/": article(1),
        "/2": article(2),
        "/3": Said(article(3), headers={"X-Robots-Tag": "noai"}),
    }
    with Server(routes | {"/robots.txt": Said("User-agent: *\nDisallow: /private", kind="text/plain")}) as site:
        clone.change({"scrape": {"crawls": [crawl(site.address).model_dump(mode="json")]}})
        clone.change({"ingest": {"sources": [ENTRY]}})
        said = capture(clone)
        site.routes["/2"] = article(
            2, "Another text, as long as the first, with commas, and in it what is new to the page."
        )
        # The web has changed, and is not asked.
        assert ran(clone.run("dvc", "repro", "ingest")) == ["scrape", "ingest"]
        before = documents(clone)
        assert capture(clone, "site")
    clone.run("python", "-m", "stages.scrape", "data/scrape")
    clone.run("python", "-m", "stages.ingest", "data/scrape", "data/ingest")
    assert "site: 2 pages in crawls/site.warc.gz" in said
    assert "1 refused: opt-out: noai" in said and "1 refused: robots.txt" in said
    assert {name: before["/2"].attributes[name] for name in ABOUT} == ABOUT
    after = documents(clone)
    assert before["/"].id == after["/"].id and before["/2"].id != after["/2"].id and "Another" in after["/2"].text
    comments = [line for line in (clone.root / "params.yaml").read_text().splitlines() if "#" in line]
    assert any("of web pages" in line for line in comments)


def test_a_capture_travels_with_the_remote(cloned: Callable[[Path], Clone], tmp_path: Path) -> None:
    clone = cloned(tmp_path / "project")
    clone.run("dvc", "remote", "add", "--default", "--quiet", "store", str(tmp_path / "store"))
    with Server({"/": article(1)}) as site:
        clone.change({"scrape": {"crawls": [crawl(site.address).model_dump(mode="json")]}})
        capture(clone)
    clone.commit()
    clone.run("dvc", "push", "crawls/site.warc.gz.dvc")
    clone.run("git", "clone", "--quiet", str(clone.root), str(tmp_path / "other"))
    other = Clone(tmp_path / "other", environment(tmp_path / "other"))
    told = other.tried("dvc", "repro", "scrape")[1]
    assert "crawls/site.warc.gz: no such capture; `dvc pull crawls/site.warc.gz` brings it" in told
    other.run("dvc", "pull", "crawls/site.warc.gz")
    assert ran(other.run("dvc", "repro", "scrape")) == ["scrape"]


# What is crawled, and what not


def in_a_project(folder: Path, monkeypatch: pytest.MonkeyPatch, *crawls: Crawl) -> Path:
    """A params file with these crawls in a project of its own, without DVC."""
    monkeypatch.chdir(folder)
    path = folder / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text())
    lay(path, {"scrape": {"crawls": [one.model_dump(mode="json") for one in crawls]}})
    return path


def test_names_that_no_crawl_has_and_none_that_needs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = crawl("https://example.org", capture=pinned("x", b"x"))
    file = in_a_project(tmp_path, monkeypatch, done)
    with pytest.raises(Fault, match=r"^scrape.crawls: no sight; did you mean site\?; there is: site$"):
        _crawl.pin(["sight"], file)
    with pytest.raises(Fault, match=r"^scrape.crawls: nothing to capture; name what shall be crawled again: site$"):
        _crawl.pin([], file)


def test_the_pin_goes_to_the_crawl_of_that_name_wherever_it_stands_by_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crawl takes hours, in which the file is edited."""
    first = crawl("https://example.org", name="first", capture=pinned("x", b"x"))
    with Server({}) as site:
        mine = crawl(site.address)

        def edit(handler: Handler) -> None:
            lay(file, {"scrape": {"crawls": [one.model_dump(mode="json") for one in (first, mine)]}})
            handler.say(Said(page()))

        site.routes["/"] = edit
        file = in_a_project(tmp_path, monkeypatch, mine)
        with pytest.raises(Fault, match="DVC can't keep it"):
            _crawl.pin([], file)
    one, other = read(file)["scrape"]["crawls"]
    assert one["capture"]["at"] == "x" and other["capture"]["at"] == "crawls/site.warc.gz"


def test_a_crawl_that_keeps_nothing_says_why_and_pins_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server({}) as site:
        file = in_a_project(tmp_path, monkeypatch, crawl(site.address))
        before = file.read_bytes()
        with pytest.raises(
            Fault, match=r"(?s)^site: not one page was kept:.*1 refused: the server answers 404.*correct "
        ):
            _crawl.pin([], file)
    assert file.read_bytes() == before and not list(tmp_path.glob("crawls/site*"))


def test_other_sections_may_be_wrong_and_this_one_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server({"/": page()}) as site:
        file = in_a_project(tmp_path, monkeypatch, crawl(site.address))
        file.write_bytes(file.read_bytes().replace(b"seed: 1", b"seed: one").replace(b"\n", b"\r\n"))
        with pytest.raises(Fault, match="DVC can't keep it"):
            _crawl.pin([], file)
    assert file.read_bytes().count(b"\r\n") == file.read_bytes().count(b"\n")
    file.write_bytes(file.read_bytes().replace(b"depth: ", b"depht: "))
    with pytest.raises(Fault, match=r"2 to mend:\n  scrape.crawls\[0\].depth: "):
        _crawl.pin([], file)


def test_where_dvc_can_not_keep_it_the_pin_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server({"/": page()}) as site:
        file = in_a_project(tmp_path, monkeypatch, crawl(site.address))
        with pytest.raises(
            Fault, match=r"^crawls/site.warc.gz: pinned, but DVC can't keep it; mend this and run `dvc add"
        ):
            _crawl.pin([], file)
    (found,) = read(file)["scrape"]["crawls"]
    assert found["capture"]["sha256"] == sha256(tmp_path / "crawls/site.warc.gz")


def test_an_interrupted_crawl_says_how_it_goes_on(cloned: Callable[[Path], Clone], tmp_path: Path) -> None:
    clone = cloned(tmp_path / "project")

    def hold(handler: Handler) -> None:
        handler.server.held.set()
        handler.server.over.wait()

    with Server({"/": page("/a", "/wait"), "/a": page(text="a"), "/wait": hold}) as site:
        clone.change({"scrape": {"crawls": [crawl(site.address, at_once=1).model_dump(mode="json")]}})
        process = clone.start("python", "-c", STORY)
        assert site.held.wait(60)
        process.send_signal(signal.SIGINT)
        assert "site: interrupted; the same command goes on from here" in process.communicate()[0]
        site.routes["/wait"] = "no more"
        assert "3 pages" in capture(clone)
        assert Counter(site.paths)["/a"] == 1
