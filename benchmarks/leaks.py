"""What leaks in public sets: `python benchmarks/leaks.py` prints a table of those in tests/cases/leaks.yaml.

Of each side the documents that have a counterpart in training: as the set comes, and after dedup and split. Sets
without sides of their own get them by row, as is often done. The sets are fetched as sources are, mirrors count.
"""

import sys
import tempfile
from pathlib import Path

from budget import ROOT

sys.path.insert(0, str(ROOT))

from stages.core.leakage import KINDS
from tests.test_leaks import CASES, leakage


def main() -> None:
    """A row a side."""
    print(f"| set | side | documents | {' | '.join(KINDS)} |\n|---|---|{'---:|' * (len(KINDS) + 1)}")
    for leaky in CASES:
        with tempfile.TemporaryDirectory() as folder:
            told = leakage(leaky, Path(folder))
        name = f"{leaky['name']}{', by row' * leaky['drawn']}"
        for side in ("validation", "test"):
            if one := told[side]["documents"]:
                counts = [f"{told[side][kind]['found']:,} → {told[side][kind]['left']:,}" for kind in KINDS]
                print(f"| {name} | {side} | {one:,} | {' | '.join(counts)} |", flush=True)


if __name__ == "__main__":
    main()
