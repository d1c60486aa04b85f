r"""Back-references and conditions on groups, written out: ``([-/.])\d\1`` as three alternatives.

Where a group matches few texts, a pattern that refers to it is the union over these texts, each
put in place of the group and of its references; where it may take no part in a match, one more
option without it. `_Ways` follows a group through a part of the tree: what it holds before a part,
what it can hold after it, and how the part reads then. A group inside a repeat keeps what its last
round gave it in Python and is reset by each round in ECMA-262; the part that is written out is the
smallest whose references do not ask about anything before it.

What cannot be written out is left for `reduce` to refuse, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from constrained.spec.regex.syntax import (
    Atomic,
    BackReference,
    CharSet,
    Choice,
    Conditional,
    Group,
    Look,
    Quantified,
    Sequence,
    Syntax,
    Text,
    changed,
)
from constrained.spec.regex.width import width

__all__ = ["written_out"]

MAX_TEXTS = 64
MAX_COPIED = 100_000
MAX_ROUNDS = 16

Held = str | bool | None
"""What a group holds: a text, True for one that nothing asks about, None for nothing yet."""

BEFORE: Held = False
"""What it held before the part that is being written out, which is not known."""

NEVER = CharSet(())
EMPTY = Sequence(())


class _NotWritten(Exception):
    """The reason why a group's references stay."""


def written_out(tree: Syntax, *, resets: bool) -> Syntax:
    """The tree without the references and conditions that can be written out.

    `resets`: as in ECMA-262, where each round of a repeat forgets its groups, and a reference to a
    group that holds nothing matches the empty string; in Python it matches nothing.
    """
    copied = 0
    reasons: dict[int, str] = {}
    numbers = {part.name: part.number for part in _walk(tree) if isinstance(part, Group)}
    while True:
        for number in _asked_for(tree, numbers):
            try:
                found = _without(tree, number, numbers, resets)
            except _NotWritten as reason:
                reasons[number] = str(reason)
                continue
            copied += sum(1 for _ in _walk(found))
            if copied > MAX_COPIED:
                reasons[number] = "a group of several texts would have too many alternatives"
                continue
            tree = found
            break
        else:
            return _with_reasons(tree, numbers, reasons)


def _with_reasons(tree: Syntax, numbers: dict[str | None, int], reasons: dict[int, str]) -> Syntax:
    if isinstance(tree, BackReference | Conditional):
        tree = changed(tree, reason=reasons.get(_number(tree, numbers), ""))
    return _mapped(tree, lambda part: _with_reasons(part, numbers, reasons))


def _number(part: BackReference | Conditional, numbers: dict[str | None, int]) -> int:
    """The number of the group that is asked about."""
    return part.key if isinstance(part.key, int) else numbers.get(part.key, 0)


def _asked_for(tree: Syntax, numbers: dict[str | None, int]) -> list[int]:
    """The numbers of the groups that something refers to, in order, less those around others."""
    asking = [part for part in _walk(tree) if isinstance(part, BackReference | Conditional)]
    asked = {_number(part, numbers) for part in asking}
    around = {
        part.number
        for part in _walk(tree)
        if isinstance(part, Group)
        and any(isinstance(p, Group) and p.number in asked for p in _walk(part.body))
    }
    return sorted(asked - around)


def _without(tree: Syntax, number: int, numbers: dict[str | None, int], resets: bool) -> Syntax:
    """The tree with one group written out, at the innermost place that allows it."""
    ways = _Ways(tree, number, numbers, resets)
    places, looped = [(tree, False)], False
    while True:
        place = places[-1][0]
        inner = [part for part in _parts(place) if id(part) in ways.touched]
        if len(inner) != 1 or (isinstance(place, Look) and not place.ahead):
            break
        looped = looped or (isinstance(place, Quantified) and place.most != 1)
        places.append((inner[0], looped))
    reason = _NotWritten("")
    for place, again in reversed(places):
        try:
            found = ways.of(place, BEFORE if again and not resets else None)
        except _NotWritten as error:
            reason = error
            continue
        return _replaced(tree, place, _either(list(found.values())))
    raise reason


