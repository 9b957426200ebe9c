"""Readability by words a sentence and syllables, or letters, a word: formulas for English, to compare in one language.

Flesch reading ease: 206.835 - 1.015 W/S - 84.6 Y/W (Flesch 1948). Grades of American schools: Flesch-Kincaid,
0.39 W/S + 11.8 Y/W - 15.59 (Kincaid et al. 1975); Gunning fog, 0.4 (W/S + 100 C/W) (Gunning 1952); automated
readability index, 4.71 L/W + 0.5 W/S - 21.43 (Smith and Senter 1967); Coleman-Liau, 5.88 L/W - 29.6 S/W - 15.8 (Coleman
and Liau 1975). W words, S sentences, Y syllables, L letters and digits, C words of three syllables or more.

A syllable is vowels in a row, but not the e at the end of a word, unless it is all there is or an l is before it; where
a script has no spaces between words, each character is one. A text without a word has 0 of all.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.core.characters import MARK, VOWEL
from stages.core.figures import Batch, ratio
from stages.core.params import Section

COLUMNS = dict.fromkeys(
    (
        *("flesch_reading_ease", "flesch_kincaid_grade", "gunning_fog"),
        *("automated_readability_index", "coleman_liau_grade", "syllables_per_word", "words_per_sentence"),
    ),
    pa.float64(),
)
E, L = ord("e"), ord("l")


class Params(Section):
    """No choices."""


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """See above for the formulas."""
    words, each = batch.words, syllables(batch)
    letters = summed(words.ends - words.begins, words.bounds)
    per_sentence = ratio(words.counts, batch.sentence_counts)
    by_word = ratio(summed(each, words.bounds), words.counts)
    long, length = ratio(summed(each >= 3, words.bounds), words.counts), ratio(letters, words.counts)
    found = {
        "flesch_reading_ease": 206.835 - 1.015 * per_sentence - 84.6 * by_word,
        "flesch_kincaid_grade": 0.39 * per_sentence + 11.8 * by_word - 15.59,
        "gunning_fog": 0.4 * (per_sentence + 100 * long),
        "automated_readability_index": 4.71 * length + 0.5 * per_sentence - 21.43,
        "coleman_liau_grade": 5.88 * length - 29.6 * ratio(batch.sentence_counts, words.counts) - 15.8,
        "syllables_per_word": by_word,
        "words_per_sentence": per_sentence,
    }
    return {name: np.where(words.counts > 0, values, 0.0) for name, values in found.items()}


def syllables(batch: Batch) -> NDArray[np.int64]:
    """How many each word has."""
    begins, ends, _ = batch.words
    kinds, codes = np.append(batch.kinds, 0), np.append(batch.codes, 0) | 0x20  # small letters, of ASCII
    vowel = (kinds & (VOWEL | MARK)) != 0  # a mark goes with what stands before it
    opens = vowel & ~np.append(False, vowel[:-1])
    opens[begins] = kinds[begins] & VOWEL != 0
    before = np.append(0, np.cumsum(opens))
    count = before[ends] - before[begins]
    silent = (codes[ends - 1] == E) & (codes[ends - 2] != L) & opens[ends - 1] & (ends - begins >= 2)
    return np.maximum(count - silent, 1)


def summed(values: NDArray[Any], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sums of each text's values."""
    return np.diff(np.append(0, np.cumsum(values))[bounds])
