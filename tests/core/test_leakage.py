"""Templates: what is the same but for numbers and names."""

import pyarrow as pa
import pytest

from stages.core.leakage import templates


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("your code is 1234, do not share it", "your code is 98-76, do not share it", True),
        ("send it to Ann Smith in Oslo by noon", "send it to Bob in Rome by noon", True),
        ("pay £1,000.50 to the account of Ann", "pay £7 to the account of Bob, Carl and Dora", False),
        ("Ärzte in Köln haben heute wieder offen", "Büros in Bonn haben heute wieder offen", True),
        ("your code is 1234, do not share it", "your code is 1234, do not lose it", False),
        ("see v2 of a_b and covid-19 at noon then", "see v10 of a_b and sars-2 at noon then", False),
        ("予算は 今日 100円 だけ です ね", "予算は 今日 200円 だけ です ね", True),
    ],
)
def test_templates(one: str, other: str, same: bool) -> None:
    first, second = templates(pa.array([one, other]))
    assert (first == second) == same
    assert first is not None


@pytest.mark.parametrize("text", ["", "Call Ann at 5", "Attention Is All You Need", "To Ann and Bob: 5 x 3, 7 y 2"])
def test_too_little_is_no_template(text: str) -> None:
    assert templates(pa.array([text])) == [None]
