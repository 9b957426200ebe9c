"""Misspellings: a dictionary that would go round in circles, or has more than words, is refused."""

import pytest

from stages.cleaners import misspellings
from stages.shell.params import Checked


def told(words: dict[str, str]) -> list[str]:
    checked = Checked({})
    assert checked.typed(misspellings.Params, {"words": words}, "cleaners.misspellings") is None
    return checked.faults


def test_an_empty_dictionary_changes_nothing() -> None:
    assert misspellings.clean("teh", misspellings.Params(words={})) == "teh"


def test_what_is_right_can_not_be_wrong() -> None:
    mended = "'Form' is what a word is mended to, and itself to be mended; remove one of the two"
    assert told({"from": "Form", "form": "from"}) == [f"cleaners.misspellings: {mended}"]


@pytest.mark.parametrize("word", ["", "two words", "a1", "teh_"])
def test_a_word_is_of_letters(word: str) -> None:
    assert told({"teh": word}) == [f"cleaners.misspellings.words.teh: one word is wanted, of letters, not {word!r}"]
