"""The numerals of non-negative numbers in a range, exactly, as an automaton over characters.

`Magnitudes` says which numbers (bounds, a congruence) and in which notation (fraction digits,
padding, grouping). Its automaton is the product of small machines that each read the digits from
the left: one per bound compares, one keeps the remainder, one watches the notation. All arithmetic
is on integers: bounds are fractions, compared digit by digit as in long division.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from constrained.errors import LimitExceeded
from constrained.grammar import NOTHING, Node
from constrained.limits import Limits
from constrained.spec.numbers_automaton import NODES_PER_STATE, Move, compile_automaton

__all__ = ["Congruence", "Magnitudes", "decimal_places", "plain"]


def decimal_places(value: Fraction) -> int | None:
    """How many digits after the point write `value` exactly; None when no number of them does.

    >>> decimal_places(Fraction(1, 8)), decimal_places(Fraction(1, 3))
    (3, None)
    """
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def plain(value: Fraction) -> str:
    """The number for people: decimal digits where they are finite, else a fraction.

    >>> plain(Fraction(5, 2)), plain(Fraction(-3)), plain(Fraction(1, 3))
    ('2.5', '-3', '1/3')
    """
    places = decimal_places(value)
    if not places:
        return str(value)
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


class _Before(NamedTuple):
    """`read` digits of the integer part so far; `order` of them against the bound's first ones."""

    read: int
    order: int


class _Equal(NamedTuple):
    """All digits equal so far; the bound goes on with the fraction `rest` / its denominator."""

    rest: int


_BELOW, _ABOVE = -1, 1
_Order = _Before | _Equal | int
"""How the digits so far compare with a bound; a number: below or above it, whatever follows."""

_NOTHING_READ = _Before(0, 0)


def _compare(a: int, b: int) -> int:
    return (a > b) - (a < b)


@dataclass(frozen=True)
class _Bound:
    """A bound that numerals are compared with, digit by digit from the left."""

    whole: str
    rest: int
    denominator: int

    @staticmethod
    def of(value: Fraction) -> _Bound:
        whole, rest = divmod(value.numerator, value.denominator)
        return _Bound(str(whole), rest, value.denominator)

    def expects(self, state: _Order) -> int:
        """The one digit that goes on like the bound; -1 when all lead to the same."""
        if isinstance(state, _Before) and state.order == 0 and state.read < len(self.whole):
            return int(self.whole[state.read])
        return 10 * state.rest // self.denominator if isinstance(state, _Equal) else -1

    def digit(self, state: _Order, digit: int) -> _Order:
        if isinstance(state, _Before):
            if state.read == len(self.whole):
                return _ABOVE  # more digits than the bound, and no leading zeros
            order = state.order or _compare(digit, int(self.whole[state.read]))
            return _Before(state.read + 1, order)
        if isinstance(state, _Equal):
            expected, rest = divmod(10 * state.rest, self.denominator)
            order = _compare(digit, expected)
            return order or _Equal(rest)
        return state

    def point(self, state: _Order) -> _Order:
        if isinstance(state, _Before):
            order = -1 if state.read < len(self.whole) else state.order
            return order or _Equal(self.rest)
        return state

    def end(self, state: _Order) -> int:
        """-1, 0, 1: the numeral, ended here, is below, equal to or above the bound."""
        state = self.point(state)
        if isinstance(state, _Equal):
            return -1 if state.rest else 0
        return state if isinstance(state, int) else 0


BITS_OF_A_STEP = 512
"""Bits of a modulus for which a step counts once more: long numbers take longer."""


