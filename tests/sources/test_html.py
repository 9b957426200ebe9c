"""Pages in folders and archives."""

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast
from zipfile import ZipFile

import pytest

from stages.core import pages, web
from stages.core.inputs import folder_sha256
from stages.core.records import Reject, Row
from stages.sources import html
from tests.sources.tables import file, items, parameters, row

TEXT = "A long sentence that says what this page is about, with commas, and more of them, so that it is its text."
PAGE = f"<html lang=en><head><title>Title</title></head><body><p>{TEXT}</p></body></html>"
ABOUT = {"title": "Title", "author": None, "date": None, "language": "en", "url": None}


@pytest.fixture(scope="module", autouse=True)
def processes_end() -> Iterator[None]:
    yield
    for extractor in ("trafilatura", "resiliparse"):
        pages.running(extractor, 30).stop()


def read(cache: Path, *files: dict[str, Any], extractor: str = "resiliparse") -> list[Any]:
    p = parameters("html", files=list(files), extractor=extractor, seconds=30)
    return list(items("html", p, cache))


def test_a_page_a_file(tmp_path: Path):
    found = read(tmp_path, file(tmp_path / "a.html", PAGE, split="test", label="x", site="s"))
    about = ABOUT | {"path": "a.html", "site": "s"}
    assert found == [row({"key": "a.html", "text": TEXT, "label": "x", "split": "test", "attributes": about})]


@pytest.mark.parametrize("how", ["folder", "zip", "tar"])
def test_sourceshave_the_same_keys_wherever_they_are(tmp_path: Path, how: str):
    pages = {"a/1.html": PAGE, "a/2.html": "<p>", "b.html": PAGE, "b.css": "p {}"}
    folder = tmp_path / "site"
    for name, content in pages.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    if how == "folder":
        at = {"at": str(folder), "sha256": folder_sha256(folder), "members": "*.html", "constants": {}}
    else:
        path = tmp_path / how
        with ZipFile(path, "w") if how == "zip" else tarfile.open(path, "w:gz") as archive:
            for name in pages:
                archive.write(folder / name, name) if isinstance(archive, ZipFile) else archive.add(folder / name, name)
        at = file(path, members="*.html")
    first, reject, second = read(tmp_path / "cache", at)
    assert [first.key, second.key] == ["a/1.html", "b.html"]
    assert reject == Reject(f"{at['at']}/a/2.html", "no main text")


def test_a_damaged_page_costs_no_other(tmp_path: Path):
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("a.html", PAGE)
        archive.writestr("b.html", PAGE)
    damaged = content.getvalue().replace(b"<title>Title", b"<title>Tutle", 1)
    reject, found = read(tmp_path, file(tmp_path / "site.zip", damaged, members="*"))
    assert reject == Reject(f"{tmp_path}/site.zip/a.html", "the file breaks off here: Bad CRC-32 for file 'a.html'")
    assert found.key == "b.html"


def test_a_small_folder_too_keeps_several_processes_busy(tmp_path: Path):
    for n in range(40):
        (tmp_path / f"{n:02}.html").write_text(PAGE)
    at = {"at": str(tmp_path), "sha256": folder_sha256(tmp_path), "members": "*", "constants": {}}
    p = parameters("html", files=[at], extractor="resiliparse", seconds=30)
    found = html.parts(p, [tmp_path])
    assert [len(one.members) for one in found] == [2] * 20


def readability() -> Path:
    """Pages with the main text that a reader's mode of a browser finds (mozilla/readability, Apache-2.0)."""
    places = [Path(one, "html_mozilla_readability/test-pages.tar.gz") for one in web.mirrors().values()]
    found = next((one for one in places if one.is_file()), None)
    return found or pytest.skip("REPROLM_MIRRORS names no folder with html_mozilla_readability/test-pages.tar.gz")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extractor", "rejected", "declared"),
    [
        ("trafilatura", 0, {"title": 127, "language": 76, "url": 72, "author": 45, "date": 46}),
        ("resiliparse", 1, {"title": 126, "language": 75, "url": 71, "author": 45, "date": 45}),
    ],
)
def test_real_pages(tmp_path: Path, extractor: str, rejected: int, declared: dict[str, int]):
    found = read(tmp_path, file(readability(), members="*/source.html"), extractor=extractor)
    rejects = [one.reason for one in found if isinstance(one, Reject)]
    counts = Counter(name for one in found if isinstance(one, Row) for name, value in one.attributes.items() if value)
    assert rejects == ["no main text"] * rejected
    assert {name: counts[name] for name in declared} == declared


@pytest.mark.slow
def test_real_texts_are_what_trafilatura_says_of_itself(tmp_path: Path):
    """What its process leaves out of the work changes nothing."""
    from trafilatura import extract

    rows = read(tmp_path, file(readability(), members="*/source.html"), extractor="trafilatura")
    found = {one.key or "": one.text for one in rows if isinstance(one, Row)}
    with tarfile.open(readability()) as archive:
        sources = {name: cast(IO[bytes], archive.extractfile(name)).read() for name in found}
    theirs = {name: extract(page, include_comments=False) or "" for name, page in sources.items()}
    assert len(found) == 130
    assert found == {name: text.strip() for name, text in theirs.items()}
