"""The canonical form of a schema: for each JSON type, a union of constraint records.

A *shape* is the set of values a schema allows, sorted by type: three bits for null, false and
true, and for numbers, strings, arrays and objects a tuple of records whose union is meant. A
record is a conjunction of constraints on one type. Sub-schemas inside records stay *demands*:
frozen sets of node numbers, negative for a complement, all of which must hold; they are looked
into only when needed, so shapes of recursive schemas are finite.

Shapes are closed under intersection (`meet`) and difference (`minus`); every applicator of JSON
Schema is one of these. The idea of pushing negation down by type is from Habib et al., "Finding
Data Compatibility Bugs with JSON Subschema Checking" (2021), and Attouche et al., "Witness
Generation for JSON Schema" (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, gcd, lcm
from typing import NamedTuple, Protocol, TypeVar

from constrained.spec.json_schema.languages import Language

__all__ = [
    "ANY",
    "ANY_ARRAY",
    "ANY_NUMBER",
    "ANY_OBJECT",
    "ANY_STRING",
    "EVERYTHING",
    "FALSE",
    "NEVER",
    "NOTHING",
    "NULL",
    "TRUE",
    "Array",
    "Contains",
    "Demand",
    "Exact",
    "Judge",
    "Member",
    "Number",
    "Object",
    "Shape",
    "String",
    "as_exact",
    "common_multiple",
    "conjoin",
    "dead_array",
    "dead_object",
    "demand_for",
    "holds",
    "is_fact",
    "item_demand",
    "join",
    "live_number",
    "meet",
    "meet_strings",
    "minus",
    "plausible_string",
    "split_choices",
    "unite",
    "whole_values",
    "without_string",
]

R = TypeVar("R")

Demand = frozenset[int]
"""Sub-schemas that must all hold, by node number; negative: the complement of the node."""

EVERYTHING: Demand = frozenset()
NOTHING: Demand = frozenset((-1,))

Exact = int | Fraction
"""A number by value; whole ones are always `int`."""

NULL, FALSE, TRUE = 1, 2, 4


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


class Shape(NamedTuple):
    """A set of JSON values."""

    atoms: int
    numbers: tuple[Number, ...]
    strings: tuple[String, ...]
    arrays: tuple[Array, ...]
    objects: tuple[Object, ...]


ANY_NUMBER = Number()
ANY_STRING = String()
ANY_ARRAY = Array()
ANY_OBJECT = Object()
NUMBERS, STRINGS, ARRAYS, OBJECTS = (ANY_NUMBER,), (ANY_STRING,), (ANY_ARRAY,), (ANY_OBJECT,)
ANY = Shape(NULL | FALSE | TRUE, NUMBERS, STRINGS, ARRAYS, OBJECTS)
NEVER = Shape(0, (), (), (), ())


class Judge(Protocol):
    """What the algebra must know about demands and costs."""

    def dead(self, demand: Demand) -> bool:
        """Whether certainly nothing satisfies the demand; False when that is not quickly seen."""

    def negation(self, demand: Demand) -> Demand:
        """The complement, as a demand."""

    def charge(self, records: int) -> None:
        """Count records made; raises `LimitExceeded` when there are too many."""


# ------------------------------------------------------------------ numbers


def as_exact(value: Fraction) -> Exact:
    """The number, as an int when whole."""
    return value.numerator if value.denominator == 1 else value


def holds_number(record: Number, value: Exact) -> bool:
    """Whether the record contains the value."""
    low, high = record.low, record.high
    return not (
        (low is not None and (value < low or (record.open_low and value == low)))
        or (high is not None and (value > high or (record.open_high and value == high)))
        or (record.whole and not isinstance(value, int))
        or (record.multiple is not None and Fraction(value) % record.multiple)
        or any(not Fraction(value) % step for step in record.not_multiples)
        or (record.values is not None and value not in record.values)
    )


def common_multiple(a: Exact, b: Exact) -> Exact:
    """The least common multiple of two positive numbers."""
    if isinstance(a, int) and isinstance(b, int):
        return lcm(a, b)
    p, q = Fraction(a), Fraction(b)
    return as_exact(Fraction(lcm(p.numerator, q.numerator), gcd(p.denominator, q.denominator)))


def meet_numbers(a: Number, b: Number) -> Number | None:
    """Both; None when certainly empty."""
    low, open_low = a.low, a.open_low
    if b.low is not None and (low is None or b.low > low or (b.low == low and b.open_low)):
        low, open_low = b.low, b.open_low
    high, open_high = a.high, a.open_high
    if b.high is not None and (high is None or b.high < high or (b.high == high and b.open_high)):
        high, open_high = b.high, b.open_high
    multiple = a.multiple if b.multiple is None else b.multiple
    if a.multiple is not None and b.multiple is not None:
        multiple = common_multiple(a.multiple, b.multiple)
    values = a.values if b.values is None else b.values
    both = Number(
        low,
        high,
        open_low,
        open_high,
        a.whole or b.whole,
        multiple,
        tuple(dict.fromkeys((*a.not_multiples, *b.not_multiples))),
        values,
    )
    if values is not None:
        kept = frozenset(v for v in values if holds_number(a, v) and holds_number(b, v))
        return Number(values=kept) if kept else None
    return both if live_number(both) else None


def live_number(record: Number) -> bool:
    """Whether the record has a value, exactly."""
    if record.values is not None:
        return any(holds_number(record, value) for value in record.values)
    low, high = record.low, record.high
    step = record.multiple
    if record.whole:
        step = 1 if step is None else common_multiple(step, 1)
    if low is not None and high is not None:
        if low > high or (low == high and (record.open_low or record.open_high)):
            return False
        if step is None:
            return low < high or holds_number(record, low)
        first = ceil(Fraction(low) / step)
        if record.open_low and first * step == low:
            first += 1
        last = floor(Fraction(high) / step)
        if record.open_high and last * step == high:
            last -= 1
        if first > last:
            return False
        if not record.not_multiples:
            return True
        return any(_kept(record, k * step) for k in range(first, min(last, first + 100_000) + 1))
    if step is None or not record.not_multiples:
        return True
    return not any(not Fraction(step) % other for other in record.not_multiples)


def whole_values(record: Number, most: int) -> list[Exact] | None:
    """The values of a record in order; None when they are not at most `most` whole numbers."""
    if record.values is not None:
        return sorted(record.values)
    if not record.whole or record.low is None or record.high is None:
        return None
    low, high = ceil(record.low), floor(record.high)
    if high - low > 100 * most:
        return None
    values: list[Exact] = [v for v in range(low, high + 1) if holds_number(record, v)]
    return values if len(values) <= most else None


def _kept(record: Number, value: Exact) -> bool:
    return all(Fraction(value) % step for step in record.not_multiples)


def without_number(a: Number) -> list[Number]:
    """The complement within the numbers, as a union."""
    out = []
    if a.low is not None:
        out.append(Number(high=a.low, open_high=not a.open_low))
    if a.high is not None:
        out.append(Number(low=a.high, open_low=not a.open_high))
    if a.whole:
        out.append(Number(not_multiples=(1,)))
    if a.multiple is not None:
        out.append(Number(not_multiples=(a.multiple,)))
    out += [Number(multiple=step) for step in a.not_multiples]
    if a.values is not None:
        points = sorted(a.values)
        edges: list[Exact | None] = [None, *points, None]
        out += [Number(low, high, True, True) for low, high in pairwise(edges)]
    return out


# ------------------------------------------------------------------ strings


def holds(record: String, text: str) -> bool:
    """Whether the record contains the text."""
    if record is ANY_STRING:
        return True
    return not (
        len(text) < record.least
        or (record.most is not None and len(text) > record.most)
        or (record.values is not None and text not in record.values)
        or text in record.excluded
        or not all(language.holds(text) for language in record.inside)
        or any(language.holds(text) for language in record.outside)
    )


def meet_strings(a: String, b: String) -> String | None:
    """Both; None when certainly empty."""
    if a.values is not None or b.values is not None:
        few, other = (a, b) if a.values is not None else (b, a)
        kept = frozenset(v for v in few.values or () if holds(other, v) and holds(few, v))
        return String(values=kept) if kept else None
    most = a.most if b.most is None else b.most if a.most is None else min(a.most, b.most)
    both = String(
        max(a.least, b.least),
        most,
        _merged(a.inside, b.inside),
        _merged(a.outside, b.outside),
        None,
        a.excluded | b.excluded,
    )
    return both if plausible_string(both) else None


def _merged(a: tuple[Language, ...], b: tuple[Language, ...]) -> tuple[Language, ...]:
    if not a or not b:
        return a or b
    return tuple(dict.fromkeys((*a, *b)))


def plausible_string(record: String) -> bool:
    """False when the record is empty for a reason that needs no automaton."""
    if record.values is not None:
        return any(holds(record, value) for value in record.values)
    if record.most is not None:
        if record.most < record.least:
            return False
        if record.most == 0 and not holds(record, ""):
            return False
    return not any(language in record.outside for language in record.inside)


def without_string(a: String) -> list[String]:
    """The complement within the strings, as a union."""
    out = []
    if a.least:
        out.append(String(most=a.least - 1))
    if a.most is not None:
        out.append(String(least=a.most + 1))
    out += [String(outside=(language,)) for language in a.inside]
    out += [String(inside=(language,)) for language in a.outside]
    if a.values is not None:
        out.append(String(excluded=a.values))
    if a.excluded:
        out.append(String(values=a.excluded))
    return out


# ------------------------------------------------------------------ arrays


def item_demand(record: Array, index: int) -> Demand:
    """The demand on the item at `index`."""
    return record.prefix[index] if index < len(record.prefix) else record.rest


def meet_arrays(a: Array, b: Array, judge: Judge) -> Array | None:
    """Both; None when certainly empty."""
    size = max(len(a.prefix), len(b.prefix))
    most = a.most if b.most is None else b.most if a.most is None else min(a.most, b.most)
    both = Array(
        tuple(conjoin(item_demand(a, i), item_demand(b, i)) for i in range(size)),
        conjoin(a.rest, b.rest),
        max(a.least, b.least),
        most,
        tuple(dict.fromkeys((*a.contains, *b.contains))),
        a.unique or b.unique,
        a.repeating or b.repeating,
    )
    return None if dead_array(both, judge) else both


def dead_array(record: Array, judge: Judge) -> bool:
    """Whether the record is certainly empty."""
    if record.most is not None and record.least > record.most:
        return True
    if record.unique and record.repeating:
        return True
    if any(judge.dead(demand) for demand in record.prefix[: record.least]):
        return True
    if record.least > len(record.prefix) and judge.dead(record.rest):
        return True
    for wanted in record.contains:
        if wanted.most is not None and wanted.least > wanted.most:
            return True
        if wanted.least and judge.dead(wanted.demand):
            return True
        if record.most is not None and wanted.start + wanted.least > record.most:
            return True
    return False


def without_array(a: Array, judge: Judge) -> list[Array]:
    """The complement within the arrays, as a union."""
    out = []
    if a.least:
        out.append(Array(most=a.least - 1))
    if a.most is not None:
        out.append(Array(least=a.most + 1))
    for index, demand in enumerate(a.prefix):
        if demand:
            prefix = (*(EVERYTHING,) * index, judge.negation(demand))
            out.append(Array(prefix=prefix, least=index + 1))
    if a.rest:
        wrong = Contains(len(a.prefix), judge.negation(a.rest), 1, None)
        out.append(Array(contains=(wrong,), least=len(a.prefix) + 1))
    for wanted in a.contains:
        if wanted.least:
            out.append(Array(contains=(wanted._replace(least=0, most=wanted.least - 1),)))
        if wanted.most is not None:
            out.append(Array(contains=(wanted._replace(least=wanted.most + 1, most=None),)))
    if a.unique:
        out.append(Array(repeating=True, least=2))
    if a.repeating:
        out.append(Array(unique=True))
    return out


# ------------------------------------------------------------------ objects


def demand_for(record: Object, name: str) -> Demand:
    """The demand on the value under `name`."""
    found = record.named.get(name)
    if found is not None:
        return found
    demand = EVERYTHING
    for clause in record.clauses:
        if holds(clause.keys, name):
            demand = conjoin(demand, clause.demand)
    return demand


def meet_objects(a: Object, b: Object, judge: Judge) -> Object | None:
    """Both; None when certainly empty."""
    both = _merge_objects(a, b)
    return settle(both, judge) if both.either else None if dead_object(both, judge) else both


def _merge_objects(a: Object, b: Object) -> Object:
    return Object(
        _meet_names(a, b),
        {**a.required, **b.required} if a.required and b.required else a.required or b.required,
        _merged_members(a.clauses, b.clauses),
        max(a.least, b.least),
        a.most if b.most is None else b.most if a.most is None else min(a.most, b.most),
        _merged_members(a.some, b.some),
        a.either + b.either,
    )


def settle(record: Object, judge: Judge) -> Object | None:
    """The record with its choices narrowed; None when certainly empty.

    Options that contradict the record go; a choice with one option left becomes part of the
    record; a choice that the record already fulfils goes.
    """
    while True:
        base = record._replace(either=())
        if dead_object(base, judge):
            return None
        kept: list[tuple[Object, ...]] = []
        single = False
        for choice in record.either:
            options = tuple(option for option in choice if _fits(base, option, judge))
            if not options:
                return None
            if len(options) == 1:
                base, single = _merge_objects(base, options[0]), True
            elif options not in kept and not any(_fulfils(base, option) for option in options):
                kept.append(options)
        record = base._replace(either=base.either + tuple(kept))
        if not single:
            return record


def _fits(base: Object, option: Object, judge: Judge) -> bool:
    """Whether an option may hold beside the base, as far as a short look tells."""
    judge.charge(1)
    for name, demand in option.named.items():
        if (name in base.required or name in option.required) and judge.dead(
            conjoin(demand_for(base, name), demand)
        ):
            return False
    for name in option.required:
        if name not in option.named and judge.dead(demand_for(base, name)):
            return False
    least, most = max(base.least, option.least), base.most
    if option.most is not None:
        most = option.most if most is None else min(most, option.most)
    if most is not None and max(least, len(base.required.keys() | option.required.keys())) > most:
        return False
    return not any(judge.dead(member.demand) for member in option.some)


def _fulfils(base: Object, option: Object) -> bool:
    """Whether the base already implies an option."""
    return (
        not (option.clauses or option.some or option.either)
        and option.least <= max(base.least, len(base.required))
        and (option.most is None or (base.most is not None and base.most <= option.most))
        and option.required.keys() <= base.required.keys()
        and all(demand <= demand_for(base, n) for n, demand in option.named.items())
    )


def _meet_names(a: Object, b: Object) -> dict[str, Demand]:
    if not b.named and not b.clauses:
        return a.named
    if not a.named and not a.clauses:
        return b.named
    named = {name: conjoin(demand, demand_for(b, name)) for name, demand in a.named.items()}
    for name, demand in b.named.items():
        if name not in named:
            named[name] = conjoin(demand_for(a, name), demand)
    return named


def _merged_members(a: tuple[Member, ...], b: tuple[Member, ...]) -> tuple[Member, ...]:
    if not a or not b:
        return a or b
    return tuple(dict.fromkeys((*a, *b)))


def dead_object(record: Object, judge: Judge) -> bool:
    """Whether the record, its choices aside, is certainly empty."""
    if record.most is not None and max(record.least, len(record.required)) > record.most:
        return True
    if any(judge.dead(demand_for(record, name)) for name in record.required):
        return True
    return any(judge.dead(member.demand) for member in record.some)


def without_object(a: Object, judge: Judge) -> list[Object]:
    """The complement within the objects: no record, or one with a choice of all ways to differ."""
    ways = [Object(named={name: NOTHING}) for name in a.required]
    for name, demand in a.named.items():
        if demand:
            ways.append(Object(named={name: judge.negation(demand)}, required={name: None}))
    names = frozenset(a.named)
    for keys, demand in a.clauses:
        outside = keys._replace(excluded=keys.excluded | names)
        if outside.values is not None:
            outside = String(values=outside.values - names)
        ways.append(Object(some=(Member(outside, judge.negation(demand)),), least=1))
    if a.least:
        ways.append(Object(most=a.least - 1))
    if a.most is not None:
        ways.append(Object(least=a.most + 1))
    ways += [Object(clauses=(Member(keys, judge.negation(d)),)) for keys, d in a.some]
    for choice in a.either:
        none: Object | None = ANY_OBJECT
        for option in choice:
            found = without_object(option, judge)
            none = _merge_objects(none, found[0]) if none is not None and found else None
        if none is not None:
            ways.append(none)
    if len(ways) == 1:
        return ways
    return [Object(either=(tuple(ways),))] if ways else []


def split_choices(record: Object, judge: Judge) -> list[Object]:
    """The record as a union of records whose choices are between single facts only.

    Either an option that is more than a fact holds, which settles every choice it is in, or it
    is struck from all of them.
    """
    done: list[Object] = []
    waiting = [record]
    while waiting:
        one = waiting.pop()
        wide = next((o for choice in one.either for o in choice if not is_fact(o)), None)
        if wide is None:
            done.append(one)
            continue
        judge.charge(len(one.either))
        others = tuple(choice for choice in one.either if wide not in choice)
        chosen = meet_objects(one._replace(either=others), wide, judge)
        struck = tuple(tuple(o for o in choice if o != wide) for choice in one.either)
        left = settle(one._replace(either=struck), judge)
        waiting += [found for found in (left, chosen) if found is not None]
    return done


def is_fact(option: Object) -> bool:
    """One name absent, one name's value demanded (or absent, too), or one wanted member."""
    if option.clauses or option.either or option.most is not None:
        return False
    if option.some:
        return len(option.some) == 1 and not option.named and not option.required
    return not option.least and len(option.named.keys() | option.required.keys()) == 1


