"""Notes where faults are made, in every Python that has this folder on its PYTHONPATH; tests/raised.py reads it.

Tests raise most faults in processes that others start for them: dvc, a stage, its workers. `site` imports this module
at the start of each. The log stays open, as some tests go on as somebody who may not open it.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

LOG = os.open(os.environ["FAULTS_SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def noted(self: Exception, *arguments: object) -> None:
    """`Fault.__init__`, and a line in the log: the file, from `stages/` on, and the line of who calls it."""
    Exception.__init__(self, *arguments)
    caller = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    _, stages, name = caller.f_code.co_filename.rpartition("/stages/")
    os.write(LOG, f"{stages[1:]}{name}:{caller.f_lineno}\n".encode())


class Loader(SourceFileLoader):
    """Loads the module as ever, then watches its `Fault`."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        vars(module)["Fault"].__init__ = noted


class Finder(PathFinder):
    """Finds one module only, wherever the project is."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target) if fullname == "stages.core.faults" else None
        if spec and spec.origin:
            spec.loader = Loader(fullname, spec.origin)
        return spec


sys.meta_path.insert(0, Finder)
