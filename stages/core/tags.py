"""Tags of tokens, as corpora of names have them, and spans of characters: from the one to the other and back.

IOB2 and BIOES are strict, as files that declare them (WNUT 17) hold to them and a tag out of place is a mistake; IOB1
reads any B, I and O as conlleval does, an I of another type beginning a new span (WikiGold has no B at all): whoever
wants strays mended declares it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from stages.core.records import Span, Spans

Scheme = Literal["IOB1", "IOB2", "BIOES"]
PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES"}
OUTSIDE = "O"
Place = tuple[int, int]  # where a token begins and ends in its text
Numbers = np.ndarray[Any, np.dtype[np.int64]]


class Wrong(NamedTuple):
    """What is wrong with the tag, or the span, at a position."""

    position: int
    reason: str


class Entities(NamedTuple):
    """First and last token of each, and its type."""

    first: Numbers
    last: Numbers
    labels: list[str]


def spans(places: Sequence[Place], tags: Sequence[str], scheme: Scheme) -> Spans | Wrong:
    """What the tags of a sentence's tokens say of its text."""
    others = [n for n, tag in enumerate(tags) if tag != OUTSIDE]
    told = pa.array([tags[n] for n in others], pa.string())
    found, wrongs = entities(told, np.array(others, np.int64), np.array([len(tags)]), scheme)
    if wrongs:
        return wrongs[0]
    return tuple(Span(places[first][0], places[last][1], label) for first, last, label in zip(*found, strict=True))


def entities(tags: pa.Array, tokens: Numbers, ends: Numbers, scheme: Scheme) -> tuple[Entities, list[Wrong]]:
    """What the tags of sentences, one after the other, say, and where they are wrong: those of some tokens, while all
    others are O. `ends` are the sentences'."""
    encoded = tags.dictionary_encode()
    names = [OUTSIDE, *encoded.dictionary.to_pylist()]
    # An O before the first sentence and after each parts them.
    parting = np.concatenate([[0], ends + np.arange(1, len(ends) + 1)])
    codes = np.zeros(parting[-1] + 1, np.int64)
    codes[tokens + 1 + np.searchsorted(ends, tokens, side="right")] = encoded.indices.to_numpy() + 1
    # Where a span may begin, go on or end; all else is O after O. There are few different pairs of tags.
    (places,) = np.nonzero(codes[:-1] | codes[1:])
    before, after = codes[places], codes[places + 1]
    numbers, which = np.unique(before * len(names) + after, return_inverse=True)
    pairs = [(names[number // len(names)], names[number % len(names)]) for number in numbers.tolist()]
    reasons = [wrong(*pair, scheme) for pair in pairs]
    # The token of each and the one before; for an O that parts, its sentence's last.
    previous, tokens = (n - np.searchsorted(parting, n, side="right") for n in (places, places + 1))
    (bad,) = np.nonzero(np.array([reason is not None for reason in reasons], bool)[which])
    wrongs = [Wrong(int(tokens[n]), reasons[which[n]] or "") for n in bad.tolist()]
    apart = np.array([bool(reason) or not goes_on(*pair) for pair, reason in zip(pairs, reasons, strict=True)], bool)[
        which
    ]
    begun, ended = apart & (after > 0), apart & (before > 0)
    return Entities(tokens[begun], previous[ended], [names[code][2:] for code in after[begun].tolist()]), wrongs


def goes_on(before: str, tag: str) -> bool:
    """Whether a tag goes on with the span of the tag before it."""
    return tag[0] in "IE" and before[0] in "BI" and before[1:] == tag[1:]


def wrong(before: str, tag: str, scheme: Scheme) -> str | None:
    """Why a tag can't come after another, if it can't."""
    for one in (before, tag):
        if one != OUTSIDE and not (one[:1] in PREFIXES[scheme] and one[1:2] == "-" and one[2:]):
            return f"{one!r} is no tag of {scheme}: O, or one of {', '.join(PREFIXES[scheme])} before -TYPE, is wanted"
    if scheme == "IOB1" or goes_on(before, tag):
        return None
    if tag[0] in "IE" or (scheme == "BIOES" and before[0] in "BI"):
        return f"{tag} after {before}: not {scheme}"
    return None


def tags(places: Sequence[Place], spans: Spans, scheme: Scheme) -> list[str] | Wrong:
    """What spans make of the tokens of their text; each must be of whole tokens that no other has."""
    starts = {start: n for n, (start, _) in enumerate(places)}
    ends = {end: n for n, (_, end) in enumerate(places)}
    found = [OUTSIDE] * len(places)
    for position, span in enumerate(spans):
        first, last = starts.get(span.start), ends.get(span.end)
        if first is None or last is None or last < first:
            return Wrong(position, "a span that is not of whole tokens")
        if any(tag != OUTSIDE for tag in found[first : last + 1]):
            return Wrong(position, "spans that overlap")
        found[first : last + 1] = [f"{prefix}-{span.label}" for prefix in written(last - first + 1, scheme)]
    return found if scheme != "IOB1" else plain(found)


def written(count: int, scheme: Scheme) -> str:
    """The prefixes of a span of so many tokens."""
    if scheme == "BIOES":
        return "S" if count == 1 else f"B{'I' * (count - 2)}E"
    return "B" + "I" * (count - 1)


def plain(tags: Sequence[str]) -> list[str]:
    """IOB1 for IOB2: a B stays only where an I would go on with the span before."""
    return [
        f"I{tag[1:]}" if tag[0] == "B" and before[1:] != tag[1:] else tag
        for before, tag in zip([OUTSIDE, *tags], tags, strict=False)
    ]


def places(tokens: Sequence[str], start: int = 0) -> Iterator[Place]:
    """Where the tokens are in the text that they are joined to by single spaces."""
    for token in tokens:
        yield start, start + len(token)
        start += len(token) + 1
