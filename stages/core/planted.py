"""Near copies of a text by known edits: what dedup should find, made so that it can be seen what it does find."""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from math import ceil

Edit = Callable[[str, random.Random], str]


def at_words(share: float, change: Callable[[list[str], int, random.Random], None]) -> Edit:
    """An edit that changes words at random places: of so many words one, and one at least."""

    def edited(text: str, rng: random.Random) -> str:
        words = text.split()
        for _ in range(ceil(share * len(words))):
            if words:
                change(words, rng.randrange(len(words)), rng)
        return " ".join(words)

    return edited


def exchanged(words: list[str], at: int, rng: random.Random) -> None:
    """A word that stands nowhere else in the text."""
    words[at] = f"{words[at]}{rng.randrange(10**6)}x"


def taken_out(words: list[str], at: int, _: random.Random) -> None:
    del words[at]


def repeated(words: list[str], at: int, rng: random.Random) -> None:
    """Another word of the text."""
    words.insert(at, rng.choice(words))


def swapped(words: list[str], at: int, _: random.Random) -> None:
    words[at : at + 2] = reversed(words[at : at + 2])


def mistyped(words: list[str], at: int, rng: random.Random) -> None:
    """Two letters of a word in the wrong order."""
    word, place = words[at], rng.randrange(max(len(words[at]) - 1, 1))
    words[at] = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]


def marked(words: list[str], at: int, _: random.Random) -> None:
    words[at] = f"<b>{words[at]}</b>"


def without_marks(text: str, _: random.Random) -> str:
    """Without punctuation."""
    return re.sub(r"[^\w\s]", "", text)


def without_accents(text: str, _: random.Random) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


def other_figures(text: str, rng: random.Random) -> str:
    return re.sub(r"\d", lambda _: str(rng.randrange(10)), text)


def cut(text: str, _: random.Random) -> str:
    """Without the last tenth of the words."""
    words = text.split()
    return " ".join(words[: len(words) - len(words) // 10])


def turned(text: str, _: random.Random) -> str:
    """The second half first."""
    words = text.split()
    return " ".join(words[len(words) // 2 :] + words[: len(words) // 2])


EDITS: Mapping[str, Edit] = {
    "case and white space": lambda text, _: text.upper().replace(" ", "\n "),
    "no punctuation": without_marks,
    "no accents": without_accents,
    "other figures": other_figures,
    "markup around a word": at_words(0.0001, marked),
    "a typing error": at_words(0.0001, mistyped),
    "a word exchanged": at_words(0.0001, exchanged),
    "a word left out": at_words(0.0001, taken_out),
    "a word put in": at_words(0.0001, repeated),
    "two words swapped": at_words(0.0001, swapped),
    "2 % of words exchanged": at_words(0.02, exchanged),
    "5 % of words exchanged": at_words(0.05, exchanged),
    "10 % of words exchanged": at_words(0.1, exchanged),
    "a line before": lambda text, _: f"Forwarded message, see below:\n{text}",
    "a line after": lambda text, _: f"{text}\nSent from my phone. All rights reserved.",
    "the end cut off": cut,
    "the halves exchanged": turned,
}
