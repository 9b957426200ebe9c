"""Text that was decoded wrongly on its way ("âœ” No problems"), mended by ftfy."""

import re
import unicodedata

import ftfy
from ftfy.badness import is_bad
from ftfy.chardata import CONTROL_CHARS, DOUBLE_QUOTE_RE, LIGATURES, SINGLE_QUOTE_RE, WIDTH_MAP

from stages.core.params import Section

CONTROLS = "".join(re.escape(chr(code)) for code in CONTROL_CHARS)
# What keeps ftfy busy: entities, line breaks, halves of pairs. One set at the start lets the search run far quicker
# than two alternatives would.
SUSPECT = re.compile(rf"[&\r\x80-\x9f\u2028\u2029\ud800-\udfff{CONTROLS}](?:(?<!&)|(?=#?[0-9A-Za-z]{{1,24}};))")
# Bytes of one character that were read as several stand side by side; else it takes one of these letters.
SEVERAL = re.compile(r"[^\x00-\x7f](?:[^\x00-\x7f]|(?<=[ÂÃŒœ]))")

SEGMENT = ftfy.TextFixerConfig().max_decode_length  # longer lines are cut there


def plain(character: str) -> str:
    """What ftfy puts in the place of ligatures, of characters of another width, and of curly quotes."""
    return SINGLE_QUOTE_RE.sub("'", DOUBLE_QUOTE_RE.sub('"', character.translate(LIGATURES).translate(WIDTH_MAP)))


PLAIN = {one: plain(one) for one in [*map(chr, (*LIGATURES, *WIDTH_MAP)), *"ʼ‘’‚‛“”„‟"]}
FANCY = re.compile(f"[{''.join(PLAIN)}]")


class Params(Section):
    """None."""


def clean(text: str, p: Params) -> str:
    """What `ftfy.fix_text` gives, without its help where it would change single characters at most."""
    if SUSPECT.search(text):
        return ftfy.fix_text(text)
    if text.isascii():
        return text
    changed = FANCY.sub(lambda match: PLAIN[match[0]], text)
    if right(text) and (changed == text or (right(changed) and not SUSPECT.search(changed))):
        return changed
    return ftfy.fix_text(text)


def right(text: str) -> bool:
    """Whether characters are composed, and none is what another one's bytes look like: in the text and, as ftfy goes
    through it, in each line by itself."""
    if not unicodedata.is_normalized("NFC", text) or len(text) > SEGMENT:
        return False
    return not SEVERAL.search(text) or not any(map(is_bad, [text, *text.split("\n")]))
