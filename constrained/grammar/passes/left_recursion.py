"""Left recursion out: the same language from rules that never begin with themselves.

Within a group of rules that begin with each other, write each rule as ``A = b | B1 t1 | B2 t2 ...``
where `b` begins with no rule of the group, and `t` is what follows a leading rule of the group. A
match of a rule is then some `b` and after it a chain of tails, each turning the rule matched so far
into another one of the group; the chains are right-recursive rules of their own (for a group of
one: a repetition). Leading parts must not be empty for this, so everything that leads is first
written without its empty string. Source: the matrix form of Greibach's normal form (D. Rosenkrantz,
Matrix equations and normal forms for context-free grammars, 1967), with EBNF operators kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from constrained.errors import LimitExceeded
from constrained.grammar.build import EMPTY, NOTHING, lexeme, literals, optional, repeat
from constrained.grammar.nodes import (
    Alt,
    And,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Ref,
    Repeat,
)
from constrained.grammar.passes.analysis import Nullability
from constrained.grammar.passes.references import reachable_rules
from constrained.grammar.passes.walk import Memo, components, fold, rebuilt, sequence, union
from constrained.grammar.rules import Grammar
from constrained.limits import DEFAULT_LIMITS, Limits

__all__ = ["left_recursive_rules", "without_left_recursion"]


def left_recursive_rules(grammar: Grammar) -> list[tuple[str, ...]]:
    """The groups of rules that can begin with each other (or with themselves), empty matches aside.

    What stands below `And` and `Not` does not count: recursion through them is refused by
    `check_regular`.
    """
    return _groups(grammar, Nullability(grammar))


def without_left_recursion(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> Grammar:
    """The same language without left recursion, be it direct, indirect or behind nullable parts.

    The same object when there is none; otherwise only the rules that the start needs are kept, and
    new ones carry the name of the rule they come from. Raises `LimitExceeded` when the rules grow
    beyond `limits.max_nodes`.

    >>> from constrained.grammar.text import print_grammar, read_grammar
    >>> print(print_grammar(without_left_recursion(read_grammar('s ; s = s "b" | "a" ;'))))
    s ;
    s = "a" "b"* ;
    """
    nullability = Nullability(grammar)
    groups = _groups(grammar, nullability)
    if not groups:
        return grammar
    rewriting = _Rewriting(grammar, nullability, limits)
    for group in groups:
        rewriting.rewrite(group)
    return rewriting.result()


def _groups(grammar: Grammar, nullability: Nullability) -> list[tuple[str, ...]]:
    def leading(node: Node) -> Sequence[Node]:
        match node:
            case Ref(name):
                return (grammar.rules[name],)
            case Alt(parts):
                return parts
            case Repeat(body) | Lexeme(body):
                return (body,)
            case Cat(parts):
                return parts[: _lead(parts, nullability)]
        return ()

    roots = [grammar.start, *(grammar.rules[name] for name in reachable_rules(grammar))]
    groups = []
    for component in components(roots, leading):
        inside = {id(node) for node in component}
        names = {n.name for n in component if isinstance(n, Ref) and id(leading(n)[0]) in inside}
        if names:
            groups.append(tuple(sorted(names)))
    return groups


def _lead(parts: Sequence[Node], nullability: Nullability) -> int:
    """How many of the parts can come first: the nullable ones and one more."""
    for i, part in enumerate(parts):
        if not nullability.of(part):
            return i + 1
    return len(parts)


@dataclass(slots=True)
class _Heads:
    """The non-empty matches of a node, by what they begin with.

    `plain` begin with no rule of the group; `tails[name]` are what follows the rule `name`.
    """

    plain: list[Node] = field(default_factory=list)
    tails: dict[str, list[Node]] = field(default_factory=dict)

    def add(self, other: _Heads, rest: Node = EMPTY) -> None:
        """Take over what `other` has, followed by `rest`."""
        self.plain.append(sequence(union(other.plain), rest))
        for name, tails in other.tails.items():
            self.tails.setdefault(name, []).append(sequence(union(tails), rest))


class _Rewriting:
    def __init__(self, grammar: Grammar, nullability: Nullability, limits: Limits) -> None:
        self.grammar = grammar
        self.nullability = nullability
        self.limits = limits
        self.rules = {name: grammar.rules[name] for name in reachable_rules(grammar)}
        self.original = dict(self.rules)
        self.recursive: set[str] = set()
        self.names = set(self.rules)
        self.non_empty_names: dict[str, str] = {}
        self.non_empty_memo: Memo[Node] = {}
        self.pending: list[str] = []
        self.nodes = 0

    def result(self) -> Grammar:
        while self.pending:
            name = self.pending.pop()
            if name not in self.recursive:
                self.rules[self.non_empty_names[name]] = self.non_empty(self.original[name])
        rewritten = Grammar(self.grammar.start, self.rules)
        return Grammar(rewritten.start, {n: self.rules[n] for n in reachable_rules(rewritten)})

    def rewrite(self, group: tuple[str, ...]) -> None:
        self.recursive.update(group)
        heads = self.heads(group)
        steps = {
            (before, after): union(tails)
            for after in group
            for before, tails in heads[after].tails.items()
        }
        if len(group) == 1:
            (name,) = group
            self.rewrite_one(name, union(heads[name].plain), steps.get((name, name), NOTHING))
            return
        self.count(len(group) ** 2)
        free = self.free_changes(group, steps)
        chains = {
            (before, after): self.fresh(f"{before}..{after}") for before in group for after in group
        }
        for before, after in chains:
            options: list[Node] = [EMPTY] if after in free[before] else []
            for (start, middle), tail in steps.items():
                if start in free[before]:
                    options.append(sequence(self.non_empty(tail), Ref(chains[middle, after])))
            self.count(len(options))
            self.rules[chains[before, after]] = union(options)
        for after in group:
            self.define(
                after,
                union(
                    sequence(union(heads[before].plain), Ref(chains[before, after]))
                    for before in group
                ),
            )

    def rewrite_one(self, name: str, operand: Node, tail: Node) -> None:
        """``A = b | A t`` is ``A = b t*``; an `A` that ends `b` or `t` goes without its own ``t*``.

        The ``t*`` that follows says it already, and without it ``A = A "+" A | [0-9]`` is no
        longer ambiguous: ``A = [0-9] ("+" [0-9])*``.
        """
        step = self.non_empty(tail)
        inner = self.fresh(f"{name}.operand")
        short_operand = self.without_last(operand, name, Ref(inner))
        leaf = short_operand is operand and isinstance(operand, (Ref, Literal, Chars, Literals))
        last = operand if leaf else Ref(inner)
        short_step = self.without_last(step, name, last)
        if not leaf and (short_operand is not operand or short_step is not step):
            self.rules[inner] = short_operand
            operand = Ref(inner)
        self.define(name, sequence(operand, repeat(short_step)))

    def without_last(self, node: Node, name: str, last: Node) -> Node:
        """`node` with `last` for the rule `name` wherever a match can end with that rule."""
        non_empty = self.non_empty_names.get(name)
        nullable = self.nullability.of(self.original[name])

        def combine(node: Node, below: list[Node]) -> Node:
            match node:
                case Ref(other) if other == name:
                    return optional(last) if nullable else last
                case Ref(other) if other == non_empty:
                    return last
                case Cat(parts):
                    return node if below[-1] is parts[-1] else sequence(*parts[:-1], below[-1])
                case Alt():
                    return rebuilt(node, below)
                case Repeat(_, _, 1):
                    return rebuilt(node, below)
            return node

        return fold(node, combine, {})

    def define(self, name: str, non_empty: Node) -> None:
        if self.nullability.of(self.original[name]):
            self.rules[self.non_empty_name(name)] = non_empty
            self.rules[name] = optional(Ref(self.non_empty_name(name)))
        else:
            self.rules[name] = non_empty

    def free_changes(
        self, group: tuple[str, ...], steps: dict[tuple[str, str], Node]
    ) -> dict[str, set[str]]:
        """For each rule the rules that a match of it is also a match of, through empty tails."""
        direct: dict[str, list[str]] = {name: [] for name in group}
        for (before, after), tail in steps.items():
            if self.nullability.of(tail):
                direct[before].append(after)
        closed: dict[str, set[str]] = {}
        for name in group:
            found = {name}
            stack = [name]
            while stack:
                for after in direct[stack.pop()]:
                    if after not in found:
                        found.add(after)
                        stack.append(after)
            closed[name] = found
        return closed

    def heads(self, group: tuple[str, ...]) -> dict[str, _Heads]:
        memo: Memo[_Heads] = {}

        def combine(node: Node, below: list[_Heads]) -> _Heads:
            heads = _Heads()
            match node:
                case Ref(name) if name in group:
                    heads.tails[name] = [EMPTY]
                case Alt():
                    for part in below:
                        heads.add(part)
                case Cat(parts):
                    for i in range(_lead(parts, self.nullability)):
                        heads.add(below[i], sequence(*parts[i + 1 :]))
                        self.count(len(parts) - i)
                case Repeat(body, least, most):
                    rest = repeat(body, max(least - 1, 0), None if most is None else most - 1)
                    heads.add(below[0], rest)
                case Lexeme(body):
                    heads.add(below[0])
                    if not heads.tails:
                        heads.plain = [lexeme(union(heads.plain))]
                case _:
                    heads.plain.append(self.non_empty(node))
            return heads

        return {name: fold(self.original[name], combine, memo) for name in group}

    def non_empty(self, node: Node) -> Node:
        """The matches of `node` but the empty one; everything that leads is non-empty as well."""
        return fold(node, self.non_empty_from, self.non_empty_memo)

    def non_empty_from(self, node: Node, below: list[Node]) -> Node:
        if not self.nullability.of(node):
            return node
        match node:
            case Empty():
                return NOTHING
            case Literals(options):
                return literals(options[1:])
            case Cat(parts):
                self.count(len(parts) ** 2)
                return union(sequence(below[i], *parts[i + 1 :]) for i in range(len(parts)))
            case Alt():
                return union(below)
            case Repeat(body, least, most):
                if not self.nullability.of(body):
                    return repeat(body, 1, most) if most != 0 else NOTHING
                rest = repeat(body, max(least - 1, 0), None if most is None else most - 1)
                return sequence(below[0], rest)
            case Lexeme():
                return lexeme(below[0])
            case Ref(name):
                return Ref(self.non_empty_name(name))
            case And(parts):
                return And((*parts, Not(EMPTY)))
            case Not(body):
                return Not(union([body, EMPTY]))
        raise TypeError(f"not a grammar node that can be empty: {node!r}")

    def non_empty_name(self, name: str) -> str:
        if name not in self.non_empty_names:
            self.non_empty_names[name] = self.fresh(f"{name}+")
            self.pending.append(name)
        return self.non_empty_names[name]

    def fresh(self, wish: str) -> str:
        while wish in self.names:
            wish += "'"
        self.names.add(wish)
        return wish

    def count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > self.limits.max_nodes:
            raise LimitExceeded("max_nodes", self.limits.max_nodes, "removing left recursion")
