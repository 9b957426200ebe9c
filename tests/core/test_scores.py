"""Scores against scikit-learn's, intervals against a bootstrap by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from stages.core.scores import contingency, draws, interval
from stages.metrics import accuracy, macro_f1

Pairs = list[tuple[int, int]]
LABELS = 5
pairs = st.lists(st.tuples(st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)), min_size=1, max_size=60)


def columns(drawn: Pairs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    actual, predicted = np.array(drawn).T
    return actual, predicted


@given(pairs)
def test_metrics_equal_those_of_scikit_learn(drawn: Pairs):
    actual, predicted = columns(drawn)
    counts = contingency(actual, predicted, LABELS)
    assert counts.tolist() == confusion_matrix(actual, predicted, labels=range(LABELS)).tolist()
    assert accuracy.score(counts) == pytest.approx(accuracy_score(actual, predicted))
    assert macro_f1.score(counts) == pytest.approx(f1_score(actual, predicted, average="macro"))


def test_many_tables_at_once_score_like_one_after_the_other():
    tables = np.random.default_rng(0).integers(0, 9, (7, LABELS, LABELS)).astype(float)
    for metric in (accuracy, macro_f1):
        assert metric.score(tables).tolist() == pytest.approx([float(metric.score(table)) for table in tables])


@pytest.mark.parametrize("metric", [accuracy, macro_f1])
def test_the_interval_is_that_of_documents_drawn_one_by_one(metric: object):
    rng = np.random.default_rng(1)
    actual, groups = rng.integers(0, 3, 90), np.arange(90) // 3
    predicted = np.where(rng.random(90) < 0.7, actual, rng.integers(0, 3, 90))
    drawn = list(draws(30, 400, seed=5))
    score = metric.score  # type: ignore[attr-defined]
    fast = score(np.array([contingency(actual, predicted, 3, draw[groups]) for draw in drawn]))
    brute = [by_hand(score, actual, predicted, groups, draw) for draw in drawn]
    assert fast.tolist() == pytest.approx(brute)
    found = interval(score(contingency(actual, predicted, 3)), fast, 0.9)
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.quantile(brute, [0.05, 0.95])))
    assert found["low"] < found["value"] < found["high"]


def by_hand(score: object, actual: object, predicted: object, groups: object, draw: NDArray[np.int64]) -> float:
    """The score of a resample in which each group's documents stand as often as the group was drawn."""
    chosen = [n for n, group in enumerate(groups) for _ in range(int(draw[group]))]  # type: ignore[call-overload]
    return float(score(contingency(actual[chosen], predicted[chosen], 3)))  # type: ignore[operator, index]


def test_resamples_draw_as_many_groups_as_there_are_and_repeat():
    drawn = np.array(list(draws(10, 50, seed=3)))
    assert (drawn.sum(1) == 10).all()
    assert (drawn == np.array(list(draws(10, 50, seed=3)))).all()
    assert (drawn != np.array(list(draws(10, 50, seed=4)))).any()
