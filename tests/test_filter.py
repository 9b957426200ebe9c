"""Limits on figures: ends included, the first broken one is the reason; and values that stay."""

from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from stages.core.faults import Fault
from stages.core.records import Drop, read_drops, write_table
from stages.engines.serial import Serial
from stages.filter import Limit, Params, stage, verdicts
from stages.shell.engine import Engine

LIMITS = {"words": Limit(at_least=4.0, at_most=10.0), "letter_share": Limit(at_least=0.5, at_most=None)}
P = Params(limits=LIMITS, values={})


@pytest.mark.parametrize(
    ("words", "letters", "expected"),
    [
        (4, 0.5, None),
        (10, 1.0, None),
        (3, 0.1, "words under 4"),
        (11, 1.0, "words over 10"),
        (5, 0.49, "letter_share under 0.5"),
    ],
)
def test_the_reason_is_the_first_limit_that_is_broken(words: int, letters: float, expected: str | None) -> None:
    table = pa.table({"words": [words], "letter_share": [letters], "given": [False]})
    assert verdicts(table, Params(limits=LIMITS, values={})).to_pylist() == [expected]


def test_values_that_are_not_named_go() -> None:
    p = Params(limits={"words": Limit(at_least=2.0, at_most=None)}, values={"language": ("en", "de")})
    rows = [(5, "en", False), (5, "fr", False), (1, "fr", False), (5, "fr", True)]
    table = pa.table(dict(zip(("words", "language", "given"), map(list, zip(*rows, strict=True)), strict=True)))
    assert verdicts(table, p).to_pylist() == [None, "language is fr", "words under 2", None]


def described(folder: Path, *words: int, given: bool = False) -> Path:
    """A side table of features with so many words."""
    rows = [{"id": f"{n}", "words": one, "letter_share": 1.0, "given": given} for n, one in enumerate(words)]
    write_table(folder / "features/s.parquet", pa.Table.from_pylist(rows))
    return folder / "features"


def test_every_document_has_a_verdict(tmp_path: Path) -> None:
    engine = Engine(Serial(), tmp_path)
    told = stage(engine, P, described(tmp_path, 3, 5, 12, 2), tmp_path / "out")
    assert told == "1 documents kept, 3 dropped (words under 4: 2, words over 10: 1)"
    assert read_drops(tmp_path / "out/s.parquet") == [
        *(Drop("0", "words under 4"), Drop("2", "words over 10"), Drop("3", "words under 4"))
    ]


def test_a_side_that_the_source_gives_is_never_thinned(tmp_path: Path) -> None:
    source = described(tmp_path, 3, 12, given=True)
    assert stage(Engine(Serial(), tmp_path), P, source, tmp_path / "out") == ("2 documents kept, 0 dropped")


def test_no_document_left_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"params.yaml: filter.limits: no document is left \(words under 4: 2\); loosen"):
        stage(Engine(Serial(), tmp_path), P, described(tmp_path, 1, 2), tmp_path / "out")


def test_limits_with_nothing_between_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"at_least 10 is above at_most 4; no document is both"):
        Limit(at_least=10.0, at_most=4.0)