class _Ways:
    """How parts of a tree read for what one group holds before them.

    `touched` are the ids of the parts with the group or something that asks about it, `holding`
    of those with the group.
    """

    def __init__(
        self, tree: Syntax, number: int, numbers: dict[str | None, int], resets: bool
    ) -> None:
        self.number = number
        self.numbers = numbers
        self.resets = resets
        self.touched: set[int] = set()
        self.holding: set[int] = set()
        self.texts_wanted = False
        self._mark(tree)

    def _mark(self, tree: Syntax) -> None:
        own = isinstance(tree, Group) and tree.number == self.number
        asks = isinstance(tree, BackReference | Conditional)
        asks = asks and _number(tree, self.numbers) == self.number  # type: ignore[arg-type]
        self.texts_wanted |= asks and isinstance(tree, BackReference)
        for part in _parts(tree):
            self._mark(part)
            own |= id(part) in self.holding
            asks |= id(part) in self.touched
        if own:
            self.holding.add(id(tree))
        if own or asks:
            self.touched.add(id(tree))

    def of(self, tree: Syntax, held: Held) -> dict[Held, Syntax]:
        """By what the group holds after the part: the part. Empty where it cannot match."""
        if id(tree) not in self.touched:
            return {held: tree}
        match tree:
            case Group(number=number) if number == self.number:
                return self._group(tree)
            case BackReference():
                return self._reference(tree, held)
            case Conditional(body=Choice((yes, no))) if _number(tree, self.numbers) == self.number:
                _must_be_known(held)
                return self.of(no if held is None else yes, held)
            case Sequence(parts):
                found: dict[Held, Syntax] = {held: EMPTY}
                for part in parts:
                    found = self._then(found, part)
                return found
            case Choice(options):
                return _merged([self.of(option, held) for option in options])
            case Quantified():
                return self._quantified(tree, held)
            case Look():
                return self._look(tree, held)
            case Atomic(body) if id(body) in self.holding:
                raise _NotWritten("a group inside an atomic group is not written out outside it")
            case Atomic(body) | Group(body) | Conditional(body):
                ways = self.of(body, held).items()
                return {after: changed(tree, body=way) for after, way in ways}
        raise TypeError(f"{tree!r} asks about no group")

    def _group(self, group: Group) -> dict[Held, Syntax]:
        if id(group.body) in self.touched:
            raise _NotWritten("the group that it stands in is not regular")
        if not self.texts_wanted:
            return {True: group.body}
        texts = _texts(group.body)
        if texts is None:
            raise _NotWritten("a group of many texts is not regular")
        return {text: Text(text) if text else EMPTY for text in texts}

    def _reference(self, reference: BackReference, held: Held) -> dict[Held, Syntax]:
        _must_be_known(held)
        if held is None:
            return {None: EMPTY} if self.resets else {}
        if not isinstance(held, str) or not held:
            return {held: EMPTY}
        if reference.same is None:
            return {held: Text(held)}
        return {held: Sequence(tuple(CharSet(reference.same(ord(char))) for char in held))}

    def _then(self, before: dict[Held, Syntax], part: Syntax) -> dict[Held, Syntax]:
        """The ways of the parts so far, each followed by the ways of one more part."""
        found: list[dict[Held, Syntax]] = []
        for held, way in before.items():
            ways = self.of(part, held).items()
            found.append({after: Sequence((way, more)) for after, more in ways})
        return _merged(found)

    def _quantified(self, tree: Quantified, held: Held) -> dict[Held, Syntax]:
        body, least, most = tree.body, tree.least, tree.most
        if id(body) not in self.holding:
            ways = self.of(body, held)
            if ways:
                return {held: changed(tree, body=ways[held])}
            return {} if least else {held: EMPTY}
        if tree.possessive:
            raise _NotWritten("a group in a possessive repeat is not written out")
        if most is None or most > MAX_ROUNDS or (width(body)[0] == 0 and (least, most) != (1, 1)):
            raise _NotWritten("what the last round of a repeat matched is not written out")
        found: list[dict[Held, Syntax]] = []
        after: dict[Held, Syntax] = {held: EMPTY}
        for done in range(most + 1):
            if done >= least:
                found.append(after)
            if self.resets:  # the round begins with nothing, whatever the one before gave
                after = {None: _either(list(after.values()))}
            after = self._then(after, body)
        return _merged(found)

    def _look(self, tree: Look, held: Held) -> dict[Held, Syntax]:
        if id(tree.body) in self.holding:
            if not tree.negative:
                raise _NotWritten("a group inside a look-around is not written out outside it")
            if not tree.ahead:
                raise _NotWritten("a group inside a look-behind is not written out")
        ways = list(self.of(tree.body, held).values())
        if not ways:
            return {held: EMPTY} if tree.negative else {}
        return {held: changed(tree, body=_either(ways))}


