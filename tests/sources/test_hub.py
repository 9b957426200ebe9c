"""Datasets as the Hub has them: at their addresses, by a mirror; and beside what `datasets` itself makes of them."""

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core.faults import Fault
from stages.core.records import Reject, Row
from stages.sources import hub
from tests.sources.tables import FIELDS, TABLE, items, parameters, row

CASES = YAML(typ="safe").load(Path(__file__).parent.parent / "cases/sources/hub.yaml")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a dataset, in what stands in for the Hub."""
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://huggingface.co/datasets/ {tmp_path}/hub/")
    folder = tmp_path / f"hub/ann/texts/resolve/{COMMIT}"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, content: Any) -> dict[str, Any]:
    """A file of a dataset with its pin: rows are written as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        pq.write_table(pa.Table.from_pylist(content), path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return {"sha256": sha256(path.read_bytes()).hexdigest(), "members": None, "constants": {}}


def source(folder: Path, files: dict[str, Any], **settings: Any) -> hub.Params:
    """The parameters of a dataset with these files."""
    constants = settings.pop("constants", {})
    settings["fields"] = FIELDS | settings.get("fields", {})
    pins = [
        {"at": name} | write(folder / name, content) | {"constants": constants.get(name, {})}
        for name, content in files.items()
    ]
    place = {"dataset": "ann/texts", "revision": COMMIT, "config": "default", "files": pins, "classes": {}}
    return parameters("hub", **TABLE | place | settings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_rows_and_rejects(mirror: Path, tmp_path: Path, case: dict[str, Any]):
    settings = {key: one for key, one in case.items() if key not in {"comment", "rows", "rejects"}}
    found = list(items("hub", source(mirror, **settings), tmp_path))
    assert [one for one in found if isinstance(one, Row)] == [row(told) for told in case["rows"]]
    assert {one.place: one.reason for one in found if isinstance(one, Reject)} == case.get("rejects", {})


def test_files_come_from_the_pinned_commit(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    p = source(mirror, {"data/a b.jsonl": '{"text": "a"}'})
    (needed,) = hub.needs(p)
    assert needed.at == f"https://huggingface.co/datasets/ann/texts/resolve/{COMMIT}/data/a%20b.jsonl"
    p = source(mirror, {"a.jsonl": '{"text": "a"}'})
    (mirror / "a.jsonl").write_text('{"text": "b"}')
    with pytest.raises(Fault, match=rf"resolve/{COMMIT}/a\.jsonl: the bytes are not the pinned ones"):
        list(items("hub", p, tmp_path))
    (mirror / "a.jsonl").unlink()
    with pytest.raises(Fault, match=rf"resolve/{COMMIT}/a\.jsonl: its mirror has no .*; mend mirrors\.txt or REPROLM_"):
        list(items("hub", p, tmp_path))


def test_packed_files(mirror: Path, tmp_path: Path):
    p = source(mirror, {"train.json.gz": gzip.compress(b'{"text": "a"}\n'), "b.CSV.gz": gzip.compress(b"text\nb\n")})
    assert [one.text for one in items("hub", p, tmp_path) if isinstance(one, Row)] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "../texts"}, "a name as the Hub has it, OWNER/NAME, is wanted, not '../texts'"),
        ({"revision": "main"}, "the 40 hexadecimal digits of a commit are wanted, not 'main'"),
        ({"files": {"a.png": ""}}, "a.png: .parquet, .arrow, .jsonl, .ndjson, .json, .csv, .tsv are read; the kind "),
        ({"files": {"a.gz": ""}}, "a.gz: .parquet, "),
    ],
)
def test_parameters_that_make_no_dataset(mirror: Path, changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError) as told:
        source(mirror, **{"files": {"a.csv": "text\n"}} | changes)
    assert told.value.errors()[0]["msg"].startswith(f"Value error, {message}")


def test_what_datasets_gives_too(mirror: Path, tmp_path: Path):
    """Nothing is read otherwise than by those who load it: texts, classes by their names, lists, structs."""
    datasets = pytest.importorskip("datasets")
    label = datasets.ClassLabel(names=["neg", "pos"])
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": label,
            "tags": datasets.List(label),
            "of": {"en": datasets.Value("string"), "n": datasets.Value("int32")},
        }
    )
    rows = [
        {"text": f"text {n}", "label": n % 3 - 1, "tags": [n % 2, 1], "of": {"en": f"en {n}", "n": n}} for n in range(9)
    ]
    for name, part in (("train", rows[:6]), ("test", rows[6:])):
        datasets.Dataset.from_list(part, features=features).to_parquet(str(mirror / f"{name}.parquet"))
    theirs = datasets.load_dataset(str(mirror), cache_dir=str(tmp_path / "theirs"))
    named = {"label": ["neg", "pos"], "tags": ["neg", "pos"]}
    wanted = {"label": "label", "labels": "tags", "pair": "of.en", "attributes": ["of.n"]}
    files = {f"{name}.parquet": (mirror / f"{name}.parquet").read_bytes() for name in theirs}
    constants = {f"{name}.parquet": {"split": name} for name in theirs}
    sides = {name: name for name in theirs}
    p = source(mirror, files, classes=named, fields=wanted, constants=constants, sides=sides)
    ours = [one for one in items("hub", p, tmp_path) if isinstance(one, Row)]
    assert ours == [
        row(
            {
                "text": one["text"],
                "label": label.names[one["label"]] if one["label"] >= 0 else None,
                "labels": dict.fromkeys(map(label.int2str, one["tags"])),
                "pair": one["of"]["en"],
                "attributes": {"of.n": str(one["of"]["n"])},
                "split": split,
            }
        )
        for split in theirs
        for one in theirs[split]
    ]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.sampled_from(["a", "b", "0", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
)


@given(anything)
def test_any_value_is_a_name_or_nothing_or_told(value: Any):
    found = hub.meant(value, ("a", "b"))
    if not isinstance(value, list):
        assert found is None or found in {"a", "b"} or isinstance(found, hub.Nameless)
    elif not isinstance(found, hub.Nameless):
        assert len(found) == len(value)
