"""Lines that many documents share and that say nothing of any: headers, footers, notices; `dedup.sample` shows some."""

from functools import cache
from typing import Annotated

from stages.core.params import Section, written

Line = Annotated[str, written(r".*\S.*", "one line with a word is wanted")]


class Params(Section):
    lines: tuple[Line, ...]


def clean(text: str, p: Params) -> str:
    """Without the lines that are declared, in any case and with any white space."""
    gone = normal(p.lines)
    kept = [line for line in text.split("\n") if " ".join(line.lower().split()) not in gone]
    return "\n".join(kept)


@cache
def normal(lines: tuple[str, ...]) -> frozenset[str]:
    """The lines as they are compared."""
    return frozenset(" ".join(line.lower().split()) for line in lines)
