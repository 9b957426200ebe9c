"""Quality and repetition as Gopher's data was chosen by (Rae et al. 2021, appendix A.1), tagged instead of dropped.

A word is what stands between white space; where a script has no spaces between words, each character. `words` are those
that are not signs alone; ratios are of all words, shares of repeated text of all characters. A top n-gram is the
n-gram that comes most often; a repeated n-gram came before, and does not overlap with one that is counted. To drop what
the paper drops:

    gopher_words: {at_least: 50, at_most: 100000}
    gopher_mean_word_length: {at_least: 3, at_most: 10}
    gopher_hashes_per_word: {at_least: null, at_most: 0.1}
    gopher_ellipses_per_word: {at_least: null, at_most: 0.1}
    gopher_bullet_lines: {at_least: null, at_most: 0.9}
    gopher_ellipsis_lines: {at_least: null, at_most: 0.3}
    gopher_alphabetic_words: {at_least: 0.8, at_most: null}
    gopher_stop_words: {at_least: 2, at_most: null}
    gopher_repeated_lines: {at_least: null, at_most: 0.3}
    gopher_repeated_paragraphs: {at_least: null, at_most: 0.3}
    gopher_repeated_line_characters: {at_least: null, at_most: 0.2}
    gopher_repeated_paragraph_characters: {at_least: null, at_most: 0.2}
    gopher_top_2_gram: {at_least: null, at_most: 0.2}
    gopher_top_3_gram: {at_least: null, at_most: 0.18}
    gopher_top_4_gram: {at_least: null, at_most: 0.16}
    gopher_repeated_5_grams: {at_least: null, at_most: 0.15}
    gopher_repeated_6_grams: {at_least: null, at_most: 0.14}
    gopher_repeated_7_grams: {at_least: null, at_most: 0.13}
    gopher_repeated_8_grams: {at_least: null, at_most: 0.12}
    gopher_repeated_9_grams: {at_least: null, at_most: 0.11}
    gopher_repeated_10_grams: {at_least: null, at_most: 0.1}
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.characters import ALPHA, DOT, ELLIPSIS, NEWLINE, SIGN
from stages.core.figures import Batch, coded
from stages.core.params import Section
from stages.core.stretches import (
    after_line,
    cleared,
    dots,
    end_of_line,
    firsts,
    pieces,
    stripped_left,
    stripped_right,
)

LONGEST_TOP, LONGEST = 4, 10  # words of the n-grams
COLUMNS = {
    "gopher_words": pa.int32(),
    "gopher_mean_word_length": pa.float64(),
    "gopher_alphabetic_words": pa.float64(),
    "gopher_stop_words": pa.int32(),
    "gopher_hashes_per_word": pa.float64(),
    "gopher_ellipses_per_word": pa.float64(),
    "gopher_bullet_lines": pa.float64(),
    "gopher_ellipsis_lines": pa.float64(),
    "gopher_repeated_lines": pa.float64(),
    "gopher_repeated_line_characters": pa.float64(),
    "gopher_repeated_paragraphs": pa.float64(),
    "gopher_repeated_paragraph_characters": pa.float64(),
    **{f"gopher_top_{n}_gram": pa.float64() for n in range(2, LONGEST_TOP + 1)},
    **{f"gopher_repeated_{n}_grams": pa.float64() for n in range(LONGEST_TOP + 1, LONGEST + 1)},
}
HASH, HYPHEN, BULLET = 0x23, 0x2D, 0x2022


class Params(Section):
    stop_words: tuple[str, ...]


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """See above for what they mean."""
    begins, ends, found = batch.tokens
    newlines = np.diff(np.searchsorted(np.flatnonzero(batch.codes == NEWLINE), batch.bounds))
    size = int(max(batch.tokens.counts.max(initial=0), newlines.max(initial=0))) + 2
    stops = coded("".join(p.stop_words))
    stop_ends = np.append(0, np.cumsum([len(word) for word in p.stop_words])).astype(np.int64)
    out = np.zeros((len(batch.ids), len(COLUMNS)))
    room, table = np.zeros((7, size), np.int64), np.zeros(4 * size, np.int64)
    arrays = (batch.codes, batch.kinds, batch.bounds, begins, ends, found, stops, stop_ends, room, table, out)
    return dict(zip(COLUMNS, batch.run(of_texts, *arrays)[-1].T, strict=True))


def of_texts(
    codes: Any,
    kinds: Any,
    bounds: Any,
    begins: Any,
    ends: Any,
    found: Any,
    stops: Any,
    stop_ends: Any,
    room: Any,
    table: Any,
    out: Any,
) -> None:
    """Fills a row a text; `room` and `table` are for what is remembered meanwhile."""
    for text in range(len(bounds) - 1):
        begin, end, row = bounds[text], bounds[text + 1], out[text]
        if begin == end:
            continue
        of_lines(codes, kinds, begin, end, row)
        begin_of_rest, end_of_rest = stripped_left(kinds, begin, end), stripped_right(kinds, begin, end)
        of_repeated(codes, pieces(codes, begin, end, 1, room[0], room[1]), room, table, end - begin, row, 8)
        count = pieces(codes, min(begin_of_rest, end_of_rest), end_of_rest, 2, room[0], room[1])
        of_repeated(codes, count, room, table, end - begin, row, 10)
        words = found[text + 1] - found[text]
        for n in range(words):
            room[0][n], room[1][n] = begins[found[text] + n], ends[found[text] + n]
        if words > 0:
            firsts(codes, room[0], room[1], words, table, room[2], room[3])
            of_words(codes, kinds, room, words, stops, stop_ends, row)
            of_signs(codes, begin, end, words, row)
            of_n_grams(room, words, table, end - begin, row)


def of_words(codes: Any, kinds: Any, room: Any, words: int, stops: Any, stop_ends: Any, row: Any) -> None:
    """How many are not signs alone, how long those are; the share that has a letter; different stop words."""
    begins, ends, first = room[0], room[1], room[3]
    solid = characters = alphabetic = stopping = 0
    for n in range(words):
        sign, letter = SIGN, 0
        for at in range(begins[n], ends[n]):
            sign &= kinds[at]
            letter |= kinds[at]
        if not sign:
            solid += 1
            characters += ends[n] - begins[n]
        alphabetic += (letter & ALPHA) != 0
        if first[n] == n and stops_here(codes, begins[n], ends[n], stops, stop_ends):
            stopping += 1
    row[0], row[1] = solid, characters / max(solid, 1)
    row[2], row[3] = alphabetic / words, stopping


def stops_here(codes: Any, begin: int, end: int, stops: Any, stop_ends: Any) -> bool:
    """Whether a word is one of the stop words."""
    for n in range(len(stop_ends) - 1):
        if stop_ends[n + 1] - stop_ends[n] == end - begin:
            at = 0
            while begin + at < end and codes[begin + at] == stops[stop_ends[n] + at]:
                at += 1
            if begin + at == end:
                return True
    return False


def of_signs(codes: Any, begin: int, end: int, words: int, row: Any) -> None:
    """How many # and ellipses there are a word; three dots in a row are one."""
    hashes = ellipses = dot = 0
    for at in range(begin, end):
        code = codes[at]
        hashes += code == HASH
        dot = dot + 1 if code == DOT else 0
        if code == ELLIPSIS or dot == 3:
            ellipses += 1
            dot = 0
    row[4], row[5] = hashes / words, ellipses / words


