"""Lengths, and shares of what a text is made of: letters, capitals, digits, punctuation, different words.

A word is letters and digits in a row with their marks; where a script has no spaces between words, each character. A
sentence ends with a sign of Unicode's Sentence_Terminal; abbreviations are not known. A line has something in it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.characters import ALPHA, DIGIT, MARK, PUNCTUATION, UPPER
from stages.core.figures import Batch, distinct, ratio
from stages.core.params import Section

COLUMNS = {
    "characters": pa.int32(),
    "words": pa.int32(),
    "mean_word_length": pa.float64(),
    "letter_share": pa.float64(),
    "uppercase_share": pa.float64(),
    "distinct_word_share": pa.float64(),
    "digit_share": pa.float64(),
    "punctuation_share": pa.float64(),
    "capitalised_word_share": pa.float64(),
    "lines": pa.int32(),
    "sentences": pa.int32(),
}


class Params(Section):
    """No choices."""


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """Shares are of all characters, that of capitals of letters, those of words of words; that of different words is
    the type-token ratio. Marks are as good as the letters that they stand on."""
    words, characters = batch.words, np.diff(batch.bounds)
    capital = np.flatnonzero(batch.kinds[words.begins] & UPPER)
    lengths = np.append(0, np.cumsum(words.ends - words.begins))[words.bounds]
    return {
        "characters": characters,
        "words": words.counts,
        "mean_word_length": ratio(np.diff(lengths), words.counts),
        "letter_share": ratio(batch.counted(ALPHA | MARK), characters),
        "uppercase_share": ratio(batch.counted(UPPER), batch.counted(ALPHA)),
        "distinct_word_share": ratio(distinct(batch), words.counts),
        "digit_share": ratio(batch.counted(DIGIT), characters),
        "punctuation_share": ratio(batch.counted(PUNCTUATION), characters),
        "capitalised_word_share": ratio(np.diff(np.searchsorted(capital, words.bounds)), words.counts),
        "lines": batch.lines,
        "sentences": batch.sentence_counts,
    }
