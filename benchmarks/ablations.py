"""What each choice does to validation: `python benchmarks/ablations.py` trains once a setting, in a clone of its own.

Test is left out. A setting is worth its place in params.yaml when validation says so. The clone uses the DVC cache of
this checkout, so that only what a setting changes is computed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from budget import ROOT, environment, watched

sys.path.insert(0, str(ROOT))

from stages.core.files import read_json

CELL = "{value:.3f} [{low:.3f}, {high:.3f}]"
EVERY = ["evaluate.splits=[validation]", "explain.documents=0"]
SETTINGS = {
    "as committed": [],
    "a child with words swapped for half of the passages": ["augment.share=0.5"],
    "no class weights": ["balancers.frequency.power=0.0"],
    "class weights by effective number": ["balance.method=effective_number"],
    "every label picked as often": ["balance.method=oversample", "balance.by=picks"],
    "focal loss": ["train.focal=2.0"],
    "logit adjustment, no class weights": ["train.logit_adjustment=1.0", "balancers.frequency.power=0.0"],
    "without labels that are likely wrong": ["balance.trust.label_error=0.0"],
    "no label smoothing": ["tasks.text_classification.label_smoothing=0.0"],
}


def main() -> None:
    """Prints a row a setting: macro-F1 and accuracy on validation, with their intervals."""
    print("| setting | macro-F1 | accuracy |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        clone, env = Path(folder) / "clone", environment(Path(folder))
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cache = ["dvc", "config", "--local", "cache.dir", str(ROOT / ".dvc" / "cache")]
        subprocess.run(cache, cwd=clone, env=env, check=True)
        for name, changes in SETTINGS.items():
            subprocess.run(["git", "checkout", "--quiet", "."], cwd=clone, check=True)
            options = [word for change in [*changes, *EVERY] for word in ("-S", change)]
            watched(["dvc", "exp", "run", *options], clone, env)
            scores = read_json(clone / "reports" / "metrics.json")["validation"]
            cells = [CELL.format(**scores[metric]) for metric in ("macro_f1", "accuracy")]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
