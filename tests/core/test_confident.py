"""Confident learning: thresholds and joint by hand, planted errors, classes that the model is unsure of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core import confident

# Four documents of label 0, three of label 1: the last of each looks like the other label.
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.8, 0.2]])
GIVEN = np.array([0, 0, 0, 0, 1, 1, 1])


def test_thresholds_are_what_a_labels_own_documents_have_on_average() -> None:
    assert confident.thresholds(PROBABILITIES, GIVEN).tolist() == pytest.approx([2.6 / 4, 1.8 / 3])


def test_the_label_that_a_document_counts_for_and_likely_errors_by_hand() -> None:
    assert confident.counted(PROBABILITIES, GIVEN).tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert confident.errors(PROBABILITIES, GIVEN).tolist() == [-1, -1, -1, 1, -1, -1, 0]
    assert confident.margins(PROBABILITIES, GIVEN).tolist() == pytest.approx([0.8, 0.6, 0.4, -0.6, 0.8, 0.4, -0.6])


def test_a_label_that_the_model_is_unsure_of_is_not_taken_for_full_of_errors() -> None:
    """Label 1 is always a little less probable, and so are its errors: 0.55 of label 0 is nothing special."""
    unsure = np.array([[0.95, 0.05]] * 5 + [[0.55, 0.45]] * 5)
    assert confident.errors(unsure, np.array([0] * 5 + [1] * 5)).tolist() == [-1] * 10


def test_nothing_is_counted_for_a_label_that_no_document_has() -> None:
    three = np.array([[0.5, 0.1, 0.4], [0.1, 0.5, 0.4]])
    assert confident.thresholds(three, np.array([0, 1])).tolist() == [0.5, 0.5, np.inf]
    assert confident.errors(np.array([[0.2, 0.0, 0.8], [0.1, 0.9, 0.0]]), np.array([0, 1])).tolist() == [-1, -1]


def test_equal_probabilities_reach_their_own_mean() -> None:
    same = np.full((7, 3), [0.1, 0.7, 0.2])
    assert confident.counted(same, np.ones(7, np.intp)).tolist() == [1] * 7


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(0, 40))
def test_an_error_has_a_label_more_probable_than_its_own_and_reached_it(seed: int, labels: int, documents: int) -> None:
    rng = np.random.default_rng(seed)
    said, own = rng.dirichlet(np.ones(labels), documents), rng.integers(0, labels, documents)
    found = confident.errors(said, own)
    wrong = np.flatnonzero(found >= 0)
    assert (found[wrong] != own[wrong]).all()
    assert (confident.margins(said, own)[wrong] < 0).all()
    assert found.tolist() == confident.errors(said.copy(), own).tolist()
