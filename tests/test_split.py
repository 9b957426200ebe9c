"""Every way to split: what is alike is on one side, sizes are met, what comes later moves nothing; leaks are told."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core import shingles
from stages.core.faults import Fault
from stages.core.params import Section
from stages.core.records import Document
from stages.core.sides import Item, Sides, Sizes
from stages.engines import process
from stages.splitters import k_fold, source, stratified, temporal
from stages.splitters import random as by_hash
from tests.splits import LEAKAGE, outcome, parameters

EXAMPLES = settings(max_examples=25, deadline=None)
Method = Callable[[Sequence[Item]], Sides]
NONE = Section()
DATED = temporal.Params(attribute="date", undated="train")
SHARES = Sizes(validation=0.1, test=0.3)


def method(module: ModuleType, validation: Any, test: Any, p: Any = NONE) -> Method:
    """A way to split, with its sizes."""
    return lambda items: module.sides(items, Sizes(validation=validation, test=test), p, 1)


# What each promises of documents that come later.
STABLE: dict[str, Method] = {
    "random": method(by_hash, 0.1, 0.3),
    "dates": method(temporal, "2003", "2006", DATED),
    "dates, or it goes": method(temporal, "2003", "2006", temporal.Params(attribute="date", undated="drop")),
    "source": method(source, 0.2, 0.2, source.Params(validation=(), test=("t",))),
}
OTHERS: dict[str, Method] = {
    "stratified": method(stratified, 0.1, 0.3),
    "counts": method(by_hash, 1, 2),
    "counts of labels": method(stratified, 1, 2),
    "folds": method(k_fold, 0.1, 0.5, k_fold.Params(fold=1)),
    "newest": method(temporal, 0.1, 0.3, DATED),
}


# So many that no method lacks any: all sources, dates of all sides; the last four stay alone.
FIRST = [Item(f"first {n}", "x", source="tuv"[n % 3], value=f"200{n}") for n in range(10)]


@st.composite
def corpora(draw: st.DrawFn) -> list[Item]:
    """Documents with ties of all kinds; clusters as dedup finds them, also by way of what goes before split."""
    items = list(FIRST)
    roots: dict[str, str] = {item.id: item.id for item in items}
    for n in range(draw(st.integers(0, 25))):
        near = draw(st.lists(st.sampled_from([*items[:6], *items[len(FIRST) :]]), max_size=2))
        joins = tuple(dict.fromkeys(roots[one.id] for one in near))
        name = f"{n}"
        roots |= {one: joins[0] for one, root in roots.items() if root in joins} | {name: joins[0] if joins else name}
        items.append(
            Item(
                name,
                draw(st.sampled_from(["x", "y", None])),
                tuple(f"group {tie}" for tie in draw(st.lists(st.integers(0, 6), max_size=2))),
                draw(st.sampled_from([None] * 6 + ["train"])),
                joins=joins,
                source=draw(st.sampled_from("uv")),
                value=draw(st.sampled_from([None, "soon", *(f"200{year}" for year in range(9))])),
                here=draw(st.sampled_from([True, True, True, False])),
            )
        )
    return [item._replace(cluster=roots[item.id]) for item in items]


def tied_sides(items: Sequence[Item], side_of: dict[str, str]) -> list[tuple[str, str]]:
    """The sides of documents, each beside that of the first with the same tie."""
    holders: dict[str, str] = {}
    keys = (
        (key, side_of[item.id]) for item in items if item.id in side_of for key in (*item.ties, *item.joins, item.id)
    )
    return [(holders.setdefault(key, side), side) for key, side in keys]


@EXAMPLES
@given(corpora())
@pytest.mark.parametrize("name", [*STABLE, *OTHERS])
def test_what_is_tied_is_on_one_side_and_all_are_accounted_for(name: str, items: list[Item]) -> None:
    side_of, drops = (STABLE | OTHERS)[name](items)
    assert all(one == other for one, other in tied_sides(items, side_of))
    assert not side_of.keys() & drops.keys()
    assert side_of.keys() | drops.keys() == {item.id for item in items if item.here}


@EXAMPLES
@given(corpora(), st.data())
@pytest.mark.parametrize("name", STABLE)
def test_what_comes_later_moves_nothing(name: str, items: list[Item], data: st.DataObject) -> None:
    before = data.draw(st.integers(len(FIRST), len(items)))
    old, now = STABLE[name](items[:before]), STABLE[name](items)
    assert {one: now.side_of.get(one) for one in old.side_of} == old.side_of
    assert {one: now.drops.get(one) for one in old.drops} == old.drops


@EXAMPLES
@given(corpora(), st.lists(st.sampled_from([None, "train", "validation", "test"]), min_size=30, max_size=30))
@pytest.mark.parametrize("name", [*STABLE, *OTHERS])
def test_a_given_validation_or_test_side_is_never_thinned(
    name: str, items: list[Item], sides: list[str | None]
) -> None:
    items = [
        one._replace(given=side) if one.here else one for one, side in zip(items, [*[None] * 10, *sides], strict=False)
    ]
    side_of, _ = (STABLE | OTHERS)[name](items)
    assert all(side_of[item.id] == item.given for item in items if item.here and item.held)
    straddling = {pair for pair in tied_sides(items, side_of) if len(set(pair)) > 1}
    assert all(set(pair) == {"validation", "test"} for pair in straddling)


def test_a_newcomer_that_would_tie_two_sides_goes_and_so_does_what_is_near_it() -> None:
    items = [Item(f"{n}") for n in range(40)]
    side_of, _ = STABLE["random"](items)
    learned, judged = (next(item for item in items if side_of[item.id] == side) for side in ("train", "test"))
    bridge = Item("bridge", joins=(judged.id, learned.id))
    later = Item("later", joins=(judged.id,))
    other = Item("other", ties=("group 1",))
    now, drops = STABLE["random"]([*items, bridge, later, other])
    assert {one: now[one] for one in side_of} == side_of and "other" in now
    assert drops["bridge"] == ("bridge", "tied to documents on two sides", judged.id)
    assert drops["later"] == ("later", "tied to documents on two sides", "bridge")


def test_shares_by_hash_are_met_as_drawn() -> None:
    items = [Item(f"{n}", ties=(f"group {n // 2}",)) for n in range(20_000)]
    sizes = Counter(by_hash.sides(items, SHARES, NONE, 1).side_of.values())
    for side, share in (("validation", 0.1), ("test", 0.3)):
        spread = 2 * (share * (1 - share) * 10_000) ** 0.5
        assert abs(sizes[side] - 20_000 * share) < 4 * spread


@pytest.mark.parametrize("name", ["counts", "counts of labels"])
def test_counts_are_met_to_within_a_group(name: str) -> None:
    items = [Item(f"{n}", "xyz"[n % 3], (f"group {n // 2}",)) for n in range(3_000)]
    module = by_hash if name == "counts" else stratified
    sizes = Counter(module.sides(items, Sizes(validation=200, test=500), NONE, 1).side_of.values())
    off = 2 if name == "counts" else 3 * 2
    assert abs(sizes["validation"] - 200) <= off and abs(sizes["test"] - 500) <= off


def test_each_label_is_split_by_the_shares() -> None:
    items = [Item(f"{label}{n}", label) for label in "xy" for n in range(200)]
    side = stratified.sides(items, SHARES, NONE, 1).side_of
    for label in "xy":
        sizes = Counter(side[item.id] for item in items if item.label == label)
        assert sizes == {"train": 120, "validation": 20, "test": 60}


def test_each_document_is_in_test_once_over_all_folds() -> None:
    items = [Item(f"{n}", "xyz"[n % 3], (f"group {n // 2}",)) for n in range(150)]
    folds = [method(k_fold, 0.1, 0.2, k_fold.Params(fold=fold))(items).side_of for fold in range(5)]
    tested = [[one for one, side in fold.items() if side == "test"] for fold in folds]
    assert sorted(one for fold in tested for one in fold) == sorted(item.id for item in items)
    assert all(28 <= len(fold) <= 32 for fold in tested)
    assert all(12 <= Counter(fold.values())["validation"] <= 18 for fold in folds)


def dated(*dates: str | None) -> list[Item]:
    """A document a date."""
    return [Item(f"{n}", value=date) for n, date in enumerate(dates)]


def test_the_oldest_are_learned_from_and_the_newest_tested_on() -> None:
    items = dated(*(f"20{n:02}" for n in range(10)), None, "2009")
    side_of, drops = temporal.sides(items, Sizes(validation=0.2, test=0.2), DATED, 1)
    assert drops == {}
    assert "".join(side_of[f"{n}"][1] for n in range(12)) == "r" * 7 + "aa" + "e" + "r" + "e"


def test_documents_of_a_date_stay_together_as_near_to_the_size_as_can_be() -> None:
    items = dated(*["2001"] * 6, *["2002"] * 3, *["2003"] * 4)
    side_of = temporal.sides(items, Sizes(validation=2, test=1), DATED, 1).side_of
    assert Counter(side_of.values()) == {"train": 6, "validation": 3, "test": 4}


def test_what_is_tied_to_an_older_side_goes_and_undated_documents_as_declared() -> None:
    items = dated("2001", "2009", None, "2009")
    items[3] = items[3]._replace(joins=("0",))
    p = temporal.Params(attribute="date", undated="drop")
    side_of, drops = temporal.sides(items, Sizes(validation="2003", test="2006"), p, 1)
    assert side_of == {"0": "train", "1": "test"}
    assert drops == {"2": ("2", "no date", None), "3": ("3", "for test, and tied to a train document", "0")}


def test_a_source_that_is_held_out_is_whole_and_its_twins_go() -> None:
    items = [Item("a", ties=("text 1",), source="s"), Item("b", source="s"), Item("c", ties=("text 1",), source="t")]
    side_of, drops = method(source, 0.0, 0.0, source.Params(validation=(), test=("t",)))(items)
    assert side_of == {"b": "train", "c": "test"} and drops == {"a": ("a", "tied to a given test document", "c")}


@pytest.mark.parametrize(
    ("split", "items", "message"),
    [
        (
            method(source, 0.1, 0.1, source.Params(validation=(), test=("tickts",))),
            [Item("a", source="tickets"), Item("b", source="mails")],
            "splitters.source.test: no document is of 'tickts'; there is: mails, tickets; did you mean tickets?",
        ),
        (
            method(k_fold, 0.1, 0.2, k_fold.Params(fold=0)),
            [Item("a", ties=("g",)), Item("b", ties=("g",)), Item("c")],
            "split.test: 5 folds of 2 groups, which stay whole; raise it for fewer folds, or bring more documents",
        ),
        (
            method(temporal, 0.1, 0.1, DATED),
            dated("soon", "Tuesday"),
            (
                "splitters.temporal.attribute: 'date' is no date in ISO 8601 in any document, such as 2026-01-31 (that "
                "of the first is 'soon'); name another, or mend it at the source"
            ),
        ),
        (
            method(temporal, 0.1, 0.1, DATED),
            dated("2025", "2026", "2026"),
            (
                "splitters.temporal: 2 dates are too few for train, validation, test; documents of one date stay "
                "together; name an attribute with finer ones, or another method"
            ),
        ),
    ],
    ids=["no such source", "too few groups", "no date", "too few dates"],
)
def test_what_can_not_be_split_is_a_fault(split: Method, items: list[Item], message: str) -> None:
    with pytest.raises(Fault) as fault:
        split(items)
    assert str(fault.value) == f"params.yaml: {message}"


@pytest.mark.parametrize(
    ("module", "validation", "test", "p", "told"),
    [
        (stratified, "2025", "2026", NONE, "split: method stratified takes shares or counts, no dates"),
        (by_hash, "2025", "2026", NONE, "split: method random takes shares or counts, no dates"),
        (
            source,
            5,
            5,
            source.Params(validation=(), test=()),
            "split: method source takes shares of the other sources (0.0: none), no counts",
        ),
        (temporal, "2026", "2025", DATED, "split: validation begins at 2026, test at 2025; validation comes before"),
        (k_fold, 0.1, 0.3, k_fold.Params(fold=0), "split.test: method k_fold takes a whole part, such as 0.2 for five"),
        (k_fold, 0.1, 0.2, k_fold.Params(fold=5), "splitters.k_fold.fold: there is no fold 5; test 0.2 makes 5, 0 to"),
        (k_fold, 5, 5, k_fold.Params(fold=0), "split.validation: method k_fold takes a share, not 5"),
    ],
)
def test_sizes_that_a_method_can_not_make(module: ModuleType, validation: Any, test: Any, p: Any, told: str) -> None:
    assert next(module.faults(Sizes(validation=validation, test=test), p)).startswith(told)


# The stage


def documents(number: int, seed: int = 0) -> list[Document]:
    """Documents with near-duplicates, ties, labels, authors and dates."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(number):
        if texts and rng.random() < 0.5:
            words = " ".join(rng.sample(texts, min(len(texts), rng.randint(1, 2)))).split()[:12]
            words[rng.randrange(len(words))] = f"w{rng.randrange(300)}"
        else:
            words = [f"w{rng.randrange(300)}" for _ in range(12)]
        texts.append(" ".join(words))
    return [
        Document(
            f"{seed}-{n}",
            text,
            "ab"[rng.randrange(2)],
            "st"[rng.randrange(2)],
            None,
            f"g{rng.randrange(60)}" if rng.random() < 0.2 else None,
            {"author": f"{rng.randrange(200)}", "date": f"200{rng.randrange(9)}"},
        )
        for n, text in enumerate(texts)
    ]


