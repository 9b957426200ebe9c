"""A test side that its source brings goes through all stages as it came, whatever is wrong with its documents."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from stages.core.records import read_documents, read_table, shards, side_rows
from tests.conftest import ROOT, case, lay
from tests.sources.reading import file, pinned, table

TOPICS = {
    "sea": ["The ship sailed past {} islands", "A storm of {} days sank the boat", "They saw {} whales off the coast"],
    "kitchen": ["Bake the bread for {} minutes", "Stir {} eggs into the butter", "The soup wants {} spoons of salt"],
}
LEARNED = [
    *((one.format(n), topic) for topic, some in TOPICS.items() for one in some for n in range(20)),
    ("Pepper", "kitchen"),  # too short to learn from
]
GIVEN = [
    *((one.format(n), topic) for topic, some in TOPICS.items() for one in some for n in (701, 702)),
    ("The ship sailed past 1 islands", "sea"),  # as one to learn from
    ("Stir 701 eggs into the butter", "kitchen"),  # as another one of this side
    ("Salt", "kitchen"),  # as short
    ("= 1 2 3 4 5 6 7 8 9 =", "sea"),  # no text, by its letters
    ("<b>&nbsp;</b>", "kitchen"),  # nothing, once it is cleaned
    (" ".join(["storm"] * 300), "sea"),  # longer than the model reads
]
# The stages as dvc.yaml has them, in one process: to start them is most of the work.
STORY = """
import importlib
from pathlib import Path
from typing import Any
from ruamel.yaml import YAML
from stages.core import numeric
from stages.shell.closure import ROOT
from stages.shell.engine import engine
from stages.shell.environment import quiet
from stages.shell.params import settings
from stages.shell.run import whole
quiet()
numeric.declare(settings("train").compute)
with engine() as e:
    for name, one in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items():
        if name not in ("explain", "report"):
            paths = [Path(path) for path in one["cmd"].split()[3:]]
            stage = importlib.import_module(f"stages.{name}").stage
            outs = len(one["outs"])
            print(name, whole(stage, e, settings(name), paths[:-outs], paths[-outs:]))
"""


def test_a_given_test_side_is_what_the_model_is_tested_on(tmp_path: Path):
    rows = [f"{text}\t{label}\ttrain" for text, label in LEARNED] + [f"{text}\t{label}\ttest" for text, label in GIVEN]
    rows += [f"{text}\t{label}\tvalidation" for text, label in GIVEN[:12]]
    (tmp_path / "topics.tsv").write_text("\n".join(["text\tlabel\tside", *rows, ""]), encoding="utf-8")
    entry: dict[str, Any] = {"name": "topics", "kind": "csv", "licence": None, "quota": 115, "rejects": 0.0}
    entry |= pinned({"files": [file(tmp_path / "topics.tsv")]}) | table(label="label", split="side")
    entry |= {"sides": {side: side for side in ("train", "validation", "test")}}
    entry |= {"dialect": {"encoding": "utf-8", "delimiter": "\t", "quote": None, "escape": None, "header": True}}
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    change = {"ingest": {"sources": [entry]}, "split": {"labels": 20}, "train": {"epochs": 1}}
    for overlay in (case("small.yaml"), case("light.yaml"), change):
        lay(tmp_path / "params.yaml", overlay)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}", "ENGINE": "serial"}
    command = [sys.executable, "-c", STORY]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"ingest 145 doc.*\ndedup .* 1 exact .*\n.*\n.*\nfilter .* 1 dropped ", done.stdout), done.stdout
    came = {one.id for path in shards(tmp_path / "data/ingest") for one in read_documents(path) if one.split == "test"}
    kept = {row["id"] for row in side_rows(tmp_path / "data/split") if row["side"] == "test"}
    judged = read_table(tmp_path / "reports/evaluate/predictions.parquet").to_pylist()
    assert len(came) == len(GIVEN)
    assert came == kept == {row["id"] for row in judged if row["side"] == "test"}
    assert Counter(row["label"] for row in judged if row["side"] == "test") == Counter(label for _, label in GIVEN)
