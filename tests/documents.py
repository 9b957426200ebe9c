"""Small documents, written here byte by byte, and how a source reads them."""

import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from stages.core.hashing import sha256
from stages.core.inputs import folder_sha256
from stages.core.records import Reject, Row

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/Differences[1/fi]>>>>"
# A picture of one black dot, as large as the page.
DOT = b"q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \0 EI Q"
CONTAINER = '<container><rootfiles><rootfile full-path="o/book.opf"/></rootfiles></container>'


def read(source: ModuleType, path: Path, members: str | None = None, **settings: Any) -> tuple[list[Row], list[Reject]]:
    """All rows and all rejects of a file, or of a folder of them; `constants` too are settings."""
    pinned = folder_sha256(path) if path.is_dir() else sha256(path)
    file = {"at": str(path), "sha256": pinned, "members": members, "constants": settings.pop("constants", {})}
    p = source.Params.model_validate({"files": (file,)} | settings)
    paths = [one.fetch(path.parent / "cache") for one in source.needs(p)]
    found = [one for part in source.parts(p, paths) for one in source.read(p, part, paths)]
    assert {type(one) for one in found} <= {Row, Reject}
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Reject)]


def told(source: ModuleType, path: Path, **settings: Any) -> tuple[list[Any], dict[str, str]]:
    """What cases say of rows (key and text, and those attributes that have a value), and of rejects."""
    rows, rejects = read(source, path, **settings)
    known = [{name: value for name, value in row.attributes.items() if value and name != "path"} for row in rows]
    short = [
        [(row.key or "").replace(str(path), "it"), row.text, about] for row, about in zip(rows, known, strict=True)
    ]
    return short, {one.place.replace(str(path), "it"): one.reason for one in rejects}


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of these files."""
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, one in files.items():
            archive.writestr(name, one)
    return content.getvalue()


def epub(files: Mapping[str, str | bytes]) -> bytes:
    """A book whose chapters are these files, in this order."""
    chapters = [name for name in files if name.startswith("o/")]
    items = "".join(f'<item id="i{n}" href="{name[2:]}"/>' for n, name in enumerate(chapters))
    spine = "".join(f'<itemref idref="i{n}"/>' for n, _ in enumerate(chapters))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>A Book</dc:title><dc:creator>Ada</dc:creator><dc:creator>Noël</dc:creator></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    return zipped({"META-INF/container.xml": CONTAINER, "o/book.opf": package} | dict(files))


def xhtml(body: str) -> str:
    return f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>not text</title></head><body>{body}</body></html>'


def docx(body: str, styles: str = "", title: str = "") -> bytes:
    """A Word document of this XML."""
    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="mc" xmlns:m="m"'
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    return zipped({
        "_rels/.rels": f'<Relationships><Relationship Type="{kind}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f"<w:document {names}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {names}>{styles}</w:styles>",
        "docProps/core.xml": f'<core xmlns:dc="dc"><dc:title>{title}</dc:title></core>',
    })  # fmt: skip


def pdf_objects(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects; the first one is the catalogue."""
    content, places = b"%PDF-1.7\n", list[int]()
    for number, one in enumerate(objects, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    tail = b"trailer\n<</Size %d/Root 1 0 R%b>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(content))
    return content + head + table + tail


def stream(content: bytes, more: bytes = b"", *, packed: bool = False) -> bytes:
    if packed:
        content, more = zlib.compress(content, 9), more + b"/Filter/FlateDecode"
    return b"<<%b/Length %d>>\nstream\n%b\nendstream" % (more, len(content), content)


def pdf(pages: Iterable[bytes], trailer: bytes = b"", further: Sequence[bytes] = (), *, packed: bool = False) -> bytes:
    """A PDF with these contents of pages, and further objects for its trailer: the first one is number 4."""
    pages, first = list(pages), 4 + len(further)
    kids = b" ".join(b"%d 0 R" % (first + 2 * n) for n in range(len(pages)))
    tree = b"<</Type/Pages/Count %d/Kids[%b]/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>/XObject<</X 4 0 R>>>>>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", tree % (len(pages), kids), FONT, *further]
    for n, one in enumerate(pages):
        page = b"<</Type/Page/Parent 2 0 R/Contents %d 0 R>>" % (first + 2 * n + 1)
        objects += [page, stream(one, packed=packed)]
    return pdf_objects(objects, trailer)


def lines(*texts: str) -> bytes:
    """The content of a page: lines below each other."""
    written = (
        b"(%b) Tj 0 -14 Td" % text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode()
        for text in texts
    )
    return b"BT /F 12 Tf 72 720 Td %b ET" % b" ".join(written)
