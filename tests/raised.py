"""Which `raise Fault` no test has entered: `make test` runs it last, on what tests/witness has noted.

A message that nobody has ever read is wrong on the day that it is needed.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path


def raises(path: Path) -> Iterator[range]:
    """The lines of each `raise Fault(...)` in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == "Fault":
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def places(root: Path) -> Iterator[tuple[str, range]]:
    """File and lines of all of them."""
    for path in sorted((root / "stages").rglob("*.py")):
        yield from ((path.relative_to(root).as_posix(), lines) for lines in raises(path))


def missed(root: Path, log: Path) -> list[str]:
    """Those that no line of the log falls into."""
    seen = set(log.read_text(encoding="utf-8").splitlines())
    return [f"{name}:{lines.start}" for name, lines in places(root) if seen.isdisjoint(f"{name}:{n}" for n in lines)]


def main(root: Path, log: Path) -> None:
    """Counts them; exit status 1 if one was never entered."""
    found, total = missed(root, log), len(list(places(root)))
    print(f"raise Fault: {total - len(found)} of {total} entered by tests")
    if found:
        sys.exit("\n".join(["never entered:", *(f"  {one}" for one in found)]))


if __name__ == "__main__":
    main(Path.cwd(), Path(sys.argv[1]))
