"""Repeats around assertions: solve the equations of what follows each round.

Inside the body, the rest is made of holes, one for each context and each share that the body's
assertions can ask about (the empty string, a lone newline, what starts in some cell). The compiled
body is then linear in the holes, so what follows a round is a system of right-linear equations,
which Arden's rule solves: X = A X | B has the least solution A* B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    NOTHING,
    Alt,
    Cat,
    Empty,
    Node,
    Nothing,
    cat,
    repeat,
)
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.classes import NEWLINE, a_character, atoms_of, holds
from constrained.spec.regex.futures import Watch
from constrained.spec.regex.holes import Future, Hole, Share, divided
from constrained.spec.regex.languages import Languages, NotLinear, character_set
from constrained.spec.regex.pieces import Piece, reduced_width
from constrained.spec.regex.syntax import (
    Anchor,
    Boundary,
    Choice,
    Look,
    Quantified,
    Sequence,
    Side,
    Syntax,
)

if TYPE_CHECKING:
    from constrained.spec.regex.rests import Rest, Rests

__all__ = ["solve"]

MAX_UNKNOWNS = 64
MAX_SIZE = 20_000

Equation = tuple[Node, dict[Hole, Node]]
"""What a hole is: a node, or a coefficient before another hole."""


def solve(rests: Rests, part: Quantified, rest: Rest) -> Rest:
    """The rounds of `part`, then `rest`. Raises `NotLinear` where it cannot tell.

    Where their number is bounded, each round must take as many characters as any other: these are
    counted, once it is known what the rounds are like before a rest of each kind.
    """
    languages, body = rests.languages, part.body
    rests.loops += 2
    loop, outer = rests.loops, rests.loops - 1
    counted = part.least > 0 or part.most is not None
    shares = _shares(body)
    states = _states(shares, _watches(rests, body), MAX_UNKNOWNS // len(rest))
    holes = [[Hole(loop, context, *state) for state in states] for context in range(len(rest))]
    after = rests.part(body, tuple(languages.either(*row) for row in holes))
    equations: dict[Hole, Equation] = {}
    ends: dict[Hole, Node] = {}
    for row, now, later in zip(holes, rest, after, strict=True):
        for hole in row:
            constant, factors = _linear(languages, _cut(rests, later, hole, shares), loop)
            start = _cut(rests, now, hole, shares)
            if counted:
                ends[_of_loop(hole, outer)] = start
                start = NOTHING if isinstance(start, Nothing) else _of_loop(hole, outer)
            equations[hole] = languages.either(start, constant), factors
    found = _eliminate(languages, equations)
    out = tuple(languages.either(*(found[hole] for hole in row)) for row in holes)
    if counted:
        width = reduced_width(body)[0]
        most = None if part.most is None else part.most * width
        out = tuple(_counted(languages, node, part.least * width, most, ends) for node in out)
    if any(languages.size(node)[0] > MAX_SIZE for node in out):
        raise NotLinear
    return out


def _shares(body: Syntax) -> tuple[Share, ...]:
    """The shares of the rest that the body's assertions tell apart; a partition of all strings."""
    sets: dict[Ranges, None] = {}
    sides: set[Side] = set()
    ahead = _looks_ahead(body, sets, sides)
    if not ahead:
        return ("all",)
    newline: tuple[Share, ...] = ()
    if Side.LAST_END in sides:
        sets[NEWLINE] = None
        newline = ("newline",)
    return ("empty", *newline, *atoms_of(list(sets)))


def _looks_ahead(tree: Syntax, sets: dict[Ranges, None], sides: set[Side]) -> bool:
    """Whether the tree asks what follows a place; adds what exactly it asks for."""
    match tree:
        case Boundary(word=word):
            sets[word] = None
            return True
        case Anchor(side=side):
            sides.add(side)
            if side is Side.LINE_END:
                sets[NEWLINE] = None
            return side in (Side.END, Side.LAST_END, Side.LINE_END)
        case Look(body=body, ahead=ahead):
            single = character_set(body.node) if isinstance(body, Piece) else None
            if ahead and single is not None:
                sets[single] = None
            return ahead
        case Sequence(parts) | Choice(parts):
            found = [_looks_ahead(part, sets, sides) for part in parts]
            return any(found)
        case Quantified(body=body, possessive=possessive):
            if possessive and isinstance(body, Piece):
                sets[character_set(body.node) or ()] = None
            return _looks_ahead(body, sets, sides) or possessive
    return False


def _of_loop(hole: Hole, loop: int) -> Hole:
    """The same hole of another repeat."""
    return Hole(loop, hole.context, hole.share, hole.futures)


def _counted(
    languages: Languages, node: Node, least: int, most: int | None, ends: dict[Hole, Node]
) -> Node:
    """Rounds of so many characters in all, each kind before the rests of its kind."""
    constant, factors = divided(node)
    if not isinstance(constant, Nothing):
        raise NotLinear
    kept = []
    for factor, hole in factors:
        if hole not in ends:
            raise NotLinear
        if isinstance(factor, Empty):
            kept.append(ends[hole] if least == 0 else NOTHING)
        else:
            kept.append(cat(languages.both(factor, repeat(ANY_CHAR, least, most)), ends[hole]))
    return languages.either(*kept)


