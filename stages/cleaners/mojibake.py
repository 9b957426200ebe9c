"""Text that was decoded wrongly on its way ("âœ” No problems"), mended by ftfy."""

import re

import ftfy

from stages.core.params import Section

# ftfy returns printable ASCII without entities as it is, in ten times the time.
SUSPECT = re.compile(r"[^\t\n -~]|&[A-Za-z#]")


class Params(Section):
    """None."""


def clean(text: str, p: Params) -> str:
    return ftfy.fix_text(text) if SUSPECT.search(text) else text
