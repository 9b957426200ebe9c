"""Which language a text is in: py3langid's bundled model of 98 languages, after Lui and Baldwin (2011)."""

from collections import Counter
from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any

SHORTEST = 40  # characters; of shorter texts it is too often wrong
SHORT = "too short to tell"
ALONE = Lock()


def identifier() -> Any:
    """The model; to read it takes a second, so a thread may do so before it is needed."""
    with ALONE:
        return model()


@cache
def model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def language(text: str) -> str:
    """Its code by ISO 639, `zxx` where it is in none (formulas, numbers), or that it is too short to tell."""
    return identifier().classify(text)[0] if len(text.strip()) >= SHORTEST else SHORT


def counted(texts: Iterable[str]) -> dict[str, int]:
    """Language → texts."""
    return dict(Counter(map(language, texts)))
