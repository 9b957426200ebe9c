"""Common misspellings, mended by a declared dictionary and nothing else: what it does not name is nobody's mistake."""

import re
from functools import cache
from typing import Annotated, Self

from pydantic import model_validator

from stages.core.params import Section, written

Word = Annotated[str, written(r"[^\W\d_]+", "one word is wanted, of letters")]


class Params(Section):
    words: dict[Word, Word]

    @model_validator(mode="after")
    def mended_is_right(self) -> Self:
        misspelled = {word.lower() for word in self.words}
        if both := [word for word in self.words.values() if word.lower() in misspelled]:
            raise ValueError(f"{both[0]!r} is what a word is mended to, and itself to be mended; remove one of the two")
        return self


def clean(text: str, p: Params) -> str:
    """With small letters, a capital or capitals only, as the misspelling has them; what is in mixed case stays, and so
    do addresses, paths and identifiers."""
    words = tuple(p.words.items())
    return pattern(tuple(p.words)).sub(lambda found: mended(found[0], words), text)


@cache
def pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, in any case; none that is part of something longer, such as teh.example, well-teh or teh_x."""
    if not words:
        return re.compile(r"(?!)")
    any_word = "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))
    return re.compile(rf"(?<![\w@#$/\\.'’-])(?:{any_word})(?![\w@/\\'’-]|[.:=(]\w)", re.IGNORECASE)


@cache
def mended(word: str, words: tuple[tuple[str, str], ...]) -> str:
    """The right word in the same case; the same word where its case is of no kind."""
    right = {wrong.lower(): right for wrong, right in words}[word.lower()]
    cases = (str.lower, str.capitalize, str.upper)
    return next((case(right) for case in cases if case(word) == word), word)