def _must_be_known(held: Held) -> None:
    if held is BEFORE:
        raise _NotWritten("what an earlier round of a repeat matched is not written out")


def _either(options: list[Syntax]) -> Syntax:
    """The union of ways, which are no longer in the order in which a match tries them."""
    if not options:
        return NEVER
    return options[0] if len(options) == 1 else Choice(tuple(options), ordered=False)


def _merged(found: list[dict[Held, Syntax]]) -> dict[Held, Syntax]:
    """The union, by what the group holds."""
    options: dict[Held, list[Syntax]] = {}
    for ways in found:
        for held, way in ways.items():
            options.setdefault(held, []).append(way)
    return {held: _either(ways) for held, ways in options.items()}


def _replaced(tree: Syntax, place: Syntax, new: Syntax) -> Syntax:
    """The tree with a part of it replaced."""
    return new if tree is place else _mapped(tree, lambda part: _replaced(part, place, new))


def _mapped(tree: Syntax, function: Callable[[Syntax], Syntax]) -> Syntax:
    """The tree with the function applied to its direct parts."""
    match tree:
        case Sequence(parts):
            return Sequence(tuple(map(function, parts)))
        case Choice(options):
            return changed(tree, options=tuple(map(function, options)))
        case Group(body=body) | Quantified(body=body) | Atomic(body=body) | Look(body=body):
            return changed(tree, body=function(body))
        case Conditional(body=body):
            return changed(tree, body=function(body))
    return tree


def _parts(tree: Syntax) -> tuple[Syntax, ...]:
    match tree:
        case Sequence(parts) | Choice(parts):
            return parts
        case Group(body=body) | Quantified(body=body) | Atomic(body=body):
            return (body,)
        case Look(body=body) | Conditional(body=body):
            return (body,)
    return ()


def _walk(tree: Syntax) -> Iterator[Syntax]:
    """The tree and all its parts."""
    todo = [tree]
    while todo:
        tree = todo.pop()
        yield tree
        todo.extend(_parts(tree))


def _texts(tree: Syntax) -> list[str] | None:
    """All texts that the tree matches; None where they are many, or depend on what is around."""
    found: list[str] | None = None
    match tree:
        case Text(text):
            found = [text]
        case CharSet(ranges) if sum(high - low + 1 for low, high in ranges) <= MAX_TEXTS:
            codes = (code for low, high in ranges for code in range(low, high + 1))
            found = [chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF]
        case Group(body=body):
            found = _texts(body)
        case Choice(options):
            lists = [_texts(option) for option in options]
            known = [texts for texts in lists if texts is not None]
            if len(known) == len(lists):
                found = [text for texts in known for text in texts]
        case Sequence(parts):
            found = [""]
            for part in parts:
                found = _products(found, _texts(part))
        case Quantified(body, least, int(most), possessive=False) if most <= MAX_TEXTS:
            once = _texts(body)
            power: list[str] | None = [""]
            found = []
            for count in range(most + 1):
                if count >= least:
                    found = None if found is None or power is None else found + power
                power = _products(power, once)
    if found is None or len(found) > MAX_TEXTS:
        return None
    return list(dict.fromkeys(found))


def _products(fronts: list[str] | None, backs: list[str] | None) -> list[str] | None:
    if fronts is None or backs is None or len(fronts) * len(backs) > MAX_TEXTS:
        return None
    return ["".join(pair) for pair in product(fronts, backs)]
