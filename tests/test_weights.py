"""Starting weights: from whichever place has them, only with the pinned bytes."""

import hashlib
import http.server
import pickle
import re
import threading
import zipfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stages import weights
from stages.core import web
from stages.core.faults import Fault
from stages.engines.serial import Serial
from stages.shell.engine import Engine
from stages.weights import Params, Place

CONTENT = b'{"hidden_size": 384}\n'
PINNED = hashlib.sha256(CONTENT).hexdigest()
NESTED = "1_Pooling/config.json"
OTHER = hashlib.sha256(b"other").hexdigest()


def place(kind: str, at: str | Path) -> Place:
    return Place.model_validate({"kind": kind, "at": str(at)})


def folder(path: Path, content: bytes = CONTENT) -> Path:
    """A folder that has config.json."""
    path.mkdir()
    (path / "config.json").write_bytes(content)
    return path


def fetch(cache: Path, *places: Place) -> bytes:
    """What is brought as config.json."""
    on_its_way = cache / "on its way"
    on_its_way.mkdir(exist_ok=True)
    return weights.fetch("config.json", PINNED, places, cache / "cache", on_its_way).read_bytes()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server that has config.json."""
    with serving(partial(Quiet, directory=folder(tmp_path / "served"))) as at:
        yield at


@contextmanager
def serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Generator[str]:
    """The address of a web server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}/"
        one.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Writes no log; says of each file what the Hub says of its own."""

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    def end_headers(self) -> None:
        self.send_header("X-Repo-Commit", "1" * 40)
        self.send_header("ETag", f'"{PINNED}"')
        super().end_headers()


def hub_at(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets huggingface_hub, which reads HF_ENDPOINT when it is imported, take the server for the Hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.rstrip("/"))
    template = f"{server}{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)


class Endless(Quiet):
    """Never stops."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(100_000))


class Elsewhere(Quiet):
    """Sends everybody on to another kind of address."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.path.removeprefix("/").removesuffix("/config.json"))
        self.end_headers()


class Broken(Quiet):
    """Answers what is no HTTP."""

    def do_GET(self) -> None:
        self.wfile.write(b"no such thing\r\n\r\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index of one wheel that carries config.json: all that pip can see."""
    (tmp_path / "index").mkdir()
    with zipfile.ZipFile(tmp_path / "index/tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny/model/config.json", CONTENT)
        wheel.writestr(f"tiny/model/{NESTED}", CONTENT)
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))


def test_a_folder_has_them(tmp_path: Path) -> None:
    assert fetch(tmp_path, place("folder", folder(tmp_path / "here"))) == CONTENT


def test_an_address_has_them(tmp_path: Path, server: str) -> None:
    assert fetch(tmp_path, place("url", server)) == CONTENT


@pytest.mark.usefixtures("index")
def test_a_wheel_has_them(tmp_path: Path) -> None:
    assert fetch(tmp_path, place("wheel", "tiny==1.0/tiny/model")) == CONTENT


