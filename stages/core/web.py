"""Files from the web and from object stores: by way of a mirror where one is named, resumed where they broke off, kept
by their sha256."""

import http.client
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn, cast
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import AfterValidator
from tqdm import tqdm

from stages.core.faults import Fault
from stages.core.fetch import verified
from stages.core.files import alone
from stages.core.hashing import sha256

WEB = ("https://", "http://")
# Object stores: scheme → what pip installs for it. Who may read them, and where they are, the environment says.
STORES = {
    "s3": "-e '.[s3]'",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "oci": "ocifs",
    "oss": "ossfs",
}
# A user, or in a store a password: elsewhere, what stands before an @ may be a container.
SECRET = re.compile(r"(https?://)[^/?#]*@|(\w+://)[^/?#]*:[^/?#]*@")
EMBEDDING = ip_network("64:ff9b::/96")  # IPv4 as IPv6 by NAT64: its last 32 bits are the address
SCHEMES = (*WEB, *(f"{scheme}://" for scheme in STORES))
MIRRORS = Path("mirrors.txt")  # Git ignores it
# The Hub's own bound for one file; and what shall be left of a disk, whoever sends.
LARGEST, LEFT = 50 * 2**30, 2**27
PIECE = 2**20
TRIES, PAUSE = 4, 1.0  # tries in a row; seconds before the second one, twice as many before each further one
PATIENCE, SLOWEST = 60, 1024  # in each so many seconds a server must send so many bytes a second
# Worth another try: the server is busy, or restarts.
PASSING = {408, 425, 429, 500, 502, 503, 504}
BROKEN = (OSError, http.client.HTTPException)


def mirrors(environment: Mapping[str, str] = os.environ, file: Path = MIRRORS) -> dict[str, str]:
    """Address prefix → folder or address that stands in for it, as companies have them: from lines `PREFIX TARGET` of
    `mirrors.txt` and of REPROLM_MIRRORS, which wins. They can't change a byte: what comes has a pinned sha256."""
    lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines() if file.is_file() else []
    found: dict[str, str] = {}
    for line in [*lines, *environment.get("REPROLM_MIRRORS", "").splitlines()]:
        match line.split(maxsplit=1):
            case [prefix, *_] if prefix.startswith("#"):
                pass
            case [prefix, target]:
                found[prefix] = target.strip()
            case [_]:
                raise Fault(
                    f"mirrors: {line.strip()!r}: an address prefix and, after a space, what stands in for it are "
                    "wanted; mend mirrors.txt or REPROLM_MIRRORS"
                )
            case _:
                pass
    return found


def mirrored(address: str, known: Mapping[str, str]) -> str:
    """Where to look for an address: at the mirror of its longest prefix, if there is one."""
    prefix = max((one for one in known if address.startswith(one)), key=len, default=None)
    return address if prefix is None else known[prefix] + address.removeprefix(prefix)


def without_password(at: str) -> str:
    """A place, if Git may see it; the message does not show it."""
    if SECRET.match(at):
        raise ValueError(
            "a password would be in Git; take it out: a line of mirrors.txt, or REPROLM_MIRRORS, may have it: "
            "https://HOST/ https://USER:PASSWORD@HOST/"
        )
    return at


Place = Annotated[str, AfterValidator(without_password)]


def request(address: str) -> urllib.request.Request:
    """For an address of the web, with its user and password as a server expects them, who tells nobody else."""
    user = urlsplit(checked(address)).netloc.rpartition("@")[0]
    found = urllib.request.Request(shown(address))  # noqa: S310
    if user:
        found.add_unredirected_header("Authorization", f"Basic {b64encode(unquote_to_bytes(user)).decode()}")
    return found


def shown(address: str) -> str:
    """An address without its user and password."""
    return SECRET.sub(r"\1\2", address)


def checked(address: str) -> str:
    """The address, if it is one of the web."""
    if not address.startswith(WEB):
        raise ValueError(f"{address} is no http(s) address")
    return address


