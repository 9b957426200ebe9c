"""JSON documents: records at a path, and whatever else a document may hold."""

import gzip
import json as standard
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.faults import Fault
from stages.sources import json
from tests.sources.reading import cases, file, needs_mirror, read, table, write

ARXIV = file(
    "https://raw.githubusercontent.com/Vincentqyw/cv-arxiv-daily/caa189d41de8e1c6faeb4a69d655d55dcd9efbda/docs/cv-arxiv-daily-web.json",
    sha256="c0588c1c2e2bd77400f42c5bcadd7be1a0c14c9dfae6f90a64395db1e1d4576a",
)
PRESIDIO = file(
    "https://raw.githubusercontent.com/microsoft/presidio-research/7622dec1e5f7d25dc60b57c28c39f4c4af197018/data/synth_dataset_v2.json",
    sha256="ec08a771ba8135314cafb60752b2295212222ba3a4cd75d73811839c699e0012",
)
FTFY = file(
    "https://raw.githubusercontent.com/rspeer/python-ftfy/74dd0452b48286a3770013b3a02755313bd5575e/tests/test-cases/in-the-wild.json",
    sha256="f72996a0e4d50ae01c8057cd5247c03dcb77cc5049c09c2227db9d98a90b7212",
)
BOLD = "https://raw.githubusercontent.com/amazon-science/bold/3ad652c773f5d1e30d5f6f61657ed934d768ecad/prompts"
PROMPTS = {
    "gender": "a863aaf2492e3c911c39f435005abee2eba5f5edabe836e97de110cd83273054",
    "political_ideology": "a83ea7cc272971b618231e13bcb5c1d1be5b208c92135c4ffde85be31f8ab4c6",
    "profession": "5508012069f20419559417e64d8bb2b8d864ebf8afedd21e5ca564393c291794",
    "race": "200337f6c43b09671e580b1df6aea2cdc0196ee02779260e9881da07029e1cb6",
    "religious_ideology": "633830ea87d569e5476895a93f68b8f686cb0dcae6d67a1091a9247c5c4c931d",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "a", "$1", ""]) | st.text(), inner),
    max_leaves=8,
)


def source(
    *files: dict[str, Any], records: str | None = None, ends: dict[str, str] | None = None, **given: Any
) -> dict[str, Any]:
    return table(**given) | {"files": files, "records": records, "ends": ends}


@pytest.mark.parametrize("case", cases("json"))
def test_rows_and_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: dict[str, Any]):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, case["files"])
    one = file("t", case["members"]) if "members" in case else file(*case["files"])
    p = source(one, records=case["records"], ends=case.get("ends"), **case["table"])
    found = read(json, p, tmp_path / "cache")
    assert found.rows == case["rows"]
    assert found.rejects == case["rejects"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_other_encodings_of_json(tmp_path: Path, encoding: str):
    (tmp_path / "a.json").write_bytes('[{"text": "Café"}]'.encode(encoding))
    assert [row["text"] for row in read(json, source(file(tmp_path / "a.json")), tmp_path).rows] == ["Café"]


@pytest.mark.parametrize(
    ("content", "records", "message"),
    [
        (b'{"data": 1}', "date.*", "nothing at 'date.*'; there is: data; mend the file, or correct `records`"),
        (b'{"data": 1}', "data.*", "nothing at 'data.*'; there is: data; mend the file, or correct `records`"),
        (b"[1, 2", None, "not JSON: Expecting ',' delimiter: line 1 column 6 (char 5); mend the file, or correct"),
        (b'["\xff"]', None, "not JSON: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte; mend"),
        (b"[" * 10**6, None, "not JSON: nested too deep; mend the file, or correct"),
        (b"[" + b"1" * 5000 + b"x]", None, "not JSON: Exceeds the limit (4300 digits)"),
        (gzip.compress(b"[1, 2]", mtime=0)[:-9], None, "the file breaks off here: "),
        (b" " * 1001, None, "more than 1,000 bytes in one document; write a record a line, for kind jsonl; mend"),
    ],
)
def test_what_is_no_document_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, records: str | None, message: str
):
    if content.isspace():
        monkeypatch.setattr(json, "LARGEST", 1000)
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Fault) as told:
        read(json, source(file(tmp_path / "a.json"), records=records), tmp_path)
    assert str(told.value).startswith(f"{tmp_path}/a.json: {message}")


