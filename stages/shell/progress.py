"""A progress bar for whatever takes longer than two seconds; on a terminal only, so that logs stay readable."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
BAR = "  {desc}: {percentage:3.0f}%|{bar:30}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


def progress(items: Iterable[T], what: str, total: int | None = None) -> "tqdm[T]":
    """Iterates over `items`; the bar appears after two seconds and goes away when it is done."""
    return tqdm(items, desc=what, total=total, delay=2, leave=False, disable=None, bar_format=BAR, dynamic_ncols=True)
