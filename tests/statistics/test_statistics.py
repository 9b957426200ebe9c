"""Statistics: hand-made cases, and that numba changes no bit of them."""

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.core.buffers import Texts
from stages.core.figures import Batch
from stages.shell import plugins
from stages.shell.closure import ROOT
from stages.shell.params import check, frozen, read

CASES: list[dict[str, Any]] = YAML(typ="safe").load(ROOT / "tests/cases/statistics.yaml")
TREE = read(ROOT / "params.yaml")
SETTINGS = check(TREE).values["statistics"]
PLAIN = ("lexical", "readability", "gopher", "fineweb", "c4")  # what learns nothing and has no model
# Of each kind of character some, of signs that mean something the more.
PIECES = st.sampled_from(
    [
        *"abeEZé1٣ .,!?\"']#-•…{}\n\r\t\0\x0b\x85\u2028\u3000日本。ーไทยี\u0301\u093f",
        *("the ", "of ", "...", "\n\n", "\r\n", "[1]", "[edit]", "lorem ipsum", "JavaScript", "use cookies"),
        *("a line of words.\n", "one two three four five six "),
    ]
)
TEXTS = st.lists(st.lists(PIECES, max_size=30).map("".join), min_size=1, max_size=4)


def described(kind: str, texts: list[str], fast: bool = False, **other: Any) -> dict[str, list[Any]]:
    """The figures of texts, under the committed parameters."""
    plugin = plugins.load("statistics", kind)
    batch = Batch([f"{n:016x}" for n in range(len(texts))], Texts.of(texts), fast)
    p = SETTINGS.get(kind) or plugin.Params()
    return {name: list(values) for name, values in plugin.described(batch, p.model_copy(update=other), None).items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_cases(case: dict[str, Any]) -> None:
    for kind, expected in case["expect"].items():
        found = described(kind, [case["text"]])
        assert {name: found[name][0] for name in expected} == pytest.approx(expected, rel=1e-12), kind


def test_texts_beside_each_other_do_not_touch() -> None:
    texts = [case["text"] for case in CASES]
    for kind in PLAIN:
        each = [described(kind, [text]) for text in texts]
        assert described(kind, texts) == {name: [one[name][0] for one in each] for name in each[0]}


@pytest.mark.parametrize("kind", ["gopher", "fineweb", "c4"])
@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_numba_changes_no_bit(kind: str, texts: list[str]) -> None:
    assert described(kind, texts, fast=True) == described(kind, texts)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_words_are_those_of_a_regular_expression(texts: list[str]) -> None:
    found = described("lexical", texts)
    plain = [re.sub("[\u0301\u093f\u0e35ーไท日本ย]", "", text) for text in texts]
    again = described("lexical", plain)
    words = [re.findall(r"\w+", text) for text in plain]
    assert again["words"] == list(map(len, words))
    assert found["characters"] == [len(text) for text in texts]
    different = [len({word.lower() for word in one}) for one in words]
    assert again["distinct_word_share"] == [n / max(len(one), 1) for n, one in zip(different, words, strict=True)]


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_tokens_are_those_of_split(texts: list[str]) -> None:
    plain = [re.sub("[ーไท日本ย]", "", text) for text in texts]
    batch = Batch(["0"] * len(plain), Texts.of(plain), fast=False)
    begins, ends, bounds = batch.tokens
    found = [batch.text[begin:end] for begin, end in zip(begins, ends, strict=True)]
    assert found == [word for text in plain for word in text.split()]
    assert np.diff(bounds).tolist() == [len(text.split()) for text in plain]


def shares(words: list[str], text: str) -> dict[str, float]:
    """Gopher's shares of n-grams, as one would write them down."""
    found: dict[str, float] = {}
    for n in range(2, 11):
        grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        seen, at, again = set[tuple[str, ...]](), 0, 0
        while at < len(grams):
            known = grams[at] in seen
            seen.add(grams[at])
            again += len("".join(grams[at])) * known
            at += n if known else 1
        best = Counter(grams).most_common(1)
        if n <= 4:
            found[f"gopher_top_{n}_gram"] = sum(len(" ".join(gram)) * count for gram, count in best) / len(text)
        else:
            found[f"gopher_repeated_{n}_grams"] = again / len(text)
    return found


@settings(max_examples=200, deadline=None)
@given(words=st.lists(st.sampled_from(["a", "bb", "ab", "b", "c"]), min_size=1, max_size=60))
def test_n_grams_are_those_of_tuples(words: list[str]) -> None:
    text = " ".join(words)
    found = described("gopher", [text])
    expected = shares(words, text)
    assert {name: found[name][0] for name in expected} == expected


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=3))
def test_every_text_has_every_figure(texts: list[str]) -> None:
    for kind in PLAIN:
        found = described(kind, texts)
        assert list(found) == list(plugins.load("statistics", kind).COLUMNS)
        assert all(np.isfinite(one).all() and len(one) == len(texts) for one in found.values())
        assert all(0 <= share <= 1 for name in found if name.endswith("_share") for share in found[name])


