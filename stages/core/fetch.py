"""Bytes from outside: fetched from wherever they are, taken only if they have the pinned sha256, kept by it."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stages.core.faults import Fault
from stages.core.files import writing
from stages.core.hashing import sha256


def verified(path: Path, expected: str, what: str) -> Path:
    """`path`, if its bytes are the pinned ones."""
    found = sha256(path)
    if found != expected:
        raise Fault(
            f"{what}: the bytes are not the pinned ones: sha256 {found}, pinned {expected}; "
            "if the change is wanted, pin the new hash in params.yaml"
        )
    return path


def wheel(name: str, version: str, expected: str, platforms: Sequence[str], cache: Path) -> Path:
    """The wheel of a distribution as the package index has it for the declared platforms, the same on any machine."""
    kept = cache / "wheels" / expected
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            found = verified(download(name, version, platforms, Path(folder)), expected, f"wheel {name}=={version}")
            with writing(kept) as beside:
                beside.write_bytes(found.read_bytes())
    return verified(kept, expected, f"{kept}: cached wheel {name}=={version}, delete it to fetch it again")


def download(name: str, version: str | None, platforms: Sequence[str], folder: Path, *, show: bool = False) -> Path:
    """The one file that pip brings for this distribution, without installing it or what it depends on; of the newest
    version, where none is named.

    With `show`, people at a terminal see pip's own progress bar: for a large file that nothing else runs beside.
    """
    # An option or an address in its place would make pip do other things, as far as running a setup.py.
    wanted = name if version is None else f"{name}=={version}"
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(==[\w.!+]+)?", wanted, re.ASCII):
        raise Fault(f"wheel {wanted}: a name and a version are wanted, such as numpy 2.4.6")
    seen = show and sys.stdout.isatty()
    target = [option for platform in platforms for option in ("--platform", platform)]
    abis = [option for abi in ("cp311", "abi3", "none") for option in ("--abi", abi)]
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", *target, *abis]
    command += ["--dest", str(folder), wanted, *([] if seen else ["--quiet"])]
    out = None if seen else subprocess.DEVNULL
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or len(found) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip brought no wheel"]
        raise Fault(
            f"wheel {wanted}: {said[-1]}; look for the version in the package index, "
            "or name a reachable index in PIP_INDEX_URL"
        )
    return found[0]