class Congruence:
    """The numbers x with x = residue (mod modulus), both finite decimals.

    With `places` digits after the point both become integers, and the automaton keeps the
    remainder of the digits so far. Remainders that no continuation tells apart are one state, so
    multiples of 1000000 need seven states, not a million.
    """

    def __init__(self, modulus: Fraction, residue: Fraction = Fraction(0)) -> None:
        self.step, self.start = modulus, residue
        self.places = max(decimal_places(modulus) or 0, decimal_places(residue) or 0)
        self.scale: int = 10**self.places
        self.modulus = int(modulus * self.scale)
        self.residue = int(residue * self.scale) % self.modulus
        self._steps = 0
        self._first: dict[tuple[int | None, ...], int] = {}
        self._known: dict[tuple[int, int | None], int | None] = {}

    def whole(self, remainder: int, more: int | None, limits: Limits) -> int | None:
        """The first remainder met that no continuation tells from this one; None: none fits.

        `more`: how many digits the integer part can still have; None when there is no bound.
        Raises `LimitExceeded` when telling them apart takes more than `limits.max_steps`.
        """
        key = remainder, more
        if key not in self._known:
            self._known[key] = self._alike(remainder, more)
            if self._steps > limits.max_steps:
                raise LimitExceeded(
                    "max_steps",
                    limits.max_steps,
                    f"counting in steps of {self.modulus.bit_length():,} bits",
                    remedy="choose a step and bounds of fewer digits",
                )
        return self._known[key]

    def _alike(self, remainder: int, more: int | None) -> int | None:
        signature: list[int | None] = []
        room, grown = self.scale, remainder  # n digits and a fraction add 0 .. room - 1
        fits = False
        while True:
            missing = (self.residue - grown) % self.modulus
            signature.append(missing if missing < room else None)
            fits = fits or missing < room
            if room >= self.modulus or len(signature) - 1 == more:
                break
            grown, room = grown * 10 % self.modulus, room * 10
        self._steps += len(signature) * (1 + self.modulus.bit_length() // BITS_OF_A_STEP)
        return self._first.setdefault(tuple(signature), remainder) if fits else None

    def mirrored(self) -> Congruence:
        """The same for -x."""
        unit = Fraction(1, self.scale)
        return Congruence(self.modulus * unit, (self.modulus - self.residue) * unit)

    def least_states(self, span: Fraction | None) -> int:
        """At least so many states are needed for numbers in a range that wide."""
        coprime = self.modulus
        for prime in (2, 5):
            while coprime % prime == 0:
                coprime //= prime
        if span is None:
            return coprime
        return min(coprime, int(span * self.scale) // (100 * self.modulus))


class _State(NamedTuple):
    phase: Literal["start", "zero", "whole", "point", "fraction"]
    low: _Order = _NOTHING_READ
    high: _Order | None = None
    remainder: int = 0
    """Integer part: what the digits leave. Fraction: what its digits still have to add."""
    places: int = 0
    """Digits of the fraction, as far as they count."""
    zeros: Literal["", "last", "all"] = ""
    """Which digits of the fraction are zeros, as far as it counts."""
    padded: int = 0
    """Digits of an integer part that begins with a zero."""
    group: int = 0
    """Digits of the first group, or 4 + digits of the open group after a separator."""


SHOWN_DIGITS = 40
"""Longer numbers are not spelled in messages."""

KEPT_BELOW = 10**18
"""Ranges whose bounds are made of smaller numbers are kept for the next grammar that has them."""


@dataclass(frozen=True)
class Magnitudes:
    """A set of non-negative numbers, and how they are written.

    Bounds are non-negative. Zeros at the end of a fraction: "any" number of them, "none", or
    "not alone" (1.50 but not 1.00). `width`: integer parts may be padded with zeros to so many
    digits. `separator`: one character between groups of three digits.
    """

    low: Fraction = Fraction(0)
    high: Fraction | None = None
    exclusive_low: bool = False
    exclusive_high: bool = False
    congruence: Congruence | None = None
    least_places: int = 0
    most_places: int | None = None
    zeros: Literal["any", "none", "not alone"] = "any"
    width: int = 0
    separator: str = ""

    def name(self) -> str:
        """What tells this set and notation from others, for the names of rules."""
        words = [f"numeral-{self.low}-{'' if self.high is None else self.high}"]
        words += ["above"] * self.exclusive_low + ["below"] * self.exclusive_high
        if self.congruence is not None:
            rule = self.congruence
            words.append(f"mod-{rule.modulus}-{rule.residue}-{rule.scale}")
        if self.least_places or self.most_places is not None:
            words.append(f"places-{self.least_places}-{self.most_places}")
        if self.zeros != "any":
            words.append(f"zeros-{self.zeros}")
        if self.width:
            words.append(f"width-{self.width}")
        if self.separator:
            words.append(f"grouped-{ord(self.separator)}")
        return ":".join(words).replace("/", "_").replace(" ", "_")

    def words(self) -> str:
        """The same for people, in short.

        >>> Magnitudes(high=Fraction(99), congruence=Congruence(Fraction(7, 2))).words()
        'numbers in steps of 3.5 from 0 to 99'
        """
        step = "" if self.congruence is None else f" in steps of {_shown(self.congruence.step)}"
        high = "" if self.high is None else f" to {_shown(self.high)}"
        return f"numbers{step} from {_shown(self.low)}{high}"

    def compile(self, limits: Limits) -> tuple[Node, dict[str, Node]]:
        """The numerals as a node and its rules, `NOTHING` when no number qualifies.

        Raises `LimitExceeded` when that takes more than `limits.max_nodes` nodes, or more than
        `limits.max_steps` to find out.
        """
        if self.high is not None and self.low > self.high:
            return NOTHING, {}
        if self.congruence is not None:
            span = None if self.high is None else self.high - self.low
            if self.congruence.least_states(span) * NODES_PER_STATE > limits.max_nodes:
                raise LimitExceeded(
                    "max_nodes",
                    limits.max_nodes,
                    f"writing down {self.words()}",
                    remedy="choose a smaller step, or bounds that are closer together",
                )
        return _kept(self, limits) if self._is_small() else _compiled(self, limits)

    def _is_small(self) -> bool:
        """A few hundred nodes write it down."""
        bounds = (self.low, self.high or Fraction(0))
        digits = max(max(bound.numerator, bound.denominator) for bound in bounds)
        places = max(self.least_places, self.most_places or 0, self.width)
        return self.congruence is None and digits < KEPT_BELOW and places <= 18


def _shown(value: Fraction) -> str:
    text = plain(value)
    return text if len(text) <= SHOWN_DIGITS else f"a number of {len(text):,} digits"


def _compiled(numbers: Magnitudes, limits: Limits) -> tuple[Node, dict[str, Node]]:
    start = _State("start", high=None if numbers.high is None else _NOTHING_READ)
    move = _Automaton(numbers, limits).move
    return compile_automaton(start, move, name=numbers.name(), words=numbers.words(), limits=limits)


_kept = lru_cache(maxsize=512)(_compiled)


class _Automaton:
    """The automaton of one `Magnitudes`: `move` is its only question."""

    def __init__(self, numbers: Magnitudes, limits: Limits) -> None:
        self.numbers = numbers
        self.limits = limits
        self.low = _Bound.of(numbers.low)
        self.high = None if numbers.high is None else _Bound.of(numbers.high)
        places = [numbers.least_places, numbers.most_places or 0]
        if numbers.congruence is not None:
            places.append(numbers.congruence.places)
        self.counted_places = max(places)

    def move(self, state: Hashable) -> Move:
        if not isinstance(state, _State):
            raise TypeError(state)
        moves: dict[str, Hashable] = {}
        follow = self._whole if state.phase in ("start", "zero", "whole") else self._fraction
        apart = self._told_apart(state)
        to: _State | None = None
        for digit, symbol in enumerate("0123456789"):
            if apart is None or digit in apart or digit - 1 in apart:
                to = follow(state, digit)
            if to is not None:
                moves[symbol] = to
        if state.phase in ("zero", "whole") and state.group in (0, 1, 2, 3, 7):
            to = self._point(state)
            if to is not None:
                moves["."] = to
            if state.group:
                moves[self.numbers.separator] = state._replace(group=4)
        return self._complete(state), moves

    def _told_apart(self, state: _State) -> set[int] | None:
        """Digits unlike their neighbours; those between them all lead to one state. None: all."""
        if self.numbers.congruence is not None:
            return None
        first = state.phase in ("start", "zero")
        found = {0, self.low.expects(_NOTHING_READ if first else state.low)}
        if self.high is not None and state.high is not None:
            found.add(self.high.expects(_NOTHING_READ if first else state.high))
        return found

    def _whole(self, state: _State, digit: int) -> _State | None:
        numbers = self.numbers
        first = state.phase == "start" or state.phase == "zero"
        phase: Literal["zero", "whole"] = "zero" if first and digit == 0 else "whole"
        padded = 0
        if state.phase != "start" and (state.phase == "zero" or state.padded):
            padded = state.padded + 1
            if padded > numbers.width:
                return None
        elif phase == "zero" and numbers.width:
            padded = 1
        group = 0
        if numbers.separator and phase == "whole":
            group = state.group + 1
            if group in (4, 8):
                return None
        low = self.low.digit(_NOTHING_READ if first else state.low, digit)
        high, more = None, None
        if self.high is not None and state.high is not None:
            high = self.high.digit(_NOTHING_READ if first else state.high, digit)
            if high == _ABOVE:
                return None
            more = 0
            if isinstance(high, _Before):  # zeros in front do not count
                more = len(self.high.whole) - (0 if phase == "zero" else high.read)
        remainder = 0
        if numbers.congruence is not None:
            rule = numbers.congruence
            grown = (state.remainder * 10 + digit * rule.scale) % rule.modulus
            alike = rule.whole(grown, more, self.limits)
            if alike is None:
                return None
            remainder = alike
        return _State(phase, low, high, remainder, 0, "", padded, group)

    def _point(self, state: _State) -> _State | None:
        numbers = self.numbers
        low, high = self.low.point(state.low), None
        if low == _BELOW or numbers.most_places == 0:
            return None
        if self.high is not None and state.high is not None:
            high = self.high.point(state.high)
            if high == _ABOVE:
                return None
        missing = 0
        if numbers.congruence is not None:
            rule = numbers.congruence
            missing = (rule.residue - state.remainder) % rule.modulus
            if missing >= rule.scale:
                return None
        zeros: Literal["", "all"] = "" if numbers.zeros == "any" else "all"
        return _State("point", low, high, missing, 0, zeros)

    def _fraction(self, state: _State, digit: int) -> _State | None:
        numbers = self.numbers
        if state.places == numbers.most_places:
            return None
        low, high = self.low.digit(state.low, digit), None
        if low == _BELOW:
            return None
        if self.high is not None and state.high is not None:
            high = self.high.digit(state.high, digit)
            if high == _ABOVE:
                return None
        missing = 0
        if numbers.congruence is not None:
            rule = numbers.congruence
            if state.places >= rule.places:
                if digit:
                    return None
            else:
                unit = 10 ** (rule.places - state.places - 1)
                missing = (state.remainder - digit * unit) % rule.modulus
                if missing >= unit:
                    return None
        zeros = state.zeros
        if digit:
            zeros = ""
        elif numbers.zeros == "none":
            zeros = "last"
        places = min(state.places + 1, self.counted_places)
        return _State("fraction", low, high, missing, places, zeros)

    def _complete(self, state: _State) -> bool:
        numbers = self.numbers
        if state.phase in ("start", "point") or state.group not in (0, 1, 2, 3, 7):
            return False
        if state.places < numbers.least_places or (state.phase == "fraction" and state.zeros):
            return False
        order = self.low.end(state.low)
        if order < 0 or (order == 0 and numbers.exclusive_low):
            return False
        if self.high is not None and state.high is not None:
            order = self.high.end(state.high)
            if order > 0 or (order == 0 and numbers.exclusive_high):
                return False
        if numbers.congruence is not None:
            residue = 0 if state.phase == "fraction" else numbers.congruence.residue
            return (residue - state.remainder) % numbers.congruence.modulus == 0
        return True
