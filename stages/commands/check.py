"""Check params.yaml and the environment: all faults at once, no data needed; mend a dvc.lock that a kill cut off."""

import argparse
from pathlib import Path

from stages.core.faults import Fault
from stages.shell.engine import chosen
from stages.shell.lockfile import mended
from stages.shell.params import FILE, check, read, told
from stages.shell.pinned import check_environment


def arguments(parser: argparse.ArgumentParser) -> None:
    """The file to check."""
    parser.add_argument("file", nargs="?", type=Path, default=FILE, help="a params file (params.yaml)")


def main(options: argparse.Namespace) -> int:
    """Says that all is well, or all that is not."""
    faults = check(read(options.file)).faults
    if faults:
        raise Fault(told(faults, options.file))
    chosen()
    check_environment()
    for line in mended(Path()) if options.file == FILE else ():
        print(line)
    print(f"{options.file}: all sections, plug-ins and combinations are right; packages are those of requirements.lock")
    return 0
