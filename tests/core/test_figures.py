"""Figures of a text, at the edges too."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.figures import FEATURES, WITHOUT_SPACES, WORD, features


def test_a_sentence():
    assert features("The cat saw the DOG.") == {
        "characters": 20,
        "words": 5,
        "mean_word_length": 3.0,
        "letter_share": 0.75,
        "uppercase_share": 4 / 15,
        "distinct_word_share": 0.8,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("矩阵的特征值。", ["矩", "阵", "的", "特", "征", "值"]),
        ("行列の固有値・ベクトル", list("行列の固有値ベクトル")),
        ("用 NumPy2 求解", ["用", "NumPy2", "求", "解"]),
        ("행렬의 고유값", ["행렬의", "고유값"]),  # Korean has spaces
    ],
)
def test_where_no_spaces_stand_each_character_is_a_word(text: str, words: list[str]):
    assert WORD.findall(text) == words


@given(st.text().filter(lambda text: not re.search(f"[{WITHOUT_SPACES}]", text)))
def test_elsewhere_a_word_is_what_it_always_was(text: str):
    assert WORD.findall(text) == re.findall(r"\w+", text)


@given(st.text())
def test_every_text_has_every_figure(text: str):
    found = features(text)
    assert list(found) == list(FEATURES)
    assert all(0.0 <= found[name] <= 1.0 for name in FEATURES if name.endswith("_share"))