METHODS = [
    ("random", NONE, {}),
    ("temporal", DATED, {"validation": "2004", "test": "2006"}),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "p", "sizes"), METHODS, ids=[name for name, *_ in METHODS])
def test_documents_that_arrive_later_move_none(
    tmp_path: Path, name: str, p: Any, sizes: dict[str, Any], seed: int
) -> None:
    """Through dedup, cleaning and split: clusters that a later document makes one stay apart."""
    wanted, some = parameters(name, p, together=("author",), **sizes), documents(300, seed)
    old = outcome(tmp_path / "old", some[:200], wanted)
    now = outcome(tmp_path / "now", some, wanted, size=70)
    assert {one: now.side_of.get(one) for one in old.side_of} == old.side_of
    assert {one: now.gone.get(one) for one in old.gone} == old.gone
    assert "tied to documents on two sides" in now.gone.values() or name != "random"
    author = {one.id: one.attributes["author"] for one in some}
    pairs = {(author[one], side) for one, side in now.side_of.items()}
    assert len(pairs) == len({one for one, _ in pairs})


def test_engine_and_size_of_shards_change_nothing(tmp_path: Path) -> None:
    some, p = documents(120), parameters()
    first = outcome(tmp_path / "a", some, p)
    with process.executor() as executor:
        assert outcome(tmp_path / "b", some, p, size=17, engine=executor) == first