def test_the_hub_has_them(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = "1" * 40
    there = tmp_path / "served/someone/something/resolve" / revision
    there.parent.mkdir(parents=True)
    folder(there)
    hub_at(server, monkeypatch)
    assert fetch(tmp_path, place("hub", f"someone/something@{revision}")) == CONTENT


def test_places_are_tried_in_order_and_silent_ones_passed_over(tmp_path: Path, server: str) -> None:
    there, other = folder(tmp_path / "here"), folder(tmp_path / "other", b"other")
    silent = (place("folder", tmp_path / "none"), place("url", f"{server}none"), place("url", "ftp://nowhere"))
    assert fetch(tmp_path, *silent, place("folder", there), place("folder", other)) == CONTENT


def test_a_server_that_speaks_no_http_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PAUSE", 0)
    there = place("folder", folder(tmp_path / "here"))
    with serving(Broken) as at:
        assert fetch(tmp_path, place("url", at), there) == CONTENT


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("kind", weights.FETCH)
def test_a_file_in_a_folder(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    for there in (tmp_path / "served", tmp_path / f"served/someone/something/resolve/{'1' * 40}"):
        (there / NESTED).parent.mkdir(parents=True)
        (there / NESTED).write_bytes(CONTENT)
    hub_at(server, monkeypatch)
    hub = f"someone/something@{'1' * 40}"
    at = {"wheel": "tiny==1.0/tiny/model", "hub": hub, "folder": tmp_path / "served", "url": server}
    p = Params.model_validate({"files": {NESTED: PINNED}, "places": (place(kind, at[kind]),), "wanted": "pinned"})
    told = weights.stage(Engine(Serial(), tmp_path / "cache"), p, tmp_path / "out")
    assert (tmp_path / "out" / NESTED).read_bytes() == CONTENT
    assert told == "1 files verified, 0 MB"


@pytest.mark.parametrize(("bound", "value"), [("LARGEST", 10**6), ("LEFT", 2**62)])
def test_a_server_that_never_stops_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(web, bound, value)
    there = place("folder", folder(tmp_path / "here"))
    with serving(Endless) as at:
        assert fetch(tmp_path, place("url", at), there) == CONTENT
        with pytest.raises(Fault, match=r"more than 1,000,000 bytes|are left on the disk; make room"):
            weights.fetch("config.json", OTHER, (place("url", at),), tmp_path / "cache", tmp_path)


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/secret", "file:///etc/passwd", "data:,x"])
def test_a_server_cannot_send_us_out_of_the_web(tmp_path: Path, target: str) -> None:
    with serving(Elsewhere) as at, pytest.raises(Fault) as fault:
        fetch(tmp_path, place("url", f"{at}{target}"))
    tried = str(fault.value).splitlines()[1]
    assert f"{target} is no http(s) address" in tried or "redirect" in tried.lower()


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("content", [b"no archive", b"PK\5\6" + bytes(18)])
def test_a_wheel_that_is_none_or_lacks_the_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    on_its_way = tmp_path / "on its way"
    on_its_way.mkdir()
    (on_its_way / "tiny==1.0.whl").write_bytes(content)
    there = place("folder", folder(tmp_path / "here"))
    assert fetch(tmp_path, place("wheel", "tiny==1.0/tiny/model"), there) == CONTENT


@pytest.mark.usefixtures("index")
def test_a_bomb_in_a_wheel_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "LARGEST", len(CONTENT) - 1)
    with pytest.raises(Fault, match=rf"BadZipFile: {len(CONTENT)} bytes are more than {len(CONTENT) - 1}"):
        fetch(tmp_path, place("wheel", "tiny==1.0/tiny/model"))


CODE = ("bin", "pt", "pth", "pkl", "pickle", "ckpt", "h5", "msgpack", "joblib", "npy", "py")
NAMES = [
    *((name, "a path below") for name in ("", "/etc/a.json", "../a.json", "a/../../b.json", "./a.json", "a//b.json")),
    *((name, "write folders with /") for name in ("a\\b.json", "C:b.json", "a\0.json")),
    *((f"model.{kind}", "only .safetensors") for kind in CODE),
]


@pytest.mark.parametrize(("name", "told"), NAMES)
def test_a_name_that_leads_elsewhere_or_brings_code_is_refused(name: str, told: str) -> None:
    with pytest.raises(ValidationError, match=rf"Value error, {re.escape(repr(name))}: {told}"):
        Params.model_validate({"files": {name: PINNED}, "places": (), "wanted": "pinned"})


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}), b"", b"\xff" * 20])
def test_a_pickle_under_another_name_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    pinned = hashlib.sha256(content).hexdigest()
    with pytest.raises(Fault, match=r"model.safetensors: no safetensors inside; take weights that were saved as such"):
        weights.fetch("model.safetensors", pinned, (place("folder", tmp_path),), tmp_path / "cache", tmp_path)
    assert not (tmp_path / "cache").exists()


def test_other_bytes_are_a_fault_that_names_both_hashes(tmp_path: Path) -> None:
    other, there = folder(tmp_path / "other", b"other"), folder(tmp_path / "here")
    with pytest.raises(
        Fault, match=rf"folder {other}: config.json: the bytes are not the pinned ones: .*{OTHER}.*{PINNED}"
    ):
        fetch(tmp_path, place("folder", other), place("folder", there))
    assert not list(tmp_path.glob("cache/weights/*"))


@pytest.mark.usefixtures("index")
def test_where_no_place_answers_all_that_were_tried_are_named(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_at(server, monkeypatch)
    places = (
        place("wheel", "missing==1.0/model"),
        place("wheel", "tiny==1.0/elsewhere"),
        place("hub", "someone/nothing@main"),
        place("folder", tmp_path / "none"),
    )
    with pytest.raises(Fault, match=r"weights.files: no place has config.json; add one to weights.places") as fault:
        fetch(tmp_path, *places)
    tried = str(fault.value).splitlines()[1:]
    assert [line.split(": config.json: ")[0].strip() for line in tried] == [f"{one.kind} {one.at}" for one in places]
    assert "No matching distribution found for missing==1.0" in tried[0]


def test_what_is_cached_is_not_fetched_again_but_verified(tmp_path: Path) -> None:
    there = place("folder", folder(tmp_path / "here"))
    fetch(tmp_path, there)
    (tmp_path / "here/config.json").unlink()
    assert fetch(tmp_path, there) == CONTENT
    (tmp_path / "cache/weights" / PINNED).write_bytes(b"other")
    with pytest.raises(Fault, match=rf"cached config.json, delete it to fetch it again: .*{OTHER}"):
        fetch(tmp_path, there)


@pytest.mark.parametrize(("wanted", "files"), [("pinned", ["config.json"]), ("none", [])])
def test_from_scratch_nothing_is_fetched(tmp_path: Path, wanted: str, files: list[str]) -> None:
    there = place("folder", folder(tmp_path / "here"))
    p = Params.model_validate({"files": {"config.json": PINNED}, "places": (there,), "wanted": wanted})
    told = weights.stage(Engine(Serial(), tmp_path / "cache"), p, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == files
    assert told.startswith("1 files verified" if files else "none wanted")
