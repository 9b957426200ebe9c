"""Which files make a configuration of a dataset on the Hugging Face Hub, and what its classes are called.

`datasets` knows: by the dataset's card, or by the names of its files. It is shown the names alone, in a folder beside
the card; it asks nobody, and runs no code of the dataset.
"""

import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from stages.core.faults import Fault, did_you_mean
from stages.core.hashing import sha256
from stages.core.inputs import plain_files
from stages.core.web import SCHEMES, download, mirrored, mirrors
from stages.sources.hub import DIALECTS, FORMATS, HUB, PACKED, address, format_of

# What `datasets` reads of a dataset besides its data.
CARDS = ("README.md", "dataset_infos.json")
QUIET = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}
# What a card may say of a configuration without saying how its files are read.
NAMING = {"name", "version", "data_dir", "data_files", "description", "features"}
SIDES = ("validation", "test")
CONVERTED = "refs/convert/parquet"  # where the Hub keeps its own Parquet of any dataset, in a folder a configuration


class Listing(NamedTuple):
    """A commit, and its files with their sha256 where that is known without them."""

    revision: str
    files: Mapping[str, str | None]


def pinned(name: str, revision: str | None, config: str | None) -> dict[str, Any]:
    """The parameters of kind `hub` for a configuration, but for its fields: of the newest commit, where none is named,
    and of the configuration that the dataset gives by default."""
    listing = listed(name, revision)
    if revision == CONVERTED:
        listing, asked_for = of_config(name, listing, config or "default"), None
    else:
        asked_for = config
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, PurePosixPath(name).name)
        lay_out(name, listing, root)
        chosen, builder = resolved(root, asked_for, name, Path(folder, "cache"))
        splits = dict(data_files(builder, root, name))
        refuse_options(builder, name, {format_of(one) for found in splits.values() for one in found})
        classes = named(features(builder, name, listing, [one for found in splits.values() for one in found], root))
        return {
            "dataset": name,
            "revision": listing.revision,
            "config": config or chosen,
            "files": [
                {"at": one, "sha256": digest(name, listing, one, root), "members": None, "constants": {"split": split}}
                for split, found in splits.items()
                for one in found
            ],
            "classes": classes,
            "sides": {split: side(split) for split in splits},
        }


def side(split: str) -> str:
    """Which side a split belongs to: `validation_matched` is one for validation, `unsupervised` is for training."""
    return next((one for one in SIDES if split.startswith(one)), "train")


def listed(name: str, revision: str | None) -> Listing:
    """The files of a dataset: of a mirror that is a folder, as they lie there; else, as the Hub's API tells."""
    place = mirrored(address(name, revision or "main"), mirrors())
    if place.startswith(SCHEMES):
        return asked(name, revision)
    if not (revision and re.fullmatch(r"[0-9a-f]{40}", revision)):
        raise Fault(f"{name}: its mirror is a folder, {place}: name the commit, 40 hexadecimal digits, in `revision`")
    if not Path(place).is_dir():
        raise Fault(f"{name}: its mirror has no {place}; mend mirrors.txt or REPROLM_MIRRORS")
    return Listing(revision, dict.fromkeys(sorted(plain_files(Path(place)))))


def of_config(name: str, listing: Listing, config: str) -> Listing:
    """The files of a configuration that the Hub has converted."""
    files = {one: digest for one, digest in listing.files.items() if one.startswith(f"{config}/")}
    if not files:
        known = sorted({one.split("/")[0] for one in listing.files if "/" in one})
        there = ", ".join(known) or "nothing"
        raise Fault(f"{name}: no configuration {config!r}; there is: {there}{did_you_mean(config, known)}")
    return Listing(listing.revision, files)


def asked(name: str, revision: str | None) -> Listing:
    """What the Hub, or the server that stands in for it, tells of a dataset."""
    os.environ.update(QUIET)
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    endpoint = mirrored(HUB, mirrors()).rstrip("/")
    try:
        found = HfApi(endpoint, token=False).dataset_info(name, revision=revision, files_metadata=True, timeout=60)
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, OSError) as error:
        said = next(iter(f"{error}".split("\n\n")[-1].splitlines()), type(error).__name__)
        raise Fault(
            f"{name}{f' at {revision}' if revision else ''}: {endpoint} gives no list of its files: {said}; correct "
            "the name or the revision, or name what stands in for it in mirrors.txt"
        ) from None
    files = {one.rfilename: one.lfs.sha256 if one.lfs else None for one in found.siblings or ()}
    return Listing(found.sha or "", files)


def lay_out(name: str, listing: Listing, root: Path) -> None:
    """A folder with the dataset's cards, and an empty file for each of its others."""
    for one in listing.files:
        if ".." in PurePosixPath(one).parts or PurePosixPath(one).is_absolute():
            raise Fault(f"{name}: a file is called {one!r}, which leads elsewhere; report it to the Hub")
        (root / one).parent.mkdir(parents=True, exist_ok=True)
        (root / one).touch()
    for one in CARDS:
        if one in listing.files:
            bring(name, listing, one, root)