# ------------------------------------------------------------------ shapes


def join(shapes: list[Shape]) -> Shape:
    """The union."""
    if len(shapes) == 1:
        return shapes[0]
    atoms = 0
    numbers: list[Number] = []
    strings: list[String] = []
    arrays: list[Array] = []
    objects: list[Object] = []
    for shape in shapes:
        atoms |= shape.atoms
        numbers += shape.numbers
        strings += shape.strings
        arrays += shape.arrays
        objects += shape.objects
    return Shape(
        atoms,
        NUMBERS if ANY_NUMBER in numbers else tuple(dict.fromkeys(numbers)),
        STRINGS if ANY_STRING in strings else tuple(dict.fromkeys(strings)),
        ARRAYS if ANY_ARRAY in arrays else tuple(dict.fromkeys(arrays)),
        OBJECTS if ANY_OBJECT in objects else tuple(objects),
    )


def unite(a: Shape, b: Shape) -> Shape:
    """The union, where choices of single facts about objects become one choice."""
    both = join([a, b])
    choices = [r.either[0] for r in both.objects if _is_choice(r)]
    if len(choices) < 2:
        return both
    rest = tuple(record for record in both.objects if not _is_choice(record))
    united = tuple(option for choice in choices for option in choice)
    return both._replace(objects=(*rest, Object(either=(united,))))


