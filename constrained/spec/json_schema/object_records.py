"""The algebra of object records: intersection, complement, choices between ways to differ.

The complement of a record is one record with a choice (`Object.either`) of all ways to differ,
not a union of as many records; intersecting narrows choices, as unit propagation does.
"""

from __future__ import annotations

from constrained.spec.json_schema.records import (
    ANY_OBJECT,
    EVERYTHING,
    NOTHING,
    Demand,
    Judge,
    Member,
    Object,
    String,
    conjoin,
)
from constrained.spec.json_schema.string_records import holds

__all__ = [
    "dead_object",
    "demand_for",
    "is_fact",
    "meet_objects",
    "settle",
    "split_choices",
    "without_object",
]


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