def test_an_attribute_that_no_document_has_is_a_fault(tmp_path: Path) -> None:
    for n, (p, place, name) in enumerate(
        [
            (parameters(together=("autor",)), "split.together", "autor"),
            (
                parameters("temporal", temporal.Params(attribute="dat", undated="drop")),
                "splitters.temporal.attribute",
                "dat",
            ),
        ]
    ):
        with pytest.raises(Fault) as fault:
            outcome(tmp_path / f"{n}", documents(20), p)
        meant = {"autor": "author", "dat": "date"}[name]
        assert str(fault.value) == (
            f"params.yaml: {place}: no document has an attribute {name!r}; there is: author, date; "
            f"did you mean {meant}?"
        )


# Leaks


def sided(**texts: Sequence[str]) -> list[Document]:
    """Documents whose source has them on these sides, with two labels each."""
    return [
        Document(f"{side}-{n}", text, "ab"[n % 2], "s", None, None, {}, split=side)
        for side, some in texts.items()
        for n, text in enumerate(some)
    ]


LONG = "a steam engine turns the heat of boiling water into work by the pressure of its steam on a piston"
FILL = {side: [f"{side} {side}{n} only{side}{n}" for n in range(2)] for side in ("train", "validation", "test")}
CASES = [
    ("exact", f"{LONG}.", f" {LONG.upper()}. "),
    ("near", LONG, LONG.replace("boiling", "hot")),
    ("template", "please call Ann Smith at 555-1234 before noon today", "please call Bob at 99 before noon today"),
    ("ngrams", LONG, f"{LONG} {' '.join(f'word{n}' for n in range(30))}"),
]


