"""Names that would give the answer away, replaced by one token. The label is never looked at."""

import re
from functools import cache
from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.core.params import Section

Term = Annotated[str, Field(pattern=r"\S")]


class Params(Section):
    terms: tuple[Term, ...]
    token: str

    @model_validator(mode="after")
    def token_is_no_term(self) -> Self:
        if pattern(self.terms).search(self.token):
            raise ValueError(f"the token {self.token!r} has one of the terms in it; choose another")
        return self


def clean(text: str, p: Params) -> str:
    return pattern(p.terms).sub(lambda _: p.token, text)


@cache
def pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the terms, in any case, the longest first; `_` parts words: `to_pandas` tells as much as `pandas`."""
    if not terms:
        return re.compile(r"(?!)")
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    words = "|".join(r"\s+".join(map(re.escape, term.split())) for term in longest_first)
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])", re.IGNORECASE)
