"""Pages for people: HTML from a template, without a script, that escapes whatever comes from documents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

LEVELS = 4


def render(template: Path, context: Mapping[str, Any], **filters: Callable[..., Any]) -> str:
    """The template filled in; a name that it uses and nobody gives is a bug."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    cast("dict[str, Any]", environment.filters).update(filters)
    return environment.from_string(template.read_text(encoding="utf-8")).render(context) + "\n"


def marked(words: Sequence[str], attributions: Sequence[float]) -> Iterator[tuple[str, str, int, float]]:
    """Word, sign, strength from 0 to LEVELS, attribution; strength is relative to the strongest word of the text."""
    largest = max((abs(one) for one in attributions), default=0.0) or 1.0
    for word, one in zip(words, attributions, strict=True):
        yield word, "+" if one > 0 else "−", round(LEVELS * abs(one) / largest), one
