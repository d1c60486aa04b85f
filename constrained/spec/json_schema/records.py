"""Constraint records: conjunctions of constraints on one JSON type, and demands on sub-schemas.

Sub-schemas inside records stay *demands*: frozen sets of node numbers, negative for a complement,
all of which must hold; they are looked into only when needed, so the records of recursive schemas
are finite.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, Protocol

from constrained.limits import Limits
from constrained.spec.json_schema.languages import Language

__all__ = [
    "ANY_ARRAY",
    "ANY_NUMBER",
    "ANY_OBJECT",
    "ANY_STRING",
    "EVERYTHING",
    "NOTHING",
    "Array",
    "Contains",
    "Demand",
    "Exact",
    "Judge",
    "Member",
    "Number",
    "Object",
    "String",
    "conjoin",
]

Demand = frozenset[int]
"""Sub-schemas that must all hold, by node number; negative: the complement of the node."""

EVERYTHING: Demand = frozenset()
NOTHING: Demand = frozenset((-1,))

Exact = int | Fraction
"""A number by value; whole ones are always `int`."""


def conjoin(a: Demand, b: Demand) -> Demand:
    """Both demands; `NOTHING` when they contradict outright."""
    if not a or a is b:
        return b
    if not b:
        return a
    both = a | b
    if -1 in both or any(-node in both for node in a):
        return NOTHING
    return both


class Number(NamedTuple):
    """Numbers in an interval, or of a finite set; multiples and non-multiples."""

    low: Exact | None = None
    high: Exact | None = None
    open_low: bool = False
    open_high: bool = False
    whole: bool = False
    multiple: Exact | None = None
    not_multiples: tuple[Exact, ...] = ()
    values: frozenset[Exact] | None = None


class String(NamedTuple):
    """Strings by length in code points, regular sets they are in or not in, or a finite set."""

    least: int = 0
    most: int | None = None
    inside: tuple[Language, ...] = ()
    outside: tuple[Language, ...] = ()
    values: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()


class Contains(NamedTuple):
    """Between `least` and `most` of the items from index `start` on satisfy `demand`."""

    start: int
    demand: Demand
    least: int
    most: int | None


class Array(NamedTuple):
    """Arrays: demands on the first items and on the rest, lengths, counted items."""

    prefix: tuple[Demand, ...] = ()
    rest: Demand = EVERYTHING
    least: int = 0
    most: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: bool = False
    repeating: bool = False


class Member(NamedTuple):
    """Keys of one set, and a demand on the values under them."""

    keys: String
    demand: Demand


class Object(NamedTuple):
    """Objects: demands by name, by key set for all other keys, presence, counts.

    `named` holds the full demand of every name in it: clauses do not add to it. `clauses` hold
    for each key that is not named; `some` asks for at least one member (named or not) each. Of
    each choice in `either` at least one record holds, too: that is how a complement is written,
    as one record however many ways there are to differ.
    """

    named: dict[str, Demand] = {}  # noqa: RUF012 - shared and never changed
    required: dict[str, None] = {}  # noqa: RUF012 - as `named`; a dict keeps the order
    clauses: tuple[Member, ...] = ()
    least: int = 0
    most: int | None = None
    some: tuple[Member, ...] = ()
    either: tuple[tuple[Object, ...], ...] = ()


ANY_NUMBER = Number()
ANY_STRING = String()
ANY_ARRAY = Array()
ANY_OBJECT = Object()


class Judge(Protocol):
    """What the algebra must know about demands and costs."""

    @property
    def limits(self) -> Limits:
        """What a call may take."""

    def dead(self, demand: Demand) -> bool:
        """Whether certainly nothing satisfies the demand; False when that is not quickly seen."""

    def negation(self, demand: Demand) -> Demand:
        """The complement, as a demand."""

    def charge(self, records: int) -> None:
        """Count records made; raises `LimitExceeded` when there are too many."""
