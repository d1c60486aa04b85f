"""The algebra of string records: membership, intersection, complement.

Emptiness that needs an automaton is decided in `scalars`.
"""

from __future__ import annotations

from constrained.spec.json_schema.languages import Language
from constrained.spec.json_schema.records import ANY_STRING, String

__all__ = ["holds", "meet_strings", "plausible_string", "without_string"]


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
