"""Conversations as plain text, and their last answers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core.records import Reject, Row
from stages.sources import chat
from tests.sources.tables import file, items, parameters, row

CASES = Path(__file__).parent.parent / "cases" / "sources"
ROLES = {name: name for name in ("system", "user", "assistant")}
SETTINGS: dict[str, Any] = {"turns": "messages", "role": "role", "content": "content", "roles": ROLES}
SETTINGS["target"] = "assistant"


def read(path: Path, lines: str | bytes, /, **settings: Any) -> tuple[list[Row], list[Reject]]:
    constants = settings.pop("constants", {})
    declared = [file(path, lines, **constants)]
    found = list(items("chat", parameters("chat", files=declared, **SETTINGS | settings), path))
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Reject)]


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "chat.yaml"), ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    path = tmp_path / "a.jsonl"
    rows, rejects = read(path, "\n".join(map(json.dumps, case["lines"])), **case.get("settings", {}))
    assert rows == [row(told) for told in case["rows"]]
    assert rejects == [Reject(f"{path}:{line}", reason) for line, reason in case.get("rejects", {}).items()]


def test_blank_lines_and_what_is_no_json(tmp_path: Path):
    line = json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    rows, rejects = read(tmp_path / "a.jsonl", f"\n{line}\r\n  \n{line[:-3]}\n{line}")
    assert [one.targets for one in rows] == [("b",), ("b",)]
    assert [one.place for one in rejects] == [f"{tmp_path}/a.jsonl:4"]
    assert rejects[0].reason.startswith("not JSON: ")


def test_constants_of_a_file(tmp_path: Path):
    line = json.dumps({"messages": [{"role": "user", "content": "a"}]})
    constants = {"split": "test", "group": "g", "language": "en"}
    rows, _ = read(tmp_path / "a.jsonl", line, target=None, constants=constants)
    attributes = {"turns": "1", "language": "en"}
    assert rows == [row({"text": "user: a", "split": "test", "group": "g", "attributes": attributes})]


def test_more_than_a_batch(tmp_path: Path):
    lines = [json.dumps({"messages": [{"role": "user", "content": f"{n}"}]}) for n in range(chat.BATCH + 5)]
    rows, _ = read(tmp_path / "a.jsonl", "\n".join(lines), target=None)
    assert [one.text for one in rows] == [f"user: {n}" for n in range(chat.BATCH + 5)]


TURNS = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1)), max_size=6)


@given(TURNS)
def test_text_and_target_are_the_conversation(turns: list[tuple[str, str]]):
    """Up to its last answer."""
    whole, asked = chat.told(turns, None), chat.told(turns, "assistant")
    assert isinstance(whole, chat.Conversation)
    if isinstance(asked, chat.Conversation):
        assert whole.text.startswith(f"{asked.text} {asked.target}")
    else:
        assert "assistant" not in [role for role, _ in turns[1:]]


VALUE: Any = st.recursive(
    st.none() | st.text(max_size=3) | st.sampled_from(["user", "assistant"]) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "role", "content"]), inner)
    ),
)


@given(st.binary() | st.lists(VALUE).map(lambda lines: "\n".join(map(json.dumps, lines)).encode()))
def test_whatever_comes_is_rows_and_rejects(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    rows, rejects = read(tmp_path_factory.mktemp("a") / "a.jsonl", content)
    assert len(rows) + len(rejects) <= content.count(b"\n") + 1
    assert all(one.text and one.targets for one in rows)


def test_the_target_is_a_role(tmp_path: Path):
    with pytest.raises(ValidationError, match="target 'bot' is none of roles: system, user, assistant"):
        read(tmp_path / "a.jsonl", "", target="bot")
