"""Which rules match the empty string, and which match anything at all."""

from __future__ import annotations

from collections.abc import Callable

from constrained.errors import UnsatisfiableSpec
from constrained.grammar.build import NOTHING
from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
    Substrings,
)
from constrained.grammar.passes.references import reachable_rules
from constrained.grammar.passes.walk import Memo, children, components, fold, rebuilt
from constrained.grammar.rules import Grammar

__all__ = [
    "Nullability",
    "check_productive",
    "nullable_rules",
    "productive_rules",
    "without_dead_parts",
]

Judge = Callable[[Node, list[bool]], bool]
"""Whether a property holds of a node, from whether it holds of its children (of a `Ref`: of its
rule, the only child)."""


class Nullability:
    """Answers which nodes match the empty string, of the grammar and of nodes made from its rules.

    >>> from constrained.grammar import Ref, cat, literal, optional
    >>> grammar = Grammar(Ref("s"), {"s": optional(cat(literal("a"), Ref("s")))})
    >>> Nullability(grammar).of(cat(Ref("s"), Ref("s")))
    True
    """

    def __init__(self, grammar: Grammar) -> None:
        self._rules = grammar.rules
        self._memo = _judged(grammar, _nullable)

    def of(self, node: Node) -> bool:
        """Whether `node` matches the empty string; it may refer to rules that the start needs."""
        return fold(node, self._combine, self._memo)

    def _combine(self, node: Node, below: list[bool]) -> bool:
        if isinstance(node, Ref):
            below = [self._memo[id(self._rules[node.name])][1]]
        return _nullable(node, below)


def nullable_rules(grammar: Grammar) -> frozenset[str]:
    """Names of the rules the start needs that match the empty string."""
    return _rules_that(grammar, _nullable)


def productive_rules(grammar: Grammar) -> frozenset[str]:
    """Names of the rules the start needs that match at least one text.

    A rule that is left out matches none, for certain. Intersections are taken to match something
    when each part does: only automata can tell, and the engine's do.
    """
    return _rules_that(grammar, _productive)


def check_productive(grammar: Grammar) -> None:
    """Raise `UnsatisfiableSpec` when the start cannot match anything; names a rule with no end.

    >>> from constrained.grammar import Ref, cat, literal
    >>> check_productive(Grammar(Ref("s"), {"s": cat(literal("a"), Ref("s"))}))
    Traceback (most recent call last):
    constrained.errors.UnsatisfiableSpec: at rule s: nothing can match: this rule has no way to end
    """
    judged = _judged(grammar, _productive)
    if judged[id(grammar.start)][1]:
        return
    dead = [n for n in reachable_rules(grammar) if not judged[id(grammar.rules[n])][1]]
    if dead:
        raise UnsatisfiableSpec(
            "nothing can match: this rule has no way to end", where=f"rule {dead[-1]}"
        )
    raise UnsatisfiableSpec("nothing can match: the start is the empty set")


def without_dead_parts(grammar: Grammar) -> Grammar:
    """The same language, without the alternatives that cannot match.

    The same object when there are none; otherwise only the rules that the start needs are kept.
    """
    judged = _judged(grammar, _productive)
    if all(alive or isinstance(node, Nothing) for node, alive in judged.values()):
        return grammar
    memo: Memo[Node] = {}

    def prune(node: Node, below: list[Node]) -> Node:
        return rebuilt(node, below) if judged[id(node)][1] else NOTHING

    start = fold(grammar.start, prune, memo)
    rules = {name: fold(grammar.rules[name], prune, memo) for name in reachable_rules(grammar)}
    pruned = Grammar(start, rules)
    return Grammar(start, {n: pruned.rules[n] for n in reachable_rules(pruned)})


def _nullable(node: Node, below: list[bool]) -> bool:
    match node:
        case Nothing() | Literal() | Chars() | Bytes() | Substrings():
            return False
        case Empty():
            return True
        case Literals(options):
            return options[0] == b""
        case Cat() | And():
            return all(below)
        case Alt():
            return any(below)
        case Repeat(_, least, _):
            return least == 0 or below[0]
        case Not():
            return not below[0]
        case Lexeme() | Ref():
            return below[0]
    raise TypeError(f"not a grammar node: {node!r}")


def _productive(node: Node, below: list[bool]) -> bool:
    match node:
        case Nothing():
            return False
        case Cat() | And():
            return all(below)
        case Alt():
            return any(below)
        case Repeat(_, least, _):
            return least == 0 or below[0]
        case Lexeme() | Ref():
            return below[0]
    return True


def _rules_that(grammar: Grammar, judge: Judge) -> frozenset[str]:
    judged = _judged(grammar, judge)
    return frozenset(n for n in reachable_rules(grammar) if judged[id(grammar.rules[n])][1])


def _judged(grammar: Grammar, judge: Judge) -> Memo[bool]:
    """The least solution for every node that the start needs; no cycle goes through `Not`."""

    def successors(node: Node) -> tuple[Node, ...]:
        return (grammar.rules[node.name],) if isinstance(node, Ref) else children(node)

    memo: Memo[bool] = {}
    for component in components([grammar.start], successors):
        memo.update((id(node), (node, False)) for node in component)
        changed = True
        while changed:
            changed = False
            for node in component:
                below = [memo[id(child)][1] for child in successors(node)]
                if not memo[id(node)][1] and judge(node, below):
                    memo[id(node)] = (node, True)
                    changed = True
    return memo