def _is_choice(record: Object) -> bool:
    return (
        len(record.either) == 1
        and record == Object(either=record.either)
        and all(is_fact(option) for option in record.either[0])
    )


def meet(a: Shape, b: Shape, judge: Judge) -> Shape:
    """The intersection."""
    if a is ANY or a is b:
        return b
    if b is ANY:
        return a
    return Shape(
        a.atoms & b.atoms,
        _product(a.numbers, b.numbers, ANY_NUMBER, meet_numbers, judge),
        _product(a.strings, b.strings, ANY_STRING, meet_strings, judge),
        _product(a.arrays, b.arrays, ANY_ARRAY, lambda x, y: meet_arrays(x, y, judge), judge),
        _product(a.objects, b.objects, ANY_OBJECT, lambda x, y: meet_objects(x, y, judge), judge),
    )


def _product(
    a: tuple[R, ...], b: tuple[R, ...], whole: R, both: Callable[[R, R], R | None], judge: Judge
) -> tuple[R, ...]:
    if not a or not b or a is b:
        return a and b
    if a[0] is whole:
        return b
    if b[0] is whole:
        return a
    judge.charge(len(a) * len(b))
    return tuple(met for x in a for y in b if (met := both(x, y)) is not None)


def minus(a: Shape, b: Shape, judge: Judge) -> Shape:
    """The values of `a` that are not in `b`."""
    return Shape(
        a.atoms & ~b.atoms,
        _difference(a.numbers, b.numbers, ANY_NUMBER, meet_numbers, without_number, judge),
        _difference(a.strings, b.strings, ANY_STRING, meet_strings, without_string, judge),
        _difference(
            a.arrays,
            b.arrays,
            ANY_ARRAY,
            lambda x, y: meet_arrays(x, y, judge),
            lambda x: without_array(x, judge),
            judge,
        ),
        _difference(
            a.objects,
            b.objects,
            ANY_OBJECT,
            lambda x, y: meet_objects(x, y, judge),
            lambda x: without_object(x, judge),
            judge,
        ),
    )


def _difference(
    a: tuple[R, ...],
    b: tuple[R, ...],
    whole: R,
    both: Callable[[R, R], R | None],
    complement: Callable[[R], list[R]],
    judge: Judge,
) -> tuple[R, ...]:
    if not a or not b:
        return a
    if b[0] is whole:
        return ()
    kept = list(a)
    for gone in b:
        rest: list[R] = []
        pieces: list[R] | None = None
        for record in kept:
            if record is not whole and both(record, gone) is None:
                rest.append(record)
                continue
            if pieces is None:
                pieces = complement(gone)
            judge.charge(len(pieces) + 1)
            for piece in pieces:
                met = piece if record is whole else both(record, piece)
                if met is not None:
                    rest.append(met)
        kept = rest
    return tuple(kept)
