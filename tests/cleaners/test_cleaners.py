"""Each cleaner by its cases, and by what must hold for any text."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.cleaners import markup, mask, misspellings, mojibake, pii, unicode, whitespace

CASES = Path(__file__).parent.parent / "cases" / "cleaners"
MASK = mask.Params(
    terms=("numpy", "np", "scipy", "pandas", "scikit", "scikit-learn", "hugging face", "matplotlib", "pyplot"),
    token="library",
)
CLEANERS: dict[str, tuple[Any, Any]] = {
    "markup": (markup, markup.Params()),
    "mask": (mask, MASK),
    "misspellings": (
        misspellings,
        misspellings.Params(words={"teh": "the", "recieved": "received", "wich": "which"}),
    ),
    "mojibake": (mojibake, mojibake.Params()),
    "pii": (pii, pii.Params(kinds=tuple(pii.KINDS), replace="tag", key_sha256=None)),
    "unicode": (unicode, unicode.Params(form="NFC")),
    "whitespace": (whitespace, whitespace.Params()),
}


def cases() -> list[Any]:
    read = {path.stem: YAML(typ="safe").load(path) for path in sorted(CASES.glob("*.yaml"))}
    return [
        pytest.param(name, case["text"], case["expected"], id=f"{name}: {case['comment']}")
        for name, table in read.items()
        for case in table
    ]


@pytest.mark.parametrize(("name", "text", "expected"), cases())
def test_case(name: str, text: str, expected: str):
    cleaner, p = CLEANERS[name]
    assert cleaner.clean(text, p) == expected
    assert cleaner.clean(expected, p) == expected


texts = st.text() | st.lists(
    st.sampled_from(
        ["`", "``", ":class:", "~", "*", "**", "<b>", "[1]_", "::", " ", "x", "a.b", "[", "](", ")", "np", "_", "é"]
    )
).map("".join)


@pytest.mark.parametrize("name", CLEANERS)
@given(text=texts)
def test_any_text_gives_a_text(name: str, text: str):
    cleaner, p = CLEANERS[name]
    assert isinstance(cleaner.clean(text, p), str)


@given(texts)
def test_whitespace_is_done_after_once(text: str):
    p = whitespace.Params()
    once = whitespace.clean(text, p)
    assert whitespace.clean(once, p) == once
    assert once == once.strip()
    assert "  " not in once


@given(texts)
def test_markup_leaves_no_backtick(text: str):
    assert "`" not in markup.clean(text, markup.Params())


def test_the_wider_form_also_makes_signs_letters():
    assert unicode.clean("\ufb01le x\u00b2 \uff21", unicode.Params(form="NFKC")) == "file x2 A"


@given(st.lists(st.sampled_from([*MASK.terms, "Numpy", "input", ".", "_", " ", "-", "\n", "x"])).map("".join))
def test_mask_leaves_no_term_and_is_done_after_once(text: str):
    once = mask.clean(text, MASK)
    assert not mask.pattern(MASK.terms).search(once)
    assert mask.clean(once, MASK) == once


def test_mask_without_terms_changes_nothing():
    assert mask.clean("numpy", mask.Params(terms=(), token="library")) == "numpy"


def test_mask_refuses_a_token_that_is_a_term():
    with pytest.raises(ValidationError, match="the token 'a numpy' has one of the terms in it; choose another"):
        mask.Params(terms=("numpy",), token="a numpy")
