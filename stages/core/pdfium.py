"""The pages of PDF files, read by PDFium in processes of their own.

A small PDF may ask for any amount of memory and time, and a damaged one may break C++ down: that must end the reading
of this file, not that of all others. So this is a program too, which waits for files and reads each in a fork with
bounds: what it says is the same as that of a fresh process, without the cost of starting one.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn, TypeAlias

MEMORY = 2**31  # bytes that reading one file may take, beside the file's own
SECONDS = 300  # of a processor's time; a page takes some milliseconds
PAGES = 100_000
# What FPDF_GetLastError tells.
ERRORS = {3: "no PDF, or damaged", 4: "encrypted: it opens by a password alone", 5: "encrypted in an unknown way"}
BROKEN = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP)

Told = dict[str, Any]
Reader: TypeAlias = "subprocess.Popen[bytes]"


@contextmanager
def reader(memory: int = MEMORY, seconds: int = SECONDS) -> Generator[Reader]:
    """The program, waiting for files."""
    # -P: beside this file there are modules with names of the standard library's.
    command = [sys.executable, "-P", __file__, f"{memory}", f"{seconds}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def pages(process: Reader, content: bytes) -> Iterator[Told]:
    """What there is to tell of a file, in order: its title, the text of each page, and in the end, why it broke off.

    Each is one of {title}, {page, text, blank}, {page, reason} and {reason}.
    """
    assert process.stdin and process.stdout, "both are pipes"  # noqa: S101
    try:
        write(process.stdin.fileno(), b"%d\n" % len(content) + content)
    except BrokenPipeError:  # no damage to the file, as an OSError elsewhere is
        raise RuntimeError(f"the reader of PDF files ended: exit status {process.wait()}") from None
    for line in process.stdout:
        if line.startswith(b"="):
            yield from ended(int(line[1:]))
            return
        try:
            yield json.loads(line)
        except ValueError:  # cut where the fork ended
            continue
    raise RuntimeError(f"the reader of PDF files ended: exit status {process.wait()}")


def ended(status: int) -> list[Told]:
    """What the end of a fork means."""
    if status == -signal.SIGXCPU:
        return [{"reason": "a bomb, no text: reading it takes longer than anything real"}]
    if -status in BROKEN:
        return [{"reason": f"the reader breaks down on it ({signal.Signals(-status).name}): damaged, or a bomb"}]
    if status:
        raise RuntimeError(f"reading a PDF file ended with exit status {status}")
    return []


def serve(stdin: IO[bytes], memory: int, seconds: int) -> None:
    """Reads each file in a fork; a line `=status` says that it has ended."""
    # A terminal's Ctrl-C is the pipeline's business, whose end closes the pipes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    library = started()
    while head := stdin.readline():
        content = stdin.read(int(head))
        if (child := os.fork()) == 0:
            bound(memory + 2 * len(content), seconds)
            tell(library, content)
        _, status = os.waitpid(child, 0)
        write(1, b"\n=%d\n" % os.waitstatus_to_exitcode(status))


def tell(library: Any, content: bytes) -> NoReturn:
    try:
        for one in told(library, content):
            write(1, json.dumps(one).encode() + b"\n")
    except MemoryError:
        os.abort()
    os._exit(0)


def write(pipe: int, content: bytes) -> None:
    """All of it, past Python's buffers: a fork, and whoever closes a pipe that is broken, would write theirs again."""
    left = memoryview(content)
    while left:
        left = left[os.write(pipe, left) :]


def bound(memory: int, seconds: int) -> None:
    """No core is dumped either. Where the machine has lower limits, these stay: nobody may raise them."""
    limits = {resource.RLIMIT_AS: (memory, memory), resource.RLIMIT_CPU: (seconds, seconds + 10)}
    for kind, wanted in (limits | {resource.RLIMIT_CORE: (0, 0)}).items():
        _, most = resource.getrlimit(kind)
        soft, hard = (one if most == resource.RLIM_INFINITY else min(one, most) for one in wanted)
        resource.setrlimit(kind, (soft, hard))


def started() -> Any:
    """PDFium, with its own fonts alone: those of the machine would change where it sees spaces."""
    import pypdfium2_raw as library

    none = (ctypes.POINTER(ctypes.c_char) * 1)()
    library.FPDF_InitLibraryWithConfig(library.FPDF_LIBRARY_CONFIG(version=2, m_pUserFontPaths=none))
    return library


def told(library: Any, content: bytes) -> Iterator[Told]:
    """What there is to tell of a file."""
    document = library.FPDF_LoadMemDocument64(content, len(content), None)
    if not document:
        yield {"reason": ERRORS.get(library.FPDF_GetLastError(), ERRORS[3])}
        return
    yield {"title": title(library, document)}
    if not library.FPDF_DocumentHasValidCrossReferenceTable(document):
        yield {"reason": "damaged: the list of what it holds is lost; what was found is read, pages may be missing"}
    count = library.FPDF_GetPageCount(document)
    if not 0 < count <= PAGES:
        yield {"reason": f"{count:,} pages are more than {PAGES:,}: a bomb, no text" if count else "no pages"}
        return
    for number in range(count):
        yield {"page": number + 1} | page(library, document, number)


def title(library: Any, document: Any) -> str:
    size = library.FPDF_GetMetaText(document, b"Title", None, 0)
    buffer = ctypes.create_string_buffer(size)
    library.FPDF_GetMetaText(document, b"Title", buffer, size)
    return buffer.raw.decode("utf-16-le", "replace").removesuffix("\0")


def page(library: Any, document: Any, number: int) -> Told:
    """The text of a page, and whether there is nothing at all on it."""
    if not (loaded := library.FPDF_LoadPage(document, number)):
        return {"reason": "the page is missing or damaged"}
    blank = library.FPDFPage_CountObjects(loaded) == 0
    if not (text := library.FPDFText_LoadPage(loaded)):
        return {"reason": "the page's text is damaged"}
    count = library.FPDFText_CountChars(text)
    buffer = (ctypes.c_ushort * (2 * count + 1))()
    size = library.FPDFText_GetText(text, 0, count, buffer)
    library.FPDFText_ClosePage(text)
    library.FPDF_ClosePage(loaded)
    return {"text": bytes(buffer)[: 2 * max(size - 1, 0)].decode("utf-16-le", "replace"), "blank": blank}


if __name__ == "__main__":
    serve(sys.stdin.buffer, int(sys.argv[1]), int(sys.argv[2]))
