"""The pipeline. In an environment without its packages it says so, whichever module is started first."""

import platform
import sys
import time
import traceback
from types import TracebackType

STARTED = time.time_ns()  # code that is edited later may or may not be what this process has read


def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A package that is not installed is no bug: most often it is another Python. All else keeps its traceback."""
    if not isinstance(error, ModuleNotFoundError) or str(error.name).split(".")[0] == "stages":
        return sys.__excepthook__(kind, error, trace)
    ours = [frame.filename for frame in traceback.extract_tb(trace) if "importlib" not in frame.filename]
    sys.stderr.write(
        f"{ours[-1] if ours else 'stages'}: no module {error.name!r} in Python {platform.python_version()} "
        f"({sys.executable}): `source .venv/bin/activate` puts the project's Python first, "
        "`make setup` makes it from requirements.lock\n"
    )
    return None


sys.excepthook = told
