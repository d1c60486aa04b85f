"""Grammars whose texts can be read in so many ways at once that no engine can follow them.

In ``e: e e e | e e | "a"`` a beginning of ten letters has thousands of readings, and after each of
them something else may follow. That shows only when texts are followed, so some are followed when
the grammar is read: a mask that could not be made in the middle of an answer would be too late.
"""

from __future__ import annotations

import random
from dataclasses import replace

from constrained.engine import ByteEngine
from constrained.errors import LimitExceeded
from constrained.grammar import Grammar, Node, Ref
from constrained.grammar.passes.walk import children, components
from constrained.limits import Limits

__all__ = ["check_walks"]

WALKS = 2
"""Texts that are followed."""

LONGEST = 2_000
"""Bytes of each: readings multiply within a dozen, or add up over hundreds."""

SHARE = 100
"""A byte may take one part in so many of the steps of a call: a mask looks at hundreds of them."""


def check_walks(grammar: Grammar, limits: Limits) -> None:
    """Raise `LimitExceeded` for a recursive grammar in which some text cannot be followed.

    >>> from constrained.grammar.text import read_grammar
    >>> check_walks(read_grammar('nest ; nest = "(" nest ")" | "" ;'), Limits())
    """
    if not _is_recursive(grammar):
        return
    try:
        engine = _sparing(grammar, limits)
        for seed in range(WALKS):
            _follow(engine, random.Random(seed))
    except LimitExceeded as error:
        if error.limit != "max_steps":
            raise
        raise LimitExceeded(
            "max_steps",
            limits.max_steps,
            "following a text that the grammar reads in very many ways",
            remedy="let rules repeat with * or +, where they name themselves more than once",
        ) from None


def _sparing(grammar: Grammar, limits: Limits) -> ByteEngine:
    """An engine with a share of the steps for each byte, unless loading takes more."""
    try:
        return ByteEngine(grammar, replace(limits, max_steps=-(-limits.max_steps // SHARE)))
    except LimitExceeded:
        return ByteEngine(grammar, limits)


def _is_recursive(grammar: Grammar) -> bool:
    def successors(node: Node) -> tuple[Node, ...]:
        return (grammar.rules[node.name],) if isinstance(node, Ref) else children(node)

    return any(len(component) > 1 for component in components([grammar.start], successors))


def _follow(engine: ByteEngine, rng: random.Random) -> None:
    state = engine.start
    for _ in range(LONGEST):
        ways = engine.transitions(state)
        if not ways:
            break
        state = rng.choice(ways)[1]
