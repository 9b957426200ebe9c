"""Balancers: the formulas by hand, and what every one of them promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.balancers import effective_number, frequency, oversample, temperature, undersample

COUNTS = {"x": 90, "y": 9, "z": 1}
SIZES = st.dictionaries(st.text(max_size=3), st.integers(1, 10**6), min_size=1, max_size=20)


def test_frequency_by_hand() -> None:
    root = frequency.targets({"x": 16, "y": 4}, frequency.Params(power=0.5))
    assert root == {"x": pytest.approx(20 * 4 / 6), "y": pytest.approx(20 * 2 / 6)}
    equal = frequency.targets(COUNTS, frequency.Params(power=1.0))
    assert equal == dict.fromkeys("xyz", pytest.approx(100 / 3))


def test_the_effective_number_by_hand() -> None:
    assert effective_number.effective(3, 0.5) == 1 + 0.5 + 0.25
    targets = effective_number.targets({"x": 3, "y": 1}, effective_number.Params(beta=0.5))
    parts = {"x": 3 / 1.75, "y": 1 / 1.0}
    assert targets == {label: pytest.approx(4 * part / sum(parts.values())) for label, part in parts.items()}


def test_the_effective_number_lies_between_nothing_and_frequency() -> None:
    """Cui et al. 2019, section 3.2: beta 0 weighs all alike, beta towards 1 by the inverse of the count."""
    as_they_are = effective_number.targets(COUNTS, effective_number.Params(beta=0.0))
    equal = effective_number.targets(COUNTS, effective_number.Params(beta=1 - 1e-9))
    assert as_they_are == pytest.approx(COUNTS)
    assert equal == dict.fromkeys("xyz", pytest.approx(100 / 3, rel=1e-5))


def test_temperature_by_hand() -> None:
    targets = temperature.targets({"x": 16, "y": 4}, temperature.Params(temperature=2.0))
    assert targets == {"x": pytest.approx(20 * 4 / 6), "y": pytest.approx(20 * 2 / 6)}


@given(SIZES, st.floats(1, 100))
def test_a_temperature_is_a_power_by_another_name(counts: dict[str, int], degree: float) -> None:
    power = frequency.Params(power=1 - 1 / degree)
    assert temperature.targets(counts, temperature.Params(temperature=degree)) == pytest.approx(
        frequency.targets(counts, power)
    )


def test_samplers_by_hand() -> None:
    assert oversample.targets(COUNTS, oversample.Params(share=1.0)) == {"x": 90, "y": 90, "z": 90}
    assert oversample.targets(COUNTS, oversample.Params(share=0.5)) == {"x": 90, "y": 49.5, "z": 45.5}
    assert undersample.targets(COUNTS, undersample.Params(share=1.0)) == {"x": 1, "y": 1, "z": 1}
    assert undersample.targets(COUNTS, undersample.Params(share=0.5)) == {"x": 45.5, "y": 5, "z": 1}


@given(SIZES, st.floats(0, 1))
def test_over_sampling_loses_nothing_and_under_sampling_repeats_nothing(counts: dict[str, int], share: float) -> None:
    more = oversample.targets(counts, oversample.Params(share=share))
    less = undersample.targets(counts, undersample.Params(share=share))
    assert all(less[label] <= count <= more[label] for label, count in counts.items())
