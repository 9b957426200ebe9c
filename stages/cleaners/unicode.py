"""One Unicode normal form: é is one character, and with NFKC also ﬁ the letters fi, and ² a 2."""

import unicodedata
from typing import Literal

from stages.core.params import Section


class Params(Section):
    form: Literal["NFC", "NFKC"]


def clean(text: str, p: Params) -> str:
    return unicodedata.normalize(p.form, text)
