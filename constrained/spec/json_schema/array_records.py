"""The algebra of array records: intersection, complement, plain emptiness."""

from __future__ import annotations

from constrained.spec.json_schema.records import EVERYTHING, Array, Contains, Demand, Judge, conjoin

__all__ = ["dead_array", "item_demand", "meet_arrays", "without_array"]


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
