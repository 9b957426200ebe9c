"""Texts as Arrow has them, without an object for each, and loops over them as machine code.

Where there is much to do, numba compiles the loops. It takes a second to start: a small corpus is better off without.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import blake2b
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
BATCH = 2**18  # bytes of text that are worked on at one time: what is made of them stays near the processor


class Texts(NamedTuple):
    """Texts one after the other, as Arrow has them: the nth is data[offsets[n] : offsets[n + 1]]."""

    data: Bytes
    offsets: Places

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Texts":
        """Texts that are not in a column yet."""
        return cls.buffers(pa.array(texts, pa.large_string()))

    @classmethod
    def buffers(cls, column: Any) -> "Texts":
        """What an Arrow array of texts has in memory, from the first of them on."""
        _, offsets, data = column.buffers()
        wide = np.int64 if pa.types.is_large_string(column.type) else np.int32
        places = np.zeros(1, wide) if offsets is None else np.frombuffer(offsets, wide)
        places = places[column.offset : column.offset + len(column) + 1].astype(np.int64)
        # Read-only wherever it comes from: numba compiles once more for what is not.
        content = np.frombuffer(memoryview(data or b"").toreadonly(), np.uint8)[places[0] : places[-1]]
        return cls(content, places - places[0])

    def those(self, chosen: Flags) -> list[str]:
        """Some of them."""
        places = zip(self.offsets[:-1][chosen].tolist(), self.offsets[1:][chosen].tolist(), strict=True)
        data = self.data.data
        return [str(data[begin:end], "utf-8") for begin, end in places]

    def batches(self) -> Iterator["Texts"]:
        """Some at a time: BATCH bytes, or one text that is longer."""
        begin, texts = 0, len(self.offsets) - 1
        while begin < texts:
            end = int(np.searchsorted(self.offsets, self.offsets[begin] + BATCH, "right")) - 1
            end = min(max(end, begin + 1), texts)
            places = self.offsets[begin : end + 1]
            yield Texts(self.data[places[0] : places[-1]], places - places[0])
            begin = end


@cache
def compiled(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop as machine code, and so the functions of ours that it calls; numba keeps it beside the file or in the
    user's cache."""
    from numba import njit

    inner = {name: compiled(one) for name, one in used(loop) if isinstance(one, FunctionType)}
    own = FunctionType(loop.__code__, loop.__globals__ | inner, loop.__name__)
    own.__qualname__ = f"{loop.__qualname__}_{fingerprint(loop)}"
    try:
        return njit(nogil=True, cache=True)(own)
    except RuntimeError:  # neither can be written
        return njit(nogil=True)(own)


def fingerprint(loop: Callable[..., Any]) -> str:
    """Of all that the machine code is made from. numba looks at the loop's own file alone, and would go on with the old
    one after an edit of another."""
    digest = blake2b(loop.__code__.co_code + repr(loop.__code__.co_consts).encode(), digest_size=4)
    for name, one in used(loop):
        digest.update(f"{name} {fingerprint(one) if isinstance(one, FunctionType) else repr(one)} ".encode())
    return digest.hexdigest()


def used(loop: Callable[..., Any]) -> list[tuple[str, Any]]:
    """The names outside of it that a loop mentions, and what they stand for; of modules, nothing changes."""
    names = [name for name in loop.__code__.co_names if name in loop.__globals__]
    return [(name, loop.__globals__[name]) for name in names if not hasattr(loop.__globals__[name], "__spec__")]