State = tuple[Share, tuple[tuple[Watch, Future], ...]]
"""What all strings of a hole have in common."""


def _watches(rests: Rests, tree: Syntax) -> list[Watch]:
    """The automata of the look-aheads inside the tree that ask for more than one character."""
    found: list[Watch] = []
    match tree:
        case Look(body=body, ahead=True):
            if not isinstance(body, Piece) or character_set(body.node) is None:
                found = [rests.watch(node) for node in rests.looked(tree)]
        case Sequence(parts) | Choice(parts):
            found = [watch for part in parts for watch in _watches(rests, part)]
        case Quantified(body=body):
            found = _watches(rests, body)
    return list(dict.fromkeys(found))


def _states(shares: tuple[Share, ...], watches: list[Watch], most: int) -> list[State]:
    """The shares of all strings that the body's assertions tell apart, found from their ends on."""
    if not watches and len(shares) <= most:
        return [(share, ()) for share in shares]
    cells = [share for share in shares if isinstance(share, tuple)]
    codes = []
    for atom in atoms_of([*cells, *(ranges for watch in watches for ranges, _ in watch.atoms)]):
        code = a_character(atom)
        if code is not None:
            codes.append(code)
    found: list[State] = [("empty", tuple((watch, watch.at_the_end) for watch in watches))]
    for share, futures in found:  # grows while it is walked
        for code in codes:
            first = next(cell for cell in cells if holds(cell, code))
            alone = share == "empty" and first == NEWLINE and "newline" in shares
            before = tuple((watch, watch.before(code, future)) for watch, future in futures)
            state: State = ("newline" if alone else first, before)
            if state not in found:
                found.append(state)
        if len(found) > most:
            raise NotLinear
    return found


def _cut(rests: Rests, node: Node, hole: Hole, shares: tuple[Share, ...]) -> Node:
    """What of the node is like the strings of the hole."""
    node = _share(rests, node, hole.share, shares)
    for watch, future in hole.futures:
        for state in range(len(watch.states)):
            if not isinstance(watch.states[state], Nothing):
                node = watch.cut(node, state, state in future)
    return node


def _share(rests: Rests, node: Node, share: Share, shares: tuple[Share, ...]) -> Node:
    """That share of the node."""
    languages = rests.languages
    if share == "all":
        return node
    if share == "empty":
        return languages.empty_part(node)
    if share == "newline":
        return languages.newline_part(node)
    if not isinstance(share, tuple):
        raise NotLinear
    kept = languages.edge_in(node, share)
    return rests.longer_than_newline(kept) if share == NEWLINE and "newline" in shares else kept


def _linear(languages: Languages, node: Node, loop: int) -> Equation:
    """The node as a part without this loop's holes, and a coefficient before each hole."""
    match node:
        case Hole() if node.loop == loop:
            return NOTHING, {node: EMPTY}
        case Alt(parts):
            equations = [_linear(languages, part, loop) for part in parts]
            constant = languages.either(*(equation[0] for equation in equations))
            factors: dict[Hole, Node] = {}
            for _, more in equations:
                for hole, factor in more.items():
                    factors[hole] = languages.either(factors.get(hole, NOTHING), factor)
            return constant, factors
        case Cat(parts) if languages.has_hole(node):
            constant, factors = _linear(languages, parts[-1], loop)
            front = parts[:-1]
            return cat(*front, constant), {h: cat(*front, f) for h, f in factors.items()}
    return node, {}


def _eliminate(languages: Languages, equations: dict[Hole, Equation]) -> dict[Hole, Node]:
    """The least solution."""
    live = _productive(equations)
    rows = {
        hole: (constant, {h: f for h, f in factors.items() if h in live})
        for hole, (constant, factors) in equations.items()
        if hole in live
    }
    order = list(rows)
    for i, hole in enumerate(order):
        constant, factors = rows[hole]
        again = repeat(factors.pop(hole, NOTHING))
        rows[hole] = cat(again, constant), {h: cat(again, f) for h, f in factors.items()}
        for other in order[i + 1 :]:
            rows[other] = _substituted(languages, rows[other], hole, rows[hole])
    found: dict[Hole, Node] = dict.fromkeys(equations, NOTHING)
    for hole in reversed(order):
        constant, factors = rows[hole]
        found[hole] = languages.either(constant, *(cat(f, found[h]) for h, f in factors.items()))
        if languages.size(found[hole])[0] > MAX_SIZE:
            raise NotLinear
    return found


def _substituted(languages: Languages, row: Equation, hole: Hole, solved: Equation) -> Equation:
    constant, factors = row
    factor = factors.get(hole)
    if factor is None:
        return row
    merged = {h: f for h, f in factors.items() if h != hole}
    for other, more in solved[1].items():
        merged[other] = languages.either(merged.get(other, NOTHING), cat(factor, more))
    return languages.either(constant, cat(factor, solved[0])), merged


def _productive(equations: dict[Hole, Equation]) -> set[Hole]:
    """The holes that are not empty sets."""
    live: set[Hole] = set()
    while True:
        more = {
            hole
            for hole, (constant, factors) in equations.items()
            if hole not in live
            and (not isinstance(constant, Nothing) or any(other in live for other in factors))
        }
        if not more:
            return live
        live |= more
