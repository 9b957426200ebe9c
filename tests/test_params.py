"""`reprolm check` by every kind of fault, word for word."""

import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.commands import check as command
from stages.core.faults import Fault
from stages.shell import plugins
from stages.shell.params import check, frozen, read, settings
from stages.statistics import lexical
from tests.conftest import as_nobody, importable
from tests.sources.tables import table

ROOT = Path(__file__).parent.parent
GONE = object()
PINNED = "and model.weights is pinned; name all files, with sha256"
COMMON = {"licence": None, "quota": None, "rejects": 0.0}
FILE = {"at": "mine.csv", "sha256": "0" * 64, "members": None, "constants": {}}
MINE: dict[str, Any] = {"name": "mine", "kind": "csv"} | COMMON | table(FILE)
WHEELS = {"name": "docs", "kind": "wheels"} | COMMON | {"platforms": [], "skip": [], "text": "full", "labels": {}}
THERE = ", ".join(plugins.nearest("cvs", plugins.names("sources")))
HEXADECIMAL = "64 hexadecimal digits are wanted, as `sha256sum FILE` prints them"

# What is changed in params.yaml, and what `check` says to it; a key with a dot in it can't be in a path.
LIKE_MASK = "mask, markup, mojibake, misspellings, whitespace, boilerplate, pii, unicode"
FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown section": (
        {"trian": {}},
        ["trian: unknown section; did you mean train?"],
    ),
    "missing section": (
        {"train": GONE, "features": GONE},
        ["features: missing section", "train: missing section"],
    ),
    "a section is no mapping": (
        {"model": "bert", "cleaners": ["mask"], "split": None},
        [
            "model: keys with values are wanted, not 'bert'",
            "cleaners: names with their parameters are wanted, not ('mask',)",
            "split: keys with values are wanted, not None",
        ],
    ),
    "unknown and missing key": (
        {"train.lerning_rate": 0.1, "train.learning_rate": GONE},
        [
            "train.learning_rate: missing",
            "train.lerning_rate: unknown; did you mean learning_rate or head_learning_rate?",
        ],
    ),
    "unknown key within a key": (
        {"filter.limits.words.at_leest": 1},
        ["filter.limits.words.at_leest: unknown; did you mean at_least or at_most?"],
    ),
    "unknown key, nothing like it": (
        {"features.xyz": 1},
        ["features.xyz: unknown"],
    ),
    "a key of another section": (
        {"tokenize.weights": "none"},
        ["tokenize.weights: unknown here; it is model.weights"],
    ),
    "a string for a number": (
        {"train.epochs": "4", "baseline.c": [1.0, "3"]},
        [
            "baseline.c[1]: input should be a valid number, not '3'",
            "train.epochs: input should be a valid integer, not '4'",
        ],
    ),
    "a float for an integer": (
        {"train.batch_size": 32.0},
        ["train.batch_size: input should be a valid integer, not 32.0"],
    ),
    "a truth for a number": (
        {"split.labels": True},
        ["split.labels: input should be a valid integer, not True"],
    ),
    "out of range": (
        {"train.epochs": 0, "augment.share": 1.5, "train.learning_rate": float("inf")},
        [
            "augment.share: input should be less than or equal to 1, not 1.5",
            "train.epochs: input should be greater than 0, not 0",
            "train.learning_rate: input should be a finite number, not inf",
        ],
    ),
    "none of the choices": (
        {"compute.cpu": "avx"},
        ["compute.cpu: input should be 'avx2', 'avx512' or 'native', not 'avx'"],
    ),
    "an empty list": (
        {"ingest.sources": []},
        ["ingest.sources: at least 1 wanted, not ()"],
    ),
    "unknown task": (
        {"model.task": "text_clasification"},
        ["model.task: no 'text_clasification' in stages/tasks; there is: text_classification"],
    ),
    "unknown architecture": (
        {"model.architecture": "brt"},
        ["model.architecture: no 'brt' in stages/architectures; there is: bert"],
    ),
    "unknown cleaner": (
        {"clean.steps": ["markup", "masks"]},
        [f"clean.steps: no 'masks' in stages/cleaners; there is: {LIKE_MASK}"],
    ),
    "unknown augmenter": (
        {"augment.method": "random_words"},
        ["augment.method: no 'random_words' in stages/augmenters; there is: random_word"],
    ),
    "unknown metric": (
        {"train.metric": "f1", "evaluate.metrics": ["acuracy"]},
        [
            "train.metric: no 'f1' in stages/metrics; there is: macro_f1, accuracy",
            "evaluate.metrics: no 'acuracy' in stages/metrics; there is: accuracy, macro_f1",
        ],
    ),
    "unknown explainer": (
        {"explain.explainers": ["sharp"]},
        ["explain.explainers: no 'sharp' in stages/explainers; there is: shap, lime"],
    ),
    "parameters for a plug-in that there is not": (
        {"cleaners.maks": {}},
        [f"cleaners.maks: no 'maks' in stages/cleaners; there is: {LIKE_MASK}"],
    ),
    "missing parameters of a plug-in": (
        {"explainers.lime": GONE},
        ["explainers.lime: missing section, as explain.explainers names it"],
    ),
    "missing parameters of the architecture": (
        {"architectures": GONE},
        ["architectures.bert: missing section, as model.architecture names it"],
    ),
    "a mask that masks itself": (
        {"cleaners.mask.token": "np array"},
        ["cleaners.mask: the token 'np array' has one of the terms in it; choose another"],
    ),
    "sources": (
        {
            "ingest.sources": [
                {"name": "Mine", "kind": "cvs"} | COMMON,
                {"name": "mine"} | COMMON,
                "mine.csv",
                {"name": "mine", "kind": "wheels"}
                | COMMON
                | {
                    "wheels": [],
                    "platforms": [],
                    "skip": [],
                    "labels": {},
                    "txt": "full",
                },
            ]
        },
        [
            f"ingest.sources[0]: no 'cvs' in stages/sources; there is: {THERE}",
            "ingest.sources[3].wheels: at least 1 wanted, not ()",
            "ingest.sources[3].text: missing",
            "ingest.sources[3].txt: unknown; did you mean text?",
            "ingest.sources[0].name: a-z, 0-9 and _ are wanted, as it becomes part of file names, not 'Mine'",
            "ingest.sources[1].kind: missing",
            "ingest.sources[2]: keys with values are wanted, not 'mine.csv'",
        ],
    ),
    "two sources of one name": (
        {"ingest.sources": [MINE, MINE | {"separator": ";"}]},
        ["ingest.sources: 2 are named mine; give each a name of its own"],
    ),
    "no sha256": (
        {
            "weights.files": {"tokenizer.json": "953F"},
            "ingest.sources": [
                MINE | {"files": [FILE | {"sha256": "0" * 63}]},
                WHEELS | {"wheels": [{"name": "numpy", "version": 3.1, "sha256": "g" * 64}]},
            ],
        },
        [
            f"weights.files.tokenizer.json: {HEXADECIMAL}, not '953F'",
            f"ingest.sources[0].files[0].sha256: {HEXADECIMAL}, not '{'0' * 63}'",
            "ingest.sources[1].wheels[0].version: YAML reads 3.1 as a float; put it in quotes",
            f"ingest.sources[1].wheels[0].sha256: {HEXADECIMAL}, not '{'g' * 64}'",
        ],
    ),
    "no lists where something must stand": (
        {"evaluate.metrics": [], "evaluate.splits": [], "baseline.c": []},
        [
            "baseline.c: at least 1 wanted, not ()",
            "evaluate.splits: at least 1 wanted, not ()",
            "evaluate.metrics: at least 1 wanted, not ()",
        ],
    ),
    "the same twice": (
        {"evaluate.splits": ["test", "test", "validation"], "evaluate.metrics": ["accuracy", "accuracy"]},
        [
            "evaluate.splits: test: named more than once; once is enough",
            "evaluate.metrics: accuracy: named more than once; once is enough",
        ],
    ),
    "seeds below zero": (
        {"dedup.seed": -1, "evaluate.seed": -2},
        [
            "dedup.seed: input should be greater than or equal to 0, not -1",
            "evaluate.seed: input should be greater than or equal to 0, not -2",
        ],
    ),
    "n-grams from long to short": (
        {"baseline.word_ngrams": [3, 1]},
        ["baseline.word_ngrams: the first length is above the second; did you mean [1, 3]?"],
    ),
    "no room for a token between the special ones": (
        {"tokenize.max_tokens": 1},
        ["tokenize.max_tokens: input should be greater than or equal to 3, not 1"],
    ),
    "together above the threshold": (
        {"dedup.together": 0.9},
        ["dedup: together 0.9 is above threshold 0.8, from which the later document is dropped; lower it"],
    ),
    "more recall than there are permutations for": (
        {"dedup.threshold": 0.1, "dedup.together": 0.1, "dedup.permutations": 16},
        [
            "dedup: recall 0.99 at threshold 0.1 takes more than 16 permutations; raise these or lower it",
        ],
    ),
    "pinned weights without files and places": (
        {"weights.files": {}, "weights.places": []},
        [
            f"weights.files: no config.json, tokenizer.json, model.safetensors, {PINNED}",
            "weights.places: none, and model.weights is pinned; name one that has the files",
        ],
    ),
    "sizes without an end": (
        {
            "tokenize.vocabulary": 10**9,
            "tokenize.max_tokens": 10**6,
            "model.weights": "none",
            "architectures.bert.sizes": {"width": 10**6, "layers": 1, "heads": 1},
        },
        [
            "architectures.bert.sizes.width: input should be less than or equal to 65536, not 1000000",
            "tokenize.max_tokens: input should be less than or equal to 100000, not 1000000",
            "tokenize.vocabulary: input should be less than or equal to 1000000, not 1000000000",
        ],
    ),
    "a vocabulary with no room for every byte": (
        {"tokenize.vocabulary": 100},
        ["tokenize.vocabulary: input should be greater than or equal to 261, not 100"],
    ),
    "limits with nothing between": (
        {"filter.limits.words": {"at_least": 10, "at_most": 4}},
        ["filter.limits.words: at_least 10 is above at_most 4; no document is both"],
    ),
    "sizes beside pinned weights": (
        {"architectures.bert.sizes": {"width": 64, "layers": 1, "heads": 2}},
        ["architectures.bert.sizes: the pinned weights bring their own; set it to null, or model.weights to none"],
    ),
    "neither weights nor sizes": (
        {"model.weights": "none"},
        ["architectures.bert.sizes: missing, as model.weights is none; e.g. {width: 128, layers: 2, heads: 2}"],
    ),
    "a width that heads can't share": (
        {"model.weights": "none", "architectures.bert.sizes": {"width": 64, "layers": 1, "heads": 3}},
        ["architectures.bert.sizes: width 64 is no multiple of heads 3"],
    ),
    "a side that is explained and not evaluated": (
        {"evaluate.splits": ["test"], "explain.side": "validation"},
        ["explain.side: validation is not evaluated; add it to evaluate.splits, or name another side"],
    ),
    "less trust in labels that nobody judges": (
        {"balance.trust.label_error": 0.5, "baseline.folds": 0},
        ["balance.trust.label_error: 0.5, but baseline.folds is 0: nobody looks; set it to 5, or this to 1.0"],
    ),
    "limits of no feature": (
        {"filter.limits": {"wrods": {"at_least": 1, "at_most": None}}},
        [f"filter.limits.wrods: no such feature; did you mean words?; there is: {', '.join(lexical.COLUMNS)}"],
    ),
    "limits where no statistics are": (
        {"features.statistics": ()},
        [
            *(
                f"filter.limits.{name}: only statistics lexical give it; add lexical to features.statistics"
                for name in ("words", "letter_share")
            ),
        ],
    ),
    "limits and values of the wrong kind": (
        {
            "features.statistics": ("language",),
            "filter.limits": {"language": {"at_least": 1, "at_most": None}},
            "filter.values": {"language_score": ("high",)},
        },
        [
            "filter.limits.language: it is a text and has no limits; say in filter.values which ones stay",
            "filter.values.language_score: it is a number; give it a limit in filter.limits",
        ],
    ),
    "no value that stays": (
        {"features.statistics": ("lexical", "language"), "filter.values": {"language": ()}},
        ["filter.values.language: at least 1 wanted, not ()"],
    ),
    "statistics twice": (
        {"features.statistics": ("lexical", "lexical")},
        ["features.statistics: lexical: named more than once; once is enough"],
    ),
    "sources to learn from that there are not": (
        {"features.statistics": ("lexical", "quality"), "statistics.quality.sources": ("dosc", "docs")},
        ["statistics.quality.sources: no source 'dosc' in ingest.sources; did you mean docs?"],
    ),
    "nothing left to train": (
        {"split.validation": 0.5, "split.test": 0.5},
        ["split: validation and test leave nothing to train; lower them"],
    ),
    "a share and a count": (
        {"split.test": 500},
        ["split: validation 0.08 is a share and test 500 is a count; give both in the same way"],
    ),
    "a date that YAML reads as one": (
        {"split.validation": "2025-01-01", "split.test": date(2026, 1, 1)},
        [
            (
                "split.test: a share such as 0.1, a count such as 500 or, for method temporal, a date such as "
                '"2026-01-31" is wanted, not datetime.date(2026, 1, 1); put a date in quotes'
            )
        ],
    ),
    "unknown way to split": (
        {"split.method": "stratify"},
        [f"split.method: {plugins.unknown('splitters', 'stratify')}"],
    ),
    "dates for a method that has no use for them": (
        {"split.validation": "2025", "split.test": "2026"},
        ["split: method stratified takes shares or counts, no dates; method temporal takes them"],
    ),
    "unknown fold": (
        {"split.method": "k_fold", "split.test": 0.25, "splitters.k_fold.fold": 4},
        ["splitters.k_fold.fold: there is no fold 4; test 0.25 makes 4, 0 to 3"],
    ),
    "a source on two sides": (
        {"splitters.source": {"validation": ["docs"], "test": ["docs"]}},
        ["splitters.source: docs: on validation and on test; name it once"],
    ),
    "benchmarks that are not told apart": (
        {"benchmarks.sources": [MINE | {"name": "test"}, MINE, MINE]},
        [
            "benchmarks.sources: a side or another one is named test; give each a name of its own",
            "benchmarks.sources: a side or another one is named mine; give each a name of its own",
        ],
    ),
    "a benchmark with a mistake": (
        {"benchmarks.sources": [MINE | {"rejects": 2.0}]},
        ["benchmarks.sources[0].rejects: input should be less than or equal to 1, not 2.0"],
    ),
}


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return YAML(typ="safe").load(ROOT / "params.yaml")


