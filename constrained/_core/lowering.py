"""Lower a grammar to the flat program that the native core loads (format: `program.h`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from constrained._core import native
from constrained.collection import collection_paused
from constrained.errors import InvalidSpec, LimitExceeded
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
from constrained.grammar.rules import Grammar, LaterRules
from constrained.limits import DEFAULT_LIMITS, Limits

__all__ = ["AT_ONCE", "Lowering", "lower"]

AT_ONCE = 80
"""Nodes that are lowered before the first mask."""

AT_A_FETCH = 300
"""Nodes that are lowered when a rule is fetched: its own, then those of rules near it."""

# In the order of the operations of a program.
_KINDS = (
    Nothing,
    Empty,
    Bytes,
    Literal,
    Literals,
    Cat,
    Alt,
    Repeat,
    Ref,
    And,
    Not,
    Lexeme,
    Chars,
    Substrings,
)


def lower(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> native.Program:
    """Number the grammar's nodes in post-order and write them down, rules and all.

    Only rules that can be reached are lowered. Raises `InvalidSpec` for a `Ref` without a rule and
    `LimitExceeded` for a grammar beyond `limits.max_nodes`.

    >>> from constrained.grammar import Grammar, literal
    >>> lower(Grammar(literal("ab"))).pool
    b'ab'
    """
    return _written(grammar.start, grammar.rules, None, limits, 0)


class Lowering:
    """Lowers a grammar with `LaterRules` piece by piece: `first` now, the rest when asked for.

    The first program has the rules nearest to the start, up to `AT_ONCE` nodes; other rules that
    may wait are named by keys, and `fetch(key)` lowers one of them with those nearest to it, up to
    `AT_A_FETCH` nodes. Errors are those of `lower`.
    """

    def __init__(self, start: Node, rules: LaterRules, limits: Limits = DEFAULT_LIMITS) -> None:
        self._rules = rules
        self._limits = limits
        self._keys: dict[str, int] = {}
        self._names: list[str] = []
        self._lowered: set[int] = set()
        self.first = self._program(start, AT_ONCE)

    def fetch(self, key: int) -> native.Program:
        """The program of the rule with this key; rules that it names are named by key."""
        self._lowered.add(key)
        with collection_paused():
            return self._program(self._rules[self._names[key]], AT_A_FETCH)

    def least(self, key: int) -> int:
        """Bytes that no text of the rule with this key has fewer of."""
        return max(self._rules.least(self._names[key]), 1)

    def _program(self, start: Node, at_once: int) -> native.Program:
        program = _written(start, self._rules, self._key, self._limits, at_once)
        self._lowered.update(memoryview(program.keys).cast("i"))
        return program

    def _key(self, name: str, enough: bool) -> int:
        rules, key = self._rules, self._keys.get(name)
        if key in self._lowered:  # naming it is enough; if loading it failed, it is fetched again
            return key
        if not (rules.may_wait(name) if enough else rules.must_wait(name)):
            return -1
        if key is None:
            key = self._keys[name] = len(self._names)
            self._names.append(name)
        return key


def _written(
    start: Node,
    rules: Mapping[str, Node],
    key: Callable[[str, bool], int] | None,
    limits: Limits,
    at_once: int,
) -> native.Program:
    def body(name: str) -> Node:
        if name not in rules:
            known = ", ".join(sorted(rules)[:10]) or "none"
            raise InvalidSpec(f"no rule named {name!r}", hint=f"rules: {known}")
        return rules[name]

    try:
        return native.written(start, _KINDS, body, key, limits.max_nodes, at_once)
    except native.CoreError as error:
        limit, message = error.args
        if limit:
            raise LimitExceeded(limit, getattr(limits, limit), message) from None
        raise InvalidSpec(message) from None
