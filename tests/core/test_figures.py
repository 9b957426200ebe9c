"""Figures of a text, at the edges too."""

from hypothesis import given
from hypothesis import strategies as st

from stages.core.figures import FEATURES, features


def test_a_sentence():
    assert features("The cat saw the DOG.") == {
        "characters": 20,
        "words": 5,
        "mean_word_length": 3.0,
        "letter_share": 0.75,
        "uppercase_share": 4 / 15,
        "distinct_word_share": 0.8,
    }


@given(st.text())
def test_every_text_has_every_figure(text: str):
    found = features(text)
    assert list(found) == list(FEATURES)
    assert all(0.0 <= found[name] <= 1.0 for name in FEATURES if name.endswith("_share"))
