"""`And` and `Not` need regular bodies: recursion below them must be right-linear."""

from __future__ import annotations

from collections.abc import Sequence

from constrained.errors import UnsupportedSpec
from constrained.grammar.nodes import And, Cat, Empty, Node, Not, Ref, Repeat
from constrained.grammar.passes.walk import children, components, walk
from constrained.grammar.rules import Grammar

__all__ = ["check_regular"]


def check_regular(grammar: Grammar) -> None:
    """Raise `UnsupportedSpec` when an intersection or a complement is not of regular parts.

    A rule that is recursive and stands below `And` or `Not` must be right-linear: each reference
    back to itself is the last part of its alternative. Nothing may need its own intersection or
    complement. Left recursion is fine if `without_left_recursion` has run before.

    >>> from constrained.grammar.text import read_grammar
    >>> check_regular(read_grammar('!word ; word = [a-z] word | [a-z] ;'))
    >>> check_regular(read_grammar('!nest ; nest = "(" nest ")" | "" ;'))
    Traceback (most recent call last):
    constrained.errors.UnsupportedSpec: at rule nest: the complement of a rule that nests is not \
regular (write the recursive reference last in its alternative, or use repetition)
    """
    tops = [n for n in walk([grammar.start], grammar.rules) if isinstance(n, (And, Not))]
    if not tops:
        return

    def successors(node: Node) -> tuple[Node, ...]:
        return (grammar.rules[node.name],) if isinstance(node, Ref) else children(node)

    for component in components(tops, successors):
        names = [node.name for node in component if isinstance(node, Ref)]
        if not names:
            continue
        inside = set(map(id, component))
        for node in component:
            if isinstance(node, (And, Not)):
                raise UnsupportedSpec(
                    "recursion through & or !",
                    f"the rule needs its own {_operation(node)}",
                    where=f"rule {names[-1]}",
                )
            if any(id(part) in inside for part in _inner(node)):
                above = _above(tops, node, grammar)
                raise UnsupportedSpec(
                    "nesting below & or !",
                    f"the {_operation(above)} of a rule that nests is not regular",
                    where=f"rule {names[-1]}",
                    hint="write the recursive reference last in its alternative, or use repetition",
                )


def _operation(node: Node) -> str:
    return "complement" if isinstance(node, Not) else "intersection"


def _above(tops: Sequence[Node], node: Node, grammar: Grammar) -> Node:
    return next(top for top in tops if any(n is node for n in walk([top], grammar.rules)))


def _inner(node: Node) -> tuple[Node, ...]:
    """The children after which `node` may still go on."""
    match node:
        case Cat(parts):
            full = [i for i, part in enumerate(parts) if not isinstance(part, Empty)]
            return parts[: full[-1]] if full else ()
        case Repeat(body, _, most) if most != 1:
            return (body,)
    return ()