def test_what_is_nested_too_deep_costs_no_other_record(tmp_path: Path):
    records = (f'{{"text": "{n}", "more": {"[" * n}{"]" * n}}}' for n in (10, 1010, 20))
    write(tmp_path, {"a.json": f"[{','.join(records)}]"})
    found = read(json, source(file(tmp_path / "a.json"), attributes=("more",)), tmp_path)
    assert [row["text"] for row in found.rows] == ["10", "20"]
    assert [*found.rejects.values()] == ["'more' is nested too deep"]


@given(content=st.binary() | VALUES.map(lambda value: standard.dumps(value).encode("utf-8", "surrogatepass")))
@pytest.mark.parametrize("records", [None, "*", "*.*", "text.*", "0.a"])
def test_any_bytes_are_records_rejects_or_no_document(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, records: str | None
):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    try:
        read(json, source(file(path), records=records, attributes=("a", "$1", "$value"), spans="a"), path.parent)
    except Fault as fault:
        assert "mend the file, or correct `records` in params.yaml" in str(fault)  # noqa: PT017


@given(given=st.lists(st.fixed_dictionaries({"text": st.text(), "more": VALUES})))
def test_each_record_is_a_row_or_a_reject(tmp_path_factory: pytest.TempPathFactory, given: list[dict[str, Any]]):
    path = tmp_path_factory.getbasetemp() / "records.json"
    path.write_text(standard.dumps(given))
    found = read(json, source(file(path), attributes=("more",)), path.parent)
    assert len(found.rows) + len(found.rejects) == len(given)
    good = iter(one for n, one in enumerate(given, start=1) if f"{path}: record:{n}" not in found.rejects)
    assert [row["text"] for row in found.rows] == [one["text"] for one in good]


@needs_mirror
def test_arxiv(tmp_path: Path):
    """Class → id → a line of a table: an id may stand under several classes, so it is no key but a group."""
    found = read(json, source(ARXIV, records="*.*", text="$value", label="$1", group="$2"), tmp_path)
    assert (len(found.rows), found.rejects) == (9312, {})
    assert len({row["group"] for row in found.rows}) == 8563
    assert Counter(row["label"] for row in found.rows)["SLAM"] == 1419
    assert found.rows[0]["text"].startswith("|**2021-10-14**|**Active SLAM over Continuous Trajectory and Control")


@needs_mirror
def test_bold(tmp_path: Path):
    files = [file(f"{BOLD}/{name}_prompt.json", None, sha256, domain=name) for name, sha256 in PROMPTS.items()]
    found = read(json, source(*files, records="*.*", text="$value", label="$1", group="$2"), tmp_path)
    assert (len(found.rows), found.rejects) == (23_679, {})
    assert len({row["label"] for row in found.rows}) == 43


@needs_mirror
def test_presidio(tmp_path: Path):
    ends = {"start": "start_position", "end": "end_position", "label": "entity_type"}
    p = source(PRESIDIO, text="full_text", spans="spans", group="template_id", attributes=("masked",), ends=ends)
    found = read(json, p, tmp_path)
    assert (len(found.rows), found.rejects) == (1500, {})
    assert sum(len(row["spans"]) for row in found.rows) == 2863
    first = found.rows[0]
    assert [first["text"][one["start"] : one["end"]] for one in first["spans"]] == [
        "6750 Koskikatu 25 Apt. 864\nArtilleros\n, CO\n Uruguay 64677",
        "Persint",
    ]


@needs_mirror
def test_ftfy(tmp_path: Path):
    found = read(json, source(FTFY, text="original", targets="fixed", attributes=("label", "expect")), tmp_path)
    assert (len(found.rows), found.rejects) == (70, {})
    assert found.rows[0]["targets"] == ["He's Justin❤"]
