"""Whether a grammar has finitely many outputs: decided on the grammar, exactly.

The outputs are infinitely many exactly when, among the parts that some output uses, a non-empty
piece repeats without an upper bound, or a rule contains itself beside something that need not be
empty. Intersections and complements are decided on their automata, which are finite.
"""

from __future__ import annotations

from dataclasses import dataclass

from constrained.engine import ByteEngine
from constrained.errors import UnsatisfiableSpec
from constrained.grammar import (
    Alt,
    And,
    Cat,
    Empty,
    Grammar,
    Lexeme,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
)
from constrained.grammar.passes.walk import children, components
from constrained.grammar.text import print_node
from constrained.limits import Limits
from constrained.spec.automaton import explore

__all__ = ["Finiteness", "finiteness"]

NO_OUTPUT, ONLY_EMPTY, NON_EMPTY = 0, 1, 2
"""What a node can match: nothing, nothing but the empty text, something longer."""


@dataclass(frozen=True)
class Finiteness:
    """`finite` is None when it could not be decided; `reason` says why not, or why infinite."""

    finite: bool | None
    reason: str = ""


def finiteness(grammar: Grammar, limits: Limits) -> Finiteness:
    """Whether `grammar` has finitely many outputs.

    Undecided only when an intersection or complement has more than `limits.max_states` states.

    >>> from constrained.grammar import literal, repeat
    >>> finiteness(Grammar(repeat(literal("a"))), Limits())
    Finiteness(finite=False, reason='"a"* has no upper bound')
    """
    extents = _Extents(grammar, limits)
    if extents.of(grammar.start) == NO_OUTPUT:
        return Finiteness(True)

    def successors(node: Node) -> tuple[Node, ...]:
        """The nodes below that take part in some output of this one."""
        if isinstance(node, Cat) and extents.of(node) == NO_OUTPUT:
            return ()
        return tuple(n for n in extents.below(node) if extents.of(n) != NO_OUTPUT)

    undecided = ""
    for component in components([grammar.start], successors):
        ids = set(map(id, component))
        for node in component:
            if isinstance(node, And | Not):
                found = extents.regular(node)
                if found.finite is False:
                    return found
                undecided = undecided or found.reason
            if isinstance(node, Repeat) and node.most is None and _grows(node, node.body, extents):
                return Finiteness(False, f"{_shown(node)} has no upper bound")
            for child in successors(node):
                if id(child) in ids and _grows(node, child, extents):
                    names = sorted({n.name for n in component if isinstance(n, Ref)})
                    return Finiteness(False, f"rule {names[0]!r} can contain itself")
    return Finiteness(None, undecided) if undecided else Finiteness(True)


class _Extents:
    """What each node of a grammar can match: `NO_OUTPUT`, `ONLY_EMPTY` or `NON_EMPTY`."""

    def __init__(self, grammar: Grammar, limits: Limits) -> None:
        self._rules = grammar.rules
        self._limits = limits
        self._known: dict[int, tuple[Node, int]] = {}  # holds the nodes, so that ids stay theirs
        for component in components([grammar.start], self.below):
            self._known.update((id(node), (node, NO_OUTPUT)) for node in component)
            changed = True
            while changed:  # the least solution: recursion matches what it can be seen to match
                changed = False
                for node in component:
                    extent = self._judge(node, [self.of(child) for child in self.below(node)])
                    if extent > self.of(node):
                        self._known[id(node)] = (node, extent)
                        changed = True

    def of(self, node: Node) -> int:
        return self._known[id(node)][1]

    def below(self, node: Node) -> tuple[Node, ...]:
        """The nodes that `node` is made of; intersections and complements are taken as a whole."""
        if isinstance(node, Ref):
            return (self._rules[node.name],)
        return () if isinstance(node, And | Not) else children(node)

    def regular(self, node: Node) -> Finiteness:
        """Of an intersection or complement."""
        if isinstance(node, And):
            for part in node.parts:
                if not isinstance(part, Not):
                    found = finiteness(Grammar(part, self._rules), self._limits)
                    if found.finite:
                        return found
        automaton = explore(self._engine(node), self._limits.max_states)
        if not automaton.complete:
            return Finiteness(None, f"{_shown(node)} has more than {len(automaton.ways):,} states")
        if automaton.order() is None:
            return Finiteness(False, f"{_shown(node)} has no upper bound")
        return Finiteness(True)

    def _engine(self, node: Node) -> ByteEngine:
        return ByteEngine(Grammar(node, self._rules), self._limits)

    def _judge(self, node: Node, below: list[int]) -> int:
        match node:
            case Nothing():
                return NO_OUTPUT
            case Empty():
                return ONLY_EMPTY
            case Cat():
                return max(below) if min(below) > NO_OUTPUT else NO_OUTPUT
            case Alt():
                return max(below)
            case Repeat(_, least, _):
                return below[0] if least else max(below[0], ONLY_EMPTY)
            case Ref() | Lexeme():
                return below[0]
            case And() | Not():
                try:
                    engine = self._engine(node)
                except UnsatisfiableSpec:
                    return NO_OUTPUT
                return ONLY_EMPTY if engine.final(engine.start) else NON_EMPTY
        return NON_EMPTY


def _grows(node: Node, child: Node, extents: _Extents) -> bool:
    """Whether `node` can put something beside `child` (beside one copy of its body)."""
    if isinstance(node, Cat):
        here = next(i for i, part in enumerate(node.parts) if part is child)
        beside = node.parts[:here] + node.parts[here + 1 :]
        return any(extents.of(part) == NON_EMPTY for part in beside)
    return isinstance(node, Repeat) and node.most != 1 and extents.of(node.body) == NON_EMPTY


def _shown(node: Node) -> str:
    text = print_node(node)
    return text if len(text) <= 60 else text[:57] + "..."
