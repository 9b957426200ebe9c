"""The code that a stage runs: what it imports, directly or through others, found by reading and not by importing."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def imports(path: Path) -> Iterator[str]:
    """The modules of `stages` that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stages":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "stages")


def file_of(module: str) -> Path | None:
    """The file of a module of ours, if it is one."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def closure(*names: str) -> list[Path]:
    """The files of the modules `stages.<name>` and all that they import of ours, less the shell, sorted."""
    todo = [path for name in names if (path := file_of(f"stages.{name}"))]
    found: set[Path] = set()
    while todo:
        path = todo.pop()
        if path not in found and "shell" not in path.relative_to(ROOT).parts:
            found.add(path)
            todo += [inner for module in imports(path) if (inner := file_of(module))]
    return sorted(found)
