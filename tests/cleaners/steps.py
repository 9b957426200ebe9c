"""How many steps a regular expression takes on a text, counted by a matcher that goes back as `re` does, without its
short cuts: a measure of work that needs no clock."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

# The parser of `re` itself says what an expression means.
parser: Any = import_module("re._parser")
constants: Any = import_module("re._constants")
Ahead = Callable[[int], int | None]


class Steps:
    """Searches a text as `finditer` does, and counts."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self.text, self.count, self.groups = text, 0, dict[int, tuple[int, int]]()
        self.flags = pattern.flags
        tree, at = list(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)), 0
        while at <= len(text):
            end = self.run(tree, 0, at, lambda place: place)
            at = at + 1 if end is None or end == at else end

    def run(self, items: list[Any], index: int, at: int, ahead: Ahead) -> int | None:
        """Where a match of the items from an index on ends, with what comes after them; None where there is none."""
        if index == len(items):
            return ahead(at)
        self.count += 1
        op, argument = items[index]

        def rest(place: int) -> int | None:
            return self.run(items, index + 1, place, ahead)

        return getattr(self, str(op).lower(), self.one)(op, argument, at, rest)

    def one(self, op: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        """A character: of a set, or this one. `re` itself says which."""
        if at >= len(self.text):
            return None
        return rest(at + 1) if self.fits(op, argument, self.text[at]) else None

    def fits(self, op: Any, argument: Any, character: str) -> bool:
        if op is constants.IN:
            turned = argument[0][0] is constants.NEGATE
            return turned != any(self.fits(inner, value, character) for inner, value in argument[turned:])
        if op is constants.RANGE:
            return any(argument[0] <= ord(case) <= argument[1] for case in self.cases(character))
        if op is constants.CATEGORY:
            return re.match(CATEGORIES[str(argument)], character, self.flags & re.ASCII) is not None
        if op is constants.ANY:
            return character != "\n"
        assert op in {constants.LITERAL, constants.NOT_LITERAL}, op
        return (op is constants.LITERAL) == any(argument == ord(case) for case in self.cases(character))

    def cases(self, character: str) -> set[str]:
        folded = bool(self.flags & re.IGNORECASE) and character.isascii()
        return {character.lower(), character.upper()} if folded else {character}

    def branch(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        ends = (self.run(list(each), 0, at, rest) for each in argument[1])
        return next((end for end in ends if end is not None), None)

    def subpattern(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        group, _, _, items = argument

        def closed(end: int) -> int | None:
            if group is not None:
                self.groups[group] = (at, end)
            return rest(end)

        return self.run(list(items), 0, at, closed)

    def groupref(self, _: Any, group: int, at: int, rest: Ahead) -> int | None:
        start, end = self.groups.get(group, (0, 0))
        return rest(at + end - start) if self.text.startswith(self.text[start:end], at) else None

    def max_repeat(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        least, most, items = argument
        places, each = [at], list(items)
        op, value = each[0]
        if len(each) == 1 and op in SINGLE:  # as `re` does it: no stack for single characters
            while len(places) <= most and self.one(op, value, places[-1], lambda place: place) is not None:
                self.count += 1
                places.append(places[-1] + 1)
            ends = (rest(place) for place in places[:least:-1] + places[least : least + 1])
            return next((end for end in ends if end is not None), None)
        return self.again(each, 0, least, most, at, rest)

    def again(self, items: list[Any], done: int, least: int, most: int, at: int, rest: Ahead) -> int | None:
        """Once more if it goes, else what comes after."""

        def more(place: int) -> int | None:
            return None if place == at else self.again(items, done + 1, least, most, place, rest)

        end = self.run(items, 0, at, more) if done < most else None
        return rest(at) if end is None and done >= least else end

    def possessive_repeat(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        end = self.max_repeat(None, argument, at, lambda place: place)
        return None if end is None else rest(end)

    def assert_(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        return rest(at) if self.seen(argument, at) else None

    def assert_not(self, _: Any, argument: Any, at: int, rest: Ahead) -> int | None:
        return None if self.seen(argument, at) else rest(at)

    def seen(self, argument: Any, at: int) -> bool:
        direction, items = argument
        start = at if direction > 0 else at - items.getwidth()[0]
        return start >= 0 and self.run(list(items), 0, start, lambda place: place) is not None


SINGLE = {constants.IN, constants.LITERAL, constants.NOT_LITERAL}
CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
setattr(Steps, "assert", Steps.assert_)
