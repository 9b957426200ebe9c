"""Mojibake is mended as ftfy mends it, whichever way a text goes."""

import json
import os
from pathlib import Path

import ftfy
import pytest
from ftfy.chardata import CHARMAP_ENCODINGS, HTML_ENTITIES
from hypothesis import example, given
from hypothesis import strategies as st

from stages.cleaners import mojibake
from stages.core import web

P = mojibake.Params()
FTFY = "https://raw.githubusercontent.com/rspeer/python-ftfy/74dd0452b48286a3770013b3a02755313bd5575e/tests/test-cases"
CASES = {
    "in-the-wild": "f72996a0e4d50ae01c8057cd5247c03dcb77cc5049c09c2227db9d98a90b7212",
    "synthetic": "260cce934da5aeb5564587e26f4ef8fb4f0f9933a58271355748c9fd6e0c4df3",
}


def misread(text: str, encoding: str) -> str:
    """UTF-8 that was read as something else."""
    return text.encode("utf-8", "surrogatepass").decode(encoding, "replace")


words = st.text(
    alphabet=st.sampled_from("aàéÉñœŒÂÃÎÐØÙßΒγВРж日本–—‘’“”…·×²½°£€¢§«»¿®™\u00a0\u00ad\u0301 ,.?x"), max_size=8
)
nasty = st.lists(
    words
    | st.text(max_size=6)
    | st.builds(misread, words, st.sampled_from(CHARMAP_ENCODINGS))
    | st.sampled_from(
        ["<", "&", ";", "&amp;", "&#39;", "&#x;", "&EACUTE;", "&nonsense;", "\n", "\r\n", "\x85", "\x1b[1m"]
    )
    | st.sampled_from(
        ["ﬁ", "Ａ", "ｱ", "\ud83d", "\udca9", "\ufeff", "\u2028", "\ufffd", "\x0c", "\x7f", "Ã ", "à²", "‚Äì"]
    )
    | st.sampled_from(sorted(HTML_ENTITIES)),
    max_size=8,
).map("".join)


@given(nasty)
@example("&lt; a <\n&lt; b")  # an entity goes or stays by what stands in lines before
@example("’Ã ’")
@example("e’\u0301")
@example("&1;")
@example("\nÂ ")  # the beginning of a line counts
@example("œ\n")  # and its end
def test_any_text_is_mended_as_ftfy_mends_it(text: str):
    assert mojibake.clean(text, P) == ftfy.fix_text(text)


@given(
    st.lists(st.characters(min_codepoint=0x80, max_codepoint=0xFFFF) | st.sampled_from(" aeZ.,"), max_size=4).map(
        "".join
    )
)
def test_what_is_side_by_side_is_judged_as_ftfy_judges_it(text: str):
    """Its own rule is asked only where two characters beyond ASCII meet, or one of four letters stands."""
    assert mojibake.clean(text, P) == ftfy.fix_text(text)


@pytest.mark.skipif("REPROLM_MIRRORS" not in os.environ, reason="REPROLM_MIRRORS names no mirror of the public data")
@pytest.mark.parametrize("name", CASES)
def test_the_cases_of_ftfy_itself(name: str, tmp_path: Path):
    cases = json.loads(web.fetched(f"{FTFY}/{name}.json", CASES[name], tmp_path).read_text(encoding="utf-8"))
    texts = [case[key] for case in cases for key in ("original", "fixed", "fixed-encoding") if key in case]
    assert len(texts) > 30
    assert [mojibake.clean(text, P) for text in texts] == [ftfy.fix_text(text) for text in texts]


def test_a_line_is_cut_where_ftfy_cuts_it():
    text = "é" + "x" * (mojibake.SEGMENT - 1) + "Â y"
    assert mojibake.clean(text, P) == ftfy.fix_text(text) == text.replace("Â ", "\u00a0")
