"""The known leaks of public sets are found: through the sources that read them, dedup and split."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from stages.core.hashing import uniform
from stages.core.records import Chunk, Document, Row
from stages.shell import plugins
from tests.conftest import case
from tests.sources.reading import needs_mirror
from tests.sources.tables import parameters as typed
from tests.splits import outcome, parameters

CASES = case("leaks.yaml")


def documents(leaky: dict[str, Any], cache: Path) -> list[Document]:
    """The rows of a set on their sides; labels are no matter here, so each side gets two. What is for training may go
    to validation where the set has none."""
    module, p = plugins.load("sources", leaky["kind"]), typed(leaky["kind"], **leaky["params"])
    paths = tuple(one.fetch(cache) for one in module.needs(p))
    items = chain.from_iterable(module.read(p, part, paths) for part in module.parts(p, paths))
    rows = [row for item in items if isinstance(item, Chunk | Row) for row in of(item)]
    sides = [drawn(n) if leaky["drawn"] else row["split"] for n, row in enumerate(rows)]
    return [
        Document(
            f"{n:x}", row["text"], "ab"[n % 2], "s", None, row.get("group"), {}, split=None if side == "train" else side
        )
        for n, (row, side) in enumerate(zip(rows, sides, strict=True))
    ]


def of(item: Chunk | Row) -> list[dict[str, Any]]:
    """What a source gives, as rows."""
    return item.rows.to_pylist() if isinstance(item, Chunk) else [item._asdict()]


def drawn(row: int) -> str:
    """A side by row: a tenth for validation, a fifth for test."""
    at = uniform("leaks", f"{row}", 1)
    return "test" if at < 0.2 else "validation" if at < 0.3 else "train"


def leakage(leaky: dict[str, Any], root: Path) -> dict[str, Any]:
    """What split tells of a set."""
    some = documents(leaky, root / "cache")
    validation = 0.0 if any(one.split == "validation" for one in some) else 0.1
    return outcome(root, some, parameters(validation=validation, test=0.0), size=10_000).leakage


@needs_mirror
@pytest.mark.parametrize("leaky", CASES, ids=[one["name"] for one in CASES])
def test_known_leaks_are_found(tmp_path: Path, leaky: dict[str, Any]) -> None:
    told = leakage(leaky, tmp_path)
    found = {side: {kind: list(told[side][kind].values()) for kind in kinds} for side, kinds in leaky["leaks"].items()}
    assert found == leaky["leaks"]
