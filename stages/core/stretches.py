"""Words, sentences, lines and paragraphs among characters, and which of them come again: loops, for numba or without

Characters are numbers, in arrays or lists, with what they are beside them. What a loop fills is given to it.
"""

from typing import Any

from stages.core.characters import (
    ALONE,
    BREAK,
    CLOSER,
    DOT,
    MARK,
    NEWLINE,
    RETURN,
    SPACE,
    TERMINAL,
    WORD,
)


def spaced(kinds: Any, bounds: Any, begins: Any, ends: Any, found: Any) -> None:
    """The tokens of texts; found[n + 1] is how many there are up to the end of the nth."""
    count = 0
    for text in range(len(bounds) - 1):
        before = SPACE  # what the last character was, or the one that it is a mark of
        for at in range(bounds[text], bounds[text + 1]):
            kind = kinds[at]
            if not kind & SPACE:
                if before & SPACE or kind & ALONE or (before & ALONE and kind & WORD):
                    begins[count] = at
                    count += 1
                ends[count - 1] = at + 1
            if not (before & ALONE and kind & MARK):
                before = kind
        found[text + 1] = count


def end_of_sentence(codes: Any, kinds: Any, at: int, end: int) -> bool:
    """Whether a sentence ends with the sign at this place, as far as one can tell without knowing abbreviations: the
    last of its kind in a row, before white space; those that are not ASCII need none."""
    after = at + 1
    if after < end and kinds[after] & TERMINAL:
        return False
    while after < end and kinds[after] & CLOSER:
        after += 1
    return after == end or codes[at] >= 128 or kinds[after] & SPACE != 0


def hashed(codes: Any, begin: int, end: int) -> int:
    """Some bits of a stretch of characters, to look for the same one with."""
    value = 0
    for at in range(begin, end):
        value = ((value ^ codes[at]) * 16777619) & 0x7FFFFFFF
    return value ^ value >> 15


def same(codes: Any, one: int, other: int, size: int) -> bool:
    """Whether so many characters from two places on are the same."""
    at = 0
    while at < size and codes[one + at] == codes[other + at]:
        at += 1
    return at == size


def cleared(table: Any, count: int) -> int:
    """Makes room in a hash table for so many, and gives its last place: one less than a power of two."""
    last = 1
    while last <= 2 * count:
        last *= 2
    for slot in range(last):
        table[slot] = -1
    return last - 1


def firsts(codes: Any, begins: Any, ends: Any, count: int, table: Any, keys: Any, found: Any) -> None:
    """Of each stretch, the number of the first one that is the same."""
    if count == 1:
        found[0] = 0
        return
    mask = cleared(table, count)
    for n in range(count):
        keys[n] = hashed(codes, begins[n], ends[n])
        size, slot = ends[n] - begins[n], keys[n] & mask
        while table[slot] >= 0:
            other = table[slot]
            if (
                keys[other] == keys[n]
                and ends[other] - begins[other] == size
                and same(codes, begins[other], begins[n], size)
            ):
                break
            slot = (slot + 1) & mask
        if table[slot] < 0:
            table[slot] = n
        found[n] = table[slot]


def pieces(codes: Any, begin: int, end: int, run: int, begins: Any, ends: Any) -> int:
    """What stands between newlines, if there are at least `run` of them in a row; gives how many pieces there are."""
    count, at = 0, begin
    begins[0] = begin
    while at < end:
        if codes[at] == NEWLINE:
            after = at
            while after < end and codes[after] == NEWLINE:
                after += 1
            if after - at >= run:
                ends[count] = at
                count += 1
                begins[count] = after
            at = after
        else:
            at += 1
    ends[count] = end
    return count + 1


def end_of_line(kinds: Any, at: int, end: int) -> int:
    """Where the line ends that this place is in, as `str.splitlines` has lines."""
    while at < end and not kinds[at] & BREAK:
        at += 1
    return at


def after_line(codes: Any, at: int, end: int) -> int:
    """Where the line begins that comes after the one that ends here."""
    return at + 2 if at + 1 < end and codes[at] == RETURN and codes[at + 1] == NEWLINE else at + 1


def stripped_left(kinds: Any, begin: int, end: int) -> int:
    """The first place that is no white space."""
    while begin < end and kinds[begin] & SPACE:
        begin += 1
    return begin


def stripped_right(kinds: Any, begin: int, end: int) -> int:
    """The end without the white space before it."""
    while end > begin and kinds[end - 1] & SPACE:
        end -= 1
    return end


def dots(codes: Any, begin: int, end: int) -> bool:
    """Whether a stretch ends with three dots."""
    return end - begin >= 3 and codes[end - 1] == DOT and codes[end - 2] == DOT and codes[end - 3] == DOT
