"""`many`: a format repeated, and how a text is divided among the items of such a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

from constrained.arguments import whole_number
from constrained.errors import InvalidSpec, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.grammar.combine import listed
from constrained.limits import widest
from constrained.spec.coerce import as_spec
from constrained.spec.so_far import so_far
from constrained.spec.source import call_source
from constrained.spec.spec import Spec
from constrained.spec.text import LARGEST_COUNT

__all__ = ["ItemDivision", "many"]

T = TypeVar("T")


def many(
    item: Any, least: int = 0, most: int | None = None, separator: Any = ""
) -> Spec[list[Any]]:
    """From `least` to `most` outputs of a format, with the separator between any two.

    `item` and `separator` are anything that `as_spec` takes; `most` None sets no bound. The value
    is the list of the items' values; what a separator says is not kept. ``spec * n`` and
    ``n * spec`` are ``many(spec, n, n)``.

    A text that can be divided in several ways is read as sequences are: each item, and each
    separator, is from the left as long as it can be, and where the list may end it ends.

    Raises `UnsatisfiableSpec` when `least` is more than `most`, `UnsupportedSpec` when items and
    separators may both be empty and nothing bounds their number (every text would be endlessly
    many lists), `InvalidSpec` for counts of the wrong kind.

    >>> from constrained.spec import integer
    >>> scores = many(integer(0, 10), 1, 3, separator=", ")
    >>> scores.parse("7, 10"), scores.matches("7, 8, 9, 10")
    ([7, 10], False)
    >>> (integer(0, 9) * 3).parse("123")
    [1, 2, 3]
    """
    one, between = as_spec(item), as_spec(separator)
    least = _count(least, "least")
    most = None if most is None else _count(most, "most")
    if most is not None and least > most:
        raise UnsatisfiableSpec(f"no list has at least {least:,} and at most {most:,} items")
    counts = [repr(least)] if least or most is not None else []
    counts += [] if most is None else [repr(most)]
    source = call_source("many", [repr(one), *counts], {"separator": (separator, "")})
    if most is None and _may_be_empty(one) and _may_be_empty(between):
        raise UnsupportedSpec(
            "many",
            f"{one.source:.60} may be empty, so a text would be lists of any number of items",
            hint="pass most=, or a separator, or an item that is never empty",
        )
    blank = ItemDivision(one, between, least, most)

    def read(text: str) -> list[Any]:
        data = text.encode("utf-8")
        cuts = blank.advance(data).complete
        if cuts is None:
            raise TextRejected(text, 0, source)
        return [one.read(data[a:b].decode("utf-8")) for a, b in _spans(cuts)]

    def read_so_far(text: str) -> list[Any] | None:
        return blank.advance(text.encode("utf-8")).values(text) or None

    grammar = listed(one.grammar, between.grammar, least, most)
    limits = widest(one.limits, between.limits)
    return Spec(source, grammar, read, read_so_far=read_so_far, limits=limits)


def _count(value: Any, name: str) -> int:
    count = whole_number(value, name, InvalidSpec, least=0)
    if count > LARGEST_COUNT:
        raise InvalidSpec(f"{name} must be at most {LARGEST_COUNT:,}")
    return count


def _may_be_empty(spec: Spec[Any]) -> bool:
    return spec.engine.accepting(spec.engine.start)


Cuts = tuple[int, ...]
"""Where each item begins and ends, in bytes; of the last one perhaps only where it begins."""


def _spans(cuts: Cuts) -> Iterator[tuple[int, int]]:
    return zip(cuts[::2], cuts[1::2], strict=False)


def _rank(cuts: Cuts) -> tuple[float, ...]:
    """Greater for a better division: later cuts first, and no cut is the latest."""
    return (*cuts, inf)


@dataclass(frozen=True)
class ItemDivision:
    """How a growing text may be divided among the items of a list; immutable.

    `ways` maps a state inside an item or inside a separator to (items begun, cuts). Ways that
    nothing to come could tell apart are one, the best one; so are a way and a worse one that may
    have fewer further items. `complete` is the best division of the text as a whole list.
    """

    item: Spec[Any]
    separator: Spec[Any]
    least: int
    most: int | None
    ways: dict[tuple[bool, int], list[tuple[int, Cuts]]] = field(default_factory=dict)
    complete: Cuts | None = None
    length: int = 0

    def advance(self, data: bytes) -> ItemDivision:
        """The division after more bytes of an empty text."""
        step = _Step(self, 0)
        if self.least == 0:
            step.end(())
        step.begin_item(0, ())
        for position in range(1, len(data) + 1):
            between = position == len(data) or data[position] & 0xC0 != 0x80  # two characters
            ways, step = step.ways, _Step(self, position, between)
            byte = data[position - 1 : position]
            for (inside, state), found in ways.items():
                engine = (self.item if inside else self.separator).engine
                after = engine.advance_bytes(state, byte)
                if after is not None:
                    for count, cuts in found:
                        step.reach(inside, after, count, cuts)
            if not step.ways and step.complete is None:
                break
        return ItemDivision(
            self.item, self.separator, self.least, self.most, step.ways, step.complete, len(data)
        )

    def values(self, text: str) -> list[Any]:
        """The values of the items that are settled, and of the one that is growing, if any."""
        data = text.encode("utf-8")
        every = [
            cuts
            for (inside, state), found in self.ways.items()
            if not (self.item if inside else self.separator).engine.final(state)
            for _, cuts in found
        ]
        every += [] if self.complete is None else [self.complete]
        if not every:
            return []
        shared = 0
        fewest = min(map(len, every))
        while shared < fewest and len({cuts[shared] for cuts in every}) == 1:
            shared += 1
        known = every[0][:shared]
        values = [self.item.read(data[a:b].decode("utf-8")) for a, b in _spans(known)]
        if shared % 2:
            ends = (cuts[shared] if len(cuts) > shared else self.length for cuts in every)
            piece = data[known[-1] : min(ends)].decode("utf-8", errors="ignore")
            value = so_far(self.item, piece)
            values += [] if value is None else [value]
        return values


class _Step:
    """The ways at one position, while they are gathered."""

    def __init__(self, of: ItemDivision, position: int, between: bool = True) -> None:
        self.of = of
        self.position = position
        self.between = between  # two characters: where parts may end
        self.ways: dict[tuple[bool, int], list[tuple[int, Cuts]]] = {}
        self.complete: Cuts | None = None

    def begin_item(self, count: int, cuts: Cuts) -> None:
        """One more item begins here, if there may be one more."""
        if self.of.most is None or count < self.of.most:
            start = self.of.item.engine.start
            self.reach(True, start, count + 1, (*cuts, self.position))

    def reach(self, inside: bool, state: int, count: int, cuts: Cuts) -> None:
        """A way, unless another one is at least as good; and where it leads without a byte."""
        waiting = [(inside, state, count, cuts)]
        while waiting:
            inside, state, count, cuts = waiting.pop()
            if self.of.most is None:
                count = min(count, max(self.of.least, 1))
            engine = (self.of.item if inside else self.of.separator).engine
            kept = self._keep(inside, state, count, cuts)
            if not (kept and self.between and engine.accepting(state)):
                continue
            begins_another = self.of.most is None or count < self.of.most
            if inside:
                ended = (*cuts, self.position)
                if count >= self.of.least:
                    self.end(ended)
                if begins_another:
                    waiting.append((False, self.of.separator.engine.start, count, ended))
            elif begins_another:
                start = self.of.item.engine.start
                waiting.append((True, start, count + 1, (*cuts, self.position)))

    def end(self, cuts: Cuts) -> None:
        """The list may end here."""
        if self.complete is None or _rank(cuts) > _rank(self.complete):
            self.complete = cuts

    def _keep(self, inside: bool, state: int, count: int, cuts: Cuts) -> bool:
        """Whether the way is none that a better one makes needless."""
        found = self.ways.setdefault((inside, state), [])
        least = self.of.least
        for other, theirs in found:
            as_free = other == count or least <= other < count
            if as_free and _rank(theirs) >= _rank(cuts):
                return False
        found[:] = [
            (other, theirs)
            for other, theirs in found
            if not ((count == other or least <= count < other) and _rank(cuts) >= _rank(theirs))
        ]
        found.append((count, cuts))
        return True