def public(address: str) -> bool:
    """Whether an address is one of the Internet, also where it is an IPv4 in the dress of an IPv6."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in EMBEDDING:
            inner = ip_address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return public(f"{inner}")
    return found.is_global and not found.is_multicast


class Answer(http.client.HTTPResponse):
    """Cut off where a server drips its head or its body: the patience of a socket begins anew with every byte."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.wire, self.came, self.slow = sock, 0, False
        self.ended = threading.Event()

    def begin(self) -> None:
        threading.Thread(target=self.watch, daemon=True).start()
        with self.told():
            super().begin()

    def watch(self) -> None:
        while not self.ended.wait(PATIENCE):
            if self.came < PATIENCE * SLOWEST:
                self.slow = True
                with suppress(OSError):  # it has just ended
                    self.wire.shutdown(socket.SHUT_RDWR)
                return
            self.came = 0

    @contextmanager
    def told(self) -> Generator[None]:
        """Says that it was cut off, and why, where that looks like its end or a failure."""
        try:
            yield
        except BROKEN:
            if not self.slow:
                raise
        if self.slow:
            raise TimeoutError(f"less than {SLOWEST:,} bytes a second came")

    def close(self) -> None:
        self.ended.set()
        super().close()


class Plain(http.client.HTTPConnection):
    """Says whom it has reached before it asks anything."""

    response_class = Answer

    def __init__(self, reached: Callable[[str], None], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reached = reached

    def connect(self) -> None:
        super().connect()
        self.reached(self.sock.getpeername()[0])


class Secure(Plain, http.client.HTTPSConnection):
    """The same over TLS."""


class Web(urllib.request.HTTPSHandler, urllib.request.HTTPHandler, urllib.request.HTTPRedirectHandler):
    """Goes where a server sends it, in the web alone: urllib would follow to ftp; and from the Internet to no address
    of this machine or a company's network, which is reached only where it was named."""

    begun_in_public: bool | None = None

    def reached(self, address: str) -> None:
        if self.begun_in_public is None:
            self.begun_in_public = public(address)
        if self.begun_in_public and not public(address):
            raise ValueError(f"it leads from the Internet to {address}, which is no address there")

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(cast(Any, partial(Plain, self.reached)), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(cast(Any, partial(Secure, self.reached)), req)

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        fp.close()  # urllib would read all that comes with a redirection, however long it is
        return super().redirect_request(req, fp, code, msg, headers, checked(newurl))


def fetched(address: str, expected: str, cache: Path) -> Path:
    """The file with the pinned sha256: from the cache, its mirror, or the web. Nothing else bears its name at any time;
    what broke off is beside it, and the next try goes on from there."""
    kept = cache / "files" / expected
    if kept.exists():
        return verified(kept, expected, f"{kept}: cached {address}, delete it to fetch it again")
    place = mirrored(address, mirrors())
    if not place.startswith(SCHEMES):
        return verified(there(Path(place), address), expected, address)
    with alone(kept):
        if not kept.exists():  # another process may have fetched it meanwhile
            fetch(place, address, expected, kept)
    return kept


def there(path: Path, address: str) -> Path:
    """The mirror's file."""
    if not path.is_file():
        raise Fault(f"{address}: its mirror has no {path}; mend mirrors.txt or REPROLM_MIRRORS")
    return path


def fetch(place: str, address: str, expected: str, kept: Path) -> None:
    """Brings a file whole, and under its name only if it has the pinned bytes."""
    beside = kept.with_name(f".{expected}.part")
    with beside.open("ab") as file:
        pieced = download(place, file)
        if pieced and sha256(beside) != expected:  # the beginning may be of another version
            empty(file)
            download(place, file)
    try:
        verified(beside, expected, address)
    except Fault:
        beside.unlink()
        raise
    os.replace(beside, kept)


def brought(address: str, cache: Path) -> str:
    """The sha256 of what an address, or its mirror, gives now; from the web it is kept by it.

    Nobody can tell yet whether pieces are of one version: what breaks off begins anew.
    """
    place = mirrored(address, mirrors())
    if not place.startswith(SCHEMES):
        return sha256(there(Path(place), address))
    beside = cache / "files" / f".{os.getpid()}.part"
    beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        with beside.open("wb") as file:
            download(place, file, resume=False)
        os.replace(beside, kept := beside.with_name(sha256(beside)))
    finally:
        beside.unlink(missing_ok=True)
    return kept.name


def empty(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def download(address: str, file: IO[bytes], *, resume: bool = True) -> bool:
    """Appends what is missing of an address to a file, in as many tries as are fair to a server. Gives whether it came
    in more than one piece; without `resume` it does not."""
    attempt, pieced = 1, False
    while True:
        if not resume:
            empty(file)
        begun = file.tell()
        pieced |= begun > 0
        try:
            append(address, file) if address.startswith(WEB) else from_store(address, file)
            break
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                break  # all of it is here
            if error.code not in PASSING or attempt == TRIES:
                gone(address, f"the server answers {error.code} {' '.join(str(error.reason).split())}")
        except (ValueError, http.client.InvalidURL) as error:
            gone(address, f"{error}")
        except BROKEN as error:
            if resume and file.tell() - begun > PIECE:
                attempt = 0  # a long file may break off often
            if attempt == TRIES:
                gone(address, f"{type(error).__name__}: {error}")
        attempt += 1
        time.sleep(PAUSE * 2 ** (attempt - 2))
    file.flush()
    return pieced


def gone(address: str, why: str) -> NoReturn:
    raise Fault(f"{shown(address)}: {why}; name another place, or one that stands in for it in mirrors.txt")


def append(address: str, file: IO[bytes]) -> None:
    """The rest of an address, or all of it anew where the server knows no ranges."""
    begun = file.tell()
    wanted = request(address)
    if begun:
        wanted.add_header("Range", f"bytes={begun}-")
    with cast(Answer, urllib.request.build_opener(Web()).open(wanted, timeout=PATIENCE)) as answer:
        if begun and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            empty(file)
        copy(pieces(answer, address), file)


def pieces(answer: Answer, address: str) -> Iterator[bytes]:
    """What a server sends, as it comes; told at a terminal. One that drips, or stops early, is an error."""
    came, expected = 0, answer.length
    with answer.told(), progress(address, expected) as bar:
        while piece := answer.read1(PIECE):
            came += len(piece)
            answer.came += len(piece)
            bar.update(len(piece))
            yield piece
    if expected is not None and came < expected:
        raise OSError(f"{came:,} of {expected:,} bytes came")


def progress(address: str, total: int | None) -> "tqdm[Any]":
    """A bar at a terminal."""
    name = address.rstrip("/").rpartition("/")[2]
    return tqdm(total=total, unit="B", unit_scale=True, desc=f"  {name}", leave=False, disable=None)


def from_store(address: str, file: IO[bytes]) -> None:
    """The rest of an object; what a store says against it is as final as if a web server said it."""
    try:
        copy(objects(address, file.tell()), file)
    except ImportError:
        scheme = address.partition(":")[0]
        raise Fault(f"{address}: a package is missing that reads {scheme}://; pip install {STORES[scheme]}") from None
    except (FileNotFoundError, PermissionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def objects(address: str, begun: int) -> Iterator[bytes]:
    """An object from a byte on, in pieces."""
    from fsspec.core import url_to_fs

    if "::" in address:
        raise ValueError("`::` would be a file in a file, which `members` are for")
    try:
        store, path = url_to_fs(address, skip_instance_cache=True)  # which would remember keys and listings
        with store.open(path, "rb", block_size=16 * PIECE) as source, progress(address, source.size) as bar:
            source.seek(min(begun, source.size))
            bar.update(source.tell())
            while piece := source.read(PIECE):
                bar.update(len(piece))
                yield piece
    except (OSError, ImportError):
        raise
    except Exception as error:  # each store has its own, without a common base
        raise ValueError(f"{type(error).__name__}: {error}") from None


def copy(source: Iterator[bytes], file: IO[bytes]) -> None:
    """What comes, up to LARGEST and as long as the disk has room: a sender may go on for ever."""
    for piece in source:
        file.write(piece)
        if file.tell() > LARGEST:
            empty(file)
            raise ValueError(f"more than {LARGEST:,} bytes")
        disk = os.fstatvfs(file.fileno())
        if disk.f_bavail * disk.f_frsize < LEFT:
            raise ValueError(f"less than {LEFT:,} bytes are left on the disk; make room")
