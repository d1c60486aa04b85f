"""JSON numbers in a range, exactly: the grammars that the JSON front end asks for.

The notation is that of RFC 8259, section 6: an optional minus sign, digits without leading zeros,
an optional fraction. Zero may carry a minus sign there (``-0`` is a JSON number of value 0), so it
may here wherever 0 itself may stand, unless `negative_zero` is off.

A text is in a grammar when its exact value qualifies and so does the double that it reads as,
which is finite. `exact` takes the exact values alone.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import gcd

from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar import (
    Grammar,
    Node,
    alt,
    cat,
    intersect,
    lexeme,
    literal,
    optional,
    repeat,
)
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.numbers_automaton import NODES_PER_STATE
from constrained.spec.numbers_doubles import CERTAIN_DIGITS, MOST_DIGITS, exact_multiples_to
from constrained.spec.numbers_magnitude import Congruence, Magnitudes
from constrained.spec.numbers_scientific import DIGIT, LONG_MANTISSA, NON_ZERO, ZERO
from constrained.spec.numbers_signed import LONGEST_BOUND, plain, signed_grammar

__all__ = [
    "EVERY_INTEGER",
    "EVERY_NUMBER",
    "LONGEST_BOUND",
    "certain_numerals",
    "decimal_grammar",
    "in_decimals",
    "integer_grammar",
    "plain",
    "signed_grammar",
]

STATES_OF_A_REMAINDER = 8
"""A remainder is met after so many beginnings of the numbers that doubles hold exactly.

There are up to twice as many, of which a step meets some; measured: up to 1,000 remainders a mask
takes tenths of a second at the most, from 2,000 on the work of one step may not suffice.
"""


def integer_grammar(
    low: int | None,
    high: int | None,
    *,
    multiple_of: int = 1,
    negative_zero: bool = True,
    exact: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The integers from `low` to `high` that are multiples, written without a fraction.

    Raises `UnsatisfiableSpec` when there is none, `InvalidSpec` when `multiple_of` is not positive
    and `LimitExceeded` when the automaton of the multiples is too large.

    >>> integer_grammar(0, 9, negative_zero=False).start
    Chars(ranges=((48, 57),))
    """
    _check_multiple(multiple_of)
    notation = Magnitudes(
        congruence=None if multiple_of == 1 else Congruence(Fraction(multiple_of)), most_places=0
    )
    least, most = None if low is None else Fraction(low), None if high is None else Fraction(high)
    grammar = signed_grammar(
        least,
        most,
        notation,
        negative_zero=negative_zero,
        doubles=not exact,
        what="integer",
        condition="" if multiple_of == 1 else f"a multiple of {multiple_of}",
        limits=limits,
    )
    return (
        grammar if exact else _exact_multiples(grammar, least, most, Fraction(multiple_of), limits)
    )


def decimal_grammar(
    low: Fraction | None,
    high: Fraction | None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Fraction | None = None,
    exponents: bool = False,
    integral_fraction: bool = True,
    negative_zero: bool = True,
    exact: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The JSON numbers in a range that are multiples of `multiple_of`.

    Without `exponents` the texts ``-?int frac?`` whose value qualifies; without
    `integral_fraction` those whose fraction is not all zeros (``1.50`` but not ``1.0``).

    With `exponents` also scientific notation, normalised: one digit other than 0, an optional
    fraction, ``e`` or ``E``, an optional sign, and an exponent without leading zeros or padded to
    three digits. Where one sign is not bounded at all (above an exclusive zero: apart from zero),
    any number of that sign may have an exponent of up to two digits. Multiples are written without
    exponents: with `multiple_of` the flag has no effect, nor with `exact`.

    Raises `UnsatisfiableSpec` when no number qualifies, `InvalidSpec` when `multiple_of` is not
    positive and `LimitExceeded` when the automaton is too large.

    >>> g = decimal_grammar(Fraction(0), Fraction(1), multiple_of=Fraction(1, 2))
    """
    if multiple_of is not None:
        _check_multiple(multiple_of)
    notation = Magnitudes(
        exclusive_low=exclusive_low,
        exclusive_high=exclusive_high,
        congruence=None if multiple_of is None else Congruence(in_decimals(multiple_of)),
        zeros="any" if integral_fraction else "not alone",
    )
    grammar = signed_grammar(
        low,
        high,
        notation,
        negative_zero=negative_zero,
        exponents=exponents and multiple_of is None and not exact,
        doubles=not exact,
        what="number",
        condition="" if multiple_of is None else f"a multiple of {plain(multiple_of)}",
        limits=limits,
    )
    if exact or multiple_of is None:
        return grammar
    return _exact_multiples(grammar, low, high, in_decimals(multiple_of), limits)


def _exact_multiples(
    grammar: Grammar, low: Fraction | None, high: Fraction | None, step: Fraction, limits: Limits
) -> Grammar:
    """The multiples of a grammar that are multiples for a reader of doubles, too."""
    most = exact_multiples_to(step)
    if most is None or (low is not None and high is not None and -most <= low and high <= most):
        return grammar
    widest = f"from {plain(-most)} to {plain(most)} at the widest"
    states = Congruence(step).least_states(None) * STATES_OF_A_REMAINDER
    if states * NODES_PER_STATE > limits.max_nodes:
        raise LimitExceeded(
            "max_nodes",
            limits.max_nodes,
            f"looking for multiples of {plain(step)}",
            remedy=f"set a minimum and a maximum, {widest}",
        )
    certain = signed_grammar(-most, most, Magnitudes(), negative_zero=True)
    return Grammar(intersect(grammar.start, certain.start), {**certain.rules, **grammar.rules})


@lru_cache(maxsize=1)
def certain_numerals() -> Node:
    """Numerals, with any sign, of so few digits that no two values read as one double."""
    digits = DIGIT
    for more in range(1, CERTAIN_DIGITS):
        digits = cat(DIGIT, optional(alt(digits, cat(literal("."), repeat(DIGIT, 1, more)))))
    small = cat(literal("0."), repeat(ZERO, 0, LONG_MANTISSA), repeat(DIGIT, 1, CERTAIN_DIGITS))
    return cat(optional(literal("-")), alt(digits, small))


def _check_multiple(multiple_of: Fraction | int) -> None:
    if multiple_of <= 0:
        raise InvalidSpec(
            f"a multiple of {plain(Fraction(multiple_of))} is asked for",
            hint="multiples are of a number above 0",
        )


def in_decimals(multiple_of: Fraction) -> Fraction:
    """The number whose multiples are the finite decimals among the multiples of `multiple_of`.

    A finite decimal k * p/q needs all factors of q other than 2 and 5 in k.
    """
    denominator = multiple_of.denominator
    while (common := gcd(denominator, 10)) > 1:
        denominator //= common
    return multiple_of * denominator


def _every_number() -> Grammar:
    grammar = decimal_grammar(None, None, exponents=True)
    return Grammar(lexeme(grammar.start), grammar.rules)


EVERY_NUMBER = _every_number()
"""Every JSON number that reads as a finite double."""

EVERY_INTEGER = Grammar(
    lexeme(
        cat(
            optional(literal("-")),
            alt(ZERO, cat(NON_ZERO, repeat(DIGIT, 0, MOST_DIGITS - 1))),
        )
    )
)
"""Every one of them that is written without fraction and exponent."""
