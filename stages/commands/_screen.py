"""Text on a terminal: what is in a document can't reach it raw, nothing is wider than the screen, diffs by word."""

import difflib
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator

WORD = re.compile(r"\s+|\w+|[^\w\s]")
COLOURS = {"removed": "31", "added": "32", "name": "1", "quiet": "2"}
WIDE = 100  # columns where nobody says how many there are
NEAR = 3  # words of context around a change


def columns() -> int:
    """The width of the terminal, or what COLUMNS says."""
    return max(shutil.get_terminal_size((WIDE, 40)).columns, 40)


def coloured() -> bool:
    """Only on a terminal that knows colours, and not against the user's will (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: str) -> str:
    """In a colour, where there are colours."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if coloured() else text


def shown(text: str) -> str:
    """Control characters, line ends, what is invisible or no character as escapes: no document moves the cursor or
    turns the direction of a line."""
    return "".join(one if one == " " or unicodedata.category(one)[0] not in "CZ" else escaped(one) for one in text)


def escaped(character: str) -> str:
    """As Python writes it."""
    return character.encode("unicode_escape").decode("ascii")


def width(character: str) -> int:
    """Columns: two for a wide one of East Asia, none for one that stands on another."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, room: int) -> str:
    """Escaped, and no wider than `room` columns."""
    told, taken, fitting = shown(text[: 4 * room]), 0, 0
    for n, character in enumerate(told):
        taken += width(character)
        fitting = n + 1 if taken < room else fitting
        if taken > room:
            return told[:fitting] + "…"
    return told if len(text) <= 4 * room else told[:fitting] + "…"


def changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    """What stays (" "), goes ("-") and comes ("+"), by word, in the order to read it in."""
    old, new = WORD.findall(before), WORD.findall(after)
    for kind, i, j, k, n in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            yield " ", "".join(old[i:j])
        else:
            yield from ((sign, "".join(words)) for sign, words in (("-", old[i:j]), ("+", new[k:n])) if words)


def diff(before: str, after: str) -> str:
    """The whole text with its changes marked, as `git diff --word-diff` does."""
    marks = {" ": "{}", "-": "[-{}-]", "+": "{{+{}+}}"}
    return "".join(marks[sign].format(text) for sign, text in changes(before, after))


def short_diff(before: str, after: str, room: int) -> str:
    """The changes with a few words around each, in colours where there are any."""
    told = ""
    pieces = list(changes(before, after))
    for n, (sign, text) in enumerate(pieces):
        marked = {"-": f"[-{text}-]", "+": f"{{+{text}+}}"}
        told += marked.get(sign) or context(text, n == 0, n == len(pieces) - 1)
    told = re.sub(r"\[-.*?(?:-\]|$)", lambda found: painted(found[0], "removed"), cut(told, room))
    return re.sub(r"\{\+.*?(?:\+\}|$)", lambda found: painted(found[0], "added"), told)


def context(text: str, first: bool, last: bool) -> str:
    """What stays, as far as it is near a change."""
    words = WORD.findall(text)
    head, tail = [] if first else words[: 2 * NEAR], [] if last else words[-2 * NEAR :]
    return text if len(words) <= len(head) + len(tail) + 1 else "".join([*head, "…", *tail])
