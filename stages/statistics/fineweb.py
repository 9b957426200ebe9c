"""The heuristics that FineWeb was chosen by beside C4's and Gopher's (Penedo et al. 2024, section 3.6), tagged.

Lines are what stands between newlines and is not blank; words are as in `gopher`. To drop what the paper drops:

    fineweb_lines_with_end: {at_least: 0.12, at_most: null}
    fineweb_short_lines: {at_least: null, at_most: 0.67}
    fineweb_repeated_line_characters: {at_least: null, at_most: 0.01}
    fineweb_newlines_per_word: {at_least: null, at_most: 0.3}
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from stages.core.characters import NEWLINE, TERMINAL
from stages.core.figures import Batch, ratio
from stages.core.params import Section
from stages.core.stretches import firsts, stripped_left

COLUMNS = {
    "fineweb_lines_with_end": pa.float64(),
    "fineweb_short_lines": pa.float64(),
    "fineweb_repeated_line_characters": pa.float64(),
    "fineweb_newlines_per_word": pa.float64(),
}
SHORT = 30  # characters of a line


class Params(Section):
    """No choices."""


def described(batch: Batch, p: Params, fitted: None) -> Mapping[str, Any]:
    """See above for what they mean."""
    newlines = np.diff(np.searchsorted(np.flatnonzero(batch.codes == NEWLINE), batch.bounds))
    size = int(newlines.max(initial=0)) + 2
    room, table, out = np.zeros((4, size), np.int64), np.zeros(4 * size, np.int64), np.zeros((len(batch.ids), 3))
    out = batch.run(of_texts, batch.codes, batch.kinds, batch.bounds, room, table, out)[-1]
    return dict(zip(COLUMNS, [*out.T, ratio(newlines, batch.tokens.counts)], strict=True))


def of_texts(codes: Any, kinds: Any, bounds: Any, room: Any, table: Any, out: Any) -> None:
    """Fills a row a text; `room` and `table` are for what is remembered meanwhile."""
    for text in range(len(bounds) - 1):
        begin, end, row = bounds[text], bounds[text + 1], out[text]
        lines, newlines = solid(codes, kinds, begin, end, room[0], room[1])
        firsts(codes, room[0], room[1], lines, table, room[2], room[3])
        with_end = short = repeated = 0
        for n in range(lines):
            size = room[1][n] - room[0][n]
            with_end += (kinds[room[1][n] - 1] & TERMINAL) != 0
            short += size <= SHORT
            repeated += size * (room[3][n] != n)
        row[0], row[1] = with_end / max(lines, 1), short / max(lines, 1)
        row[2] = repeated / max(end - begin - newlines, 1)


def solid(codes: Any, kinds: Any, begin: int, end: int, begins: Any, ends: Any) -> tuple[int, int]:
    """The lines that are not blank; gives how many they are, and how many newlines there are."""
    lines = newlines = 0
    at = begin
    while at <= end:
        stop = at
        while stop < end and codes[stop] != NEWLINE:
            stop += 1
        newlines += stop < end
        if stripped_left(kinds, at, stop) < stop:
            begins[lines], ends[lines] = at, stop
            lines += 1
        at = stop + 1
    return lines, newlines
