"""Files from a real web server that may be all a server can be."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import termios
import threading
from base64 import b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from stages.core import web
from stages.core.faults import Fault
from stages.core.inputs import File

CONTENT = b"".join(b"line %d\n" % n for n in range(4_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Site(ThreadingHTTPServer):
    """A server; `asked` are the paths and ranges that were asked for."""

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), Handler)
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """That a client hangs up is what is wanted."""


class Handler(BaseHTTPRequestHandler):
    server: Site  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        getattr(self, self.path[1:].partition("/")[0])()

    def named(self) -> None:
        """For Ada alone; says on to whom all may see."""
        if self.headers["Authorization"] == f"Basic {b64encode(b'ada:pass/word').decode()}":
            self.answer(b"", 302, Location=f"http://localhost:{self.server.server_port}/anybody")
        else:
            self.answer(b"", 401)

    def anybody(self) -> None:
        self.answer(CONTENT if self.headers["Authorization"] is None else b"a password of others")

    def answer(self, content: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in ({"Length": f"{len(content)}"} | headers).items():
            self.send_header(name.replace("Length", "Content-Length"), value)
        self.end_headers()
        self.wfile.write(content)

    def plain(self) -> None:
        self.answer(CONTENT)

    def ranges(self) -> None:
        """A server that knows ranges."""
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        if start >= len(CONTENT):
            self.answer(b"", 416)
        else:
            self.answer(CONTENT[start:], 206 if start else 200)

    def cut(self) -> None:
        """The same, but it hangs up after 12,000 bytes."""
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        rest = CONTENT[start:]
        self.answer(rest[:12_000], 206 if start else 200, Length=f"{len(rest)}")

    def always_cut(self) -> None:
        self.answer(b"", Length="10")

    def busy_once(self) -> None:
        self.answer(b"busy", 503) if len(self.server.asked) == 1 else self.plain()

    def busy(self) -> None:
        self.answer(b"busy", 503)

    def missing(self) -> None:
        self.answer(b"", 404)

    def loop(self) -> None:
        self.answer(b"", 302, Location="/loop")

    def to(self) -> None:
        self.answer(b"", 302, Location=f"http://{self.path.removeprefix('/to/')}/plain")

    def to_file(self) -> None:
        self.answer(b"", 302, Location="file:///etc/passwd")

    def to_ftp(self) -> None:
        self.answer(b"", 302, Location="ftp://127.0.0.1/x")

    def moved(self) -> None:
        """What comes with the redirection has no end."""
        self.send_response(302)
        self.send_header("Location", "/plain")
        self.end_headers()
        self.for_ever(bytes(2**16))

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.for_ever(bytes(2**16))

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(bytes(2**16))  # a good start buys no time
        self.for_ever(b"x", 0.05)

    def drip_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.for_ever(b"x", 0.05)

    def drip_chunk(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.for_ever(b"0", 0.05)

    def for_ever(self, piece: bytes, pause: float = 0.0) -> None:
        ended = threading.Event()
        with suppress(OSError):
            while not ended.wait(pause):
                self.wfile.write(piece)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(web, "PAUSE", 0.01)
    monkeypatch.delenv("REPROLM_MIRRORS", raising=False)
    with serving(Site()) as server:
        yield server


@contextmanager
def serving(site: Site) -> Generator[Site]:
    with site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PATIENCE", 0.3)


def visible(cache: Path) -> list[str]:
    """The files that bear a name of their own."""
    return [path.name for path in (cache / "files").iterdir() if not path.name.startswith(".")]


def left(cache: Path) -> int | None:
    """The size of what broke off, if it was kept."""
    path = cache / f"files/.{SHA256}.part"
    return path.stat().st_size if path.exists() else None


def began(cache: Path, content: bytes) -> None:
    """As if an earlier run had broken off after this."""
    (cache / "files").mkdir(parents=True)
    (cache / f"files/.{SHA256}.part").write_bytes(content)


def test_a_file_is_kept_by_its_sha256_and_not_asked_for_again(site: Site, tmp_path: Path):
    paths = {web.fetched(f"{site.address}/plain", SHA256, tmp_path) for _ in range(2)}
    assert paths == {tmp_path / "files" / SHA256}
    assert paths.pop().read_bytes() == CONTENT
    assert site.asked == [("/plain", None)]
    assert (visible(tmp_path), left(tmp_path)) == ([SHA256], None)


def test_what_breaks_off_goes_on_from_there(site: Site, tmp_path: Path):
    path = web.fetched(f"{site.address}/cut", SHA256, tmp_path)
    assert path.read_bytes() == CONTENT
    ranges = [None, *(f"bytes={n}-" for n in range(12_000, len(CONTENT), 12_000))]
    assert site.asked == [("/cut", one) for one in ranges]


def test_a_long_file_may_break_off_often(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "PIECE", 5_000)
    monkeypatch.setattr(web, "TRIES", 1)
    assert web.fetched(f"{site.address}/cut", SHA256, tmp_path).read_bytes() == CONTENT


def test_another_run_goes_on_too(site: Site, tmp_path: Path):
    began(tmp_path, CONTENT[:20_000])
    assert web.fetched(f"{site.address}/ranges", SHA256, tmp_path).read_bytes() == CONTENT
    assert site.asked == [("/ranges", "bytes=20000-")]


def test_all_of_it_was_here_already(site: Site, tmp_path: Path):
    began(tmp_path, CONTENT)
    assert web.fetched(f"{site.address}/ranges", SHA256, tmp_path).read_bytes() == CONTENT
    assert site.asked == [("/ranges", f"bytes={len(CONTENT)}-")]


def test_a_server_without_ranges_begins_anew(site: Site, tmp_path: Path):
    began(tmp_path, CONTENT[:20_000])
    assert web.fetched(f"{site.address}/plain", SHA256, tmp_path).read_bytes() == CONTENT
    assert site.asked == [("/plain", "bytes=20000-")]


@pytest.mark.parametrize("begun", [b"of another version", bytes(len(CONTENT) + 1)], ids=["shorter", "longer"])
def test_a_beginning_of_another_version_is_begun_anew(site: Site, tmp_path: Path, begun: bytes):
    began(tmp_path, begun)
    assert web.fetched(f"{site.address}/ranges", SHA256, tmp_path).read_bytes() == CONTENT
    assert site.asked == [("/ranges", f"bytes={len(begun)}-"), ("/ranges", None)]


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path):
    assert web.fetched(f"{site.address}/busy_once", SHA256, tmp_path).read_bytes() == CONTENT
    assert len(site.asked) == 2


def test_an_endless_redirection_is_not_read(site: Site, tmp_path: Path):
    assert web.fetched(f"{site.address}/moved", SHA256, tmp_path).read_bytes() == CONTENT


REMEDY = "; name another place, or one that stands in for it in mirrors.txt"
REFUSED = [
    ("missing", "the server answers 404 Not Found", 1),
    ("busy", "the server answers 503 Service Unavailable", web.TRIES),
    ("always_cut", "OSError: 0 of 10 bytes came", web.TRIES),
    ("to_ftp", "ftp://127.0.0.1/x is no http(s) address", 1),
]


@pytest.mark.parametrize(("path", "why", "asked"), REFUSED, ids=[path for path, _, _ in REFUSED])
def test_what_a_server_refuses(site: Site, tmp_path: Path, path: str, why: str, asked: int):
    with pytest.raises(Fault) as told:
        web.fetched(f"{site.address}/{path}", SHA256, tmp_path)
    assert str(told.value) == f"{site.address}/{path}: {why}{REMEDY}"
    assert len(site.asked) == asked
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "why"), [("loop", "infinite loop"), ("to_file", "'file:///etc/passwd' is not allowed")]
)
def test_redirections_that_lead_nowhere(site: Site, tmp_path: Path, path: str, why: str):
    with pytest.raises(Fault, match=why):
        web.fetched(f"{site.address}/{path}", SHA256, tmp_path)
    assert visible(tmp_path) == []


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("path", ["drip", "drip_head", "drip_chunk"])
def test_a_server_that_drips_is_given_up(site: Site, tmp_path: Path, path: str):
    with pytest.raises(Fault, match=rf"/{path}: TimeoutError: less than 1,024 bytes a second came; name"):
        web.fetched(f"{site.address}/{path}", SHA256, tmp_path)
    assert len(site.asked) == web.TRIES
    assert visible(tmp_path) == []


@pytest.mark.usefixtures("hurried")
def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "PAUSE", 0.01)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Fault, match=r": TimeoutError: (timed out|less than 1,024 bytes a second came);"),
    ):
        web.fetched(f"http://127.0.0.1:{silent.getsockname()[1]}/x", SHA256, tmp_path)


def test_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "PAUSE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(Fault, match=r"URLError: .*Connection refused"):
        web.fetched(f"http://127.0.0.1:{port}/x", SHA256, tmp_path)


@pytest.mark.parametrize("address", ["http://[", "http://127.0.0.1:x/", "http://127.0.0.1/é", "http://127.0.0.1/a b"])
def test_an_address_that_is_none(tmp_path: Path, address: str):
    with pytest.raises(Fault, match="name another place"):
        web.fetched(address, SHA256, tmp_path)


def test_an_endless_answer_ends_and_leaves_nothing(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "LARGEST", 2**20)
    with pytest.raises(Fault, match="/endless: more than 1,048,576 bytes; name another place"):
        web.fetched(f"{site.address}/endless", SHA256, tmp_path)
    assert (visible(tmp_path), left(tmp_path)) == ([], 0)


def test_the_disk_is_not_filled(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web, "LEFT", 2**60)
    with pytest.raises(Fault, match=r"less than 1,152,921,504,606,846,976 bytes are left on the disk; make room"):
        web.fetched(f"{site.address}/plain", SHA256, tmp_path)
    assert visible(tmp_path) == []


def test_other_bytes_are_not_taken_and_not_kept(site: Site, tmp_path: Path):
    pinned = "0" * 64
    with pytest.raises(Fault) as told:
        web.fetched(f"{site.address}/plain", pinned, tmp_path)
    assert str(told.value) == (
        f"{site.address}/plain: the bytes are not the pinned ones: sha256 {SHA256}, pinned {pinned}; "
        "if the change is wanted, pin the new hash in params.yaml"
    )
    assert [path.suffix for path in (tmp_path / "files").iterdir()] == [".lock"]


def test_a_cached_file_that_was_changed_is_told(site: Site, tmp_path: Path):
    web.fetched(f"{site.address}/plain", SHA256, tmp_path).write_bytes(b"other")
    with pytest.raises(Fault, match=rf"{SHA256}: cached http.*/plain, delete it to fetch it again: the bytes are not"):
        web.fetched(f"{site.address}/plain", SHA256, tmp_path)


STORY = """
import sys
from pathlib import Path
from stages.core import web
web.PAUSE = 0.2
sys.stdout.write(web.fetched(sys.argv[1], sys.argv[2], Path(sys.argv[3])).read_text())
"""


def test_two_processes_fetch_once(site: Site, tmp_path: Path):
    command = [sys.executable, "-c", STORY, f"{site.address}/cut", SHA256, str(tmp_path)]
    two = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert [one.communicate()[0] for one in two] == [CONTENT] * 2
    assert len(set(site.asked)) == len(site.asked)
    assert visible(tmp_path) == [SHA256]


def test_a_cache_that_may_only_be_read_is_enough_for_what_is_in_it(site: Site, tmp_path: Path):
    web.fetched(f"{site.address}/plain", SHA256, tmp_path)
    (tmp_path / "files").chmod(0o555)
    try:
        assert web.fetched(f"{site.address}/plain", SHA256, tmp_path).read_bytes() == CONTENT
    finally:
        (tmp_path / "files").chmod(0o755)


def test_without_a_terminal_nothing_is_said(site: Site, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    web.fetched(f"{site.address}/plain", SHA256, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_at_a_terminal_the_progress_is_told(site: Site, tmp_path: Path):
    reading, writing = os.openpty()
    termios.tcsetwinsize(writing, (24, 80))
    with open(writing, "w") as terminal, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        web.fetched(f"{site.address}/plain", SHA256, tmp_path)
        told = os.read(reading, 10_000).decode()
    os.close(reading)
    assert "  plain:   0%" in told and "/38.9k" in told


def test_mirrors_of_a_file_and_of_the_environment_which_wins(tmp_path: Path):
    file = tmp_path / "mirrors.txt"
    file.write_text("# ours\n\nhttps://a/ /mnt/a/\nhttps://b/\t/mnt/b b/ \n", encoding="utf-8")
    environment = {"REPROLM_MIRRORS": "https://a/ http://a.example/\nhttps://c/ c/"}
    assert web.mirrors(environment, file) == {
        "https://a/": "http://a.example/",
        "https://b/": "/mnt/b b/",
        "https://c/": "c/",
    }
    assert web.mirrors({}, tmp_path / "none.txt") == {}


def test_a_mirror_of_nothing(tmp_path: Path):
    with pytest.raises(Fault) as told:
        web.mirrors({"REPROLM_MIRRORS": "https://a/"}, tmp_path / "none.txt")
    assert str(told.value) == (
        "mirrors: 'https://a/': an address prefix and, after a space, what stands in for it are wanted; "
        "mend mirrors.txt or REPROLM_MIRRORS"
    )


@pytest.mark.parametrize(
    ("address", "place"),
    [("https://a/x/y", "/a/x/y"), ("https://a/b/y", "/b/y"), ("https://ab", "https://ab"), ("https://a/", "/a/")],
)
def test_the_longest_prefix_wins(address: str, place: str):
    assert web.mirrored(address, {"https://a/": "/a/", "https://a/b/": "/b/", "https://a/b/c/": "/c/"}) == place


def test_a_folder_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/x").write_bytes(CONTENT)
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://a.example/ {tmp_path}/mirror/")
    assert web.fetched("https://a.example/x", SHA256, tmp_path / "cache") == tmp_path / "mirror/x"
    assert not (tmp_path / "cache").exists()
    with pytest.raises(Fault, match=r"https://a\.example/x: the bytes are not the pinned ones"):
        web.fetched("https://a.example/x", "0" * 64, tmp_path / "cache")
    with pytest.raises(Fault, match=r"^https://a.example/y: its mirror has no .*/mirror/y; mend mirrors.txt or REPRO"):
        web.fetched("https://a.example/y", SHA256, tmp_path / "cache")


def test_another_server_stands_in(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://a.example/ {site.address}/")
    assert web.fetched("https://a.example/plain", SHA256, tmp_path).read_bytes() == CONTENT


def test_a_mirror_may_have_a_password_which_nobody_else_is_told(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there = site.address.removeprefix("http://")
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://a.example/ http://ada:pass%2Fword@{there}/")
    assert web.fetched("https://a.example/named", SHA256, tmp_path).read_bytes() == CONTENT
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://a.example/ http://ada:other@{there}/")
    with pytest.raises(Fault) as told:
        web.fetched("https://a.example/named", "0" * 64, tmp_path)
    assert str(told.value) == f"{site.address}/named: the server answers 401 Unauthorized{REMEDY}"


@pytest.mark.parametrize(
    "at",
    ["https://ada:secret@a.example/x", "http://secret@a.example", "https://:secret@b/", "s3://key:secret@bucket/x"],
)
def test_a_password_in_an_address_is_refused_and_not_told(at: str):
    with pytest.raises(ValidationError) as told:
        File(at=at, sha256="0" * 64, members=None, constants={})
    (error,) = told.value.errors(include_input=False)
    assert error["loc"] == ("at",)
    assert error["msg"] == (
        "Value error, a password would be in Git; take it out: a line of mirrors.txt, or REPROLM_MIRRORS, may have it: "
        "https://HOST/ https://USER:PASSWORD@HOST/"
    )


@pytest.mark.parametrize(
    "at", ["https://a.example/@x:y", "https://a.example?mail=a:b@c", "abfs://container@account.example/x", "a:b@c.csv"]
)
def test_an_at_elsewhere_is_none(at: str):
    assert web.without_password(at) == at == web.shown(at)


# A network of its own, where this machine has an address of the Internet, and asks it for what leads to a private one.
INTERNET = """
import subprocess, sys
from pathlib import Path
subprocess.run("ip link set lo up && ip addr add 8.8.8.8/32 dev lo", shell=True, check=True)
from stages.core import web
from stages.core.faults import Fault
from tests.core.test_web import CONTENT, SHA256, Site, serving
web.PAUSE = 0.01
with serving(Site("0.0.0.0")) as site:
    inner, outer = (f"{name}:{site.server_port}" for name in ("127.0.0.1", "8.8.8.8"))
    for address in (f"http://{outer}/to/{outer}", f"http://{inner}/to/{inner}", f"http://{outer}/to/{inner}"):
        try:
            print(web.fetched(address, SHA256, Path(sys.argv[1]) / str(len(site.asked))).read_bytes() == CONTENT)
        except Fault as fault:
            print(fault)
    print([path for path, _ in site.asked if path == "/plain"])
"""


def test_a_server_of_the_internet_leads_to_no_private_address(tmp_path: Path):
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("ip") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a network of its own needs unshare, ip, and the right to them")
    command = [*alone, sys.executable, "-c", INTERNET, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    same, named, told, plain = done.stdout.splitlines()
    assert (same, named, plain) == ("True", "True", "['/plain', '/plain']")
    assert re.sub(r":\d+", "", told) == (
        f"http://8.8.8.8/to/127.0.0.1: it leads from the Internet to 127.0.0.1, which is no address there{REMEDY}"
    )


def test_git_ignores_the_mirrors():
    ignored = (Path(__file__).parent.parent.parent / ".gitignore").read_text().splitlines()
    assert f"/{web.MIRRORS}" in ignored
