"""The one exception for what a user can mend, and what its messages share."""

import difflib
from collections.abc import Iterable

TOLD = 10  # of many alike, how many a message names


class Fault(Exception):
    """A user's mistake or a fact of their machine: one message that names place, value and remedy.

    Whatever is not a `Fault` is a bug of reprolm and keeps its traceback.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest names, as the end of a sentence."""
    close = difflib.get_close_matches(word, known, n=2)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def lines(many: Iterable[str]) -> str:
    """A line for each of many, to stand below a message; the first ones, if they are too many to be read."""
    told = list(many)
    more = [f"and {len(told) - TOLD:,} more"] if len(told) > TOLD else []
    return "".join(f"\n  {one}" for one in told[:TOLD] + more)
