"""Every explainer, on games whose answer is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.params import Section
from stages.explainers import lime, shap
from stages.shell import plugins

WEIGHTS = np.array([0.02, 0.3, -0.1, 0.0, 0.15, 0.05, 0.01])
SETTINGS: dict[str, Section] = {"shap": shap.Params(evaluations=200), "lime": lime.Params(samples=300)}


def linear(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(0.1 + present @ WEIGHTS, np.float64)


def negated(present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Words 1 and 2 matter together only ("not bad")."""
    return 0.2 + 0.6 * (present[:, 1] & present[:, 2]) + 0.1 * present[:, 5]


def explain(name: str, game: object, words: int = 7, seed: int = 3) -> list[float]:
    return plugins.load("explainers", name).explain(game, words, SETTINGS[name], seed)


def test_every_explainer_is_tested_here():
    assert sorted(SETTINGS) == plugins.names("explainers")


@pytest.mark.parametrize("name", SETTINGS)
def test_a_linear_game_gives_its_weights_back(name: str):
    found = explain(name, linear)
    assert np.argsort(found)[::-1][:2].tolist() == [1, 4]
    assert np.abs(np.array(found) - WEIGHTS).max() < 0.02  # the ridge of lime shrinks a little


@pytest.mark.parametrize("name", SETTINGS)
def test_words_that_matter_together_share_the_credit(name: str):
    found = np.array(explain(name, negated))
    assert set(np.argsort(found)[::-1][:2].tolist()) == {1, 2}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_seed_decides_and_nothing_drawn_before(name: str):
    first = explain(name, negated)
    np.random.seed(99)
    assert explain(name, negated) == first


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("words", [1, 2])
def test_very_short_texts(name: str, words: int):
    found = explain(name, lambda present: present[:, 0] * 0.5, words)
    assert len(found) == words
    assert found[0] > 0.02  # lime's kernel hardly counts an empty text: its ridge shrinks this to less than a tenth
    assert found[1:] == pytest.approx([0.0] * (words - 1), abs=1e-9) or name == "lime"


def test_shap_adds_up_even_where_evaluations_run_out():
    rng = np.random.default_rng(0)
    weights, pairs = rng.normal(size=20), rng.normal(size=(20, 20))

    def game(present: NDArray[np.bool_]) -> NDArray[np.float64]:
        return present @ weights + np.einsum("ni,ij,nj->n", present, pairs, present)

    values = shap.explain(game, 20, shap.Params(evaluations=60), 1)
    base, full = game(np.array([[False] * 20, [True] * 20]))
    assert base + sum(values) == pytest.approx(full, abs=1e-9)


def test_shap_tree_halves_the_text():
    assert shap.balanced(3).tolist() == [[1, 2, 2, 2], [0, 3, 3, 3]]


def test_lime_reads_positions():
    assert lime.presence(["0  2", "1", ""], 3).tolist() == [[True, False, True], [False, True, False], [False] * 3]
