"""What the default job costs: `python benchmarks/budget.py` builds it in a fresh clone and prints the README's figures.

Time and memory of a whole cold `dvc repro` (downloads included, installation aside), CPU seconds of a no-op (median of
five), and which stages an experiment with another learning rate runs again.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from stages.core.files import read_json  # noqa: E402


def environment(folder: Path) -> dict[str, str]:
    """This interpreter first, and no state shared with other clones."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder / "site")}


def memory(process: "psutil.Process") -> int:
    """Bytes that a process and its children hold now."""
    total = 0
    try:
        every = [process, *process.children(recursive=True)]
    except psutil.Error:  # it has just ended
        return 0
    for one in every:
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


def watched(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[str, float, int]:
    """Runs a command; gives what it printed, its wall seconds, the peak of its processes' memory together."""
    started, peak = time.monotonic(), 0
    printed = subprocess.PIPE
    with subprocess.Popen(command, cwd=cwd, env=env, text=True, stdout=printed, stderr=subprocess.STDOUT) as process:
        watcher, done = psutil.Process(process.pid), threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.2):
                peak = max(peak, memory(watcher))

        thread = threading.Thread(target=watch)
        thread.start()
        told = process.communicate()[0]
        done.set()
        thread.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{told}")
    return told, time.monotonic() - started, peak


def cpu(command: list[str], cwd: Path, env: dict[str, str]) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rerun(printed: str) -> list[str]:
    """The stages that a command ran."""
    return re.findall(r"Running stage '(\w+)'", printed)


def main() -> None:
    """Prints the three figures, and the stages' seconds and memory."""
    with tempfile.TemporaryDirectory() as folder:
        clone, env = Path(folder) / "clone", environment(Path(folder))
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        _, seconds, peak = watched(["dvc", "repro"], clone, env)
        print(f"whole dvc repro: {seconds / 60:.1f} minutes, {peak / 2**30:.2f} GiB at most ({os.cpu_count()} cores)")
        same = not subprocess.run(["git", "diff", "--quiet", "dvc.lock"], cwd=clone, check=False).returncode
        print(f"dvc.lock: {'byte-identical to' if same else 'NOT'} the committed one")
        print("\n| stage | seconds | CPU seconds | peak MiB |\n|---|---|---|---|")
        for name, one in read_json(clone / "reports" / "run.json").items():
            print(f"| {name} | {one['seconds']:.1f} | {one['cpu_seconds']:.1f} | {one['peak_mib']} |")
        quiet = [cpu(["dvc", "repro"], clone, env) for _ in range(5)]
        print(f"\nno-op dvc repro: {statistics.median(quiet):.2f} CPU seconds (median of {len(quiet)})")
        command = ["dvc", "exp", "run", "-S", "train.learning_rate=0.0002"]
        printed, seconds, _ = watched(command, clone, env)
        print(f"{' '.join(command)}: ran {', '.join(rerun(printed))} in {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
