"""Weights and picks: even on average, never a copy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.balance import Params, balanced, factors, told
from stages.core.examples import Example

COUNTS = st.dictionaries(st.text(max_size=3), st.integers(1, 1000), min_size=1, max_size=20)


def p(by: str = "weights", power: float = 0.5) -> Params:
    return Params.model_validate({"power": power, "by": by, "seed": 1})


@given(COUNTS, st.floats(0, 1))
def test_factors_have_mean_1_over_the_documents(counts: dict[str, int], power: float) -> None:
    factor = factors(counts, power)
    mean = sum(factor[label] * count for label, count in counts.items()) / sum(counts.values())
    assert mean == pytest.approx(1.0)


def test_power_0_changes_nothing_and_1_makes_labels_equal() -> None:
    counts = {"x": 30, "y": 10}
    assert factors(counts, 0.0) == {"x": 1.0, "y": 1.0}
    assert {label: factor * counts[label] for label, factor in factors(counts, 1.0).items()} == {
        "x": pytest.approx(20),
        "y": pytest.approx(20),
    }


def test_weights_or_picks() -> None:
    one = Example("1", "text", "x")
    assert balanced(one, 2.5, p()) == {"id": "1", "label": "x", "weight": 2.5, "picks": 1}
    assert balanced(one, 2.0, p("picks")) == {"id": "1", "label": "x", "weight": 1.0, "picks": 2}


def test_picks_are_the_factor_on_average_and_a_documents_own() -> None:
    examples = [Example(f"{n}", "", "x") for n in range(2000)]
    picks = [balanced(one, 1.25, p("picks"))["picks"] for one in examples]
    assert set(picks) == {1, 2} and sum(picks) / 2000 == pytest.approx(1.25, abs=0.03)
    assert [balanced(one, 1.25, p("picks"))["picks"] for one in examples[::-1]] == picks[::-1]


def test_what_is_told() -> None:
    rows = [{"picks": 2}, {"picks": 0}]
    assert told({"x": 2.0, "y": 0.5}, rows, p("picks")) == "2 picks of 2 documents, picks from 0.50 to 2.00"
    assert told({"x": 1.0}, rows, p(power=0.0)) == "2 training documents, as they are"
