"""`reprolm VERB`: the commands beside the DAG, one file each."""

import argparse
import ast
import importlib
import os
import sys
from pathlib import Path

from stages.core.faults import Fault
from stages.shell.environment import quiet


def verbs() -> dict[str, str]:
    """Verb → what it does, from the first line of its file; nothing is imported for it."""
    files = sorted(path for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    return {
        path.stem: (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        for path in files
    }


def main() -> None:
    """Parses the command line and runs the verb; a fault is one message and exit status 1."""
    parser = argparse.ArgumentParser("reprolm", description="Commands beside the DAG. The DAG itself: dvc repro.")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    known = verbs()
    for verb, told in known.items():
        subparsers.add_parser(verb, help=told, description=told, add_help=False)
    chosen = parser.parse_args(sys.argv[1:2]).verb
    quiet()
    command = importlib.import_module(f"stages.commands.{chosen}")
    own = argparse.ArgumentParser(f"reprolm {chosen}", description=known[chosen])
    command.arguments(own)
    try:
        sys.exit(command.main(own.parse_args(sys.argv[2:])))
    except Fault as fault:
        sys.exit(f"reprolm {chosen}: {fault}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