def bring(name: str, listing: Listing, path: str, root: Path) -> Path:
    """A file of the dataset, in the place of the empty one."""
    place = mirrored(address(name, listing.revision, path), mirrors())
    with (root / path).open("wb") as file:
        if place.startswith(SCHEMES):
            download(place, file)
        else:
            with Path(place).open("rb") as source:
                shutil.copyfileobj(source, file)
    return root / path


def digest(name: str, listing: Listing, path: str, root: Path) -> str:
    """The sha256 of a file: the Hub tells it of the large ones."""
    if known := listing.files[path]:
        return known
    try:
        return sha256(bring(name, listing, path, root))
    finally:
        (root / path).write_bytes(b"")


def resolved(root: Path, config: str | None, name: str, cache: Path) -> tuple[str, Any]:
    """The name of the configuration, and what `datasets` would build it with."""
    os.environ.update(QUIET)
    import datasets
    from yaml import YAMLError

    datasets.logging.set_verbosity_error()
    try:
        refuse_places(root, name)
        known = datasets.get_dataset_config_names(str(root))
        chosen = config or datasets.get_dataset_default_config_name(str(root))
        builder = datasets.load_dataset_builder(str(root), chosen, cache_dir=str(cache)) if chosen in known else None
    except (FileNotFoundError, YAMLError, ValueError, TypeError) as error:  # a card may say anything
        said = " ".join(f"{error}".replace(str(root), name).split())
        raise Fault(
            f"{name}: `datasets` makes nothing of its card and its files: {said}; name the files that are wanted in a "
            "source of the kind that reads them"
        ) from None
    if chosen is None or builder is None:
        said = f"no configuration {config!r}" if config else "no default among its configurations"
        raise Fault(f"{name}: {said}; there is: {', '.join(known)}{did_you_mean(config or '', known)}")
    return chosen, builder


def refuse_places(root: Path, name: str) -> None:
    """A card may name files of the web, or of this machine, which `datasets` would look for."""
    from huggingface_hub import DatasetCard

    card = root / CARDS[0]
    configs = DatasetCard.load(card).data.to_dict().get("configs") if card.exists() else None
    for place in texts(configs):
        if "://" in place or "::" in place or place.startswith(("/", "~")) or ".." in PurePosixPath(place).parts:
            raise Fault(f"{name}: its card names {place!r}, which is not in it; pin that in a source of its own")


def texts(value: Any) -> Iterator[str]:
    """All texts within a value."""
    match value:
        case str():
            yield value
        case dict():
            yield from texts(list(value.values()))
        case list():
            for one in value:
                yield from texts(one)
        case _:
            pass


def refuse_options(builder: Any, name: str, formats: Collection[str | None]) -> None:
    """A card may say how files are read, as `sep: ";"`: that is for the kind of source that has a word for it."""
    usual = type(builder.config)(name="default")
    separator = next((DIALECTS[one].delimiter for one in formats if one in DIALECTS), None)
    for field in dataclasses.fields(usual):
        value = getattr(builder.config, field.name)
        expected = separator if field.name == "sep" else getattr(usual, field.name)
        if field.name not in NAMING and value != expected:
            raise Fault(
                f"{name}: its card says {field.name}={value!r} for {builder.config.name!r}, which kind hub has no word "
                "for; name the files' addresses in a source of kind csv or json"
            )


def data_files(builder: Any, root: Path, name: str) -> Iterator[tuple[str, list[str]]]:
    """Split → its files, as the dataset calls them."""
    for split, found in builder.config.data_files.items():
        paths = [Path(one).relative_to(root.resolve()).as_posix() for one in found]
        if odd := [one for one in paths if format_of(one) is None]:
            raise Fault(
                f"{name}: {odd[0]}: {', '.join(FORMATS)} are read, plain or packed ({', '.join(sorted(PACKED))}); pin "
                f"revision {CONVERTED}, which is the Hub's own Parquet of it, or name the files in a source of the "
                "kind that reads them"
            )
        yield str(split), paths


def features(builder: Any, name: str, listing: Listing, files: list[str], root: Path) -> Mapping[str, Any]:
    """What a dataset says of its columns: in its card or, if it has Parquet, in its last file, which is fetched."""
    if builder.info.features is not None:
        return builder.info.features
    columnar = [one for one in files if one.endswith(".parquet")]
    if not columnar:
        return {}
    import datasets
    import pyarrow.parquet as pq

    path = bring(name, listing, columnar[-1], root)
    return datasets.Features.from_arrow_schema(pq.read_schema(path))


def named(features: Mapping[str, Any], path: str = "") -> dict[str, list[str]]:
    """Column, or path in nested ones, → the names of its classes."""
    import datasets

    found: dict[str, list[str]] = {}
    for key, one in features.items():
        inner = one.feature if isinstance(one, datasets.List | datasets.LargeList) else one
        if isinstance(inner, datasets.ClassLabel) and inner.names:
            found[f"{path}{key}"] = list(inner.names)
        elif isinstance(one, Mapping):
            found |= named(one, f"{path}{key}.")
    return found