@pytest.mark.parametrize("fast", [True, False])
def test_a_text_of_megabytes(fast: bool) -> None:
    size = 10**7 if fast else 10**5
    text = "The same words, and a newline.\n" * (size // 31)
    lines = text.count("\n")
    found = {kind: {name: values[0] for name, values in described(kind, [text], fast).items()} for kind in PLAIN}
    assert found["lexical"]["words"] == found["gopher"]["gopher_words"] == 6 * lines
    assert found["gopher"]["gopher_repeated_lines"] == pytest.approx(1, abs=1e-3)
    assert found["gopher"]["gopher_repeated_10_grams"] == pytest.approx(25 / 31, abs=1e-3)
    assert found["c4"]["c4_kept_lines"] == found["c4"]["c4_sentences"] == lines


def test_stop_words_are_declared() -> None:
    assert described("gopher", ["der Satz und das Wort"], stop_words=("der", "und", "ein"))["gopher_stop_words"] == [2]
    assert described("gopher", ["der Satz"], stop_words=())["gopher_stop_words"] == [0]


def limits(kind: str) -> dict[str, Any]:
    """The limits that the head of a kind gives as those of its paper."""
    told = plugins.load("statistics", kind).__doc__ or ""
    return YAML(typ="safe").load("\n".join(re.findall(rf"^    {kind}_.*$", told, re.MULTILINE)))


@pytest.mark.parametrize(("kind", "count"), [("gopher", 21), ("fineweb", 4), ("c4", 3)])
def test_the_limits_of_the_papers_are_right(kind: str, count: int) -> None:
    changed = {"features": {"statistics": (kind,)}, "filter": {"limits": limits(kind), "values": {}}}
    assert check(TREE | changed).faults == []
    assert len(limits(kind)) == count


def test_no_two_kinds_have_a_figure_of_one_name() -> None:
    names = [name for kind in plugins.names("statistics") for name in plugins.load("statistics", kind).COLUMNS]
    assert len(set(names)) == len(names) and not {"id", "given"} & set(names)


@pytest.mark.parametrize("kind", plugins.names("statistics"))
def test_params_yaml_names_every_kind(kind: str) -> None:
    line = next(one for one in (ROOT / "params.yaml").read_text().splitlines() if one.startswith("  statistics: ["))
    assert re.search(rf"\b{kind}\b", line)


def test_a_language_and_how_sure_it_is() -> None:
    german = "Dieser Satz ist lang genug, um an ihm die Sprache zu erkennen."
    found = described("language", [german, "kurz", "", "日本語の文章です。" * 10])
    assert found["language"] == ["de", "too short to tell", "too short to tell", "ja"]
    assert 0.9 < found["language_score"][0] <= 1 and found["language_score"][1:3] == [0.0, 0.0]


def test_the_readme_tells_every_kind() -> None:
    told = (ROOT / "README.md").read_text().partition("### What is worth learning from")[2].partition("\n### ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", told, re.MULTILINE)) == plugins.names("statistics")
    example = YAML(typ="safe").load(told.partition("```yaml\n")[2].partition("```")[0])
    assert check(frozen(TREE | example)).faults == []
