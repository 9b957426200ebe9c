"""Files from the web: by way of a mirror where one is named, resumed where they broke off, kept by their sha256."""

import fcntl
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NoReturn

from tqdm import tqdm

from stages.core.faults import Fault
from stages.core.fetch import verified

SCHEMES = ("https://", "http://")
MIRRORS = Path("mirrors.txt")  # Git ignores it
# The Hub's own bound for one file; and what shall be left of a disk, whoever sends.
LARGEST, LEFT = 50 * 2**30, 2**27
PIECE = 2**20
TRIES, PAUSE = 4, 1.0  # seconds before the second try, twice as many before each further one
PATIENCE, SLOWEST = 60, 1024  # after so many seconds a server must have sent so many bytes a second
# Worth another try: the server is busy, or restarts.
PASSING = {408, 425, 429, 500, 502, 503, 504}
BROKEN = (OSError, http.client.HTTPException)


def mirrors(environment: Mapping[str, str] = os.environ, file: Path = MIRRORS) -> dict[str, str]:
    """Address prefix → folder or address that stands in for it, as companies have them: from lines `PREFIX TARGET` of
    `mirrors.txt` and of REPROLM_MIRRORS, which wins. They can't change a byte: what comes has a pinned sha256."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    found: dict[str, str] = {}
    for line in [*lines, *environment.get("REPROLM_MIRRORS", "").splitlines()]:
        prefix, _, target = line.strip().partition(" ")
        if prefix and not prefix.startswith("#"):
            if not target:
                raise Fault(f"mirrors: {line.strip()!r}: an address prefix and what stands in for it are wanted")
            found[prefix] = target.strip()
    return found


def mirrored(address: str, known: Mapping[str, str]) -> str:
    """Where to look for an address: at the mirror of its longest prefix, if there is one."""
    prefix = max((one for one in known if address.startswith(one)), key=len, default=None)
    return address if prefix is None else known[prefix] + address.removeprefix(prefix)


def checked(address: str) -> str:
    """The address, if it is one of the web."""
    if not address.startswith(SCHEMES):
        raise ValueError(f"{address} is no http(s) address")
    return address


class Web(urllib.request.HTTPRedirectHandler):
    """Goes where a server sends it, in the web alone: urllib would follow to ftp."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
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
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_name(f".{expected}.part")
    with beside.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another process may be fetching it
        if not kept.exists():
            download(place, file)
            try:
                verified(beside, expected, address)
            except Fault:
                beside.unlink()
                raise
            os.replace(beside, kept)
        else:
            beside.unlink(missing_ok=True)
    return kept


def there(path: Path, address: str) -> Path:
    """The mirror's file."""
    if not path.is_file():
        raise Fault(f"{address}: its mirror has no {path}; mend mirrors.txt or REPROLM_MIRRORS")
    return path


def download(address: str, file: IO[bytes]) -> None:
    """Appends what is missing of an address to a file, in as many tries as are fair to a server."""
    for attempt in range(1, TRIES + 1):
        try:
            append(address, file)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # all of it is here
            if error.code not in PASSING or attempt == TRIES:
                gone(address, f"the server answers {error.code} {error.reason}")
        except (*BROKEN, ValueError) as error:
            if attempt == TRIES or isinstance(error, ValueError):
                gone(address, f"{type(error).__name__}: {error}")
        else:
            return
        time.sleep(PAUSE * 2 ** (attempt - 1))


def gone(address: str, why: str) -> NoReturn:
    raise Fault(f"{address}: {why}; name another place, or one that stands in for it in mirrors.txt")


def append(address: str, file: IO[bytes]) -> None:
    """The rest of an address, or all of it anew where the server knows no ranges."""
    begun = file.tell()
    request = urllib.request.Request(checked(address))  # noqa: S310
    if begun:
        request.add_header("Range", f"bytes={begun}-")
    with urllib.request.build_opener(Web).open(request, timeout=PATIENCE) as answer:
        if begun and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            file.seek(0)
            file.truncate()
        expected = int(answer.headers.get("Content-Length") or 0)
        copy(pieces(answer, address, expected), file)


def pieces(answer: IO[bytes], address: str, expected: int) -> Iterator[bytes]:
    """What a server sends, as it comes; told at a terminal. A server that drips, or stops early, is an error."""
    began, came = time.monotonic(), 0
    name = address.rstrip("/").rpartition("/")[2]
    with tqdm(total=expected or None, unit="B", unit_scale=True, desc=f"  {name}", leave=False, disable=None) as bar:
        while piece := answer.read1(PIECE) if isinstance(answer, http.client.HTTPResponse) else answer.read(PIECE):
            came += len(piece)
            bar.update(len(piece))
            yield piece
            seconds = time.monotonic() - began
            if seconds > PATIENCE and came < seconds * SLOWEST:
                raise OSError(f"only {came:,} bytes came in {seconds:.0f} seconds")
    if came < expected:
        raise OSError(f"{came:,} of {expected:,} bytes came")


def copy(source: Iterator[bytes], file: IO[bytes]) -> None:
    """What comes, up to LARGEST and as long as the disk has room: a sender may go on for ever."""
    for piece in source:
        file.write(piece)
        if file.tell() > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        if shutil.disk_usage(Path(os.readlink(f"/proc/self/fd/{file.fileno()}")).parent).free < LEFT:
            raise ValueError("the disk would be full; make room")
    file.flush()
