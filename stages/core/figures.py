"""Figures of a text: what `features` writes down and `filter.limits` can name."""

import re

import pyarrow as pa

# Kana and Han: written without spaces, so that each character counts as a word.
WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"(?=\w)[{WITHOUT_SPACES}]|[^\W{WITHOUT_SPACES}]+")
FEATURES = {
    "characters": pa.int32(),
    "words": pa.int32(),
    "mean_word_length": pa.float64(),
    "letter_share": pa.float64(),
    "uppercase_share": pa.float64(),
    "distinct_word_share": pa.float64(),
}


def features(text: str) -> dict[str, float]:
    """Lengths in characters and words; shares of letters among characters, of capitals among letters, of types among
    tokens (type-token ratio)."""
    words = WORD.findall(text)
    letters = sum(character.isalpha() for character in text)
    return {
        "characters": len(text),
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / max(len(words), 1),
        "letter_share": letters / max(len(text), 1),
        "uppercase_share": sum(character.isupper() for character in text) / max(letters, 1),
        "distinct_word_share": len({word.lower() for word in words}) / max(len(words), 1),
    }
