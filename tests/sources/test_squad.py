"""Questions and answers: spans to the character, and what is said of those that stand elsewhere."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.core.hashing import stable_hash
from stages.core.records import Reject, Row
from stages.core.spans import wrong
from stages.sources import squad
from tests.sources.tables import file, items, parameters, row

CASES = Path(__file__).parent.parent / "cases" / "sources"
CONTEXT = "Ada Lovelace met Charles."
GITHUB = "https://raw.githubusercontent.com"
XQUAD = f"{GITHUB}/google-deepmind/xquad/7d30520c717524000f0d9d2f9c10a069acd9d285/xquad.en.json"
COVID = (
    f"{GITHUB}/deepset-ai/COVID-QA/fb2eb5e249618457e5359806601086c635c8eb8f/data/question-answering/200423_covidQA.json"
)
mirrored = pytest.mark.skipif("REPROLM_MIRRORS" not in os.environ, reason="REPROLM_MIRRORS names no mirror")


def read(path: Path, content: Any, shift: int = 3, **constants: str) -> tuple[list[Row], list[Reject]]:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return told(parameters("squad", files=[file(path, content, **constants)], shift=shift), path)


def told(p: Any, cache: Path) -> tuple[list[Row], list[Reject]]:
    found = list(items("squad", p, cache))
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Reject)]


def article(context: Any, *asked: Any, title: Any = "T") -> dict[str, Any]:
    return {"data": [{"title": title, "paragraphs": [{"context": context, "qas": list(asked)}]}]}


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "squad.yaml"), ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    path, context = tmp_path / "a.json", case.get("context", CONTEXT)
    rows, rejects = read(path, article(context, *case["qas"]))
    shared = {"text": context, "group": f"{stable_hash(context):016x}", "attributes": {"title": "T", "moved": None}}
    assert rows == [row(shared | one) for one in case["rows"]]
    place = f"{path}:data.0.paragraphs.0"
    assert rejects == [Reject(f"{place}.{where}", reason) for where, reason in case.get("rejects", {}).items()]


def test_without_a_shift_nothing_is_looked_for(tmp_path: Path):
    asked = {"id": "a", "question": "q", "answers": [{"text": "Ada", "answer_start": 1}]}
    reason = "an answer that is not in the context within 0 characters of its place"
    assert read(tmp_path / "a", article(CONTEXT, asked), shift=0)[1][0].reason == reason


@pytest.mark.parametrize(
    ("content", "where", "reason"),
    [
        ([], "", "no object with fields"),
        ({"data": {}}, "", "no list 'data'"),
        ({"data": [[]]}, ":data.0", "no object with fields"),
        ({"data": [{"paragraphs": [{"context": "a"}]}]}, ":data.0.paragraphs.0", "no list 'qas'"),
        (b'{"data":\n [}', ":2", "not JSON: unexpected character, expected a JSON value (column 3)"),
    ],
)
def test_other_json(tmp_path: Path, content: Any, where: str, reason: str):
    assert read(tmp_path / "a.json", content) == ([], [Reject(f"{tmp_path}/a.json{where}", reason)])


def test_a_file_may_be_too_large_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert read(tmp_path / "a", b"\x1f\x8b\x08\0")[1][0].reason.startswith("the file breaks off here: ")
    monkeypatch.setattr(squad, "LARGEST", 9)
    assert read(tmp_path / "a", {"data": []})[1] == [Reject(f"{tmp_path}/a", "more than 9 bytes; divide the file")]


def test_constants_of_a_file(tmp_path: Path):
    asked = {"id": "a", "question": "q", "answers": []}
    content = b"\xef\xbb\xbf" + json.dumps(article(CONTEXT, asked, title=3)).encode()
    (found,), _ = read(tmp_path / "a.json", content, split="test", label="l", group="g", language="en")
    assert (found.split, found.label, found.group) == ("test", "l", "g")
    assert found.attributes == {"title": "3", "moved": None, "language": "en"}


LEAF: Any = st.none() | st.integers(-5, 30) | st.text("aA \nb", max_size=6) | st.booleans() | st.just([])
ANSWER = st.fixed_dictionaries({}, optional={"text": LEAF, "answer_start": LEAF}) | LEAF
ASKED = st.fixed_dictionaries(
    {}, optional={"id": LEAF, "question": LEAF, "answers": st.lists(ANSWER) | LEAF, "is_impossible": LEAF}
)


@given(st.binary() | st.builds(article, st.text("aA \nb") | LEAF, ASKED | LEAF, ASKED, title=LEAF))
def test_whatever_comes_is_rows_and_rejects(tmp_path_factory: pytest.TempPathFactory, content: Any):
    rows, rejects = read(tmp_path_factory.mktemp("a") / "a.json", content)
    for one in rows:
        assert wrong(one.spans or (), one.text) is None
        assert [one.text[span.start : span.end] for span in one.spans or ()] == list((one.targets or ())[:1])
    assert len(rows) + len(rejects) == (1 if isinstance(content, bytes) else 2)


@mirrored
@pytest.mark.parametrize(
    ("url", "sha256", "shift", "counts"),
    [
        (XQUAD, "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29", 0, (1190, 240, 0, {})),
        (COVID, "ab310b4e39f726e087c8fa3d1787c73771dacddc584977204ebe3cc889ee1264", 0, (1146, 97, 234, {})),
        (
            COVID,
            "ab310b4e39f726e087c8fa3d1787c73771dacddc584977204ebe3cc889ee1264",
            5,
            (1380, 98, 0, {"-1": 196, "3": 28, "2": 10}),
        ),
    ],
)
def test_real_questions(tmp_path: Path, url: str, sha256: str, shift: int, counts: Any):
    """Questions, contexts, rejects, and how far away answers were found (234 of covid_qa)."""
    pinned = {"at": url, "sha256": sha256, "members": None, "constants": {}}
    rows, rejects = told(parameters("squad", files=[pinned], shift=shift), tmp_path)
    moved = Counter(one.attributes["moved"] for one in rows if one.attributes["moved"])
    assert (len(rows), len({one.group for one in rows}), len(rejects), dict(moved)) == counts
    assert all(
        one.text[one.spans[0].start : one.spans[0].end] == one.targets[0] for one in rows if one.spans and one.targets
    )
