r"""What a rest promises to the look-aheads before it: the states of `Watch`, read from the end.

A look-ahead inside a repeat asks for the rounds that follow, which are not known when it is
compiled. So its language is made an automaton, and all texts are divided by their *future*: the
states that accept them. A text's future follows from its first character and the future of what
comes after it; there are finitely many, and one hole of an equation stands for the rests of one
future. What a text before such a hole must be like, so that the look-ahead holds, is a plain
language again: the ways that lead to a state of the future.
"""

from __future__ import annotations

from typing import Final

from constrained.grammar import EMPTY, NOTHING, Node, Nothing, alt, cat, char_class, repeat
from constrained.grammar.nodes import (
    Alt,
    And,
    Cat,
    Chars,
    Empty,
    Literal,
    Literals,
    Not,
    Ranges,
    Repeat,
)
from constrained.spec.regex.classes import ALL, a_character, atoms_of, holds, one_of
from constrained.spec.regex.holes import Future, divided
from constrained.spec.regex.languages import ANY_TEXT, Languages, NotLinear, character_set

__all__ = ["Watch"]

MAX_STATES = 32
MAX_ATOMS = 48


class Watch:
    """The automaton of a look-ahead: `states[0]` is what may follow, the others what is left of it.

    `node` has no holes. Raises `NotLinear` where it has too many states.
    """

    def __init__(self, languages: Languages, node: Node) -> None:
        self.languages: Final = languages
        self.node: Final = node
        atoms = atoms_of(list(dict.fromkeys(_sets(node)))[:MAX_ATOMS])
        found = ((atom, a_character(atom)) for atom in atoms)
        self.atoms: Final = tuple((atom, code) for atom, code in found if code is not None)
        if len(self.atoms) >= MAX_ATOMS:
            raise NotLinear
        self.states: Final[list[Node]] = [node]
        self.steps: Final[list[list[int]]] = []
        for state in self.states:  # grows while it is walked
            self.steps.append([self._number(_derivative(state, code)) for _, code in self.atoms])
        self.at_the_end: Final[Future] = frozenset(
            i for i, state in enumerate(self.states) if languages.nullable(state)
        )
        self._ways: dict[int, dict[int, Node]] = {}
        self._divided: dict[tuple[Ranges, int], list[tuple[Node, int]]] = {}

    def _number(self, state: Node) -> int:
        self.languages.spend(1)
        if state in self.states:
            return self.states.index(state)
        if len(self.states) == MAX_STATES:
            raise NotLinear
        self.states.append(state)
        return len(self.states) - 1

    def before(self, code: int, future: Future) -> Future:
        """The future of a text that begins with this character, by that of what follows it."""
        at = next(i for i, (atom, _) in enumerate(self.atoms) if holds(atom, code))
        return frozenset(i for i, steps in enumerate(self.steps) if steps[at] in future)

    def after(self, state: int, code: int) -> int:
        """The state after one more character."""
        at = next(i for i, (atom, _) in enumerate(self.atoms) if holds(atom, code))
        return self.steps[state][at]

    def cut(self, node: Node, state: int, wanted: bool) -> Node:
        """What of the node, which may have holes, the state accepts or (not `wanted`) refuses."""
        constant, factors = divided(node)
        kept = [self._before(constant, state, self.at_the_end, wanted)]
        for factor, hole in factors:
            future = dict(hole.futures).get(self)
            if future is None:
                raise NotLinear
            kept.append(cat(self._before(factor, state, future, wanted), hole))
        return self.languages.either(*kept)

    def between(self, node: Node, state: int, to: int) -> Node:
        """What of the node, which has no holes, leads from one state to the other."""
        return self._before(node, state, frozenset((to,)), wanted=True)

    def _before(self, node: Node, state: int, future: Future, wanted: bool) -> Node:
        """What of the node, without holes, leads from the state into the future (or does not)."""
        match node:
            case Nothing():
                return NOTHING
            case Empty():
                return EMPTY if (state in future) == wanted else NOTHING
            case Alt(parts):
                return alt(*(self._before(part, state, future, wanted) for part in parts))
            case Literal(data):
                for char in data.decode("utf-8"):
                    state = self.after(state, ord(char))
                return node if (state in future) == wanted else NOTHING
        parts = node.parts if isinstance(node, Cat) else (node,)
        if isinstance(first := parts[0], Literal):
            for char in first.data.decode("utf-8"):
                state = self.after(state, ord(char))
            return cat(first, self._before(cat(*parts[1:]), state, future, wanted))
        characters = character_set(parts[0])
        if characters is not None:
            rest = cat(*parts[1:])
            found = [
                cat(within_both, self._before(rest, to, future, wanted))
                for within_both, to in self._divide(characters, state)
            ]
            return alt(*found)
        ways = self._ways_from(state)
        accepted = alt(*(ways[to] for to in sorted(future) if to in ways))
        if isinstance(accepted, Nothing):
            return NOTHING if wanted else node
        return (self.languages.both if wanted else self.languages.without)(node, accepted)

    def _divide(self, characters: Ranges, state: int) -> list[tuple[Node, int]]:
        """The characters by the state that each leads to."""
        key = (characters, state)
        if key not in self._divided:
            by_state: dict[int, list[tuple[int, int]]] = {}
            for (atom, _), to in zip(self.atoms, self.steps[state], strict=True):
                by_state.setdefault(to, []).extend(_common(atom, characters))
            self._divided[key] = [
                (char_class(*sorted(pairs)), to) for to, pairs in by_state.items() if pairs
            ]
        return self._divided[key]

    def _ways_from(self, start: int) -> dict[int, Node]:
        """For each state: the texts that lead to it (the least solution of linear equations)."""
        if start in self._ways:
            return self._ways[start]
        either = self.languages.either
        order = [start]
        for state in order:  # grows while it is walked
            order += [to for to in dict.fromkeys(self.steps[state]) if to not in order]
        # Into a state: the texts that lead there at once, and the last steps from other states.
        into = {state: self._last_steps(state, order) for state in order}
        first: dict[int, Node] = {state: EMPTY if state == start else NOTHING for state in order}
        for i, state in enumerate(order):
            again = repeat(into[state].pop(state, NOTHING))
            first[state] = cat(first[state], again)
            into[state] = {s: cat(step, again) for s, step in into[state].items()}
            for other in order[i + 1 :]:
                step = into[other].pop(state, None)
                if step is None:
                    continue
                first[other] = either(first[other], cat(first[state], step))
                for source, before in into[state].items():
                    known = into[other].get(source, NOTHING)
                    into[other][source] = either(known, cat(before, step))
        for i in reversed(range(len(order))):
            state = order[i]
            more = [cat(first[source], step) for source, step in into[state].items()]
            first[state] = either(first[state], *more)
        self._ways[start] = first
        return first

    def _last_steps(self, state: int, sources: list[int]) -> dict[int, Node]:
        found: dict[int, Node] = {}
        for source in sources:
            pairs = [
                pair
                for (atom, _), to in zip(self.atoms, self.steps[source], strict=True)
                if to == state
                for pair in atom
            ]
            if pairs:
                found[source] = char_class(*sorted(pairs))
        return found


