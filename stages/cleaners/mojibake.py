"""Text that was decoded wrongly on its way ("âœ” No problems"), mended by ftfy."""

import re
import unicodedata

import ftfy
from ftfy.badness import is_bad
from ftfy.chardata import CONTROL_CHARS, DOUBLE_QUOTE_RE, LIGATURES, SINGLE_QUOTE_RE, WIDTH_MAP

from stages.core.params import Section

# What ftfy changes wherever it stands, besides quotes: by its tables, line breaks, halves of pairs.
CHANGED = "".join(re.escape(chr(code)) for code in (*LIGATURES, *WIDTH_MAP, *CONTROL_CHARS))
# One set at the start lets the search run far quicker than two alternatives would.
SUSPECT = re.compile(rf"[&\r\x80-\x9f\u2028\u2029\ud800-\udfff{CHANGED}](?:(?<!&)|(?=#?[0-9A-Za-z]{{1,24}};))")

# Bytes of one character that were read as several stand side by side; else it takes one of these letters.
SEVERAL = re.compile(r"[^\x00-\x7f](?:[^\x00-\x7f]|(?<=[ÂÃŒœ]))")


class Params(Section):
    """None."""


def clean(text: str, p: Params) -> str:
    """What `ftfy.fix_text` gives, without its help where none of its steps but one would change a thing."""
    if SUSPECT.search(text):
        return ftfy.fix_text(text)
    if text.isascii():
        return text
    straight = SINGLE_QUOTE_RE.sub("'", DOUBLE_QUOTE_RE.sub('"', text))
    return straight if right(text) and (straight is text or right(straight)) else ftfy.fix_text(text)


def right(text: str) -> bool:
    """Whether characters are composed, and none is what another one's bytes look like."""
    return unicodedata.is_normalized("NFC", text) and not (SEVERAL.search(text) and is_bad(text))
