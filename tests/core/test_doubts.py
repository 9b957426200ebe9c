"""Labels in doubt: texts with two labels, likely errors, and what is told of them without a text."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.core import doubts
from stages.core.doubts import Doubt, Labelled, conflicts, text_key
from stages.core.records import write_table


def labelled(*rows: tuple[str, str, str]) -> list[Labelled]:
    return [Labelled(one, label, text_key(text)) for one, label, text in rows]


def judged(likely: str | None, margin: float, fold: int | None = 0) -> dict[str, Any]:
    return {"fold": fold, "likely": likely, "margin": margin}


def test_equal_texts_with_two_labels_are_in_conflict_whatever_their_case_and_spaces() -> None:
    few = labelled(("1", "x", "One text"), ("2", "x", "one  TEXT"), ("3", "y", "one text\n"), ("4", "y", "another"))
    assert conflicts(few, {}) == {"1": "3", "2": "3", "3": "1"}
    assert conflicts(few[:2], {}) == {}


def test_what_dedup_dropped_with_another_label_speaks_against_what_was_kept(tmp_path: Path) -> None:
    rows = [
        ("1", None, None),
        ("2", "same text", "1"),
        ("3", "near-duplicate, other label", "1"),
        ("4", "same text, other label", "1"),
    ]
    table = [dict(zip(("id", "reason", "of"), row, strict=True)) for row in rows]
    write_table(tmp_path / "0.parquet", pa.Table.from_pylist(table))
    dropped = doubts.read_dropped(tmp_path)
    assert dropped == {"1": "3"}
    assert conflicts(labelled(("1", "x", "one"), ("5", "x", "two")), dropped) == {"1": "3"}


def test_the_worst_doubt_comes_first_and_what_nobody_judged_last() -> None:
    few = labelled(("1", "x", "a"), ("2", "x", "b"), ("3", "y", "b"), ("4", "y", "c"), ("5", "y", "d"))
    said = {"1": judged("y", -0.2), "2": judged(None, 0.6), "4": judged("x", -0.9), "5": judged(None, 0.9)}
    assert doubts.doubts(few, said, {}) == {
        "4": Doubt("y", "x", -0.9, None),
        "1": Doubt("x", "y", -0.2, None),
        "2": Doubt("x", None, 0.6, "3"),
        "3": Doubt("y", None, None, "2"),
    }


def test_what_is_told_are_counts_pairs_and_the_worst_hundred() -> None:
    doubted = {f"{n:03}": Doubt("x", "y" if n % 4 else "z", -0.5, None) for n in range(120)}
    told = doubts.told(doubted, [judged("y", -0.5), judged(None, 0.5), judged(None, 0.0, None)])
    assert (told["judged"], told["label_errors"], told["conflicts"], len(told["worst"])) == (2, 120, 0, 100)
    assert told["pairs"] == [
        {"label": "x", "likely": "y", "documents": 90},
        {"label": "x", "likely": "z", "documents": 30},
    ]
    assert told["worst"][0] == {"id": "000", "label": "x", "likely": "z", "margin": -0.5, "other": None}
