"""The named passes over grammars: each checks or rewrites one thing, and keeps the language.

=============================  ==================================================================
`reachable_rules`              the names that the start needs, in the order it meets them
`unused_rules`                 the others
`check_references`             every `Ref` has its rule, or `InvalidSpec`
`nullable_rules`               rules that match the empty string
`productive_rules`             rules that match anything at all
`check_productive`             the start matches something, or `UnsatisfiableSpec`
`without_dead_parts`           alternatives that cannot match are gone
`left_recursive_rules`         the groups of rules that can begin with themselves
`without_left_recursion`       the same language without them
`check_regular`                `And` and `Not` stand over regular parts, or `UnsupportedSpec`
`restrict`                     what a vocabulary cannot spell is gone
`spelled`                      the same, with tokens of several characters that only say it whole
`prepared`                     what a grammar from outside goes through before the engine sees it
=============================  ==================================================================

None recurses in Python, and each visits a node object once, however many places share it. All but
the first three need a grammar that `check_references` has passed.
"""

from __future__ import annotations

from constrained.grammar.passes.analysis import (
    Nullability,
    check_productive,
    nullable_rules,
    productive_rules,
    without_dead_parts,
)
from constrained.grammar.passes.joining import spelled
from constrained.grammar.passes.left_recursion import left_recursive_rules, without_left_recursion
from constrained.grammar.passes.references import check_references, reachable_rules, unused_rules
from constrained.grammar.passes.regular import check_regular
from constrained.grammar.passes.restriction import Loss, restrict
from constrained.grammar.rules import Grammar
from constrained.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "Loss",
    "Nullability",
    "check_productive",
    "check_references",
    "check_regular",
    "left_recursive_rules",
    "nullable_rules",
    "prepared",
    "productive_rules",
    "reachable_rules",
    "restrict",
    "spelled",
    "unused_rules",
    "without_dead_parts",
    "without_left_recursion",
]


def prepared(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> Grammar:
    """The same language, in the form that the engine takes.

    Raises `InvalidSpec` (a rule that is not there), `UnsatisfiableSpec` (nothing can match),
    `UnsupportedSpec` (a complement or intersection of what is not regular) and `LimitExceeded`.

    >>> from constrained.grammar.text import print_grammar, read_grammar
    >>> left = read_grammar('sum ; sum = sum "+" [0-9] | [0-9] ;')
    >>> print(print_grammar(prepared(left)))
    sum ;
    sum = [0-9] ("+" [0-9])* ;
    """
    check_references(grammar)
    check_productive(grammar)
    straight = without_left_recursion(without_dead_parts(grammar), limits)
    check_regular(straight)
    return straight
