"""Character spans through an edit of their text.

No alignment of the text before with the text after is sure where words repeat or go. So the ends of the spans are
marked, the marked text is edited, and the marks are looked for: they stand where the edit has left them.
"""

from collections.abc import Callable, Sequence
from itertools import islice, pairwise

from stages.core.records import Span, Spans

# Private-use characters part words, as brackets do, and no rule for text knows them.
BRACKETS = range(0xF0000, 0xFFFFE)
# Rare ideographs are letters: a word and the marks around it are one word, which goes from place to place as a whole.
LETTERS = range(0x20000, 0x2A6D7)


def wrong(spans: Spans, text: str) -> str | None:
    """What is wrong with the spans of a text, if anything is; they may come in any order."""
    if any(not 0 <= span.start < span.end <= len(text) for span in spans):
        return "a span that is empty or not within the text"
    if any(after.start < before.end for before, after in pairwise(sorted(spans))):
        return "spans that overlap"
    return None


def surfaces(text: str, spans: Spans | None) -> list[str]:
    """What the spans cover, less the white space at its ends."""
    return [text[span.start : span.end].strip() for span in spans or ()]


def through(
    edit: Callable[[str], str], text: str, spans: Spans | None, characters: range
) -> tuple[str, Spans | None] | None:
    """The edited text and its spans in their order, without white space at their ends; None where one is lost.

    The edit sees the marks: whether it does the same without them, and what to the words, is for the caller to check.
    """
    if not spans:
        return edit(text), spans
    inner = [trimmed(text, span) for span in spans]
    marks = unused(characters, text, 2 * len(spans))
    if len(marks) < 2 * len(spans) or wrong(tuple(inner), text):
        return None
    edited, places = unmarked(edit(marked(text, inner, marks)), marks)
    if len(places) < len(marks):
        return None
    moved = tuple(
        trimmed(edited, span._replace(start=places[start], end=places[end]))
        for span, start, end in zip(spans, marks[::2], marks[1::2], strict=True)
    )
    return None if wrong(moved, edited) else (edited, moved)


def trimmed(text: str, span: Span) -> Span:
    """The span without the white space at its ends."""
    covered = text[span.start : span.end]
    start = span.start + len(covered) - len(covered.lstrip())
    return span._replace(start=start, end=start + len(covered.strip()))


def unused(characters: range, text: str, count: int) -> list[str]:
    """Characters that are not in the text; fewer where there are no more."""
    there = set(text)
    return list(islice((mark for mark in map(chr, characters) if mark not in there), count))


def marked(text: str, spans: Sequence[Span], marks: Sequence[str]) -> str:
    """The text with two of the marks around each span; where two spans meet, one ends before the other begins."""
    places = [place for span in spans for place in (span.start, span.end)]
    pieces, at = list[str](), 0
    ends = zip(places, (n % 2 == 0 for n in range(len(places))), marks, strict=True)
    for place, _, mark in sorted(ends):
        pieces += [text[at:place], mark]
        at = place
    return "".join([*pieces, text[at:]])


def unmarked(text: str, marks: Sequence[str]) -> tuple[str, dict[str, int]]:
    """The text without the marks, and the places of those that are there once."""
    plain: list[str] = []
    places: dict[str, list[int]] = {mark: [] for mark in marks}
    for character in text:
        if character in places:
            places[character].append(len(plain))
        else:
            plain.append(character)
    return "".join(plain), {mark: found[0] for mark, found in places.items() if len(found) == 1}