def _common(one: Ranges, other: Ranges) -> list[tuple[int, int]]:
    r"""What two sets share: one walk over both, for a class such as `\w` has 700 ranges."""
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        low, high = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if low <= high:
            found.append((low, high))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return found


def _sets(node: Node) -> list[Ranges]:
    """The sets of characters that the node tells apart."""
    match node:
        case Chars(ranges):
            return [] if ranges == ALL else [ranges]
        case Literal(data):
            return [one_of(char) for char in dict.fromkeys(data.decode("utf-8"))]
        case Literals(options):
            return [one_of(char) for char in dict.fromkeys(b"".join(options).decode("utf-8"))]
        case Cat(parts) | Alt(parts) | And(parts):
            return [ranges for part in parts for ranges in _sets(part)]
        case Repeat(body) | Not(body):
            return _sets(body)
    return []


def _derivative(node: Node, code: int) -> Node:
    """What may follow the character (Brzozowski 1964); `NotLinear` for an intersection."""
    match node:
        case Chars(ranges):
            return EMPTY if holds(ranges, code) else NOTHING
        case Literal(data):
            text = data.decode("utf-8")
            return _text(text[1:]) if ord(text[0]) == code else NOTHING
        case Literals(options):
            texts = [option.decode("utf-8") for option in options]
            return _union([_text(text[1:]) for text in texts if text and ord(text[0]) == code])
        case Cat(parts):
            rests = []
            for i, part in enumerate(parts):
                rests.append(cat(_derivative(part, code), *parts[i + 1 :]))
                if not _nullable(part):
                    break
            return _union(rests)
        case Alt(parts):
            return _union([_derivative(part, code) for part in parts])
        case Repeat(body, least, most):
            again = repeat(body, max(least - 1, 0), None if most is None else most - 1)
            return cat(_derivative(body, code), again)
        case Empty() | Nothing():
            return NOTHING
    raise NotLinear


def _nullable(node: Node) -> bool:
    match node:
        case Empty():
            return True
        case Literals(options):
            return b"" in options
        case Cat(parts):
            return all(_nullable(part) for part in parts)
        case Alt(parts):
            return any(_nullable(part) for part in parts)
        case Repeat(body, least, _):
            return least == 0 or _nullable(body)
        case And() | Not():
            raise NotLinear
    return False


def _text(text: str) -> Node:
    return Literal(text.encode("utf-8")) if text else EMPTY


def _union(nodes: list[Node]) -> Node:
    """The union, equal options once, in an order of their own: equal unions are equal nodes."""
    options: list[Node] = []
    for node in nodes:
        for part in node.parts if isinstance(node, Alt) else (node,):
            if part == ANY_TEXT:
                return ANY_TEXT
            if not isinstance(part, Nothing) and part not in options:
                options.append(part)
    return alt(*sorted(options, key=repr))
