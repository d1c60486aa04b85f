"""Concatenation, union and lists of whole grammars, each with rules of its own.

Rules of the same name and body are shared. A rule whose name another grammar uses for something
else gets a new name, ``name~2``, and so does every rule that leads to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from constrained.grammar.build import EMPTY, cat, optional, repeat
from constrained.grammar.nodes import Empty, Node, Ref
from constrained.grammar.passes.references import check_references, reachable_rules
from constrained.grammar.passes.walk import Memo, fold, rebuilt, union, walk
from constrained.grammar.rules import Grammar

__all__ = ["concatenate", "listed", "unite"]


def concatenate(*grammars: Grammar) -> Grammar:
    """An output of the first grammar, then one of the second and so on.

    >>> from constrained.grammar import literal
    >>> concatenate(Grammar(literal("a")), Grammar(literal("b"))).start
    Literal(data=b'ab')
    """
    starts, rules = _merged(grammars)
    return Grammar(cat(*starts), rules)


def unite(*grammars: Grammar) -> Grammar:
    """An output of any of the grammars."""
    starts, rules = _merged(grammars)
    return Grammar(union(starts), rules)


def listed(item: Grammar, separator: Grammar, least: int, most: int | None) -> Grammar:
    """From `least` to `most` outputs of `item`, with one of `separator` between any two.

    >>> from constrained.grammar import literal
    >>> from constrained.grammar.text import print_grammar
    >>> print(print_grammar(listed(Grammar(literal("a")), Grammar(literal(",")), 1, None)))
    "a" ",a"* ;
    """
    (body, between), rules = _merged((item, separator))
    if most == 0:
        return Grammar(EMPTY)
    if isinstance(between, Empty):
        return Grammar(repeat(body, least, most), rules)
    others = repeat(cat(between, body), max(least - 1, 0), None if most is None else most - 1)
    whole = cat(body, others)
    return Grammar(whole if least else optional(whole), rules)


def _merged(grammars: tuple[Grammar, ...]) -> tuple[list[Node], Mapping[str, Node]]:
    starts = [grammar.start for grammar in grammars]
    using = [g for g in grammars if any(isinstance(node, Ref) for node in walk([g.start]))]
    if len(using) <= 1:  # rules may be made when they are looked up: leave them alone
        return starts, using[0].rules if using else MappingProxyType({})
    starts.clear()
    merged: dict[str, Node] = {}
    for grammar in grammars:
        check_references(grammar)
        used = {name: grammar.rules[name] for name in reachable_rules(grammar)}
        closed = Grammar(grammar.start, used)
        renamed = _renamed(closed, _clashing(closed, merged), merged)
        starts.append(renamed.start)
        merged.update(renamed.rules)
    return starts, MappingProxyType(merged)


def _clashing(grammar: Grammar, taken: Mapping[str, Node]) -> set[str]:
    """The rules whose names are taken for something else, by themselves or by what they lead to."""
    clashing = {
        name
        for name, body in grammar.rules.items()
        if name in taken and not _equal(body, taken[name])
    }
    users: dict[str, set[str]] = {}
    for name, body in grammar.rules.items():
        for node in walk([body]):
            if isinstance(node, Ref):
                users.setdefault(node.name, set()).add(name)
    stack = list(clashing)
    while stack:
        for user in users.get(stack.pop(), set()) & taken.keys() - clashing:
            clashing.add(user)
            stack.append(user)
    return clashing


def _renamed(grammar: Grammar, clashing: set[str], taken: Mapping[str, Node]) -> Grammar:
    """The same grammar with other names for the rules in `clashing`."""
    if not clashing:
        return grammar
    names: dict[str, str] = {}
    for name in grammar.rules:
        if name in clashing:
            number = 2
            while (new := f"{name}~{number}") in taken or new in grammar.rules:
                number += 1
            names[name] = new
    memo: Memo[Node] = {}

    def rename(node: Node, below: list[Node]) -> Node:
        if isinstance(node, Ref):
            return Ref(names[node.name]) if node.name in names else node
        return rebuilt(node, below)

    return Grammar(
        fold(grammar.start, rename, memo),
        {names.get(name, name): fold(body, rename, memo) for name, body in grammar.rules.items()},
    )


def _equal(one: Node, other: Node) -> bool:
    try:
        return one is other or one == other
    except RecursionError:  # too deep to compare: a second name costs nothing but space
        return False
