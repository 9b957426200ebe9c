"""One form for what looks the same: composed characters, single spaces."""

import unicodedata

from stages.core.params import Section


class Params(Section):
    """None."""


def clean(text: str, p: Params) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