def changed(tree: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """The tree, whose nodes along the changed paths are new."""
    new = dict(tree)
    for path, value in changes.items():
        key, _, rest = path.partition(".")
        if rest:
            new[key] = changed(new[key], {rest: value})
        elif value is GONE:
            del new[key]
        else:
            new[key] = value
    return new


def faults(tree: dict[str, Any]) -> list[str]:
    return check(frozen(tree)).faults


def test_the_committed_parameters_are_right(committed: dict[str, Any]):
    assert faults(committed) == []


@pytest.mark.parametrize("what", FAULTS)
def test_fault(committed: dict[str, Any], what: str):
    changes, told = FAULTS[what]
    assert faults(changed(committed, changes)) == told


def test_what_looks_odd_and_is_right(committed: dict[str, Any]):
    sizes = {"width": 64, "layers": 1, "heads": 4}
    scratch = {"model.weights": "none", "architectures.bert.sizes": sizes, "weights": {"files": {}, "places": []}}
    nothing = {"explain.documents": 0, "evaluate.splits": ["test"], "clean.steps": [], "filter.limits": {}}
    whole_numbers = {"train.learning_rate": 1, "baseline.c": [1, 2.5]}
    assert faults(changed(committed, scratch | nothing | whole_numbers)) == []


WELL = "params.yaml: all sections, plug-ins and combinations are right; packages are those of requirements.lock\n"


def ran(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """`reprolm check`, as a user would run it in the folder: exit status, and all that it says."""
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    done = subprocess.run(
        [sys.executable, "-m", "stages.commands", "check", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": importable(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_all_is_well(tmp_path: Path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    assert ran(tmp_path) == (0, WELL)


def test_all_faults_in_one_go(committed: dict[str, Any], tmp_path: Path):
    independent = ["unknown section", "a float for an integer", "unknown cleaner", "limits of no feature", "sources"]
    independent += [
        "sizes beside pinned weights",
        "a side that is explained and not evaluated",
        "nothing left to train",
    ]
    changes = {path: value for what in independent for path, value in FAULTS[what][0].items()}
    YAML().dump(changed(committed, changes), tmp_path / "mine.yaml")
    status, said = ran(tmp_path, "mine.yaml")
    assert status == 1
    first, *lines = said.splitlines()
    told = [fault for what in independent for fault in FAULTS[what][1]]
    assert first == f"reprolm check: mine.yaml: {len(told)} to mend:"
    assert sorted(lines) == sorted(f"  {fault}" for fault in told)


def test_an_engine_that_there_is_not(tmp_path: Path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    told = "reprolm check: environment: ENGINE=dask: no 'dask' in stages/engines; there is: serial, process\n"
    assert ran(tmp_path, ENGINE="dask") == (1, told)


def test_a_pair_that_makes_no_sense(tmp_path: Path):
    """A second task and an architecture that does nothing else, as a user would add them: two files."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", symlinks=True)
    (tmp_path / "stages/tasks/span.py").write_text('"""Spans."""\n')
    bert = (ROOT / "stages/architectures/bert.py").read_text()
    (tmp_path / "stages/architectures/reader.py").write_text(bert.replace('"text_classification",', '"span", "token"'))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("  task: text_classification", "  task: span"))
    told = "  model: architecture bert can't do task span; it can do text_classification; span goes with reader\n"
    assert ran(tmp_path, PYTHONPATH="") == (1, f"reprolm check: params.yaml: 1 to mend:\n{told}")


def broken(tmp_path: Path) -> Path:
    """A project whose plug-in folders have a file each that can't be imported."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", symlinks=True)
    for folder in plugins.folders():
        (tmp_path / "stages" / folder / "broken.py").write_text("nothing_of_this_name\n")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path / "params.yaml"


def test_a_broken_plugin_that_nobody_chose_stops_nothing(tmp_path: Path):
    broken(tmp_path)
    assert ran(tmp_path, PYTHONPATH="") == (0, WELL)


def test_a_broken_plugin_that_is_chosen_keeps_its_traceback(tmp_path: Path):
    params = broken(tmp_path)
    params.write_text(params.read_text().replace("mask, whitespace]", "mask, broken]"))
    status, said = ran(tmp_path, PYTHONPATH="")
    assert status == 1 and "stages/cleaners/broken.py" in said
    assert said.endswith("NameError: name 'nothing_of_this_name' is not defined\n")


BOMB = "a: &a [" + "x," * 99 + "x]\nb: &b [" + "*a," * 99 + "*a]\nc: [" + "*b," * 99 + "*b]\n"  # a million of x
YAML_ORG = "tag:yaml.org,2002"
COMMITTED = "has no sections; `git checkout params.yaml` brings the committed ones back"
NO_TREES: dict[str, tuple[str | bytes, str]] = {
    "an open bracket": ("a: [1\nb: 2\n", "not YAML: line 2: did not find expected ',' or ']'"),
    "a key within a value": ("a: 1\n  b: 2\n", "not YAML: line 2: mapping values are not allowed in this context"),
    "a key twice": (
        "a: 1\nb: 2\na: 3\n",
        'not YAML: line 3: found duplicate key "a" with value "3" (original value: "1")',
    ),
    "a tab": ("a:\n\tb: 1\n", "not YAML: line 2: found character that cannot start any token"),
    "a zero byte": ("a: \x00\n", "not YAML: unacceptable character #x0000: control characters are not allowed"),
    "no UTF-8": (b"a: \xff\n", "not YAML: unacceptable character #x00ff: invalid leading UTF-8 octet"),
    "two documents": ("a: 1\n---\nb: 2\n", "not YAML: line 2: but found another document"),
    "an alias of nothing": ("a: *b\n", "not YAML: line 1: found undefined alias"),
    "a tag that would run something": (
        "a: !!python/object/apply:os.system [touch ran]\n",
        f"not YAML: line 1: could not determine a constructor for the tag '{YAML_ORG}:python/object/apply:os.system'",
    ),
    "a day that there is not": (
        "a: 2020-13-45\n",
        "a value is not what it looks like (month must be in 1..12); put it in quotes if it is a text",
    ),
    "a tag that lies": (
        "a: !!bool perhaps\n",
        "a value is not what it looks like ('perhaps'); put it in quotes if it is a text",
    ),
    "a number without an end": (
        f"a: {'9' * 400}\n",
        "999999999999999999...9999999999999999999 is too large; a number of 64 bits is wanted",
    ),
    "a key that is a number": ("labels: {2020: [x]}\n", "the key 2020 is no text; put it in quotes"),
    "aliases of aliases": (BOMB, "more than 100,000 values, those counted that aliases repeat; write fewer"),
    "a value within itself": ("a: &a [*a]\n", "values within values too deep, or without end; write it flatter"),
    "a thousand brackets": (
        f"a: {'[' * 1000}{']' * 1000}\n",
        "values within values too deep, or without end; write it flatter",
    ),
    "nothing": ("", COMMITTED),
    "a comment": ("# only a comment\n", COMMITTED),
    "a list": ("- a\n", COMMITTED),
}


@pytest.mark.parametrize("what", NO_TREES)
def test_a_file_that_is_no_tree(what: str, tmp_path: Path):
    content, told = NO_TREES[what]
    (tmp_path / "params.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert ran(tmp_path) == (1, f"reprolm check: params.yaml: {told}\n")
    assert sorted(os.listdir(tmp_path)) == ["params.yaml", "pyproject.toml", "requirements.lock"]


def test_no_file(tmp_path: Path):
    told = "reprolm check: params.yaml: not found; run in the folder of the project\n"
    assert ran(tmp_path) == (1, told)


def test_a_folder_for_a_file(tmp_path: Path):
    (tmp_path / "params.yaml").mkdir()
    told = "reprolm check: params.yaml: can't be read (Is a directory); a file that you may read is wanted\n"
    assert ran(tmp_path) == (1, told)


def test_a_file_of_somebody_else() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "params.yaml"
        shutil.copy(ROOT / "params.yaml", path)
        path.chmod(0)
        with pytest.raises(Fault) as fault:
            as_nobody(lambda: read(path))
    assert str(fault.value) == f"{path}: can't be read (Permission denied); a file that you may read is wanted"


def test_exponents_are_numbers(tmp_path: Path):
    path = tmp_path / "params.yaml"
    path.write_text("a: 1e-3\nb: 3e-05\nc: 0x10\nd: yes\n")
    assert read(path) == {"a": 0.001, "b": 3e-05, "c": 16, "d": "yes"}


def test_a_stage_gets_its_own_section_and_what_it_shares():
    p = settings("train", ROOT / "params.yaml")
    committed = read(ROOT / "params.yaml")
    assert p.epochs == committed["train"]["epochs"]
    assert p.max_tokens == committed["tokenize"]["max_tokens"]
    assert p.shape.dropout == committed["architectures"]["bert"]["dropout"]
    assert p.model.task == committed["model"]["task"]


def test_no_stage_starts_with_faults_elsewhere(tmp_path: Path):
    path = tmp_path / "params.yaml"
    path.write_text((ROOT / "params.yaml").read_text().replace("epochs: 4", "epochs: 4.5"))
    with pytest.raises(Fault, match=r"1 to mend:\n  train\.epochs: input should be a valid integer, not 4\.5"):
        settings("ingest", path)


def test_the_command_raises_what_it_tells(tmp_path: Path, committed: dict[str, Any]):
    YAML().dump(changed(committed, {"train.epochs": 0}), tmp_path / "p.yaml")
    with pytest.raises(Fault, match=r"p\.yaml: 1 to mend:\n  train\.epochs: input should be greater than 0, not 0"):
        command.main(Namespace(file=tmp_path / "p.yaml"))