def of_lines(codes: Any, kinds: Any, begin: int, end: int, row: Any) -> None:
    """The shares of lines that begin with a bullet or end with an ellipsis."""
    lines = bullets = ellipses = 0
    while begin < end:
        stop = end_of_line(kinds, begin, end)
        first, last = stripped_left(kinds, begin, stop), stripped_right(kinds, begin, stop)
        lines += 1
        if first < last:
            bullets += codes[first] == BULLET or codes[first] == HYPHEN
            ellipses += codes[last - 1] == ELLIPSIS or dots(codes, begin, last)
        begin = after_line(codes, stop, end)
    row[6], row[7] = bullets / lines, ellipses / lines


def of_repeated(codes: Any, count: int, room: Any, table: Any, characters: int, row: Any, column: int) -> None:
    """The share of lines, or paragraphs, that came before, and that of their characters."""
    firsts(codes, room[0], room[1], count, table, room[2], room[3])
    again = length = 0
    for n in range(count):
        if room[3][n] != n:
            again += 1
            length += room[1][n] - room[0][n]
    row[column], row[column + 1] = again / count, length / characters


def of_n_grams(room: Any, words: int, table: Any, characters: int, row: Any) -> None:
    """How much of the text the most frequent n-grams make up, and those that repeat an earlier one.

    An n-gram comes again only if it does without its last word, so few places are left to look at.
    """
    first, gram, times, chosen = room[3], room[4], room[5], room[6]
    for n in range(words):
        times[n] = 0
    for n in range(words):
        times[first[n]] += 1
    count = 0
    for n in range(words):
        if times[first[n]] > 1:
            gram[n] = first[n]
            chosen[count] = n
            count += 1
    for size in range(2, min(LONGEST, words) + 1):
        count = lengthened(room, count, size, words, table)
        if size <= LONGEST_TOP:
            row[10 + size] = top(room, count, size) / characters
        else:
            row[10 + size] = repeated(room, count, size) / characters


def lengthened(room: Any, count: int, size: int, words: int, table: Any) -> int:
    """From the places of n-grams that come again and are a word shorter to those of this size; gives how many."""
    keys, first, gram, times, chosen = room[2], room[3], room[4], room[5], room[6]
    mask, kept = cleared(table, count), 0
    while count > 0 and chosen[count - 1] > words - size:
        count -= 1
    for at in range(count):
        n = chosen[at]
        keys[n] = gram[n] * words + first[n + size - 1]
        slot = (keys[n] % 2147483647 * 2654435761 >> 16) & mask
        while table[slot] >= 0 and keys[table[slot]] != keys[n]:
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = n
            times[n] = 0
        gram[n] = table[slot]
        times[gram[n]] += 1
    for at in range(count):
        if times[gram[chosen[at]]] > 1:
            chosen[kept] = chosen[at]
            kept += 1
    return kept


def top(room: Any, count: int, size: int) -> int:
    """Characters of the most frequent n-gram, spaces between its words included, times how often it comes; of equally
    frequent ones that of the first."""
    gram, times, chosen = room[4], room[5], room[6]
    best, most = 0, 1
    for at in range(count):
        n = chosen[at]
        if gram[n] == n and times[n] > most:
            best, most = n, times[n]
    return (length(room, best, size) + size - 1) * most


def repeated(room: Any, count: int, size: int) -> int:
    """Characters of the words in n-grams that came before; what was counted is not counted again."""
    seen, gram, chosen = room[2], room[4], room[6]
    for at in range(count):
        seen[chosen[at]] = 0
    characters = after = 0
    for at in range(count):
        n = chosen[at]
        if n >= after:
            if seen[gram[n]]:
                characters += length(room, n, size)
                after = n + size
            seen[gram[n]] = 1
    return characters


def length(room: Any, first: int, size: int) -> int:
    """Characters of so many words."""
    characters = 0
    for n in range(first, first + size):
        characters += room[1][n] - room[0][n]
    return characters
