"""Cleaning: the declared steps in the declared order; what has no letter left goes with a reason."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages import clean
from stages.clean import Params
from stages.cleaners import mask, unicode
from stages.core.faults import Fault
from stages.core.params import Section
from stages.core.records import Document, Drop, Span, write_documents, write_drops
from stages.core.spans import surfaces
from stages.engines.serial import Serial
from stages.shell.engine import Engine

SETTINGS: dict[str, Any] = {
    "mask": mask.Params(terms=("numpy", "np"), token="library"),
    "whitespace": Section(),
    "markup": Section(),
    "mojibake": Section(),
    "unicode": unicode.Params(form="NFKC"),
}
ALL = Params(steps=("mojibake", "markup", "mask", "whitespace"), settings=SETTINGS)
# What the steps look for, cut into pieces that fit together in all ways.
PIECES = st.sampled_from(
    [
        "`",
        "``",
        ":func:`",
        "~a.b.",
        "**",
        "*",
        "[1]_",
        "Paris",
        "np",
        "é",
        "e\u0301",
        "Ã¼",
        "âœ”",
        "&amp;",
        "<b>",
        " ",
        "  \n",
        "_",
    ]
)


def document(text: str) -> Document:
    return Document("1", text, "label", "docs", None, None, {})


def test_steps_come_in_the_declared_order() -> None:
    p = Params(steps=("markup", "mask", "whitespace"), settings=SETTINGS)
    assert clean.clean("Use  :func:`dot` of\n``np``.", p) == "Use dot of library."
    assert clean.clean("a  b", Params(steps=(), settings={})) == "a  b"


def test_what_has_no_letter_left_is_dropped_with_a_reason() -> None:
    p = Params(steps=("whitespace",), settings=SETTINGS)
    texts = ["日本", "é", "12 + 3", "", "…"]
    documents = [document(text)._replace(id=str(n)) for n, text in enumerate(texts)]
    kept, dropped = clean.cleaned(documents, p)
    assert [one.text for one in kept] == ["日本", "é"]
    assert dropped == [Drop(one, "no letter left after cleaning") for one in "234"]


def test_only_the_text_changes_and_the_label_is_not_read() -> None:
    p = Params(steps=("mask",), settings=SETTINGS)
    before = document("numpy arrays")
    (after,), _ = clean.cleaned([before], p)
    assert after == before._replace(text="library arrays")
    (other,), _ = clean.cleaned([before._replace(label="numpy")], p)
    assert other.text == after.text and other.label == "numpy"


def annotated(marked: str) -> Document:
    """A document whose spans stand between { and }."""
    parts = re.split("[{}]", marked)
    ends = [sum(map(len, parts[:n])) for n in range(1, len(parts))]
    return document("".join(parts))._replace(
        spans=tuple(Span(start, end, "place") for start, end in zip(ends[::2], ends[1::2], strict=True))
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("see  ``{Paris}``,\n**{Rome}{ and}**", "see {Paris}, {Rome} {and}"),
        ("{MÃ¼nchen} âœ” {Köln}", "{München} ✔ {Köln}"),
        ("{:class:`~a.b.Paris`} of {numpy}", "{Paris} of {library}"),
        ("a { Paris } b", "a {Paris} b"),
        ("[1]_ {Paris}, {Cafe\u0301}", "{Paris}, {Café}"),
        ("no place", "no place"),
    ],
)
def test_spans_go_along_with_their_words(before: str, after: str) -> None:
    (kept,), _ = clean.cleaned([annotated(before)], ALL)
    assert [kept.text[span.start : span.end] for span in kept.spans or ()] == re.findall("{(.*?)}", after)
    assert kept == annotated(after)._replace(text=kept.text, spans=kept.spans)
    assert kept.text == annotated(after).text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("of the {ﬁle} x²", "of the {file} x2"),
        ("{Cafe\u0301}{ﬀ} ²", "{Café}{ff} 2"),
        ("x{²}y", "x{2}y"),
        ("Caf{e}\u0301", None),  # half of what becomes one character
    ],
)
def test_spans_go_along_with_their_characters_into_another_form(before: str, after: str | None) -> None:
    kept, dropped = clean.cleaned([annotated(before)], Params(steps=("unicode",), settings=SETTINGS))
    assert kept == ([annotated(after)] if after else [])
    assert [drop.reason for drop in dropped] == ([] if after else ["a span lost in cleaning"])


@pytest.mark.parametrize(
    "before",
    [
        "cited [{Paris}]_ of Paris",  # the word that stays is another one
        "Caf{e}\u0301",  # half of what becomes one character
        "Use :func:`~{a.b}.dot`",
        "a{ }b",
    ],
)
def test_a_span_that_is_lost_takes_its_document_along(before: str) -> None:
    assert clean.cleaned([annotated(before)], ALL) == ([], [Drop("1", "a span lost in cleaning")])


@given(st.lists(st.tuples(PIECES, st.booleans()), max_size=12), st.permutations(ALL.steps))
def test_no_span_is_ever_silently_wrong(pieces: list[tuple[str, bool]], steps: list[str]) -> None:
    before = annotated("".join(f"{{{piece}}}" if spanned else piece for piece, spanned in pieces))
    p = Params(steps=tuple(steps), settings=SETTINGS)
    kept, dropped = clean.cleaned([before], p)
    assert len(kept) + len(dropped) == 1
    for after in kept:
        assert after.text == clean.clean(before.text, p)
        assert all(span.start < span.end for span in after.spans or ())
        words = [clean.clean(one, p).strip() for one in surfaces(before.text, before.spans)]
        assert [after.text[span.start : span.end] for span in after.spans or ()] == words


@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=5))
def test_neighbours_and_order_make_no_difference(texts: list[str]) -> None:
    documents = [document(text)._replace(id=str(n)) for n, text in enumerate(texts)]
    kept, dropped = clean.cleaned(documents, ALL)
    alone = [clean.cleaned([one], ALL) for one in documents[::-1]]
    assert kept == [one for single, _ in alone for one in single][::-1]
    assert dropped == [one for _, single in alone for one in single][::-1]


def test_no_document_left_is_a_fault(tmp_path: Path) -> None:
    documents = [document("12")._replace(id="1"), annotated("a{ }b")._replace(id="2"), document("3")._replace(id="3")]
    name, attributes = "000-docs-00000.parquet", pa.struct([("none", pa.string())])
    write_documents(tmp_path / "ingest" / name, documents, attributes)
    write_drops(tmp_path / "dedup" / name, [])
    with pytest.raises(Fault) as fault:
        clean.stage(Engine(Serial(), tmp_path), ALL, tmp_path / "ingest", tmp_path / "dedup", tmp_path / "clean")
    assert str(fault.value) == (
        "no document is left (no letter left after cleaning: 2, a span lost in cleaning: 1); "
        "take a step out of clean.steps or mend its parameters"
    )


def test_a_side_that_the_source_gives_is_never_thinned() -> None:
    bare = Document("a", "1 2 3", None, "s", None, None, {})
    assert isinstance(clean.mended(bare, ALL), Drop)
    assert clean.mended(bare._replace(split="train"), ALL) == clean.mended(bare, ALL)
    for side in ("validation", "test"):
        held = bare._replace(split=side)
        assert clean.mended(held, ALL) == held