@pytest.mark.parametrize(("kind", "judged", "learned"), CASES, ids=[kind for kind, *_ in CASES])
def test_a_leak_is_found_and_goes_where_that_is_wanted(tmp_path: Path, kind: str, judged: str, learned: str) -> None:
    some = sided(**FILL | {"train": [*FILL["train"], learned], "test": [*FILL["test"], judged]})
    p = parameters(validation=0, test=0)
    found = outcome(tmp_path / "told", some, p)
    assert found.leakage["test"][kind]["found"] == 1 and found.leakage["test"]["documents"] == 3
    assert found.leakage["validation"][kind] == {"found": 0, "left": 0}
    assert found.leakage["test"][kind]["left"] == (kind in ("template", "ngrams"))
    p = parameters(validation=0, test=0, leakage=LEAKAGE.model_copy(update={"remove": ("template", "ngrams")}))
    found = outcome(tmp_path / "removed", some, p)
    assert found.leakage["test"][kind] == {"found": 1, "left": 0}
    assert "train-2" not in found.side_of and found.side_of["test-2"] == "test"


@pytest.mark.parametrize("fast", [False, True])
def test_what_goes_says_why_and_the_pairs_are_kept_as_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    monkeypatch.setattr(shingles, "MANY", 0 if fast else shingles.MANY)
    learned = f"{LONG} and that is all there is to it"
    some = sided(**FILL | {"train": [*FILL["train"], learned]})
    p = parameters(validation=0, test=0, leakage=LEAKAGE.model_copy(update={"remove": ("ngrams",)}))
    found = outcome(tmp_path, some, p, benchmarks={"engines": ["something else", LONG, LONG.title()]})
    assert found.gone == {"train-2": "n-grams of benchmark engines"}
    assert found.leakage["benchmarks"] == {"engines": {"documents": 3, "ngrams": {"found": 2, "left": 0}}}
    assert [tuple(row.values()) for row in found.pairs] == [
        ("ngrams", "engines", "2", "train-2", 1.0),
        ("ngrams", "engines", "3", "train-2", 1.0),
    ]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16))
def test_nothing_that_leaks_is_left_once_it_is_removed(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = random.Random(seed)
    words = [f"w{n}" for n in range(6)]
    some = [one._replace(text=" ".join(rng.choices(words, k=rng.randint(4, 20)))) for one in documents(80)]
    leakage = LEAKAGE.model_copy(update={"ngram": 2, "share": rng.random(), "remove": ("template", "ngrams")})
    found = outcome(tmp_path_factory.mktemp("leaks"), some, parameters("random", leakage=leakage, validation=0.1))
    for side in ("validation", "test"):
        told = {kind: count for kind, count in found.leakage[side].items() if kind != "documents"}
        assert {count["left"] for count in told.values()} == {0}
        assert found.leakage[side]["documents"] == Counter(found.side_of.values())[side]
