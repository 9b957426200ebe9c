"""What each character is, as flags: white space, letter, mark, sign, the end of a sentence or of a line."""

import re
import unicodedata
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.scripts import RARER, WITHOUT_SPACES

# Unicode's Sentence_Terminal, and the fullwidth full stop.
ENDS_SENTENCES = (
    "!.?\u0589\u061d-\u061f\u06d4\u0700-\u0702\u07f9\u0837\u0839\u083d-\u083e\u0964-\u0965\u104a-\u104b\u1362"
    "\u1367-\u1368\u166e\u1735-\u1736\u17d4-\u17d6\u17d9-\u17da\u1803\u1809\u1944-\u1945\u1aa8-\u1aab\u1b5a-\u1b5b"
    "\u1b5e-\u1b5f\u1b7d-\u1b7e\u1c3b-\u1c3c\u1c7e-\u1c7f\u203c-\u203d\u2047-\u2049\u2e2e\u2e3c\u2e53-\u2e54\u3002\ua4ff"
    "\ua60e-\ua60f\ua6f3\ua6f7\ua876-\ua877\ua8ce-\ua8cf\ua92f\ua9c8-\ua9c9\uaa5d-\uaa5f\uaaf0-\uaaf1\uabeb\ufe52"
    "\ufe56-\ufe57\uff01\uff0e\uff1f\uff61\U00010a56-\U00010a57\U00010f55-\U00010f59\U00010f86-\U00010f89"
    "\U00011047-\U00011048\U000110be-\U000110c1\U00011141-\U00011143\U000111c5-\U000111c6\U000111cd"
    "\U000111de-\U000111df\U00011238-\U00011239\U0001123b-\U0001123c\U000112a9\U0001144b-\U0001144c"
    "\U000115c2-\U000115c3\U000115c9-\U000115d7\U00011641-\U00011642\U0001173c-\U0001173e\U00011944\U00011946"
    "\U00011a42-\U00011a43\U00011a9b-\U00011a9c\U00011c41-\U00011c42\U00011ef7-\U00011ef8\U00011f43-\U00011f44"
    "\U00016a6e-\U00016a6f\U00016af5\U00016b37-\U00016b38\U00016b44\U00016e98\U0001bc9f\U0001da88"
)
# What CCNet (Wenzek et al. 2020) took for punctuation, and datatrove after it: a word of nothing else is a symbol.
SIGNS = "!-/:-@\\[-`{-~«´»–—’“”„…∶━►、〈〉《》「」【】！％（），．１：；？～\0-\x08\x0b-\x1f\x7f-\x9f"
BREAKS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"  # of lines, for `str.splitlines`
CLOSES = "\"'”’»›)\\]}」』）】》"  # may stand between the end of a sentence and the space behind
VOWELS = frozenset("aeiouyæœøαεηιουωаеиоуыэюяє")  # and these with accents
SPACE, ALPHA, UPPER, DIGIT, WORD, MARK, ALONE, PUNCTUATION = (1 << n for n in range(8))
TERMINAL, SIGN, BREAK, CLOSER, VOWEL = (1 << n for n in range(8, 13))
NEWLINE, RETURN, DOT, ELLIPSIS = 0x0A, 0x0D, 0x2E, 0x2026
ASSIGNED = 0x32000  # code points, from which on Python 3.11 knows nothing but tags and private use


@cache
def kinds() -> NDArray[np.uint16]:
    """What each code point is, as flags."""
    found = np.zeros(0x110000, np.uint16)
    known, each = found[:ASSIGNED], np.arange(ASSIGNED, dtype=np.uint32).view("U1")
    for flag, holds in HOLDS.items():
        known[holds(each)] |= flag
    found[ord("_")] |= WORD
    text = "".join(map(chr, range(ASSIGNED)))
    category = np.array(list(map(unicodedata.category, text))).view("U1")[::2]
    known[category == "M"] |= MARK
    known[category == "P"] |= PUNCTUATION
    for flag, signs in CLASSES.items():
        for match in re.finditer(f"[{signs}]+", text):
            found[match.start() : match.end()] |= flag
    found[[at for at in range(0x2000) if plain(text[at]) in VOWELS]] |= VOWEL
    found[found & (ALONE | WORD) == ALONE] ^= ALONE  # signs among letters
    return found


def plain(sign: str) -> str:
    """A letter, small and without accents."""
    return unicodedata.normalize("NFD", sign.lower())[:1]


HOLDS: dict[int, Any] = {
    SPACE: np.strings.isspace,
    ALPHA: np.strings.isalpha,
    UPPER: np.strings.isupper,
    DIGIT: np.strings.isdecimal,
    WORD: np.strings.isalnum,
}
CLASSES = {
    ALONE: WITHOUT_SPACES + RARER,
    TERMINAL: ENDS_SENTENCES,
    SIGN: SIGNS + ENDS_SENTENCES,
    BREAK: BREAKS,
    CLOSER: CLOSES,
}
