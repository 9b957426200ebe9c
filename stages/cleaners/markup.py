"""What is left of reStructuredText, Markdown and HTML in docstrings: the words stay, the signs go."""

import re
from collections.abc import Callable

from stages.core.params import Section


class Params(Section):
    """None."""


def clean(text: str, p: Params) -> str:
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def role(match: re.Match[str]) -> str:
    """``:class:`~a.b.C``` is C, ``:ref:`title <target>``` the title; what is no name (`:math:`) stays whole."""
    name, content = match["role"].split(":")[-1], match["content"]
    title, bracket, _ = content.partition("<")
    if bracket and title.strip():
        return title.strip()
    return last_name(content) if name in NAMES else content


def last_name(target: str) -> str:
    return target.lstrip("~.!").rpartition(".")[2]


NAMES = {"any", "attr", "class", "const", "data", "exc", "func", "function", "meth", "method", "mod", "obj", "property"}

# `<s>`, `<pre>` and `<mask>` are words of tokenizers, so only tags that are nothing else.
TAGS = "a|b|br|code|div|em|h[1-6]|i|img|li|ol|p|small|span|strong|sub|sup|td|th|tr|tip|ul"

# The order matters: what holds backticks goes before the backticks, and what is escaped comes out last.
RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"```(?:python|py|pycon|bash|shell|json|text)\b"), " "),
    # The backslash lets a letter follow: `Patch`\s.
    (re.compile(r"(?<=`)\\(?=\w)"), ""),
    (re.compile(r":(?P<role>[a-z]+(?:[:+-][a-z]+)*):`(?P<content>[^`]+)`"), role),
    (re.compile(r"`([^`<]+)<[^`<>]+>`__?"), lambda match: match[1].strip()),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]+\)"), r"\1"),
    (re.compile(r"\[`~([^`\[\]]+)`\]"), lambda match: last_name(match[1])),
    (re.compile(r"\[`([^`\[\]]+)`\]"), r"\1"),
    (re.compile(r"[ \t]?\[(?:\d+|#?[A-Za-z]\w*)\]_(?!\w)"), ""),
    (re.compile(r"`[~.]([^`.\s][^`\s]*)`"), lambda match: last_name(match[1])),
    (re.compile(r"(?<=\w)`__?(?!\w)"), ""),
    (re.compile(r"`+"), ""),
    (re.compile(r"\.\. (?:versionadded|versionchanged|deprecated)::[ \t]*v?\d[\w.]*"), ""),
    (re.compile(r"\.\. (?:[a-z-]+:)?[a-z-]+::|\.\. _[^:\s]+:(?!\w)"), ""),
    (re.compile(rf"</?(?:{TAGS})(?:\s+[\w-]+=(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s<>\"']+))*\s*/?>", re.IGNORECASE), ""),
    (re.compile(r"%\(\w+\)s"), ""),
    # Stars between signs or words are powers and starred arguments: x**n - y**n, f(*a, **b).
    (re.compile(r"(?<![\w)*\\])(\*\*?)(?=[^\s*])([^*]+)(?<=[^\s\\])\1(?![\w*(])"), r"\2"),
    (re.compile(r"(?<!\S)([-=~^*#\"+])\1{3,}(?!\S)"), ""),
    (re.compile(r"(?<=\S)[ \t]+::(?!\S)"), ""),
    (re.compile(r"(?<=\w)::(?!\S)"), ":"),
    (re.compile(r"\\([*_|])"), r"\1"),
)
