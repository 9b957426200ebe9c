"""Pages for people: HTML from a template, without a script, that escapes whatever comes from documents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

LEVELS = 4
# What would be no HTML (control characters) or turn the order of the text around it (U+202A to E, U+2066 to 9) is shown
# by its code. Right-to-left scripts need none of these.
UNSEEN = [*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
SHOWN = {code: f"[U+{code:04X}]" for code in UNSEEN}


def seen(value: Any) -> Any:
    """A text with what can't be seen shown by its code; all else (HTML that a macro made, numbers) as it is."""
    return value.translate(SHOWN) if type(value) is str else value


def render(template: Path, context: Mapping[str, Any], **filters: Callable[..., Any]) -> str:
    """The template filled in; a name that it uses and nobody gives is a bug."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=seen, trim_blocks=True, lstrip_blocks=True
    )
    cast("dict[str, Any]", environment.filters).update(filters)
    return environment.from_string(template.read_text(encoding="utf-8")).render(context) + "\n"


def marked(words: Sequence[str], attributions: Sequence[float]) -> Iterator[tuple[str, str, int, float]]:
    """Word, sign, strength from 0 to LEVELS, attribution; strength is relative to the strongest word of the text."""
    largest = max((abs(one) for one in attributions), default=0.0) or 1.0
    for word, one in zip(words, attributions, strict=True):
        yield word, "+" if one > 0 else "−", round(LEVELS * abs(one) / largest), one
