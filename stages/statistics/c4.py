"""What C4's rules would leave of a page (Raffel et al. 2020, section 2.2), tagged: nothing is cut out of a text.

A line is kept if it ends with . ? ! or a quotation mark, and not with three dots, has three words, none of more than
1,000 characters, and mentions neither JavaScript nor cookies, terms of use or a privacy policy; marks of citations
such as [1] at its end do not count. `c4_sentences` are those of such lines. Whether a page has a placeholder's text or
curly brackets, C4 asks of those lines too. Words and sentences are as in `gopher` and `lexical`; the list of bad words
is not here. To drop what the paper drops, but for the lines:

    c4_sentences: {at_least: 5, at_most: null}
    c4_lorem_ipsum_lines: {at_least: null, at_most: 0}
    c4_curly_bracket_lines: {at_least: null, at_most: 0}
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.characters import DIGIT, DOT, TERMINAL, WORD
from stages.core.figures import Batch, coded
from stages.core.params import Section
from stages.core.stretches import after_line, dots, end_of_line, end_of_sentence, stripped_left, stripped_right

COLUMNS = {
    "c4_kept_lines": pa.int32(),
    "c4_kept_line_share": pa.float64(),
    "c4_sentences": pa.int32(),
    "c4_lorem_ipsum_lines": pa.int32(),
    "c4_curly_bracket_lines": pa.int32(),
}
LOREM, SCRIPT, POLICY, CURLY = 1, 2, 4, 8
PHRASES = (
    *("lorem ipsum", "javascript", "terms of use", "privacy policy", "cookie policy"),
    *("uses cookies", "use of cookies", "use cookies"),
)
# Flags of their first and second letters: where these are not, no phrase needs a look.
INITIALS, SECONDS = (sum({1 << (ord(phrase[n]) & 0x1F) for phrase in PHRASES}) for n in range(2))
CITATIONS = ("[edit]", "[citation needed]")
FEWEST_WORDS, LONGEST_WORD = 3, 1000
EXCLAMATION, QUOTATION, APOSTROPHE, QUESTION = 0x21, 0x22, 0x27, 0x3F
OPEN_SQUARE, CLOSE_SQUARE, OPEN_CURLY = 0x5B, 0x5D, 0x7B


class Params(Section):
    """No choices."""


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """See above for what they mean."""
    begins, ends, _ = batch.tokens
    phrases, citations = listed(PHRASES), listed(CITATIONS)
    out = np.zeros((len(batch.ids), len(COLUMNS)))
    arrays = (batch.codes, batch.kinds, batch.bounds, begins, ends, *phrases, *citations, out)
    return dict(zip(COLUMNS, batch.run(of_texts, *arrays)[-1].T, strict=True))


def listed(phrases: tuple[str, ...]) -> tuple[Any, Any]:
    """Phrases in a row, and where each begins and ends."""
    return coded("".join(phrases)), np.append(0, np.cumsum([len(one) for one in phrases])).astype(np.int64)


def of_texts(
    codes: Any,
    kinds: Any,
    bounds: Any,
    begins: Any,
    ends: Any,
    phrases: Any,
    phrase_ends: Any,
    citations: Any,
    citation_ends: Any,
    out: Any,
) -> None:
    """Fills a row a text."""
    word = 0
    for text in range(len(bounds) - 1):
        at, end, row = bounds[text], bounds[text + 1], out[text]
        lines = kept = sentences = lorem = curly = 0
        while at < end:
            stop = end_of_line(kinds, at, end)
            words = longest = 0
            while word < len(begins) and begins[word] < stop:
                words += 1
                longest = max(longest, ends[word] - begins[word])
                word += 1
            first, last = stripped_left(kinds, at, stop), stripped_right(kinds, at, stop)
            last = without_citations(codes, kinds, first, last, citations, citation_ends)
            lines += 1
            if words >= FEWEST_WORDS and longest <= LONGEST_WORD and ended(codes, first, last):
                found = phrase_in(codes, first, last, phrases, phrase_ends)
                if found & LOREM:
                    lorem += 1
                elif not found & SCRIPT and found & CURLY:
                    curly += 1
                elif not found:
                    kept += 1
                    sentences += sentences_in(codes, kinds, first, last)
            at = after_line(codes, stop, end)
        row[0], row[1], row[2] = kept, kept / max(lines, 1), sentences
        row[3], row[4] = lorem, curly


def without_citations(codes: Any, kinds: Any, begin: int, end: int, citations: Any, citation_ends: Any) -> int:
    """The end of a line without the marks of citations there."""
    while end > begin and codes[end - 1] == CLOSE_SQUARE:
        at = end - 1
        while at > begin and kinds[at - 1] & DIGIT:
            at -= 1
        if at > begin and codes[at - 1] == OPEN_SQUARE:
            end = at - 1
            continue
        before = end
        for n in range(len(citation_ends) - 1):
            size = citation_ends[n + 1] - citation_ends[n]
            if end - begin >= size and lower_same(codes, end - size, citations, citation_ends[n], size):
                end -= size
                break
        if end == before:
            break
    return end


def lower_same(codes: Any, at: int, phrases: Any, first: int, size: int) -> bool:
    """Whether a phrase stands at a place, in capitals or not."""
    for n in range(size):
        code = codes[at + n]
        if (code + 32 if 0x41 <= code <= 0x5A else code) != phrases[first + n]:
            return False
    return True


def ended(codes: Any, begin: int, end: int) -> bool:
    """Whether a line has an end as prose has."""
    if end == begin or dots(codes, begin, end):
        return False
    return codes[end - 1] in (DOT, QUESTION, EXCLAMATION, QUOTATION, APOSTROPHE)


def phrase_in(codes: Any, begin: int, end: int, phrases: Any, phrase_ends: Any) -> int:
    """What there is in a line that prose has not, as flags."""
    found = 0
    for at in range(begin, end):
        if codes[at] == OPEN_CURLY:
            found |= CURLY
        elif at + 1 < end and INITIALS >> (codes[at] & 0x1F) & SECONDS >> (codes[at + 1] & 0x1F) & 1:
            for n in range(len(phrase_ends) - 1):
                size = phrase_ends[n + 1] - phrase_ends[n]
                if at + size <= end and lower_same(codes, at, phrases, phrase_ends[n], size):
                    found |= LOREM if n == 0 else SCRIPT if n == 1 else POLICY
    return found


def sentences_in(codes: Any, kinds: Any, begin: int, end: int) -> int:
    """How many sentences with a word in them a line has."""
    sentences = 0
    word = False
    for at in range(begin, end):
        word = word or (kinds[at] & WORD) != 0
        if word and kinds[at] & TERMINAL and end_of_sentence(codes, kinds, at, end):
            sentences += 1
            word = False
    return sentences + word
