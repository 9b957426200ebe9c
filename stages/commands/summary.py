"""Tell the headline numbers against the linear baseline, and where the report is."""

import argparse
from pathlib import Path

from stages.core.faults import Fault
from stages.core.files import read_json
from stages.core.verdict import headline

METRICS, PAGE = Path("reports/metrics.json"), Path("reports/index.html")


def arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def main(options: argparse.Namespace) -> int:
    """Prints the verdict, a line a metric, and the page."""
    if not METRICS.exists():
        raise Fault(f"{METRICS}: not found; `make repro` builds the model and its report")
    missing = "" if PAGE.exists() else " (not here yet: `dvc pull` fetches it, `make repro` builds it)"
    print("\n".join([*headline(read_json(METRICS)), f"page: {PAGE}{missing}"]))
    return 0
