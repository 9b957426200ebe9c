"""Hashes that are the same on every machine, in every order, in every process."""

import hashlib
import random
from pathlib import Path


def stable_hash(*parts: str | int) -> int:
    """64 bits of BLAKE2b over the parts; parts can't run into each other, as each carries its length."""
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return int.from_bytes(digest.digest(), "little")


def document_id(source: str, *key: str | int) -> str:
    """16 hexadecimal digits: seeds, splits and traces hang on it, so it depends on nothing but the source's key."""
    return f"{stable_hash(source, *key):016x}"


def rng(decision: str, name: str, seed: int) -> random.Random:
    """A generator of one's own for a document (`name` is its id): no result depends on who drew before.

    `decision` keeps decisions apart: with equal seeds, whom the label budget picks says nothing of who gets a child.
    """
    return random.Random(stable_hash(decision, name, seed))


def uniform(decision: str, name: str, seed: int) -> float:
    """A number in [0, 1) that belongs to a decision about a document; cheaper than a generator where one is enough."""
    return stable_hash(decision, name, seed) / 2**64


def sha256(path: Path) -> str:
    """The digest in hexadecimal of a file, read once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
