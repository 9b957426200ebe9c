"""What is on train and, all but the same, on validation or test: leaks, found as the data came and left in the end.

`exact` has the same text but for case and white space; `near` is a near-duplicate by dedup, directly or through others;
`template` has the same text but for numbers and names, and is not exact; `ngrams` are those of `core/ngrams.py`.

In a template, `_` stands for what has a digit in it or begins with a capital letter. So in German all nouns are names,
in scripts without capitals none are, and a text without spaces has too few words for a template.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from stages.core.contamination import digests, plain
from stages.core.records import Drop
from stages.core.sides import HELD, Item, groups

pc: Any = pyarrow.compute  # its functions are made while it is imported
# RE2, which knows scripts, but no boundaries of their words.
MASKED = r"\p{Lu}[\p{L}\p{M}\p{N}'’]*|\p{Latin}*\p{N}[\p{Latin}\p{N}]*(?:[.,:/-][\p{Latin}\p{N}]+)*"
SEVERAL = r"_(?:[^\p{L}\p{N}_]+_)+"
FEWEST = 4  # words that a template has beside what is masked: `Call _ on _` is none
KINDS = ("exact", "near", "template", "ngrams")


def templates(column: pa.Array) -> list[int | None]:
    """A digest of each template; None where there are too few words beside what is masked, or fewer than of that."""
    masked = pc.replace_substring_regex(pc.replace_substring(column, "_", " "), MASKED, "_")
    found = plain(pc.replace_substring_regex(masked, SEVERAL, "_"))
    blanks = pc.count_substring(found, "_").to_numpy()
    words = pc.count_substring(found, " ").to_numpy() + 1 - blanks
    told = (words >= FEWEST) & (words >= blanks)
    return [one if enough else None for one, enough in zip(digests(found), told.tolist(), strict=True)]


class Leak(NamedTuple):
    """A training document that says too much of a text which is held out, in validation, in test or in a benchmark;
    `share` is that of the n-grams of the latter which are in it."""

    kind: str
    where: str
    held: str
    training: str
    share: float | None = None

    @property
    def drop(self) -> Drop:
        """The training document, if it is to go."""
        what = "template" if self.kind == "template" else "n-grams"
        whose = f"a {self.where} document" if self.where in HELD else f"benchmark {self.where}"
        return Drop(self.training, f"{what} of {whose}", self.held if self.where in HELD else None)


def template_leaks(where: str, held: Iterable[Item], training: Iterable[Item]) -> Iterator[Leak]:
    """Training documents with the template of one that is held out, the first of those."""
    first: dict[int, Item] = {}
    for item in held:
        if item.template is not None:
            first.setdefault(item.template, item)
    for item in training:
        if item.template is not None and (of := first.get(item.template)) and of.text != item.text:
            yield Leak("template", where, of.id, item.id)


def counterparts(held: Sequence[Item], training: Sequence[Item], shared: Iterable[Leak]) -> dict[str, set[str]]:
    """Kind → the documents that are held out and have a counterpart in training; `shared` are those by n-grams."""
    trained = {item.id for item in training}
    texts = {item.text for item in training}
    of_template = defaultdict[int | None, set[int]](set)
    for item in training:
        of_template[item.template].add(item.text)
    exact = {item.id for item in held if item.text in texts}
    tied = (group for group in groups(near([*held, *training])) if any(item.id in trained for item in group))
    return {
        "exact": exact,
        "near": {item.id for group in tied for item in group} - trained,
        "template": {item.id for item in held if item.template is not None and of_template[item.template] - {item.text}}
        - exact,
        "ngrams": {leak.held for leak in shared if leak.training in trained},
    }


def near(items: Sequence[Item]) -> list[Item]:
    """Those that are a near-duplicate of any, tied by that alone."""
    reached = {one for item in items for one in item.joins}
    return [
        item._replace(ties=(item.id, *item.joins), cluster=None) for item in items if item.joins or item.id in reached
    ]


def report(
    held: Mapping[str, Sequence[Item]],
    training: Sequence[Item],
    left: Sequence[Item],
    leaks: Sequence[Leak],
    twins: Iterable[tuple[str, str]],
    benchmarks: Mapping[str, int],
) -> dict[str, Any]:
    """How many documents that are held out have a counterpart in training: as it came, `twins` included, which dedup
    has dropped for one on a given side; and as it is left."""
    trained, into = {item.id for item in left}, defaultdict[str, list[Leak]](list)
    for leak in leaks:
        into[leak.where].append(leak)
    given = [item for items in held.values() for item in items if item.held]
    text_of, twin_of = {item.id: item.text for item in given}, defaultdict[str, set[int]](set)
    for kind, of in twins:
        twin_of[kind] |= {text_of[of]} if of in text_of else set()
    told: dict[str, Any] = {"benchmarks": {}}
    for side, items in held.items():
        came = counterparts(items, training, into[side])
        for kind, texts in twin_of.items():
            came[kind] |= {item.id for item in items if item.held and item.text in texts}
        told[side] = counted(len(items), came, counterparts(items, left, into[side]))
    for name, number in benchmarks.items():
        pairs = {"ngrams": into[name]}, {"ngrams": [leak for leak in into[name] if leak.training in trained]}
        came, rest = ({kind: {leak.held for leak in some} for kind, some in one.items()} for one in pairs)
        told["benchmarks"][name] = counted(number, came, rest)
    return told


def counted(documents: int, came: Mapping[str, set[str]], left: Mapping[str, set[str]]) -> dict[str, Any]:
    """The numbers of a set of documents."""
    return {"documents": documents, **{kind: {"found": len(came[kind]), "left": len(left[kind])} for kind in came}}
