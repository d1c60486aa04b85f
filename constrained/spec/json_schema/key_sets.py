"""Key sets without idle parts, and whether any key is in them.

Splitting the keys of an object by twenty patterns asks thousands of times whether some keys are in
two of them, or in one but not another. Most pairs of patterns differ within a few characters
(`^x-`, `^k0 `), so both automata are followed side by side for a while; what is not decided then is
left to the automaton of the whole set.
"""

from __future__ import annotations

from functools import lru_cache

from constrained.spec.json_schema.languages import Language
from constrained.spec.json_schema.records import ANY_STRING, Judge, String
from constrained.spec.json_schema.scalars import has_likely_text, live_string
from constrained.spec.json_schema.string_records import meet_strings, without_string

__all__ = ["apart", "met_keys", "met_plainly", "other_keys", "within"]

PAIRS = 200
"""Pairs of states that are looked at to tell how two languages lie to each other."""

SEVERAL = 3
"""Languages in one set from which on idle ones are looked for: it takes their automata."""

AUTOMATON_COST = 20
"""Records that a set counts for whose emptiness needs an automaton of the whole."""


@lru_cache(maxsize=16_384)
def apart(a: Language, b: Language) -> bool:
    """Whether it is easily seen that no text is in both."""
    start, other = a.start, b.start
    if start is None or other is None:
        return True
    pairs = [(start, other)]
    seen = set(pairs)
    for one, two in pairs:  # which grows meanwhile
        if a.accepts(one) and b.accepts(two):
            return False
        moves = b.moves(two)
        for bytes_, to in a.moves(one):
            for others, other_to in moves:
                if bytes_ & others and (to, other_to) not in seen:
                    seen.add((to, other_to))
                    pairs.append((to, other_to))
        if len(pairs) > PAIRS:
            return False
    return True


@lru_cache(maxsize=16_384)
def within(a: Language, b: Language) -> bool:
    """Whether it is easily seen that every text of `a` is in `b`."""
    start, other = a.start, b.start
    if start is None or other is None:
        return start is None
    pairs = [(start, other)]
    seen = set(pairs)
    for one, two in pairs:  # which grows meanwhile
        if a.accepts(one) and not b.accepts(two):
            return False
        moves = b.moves(two)
        for bytes_, to in a.moves(one):
            left = bytes_
            for others, other_to in moves:
                if left & others:
                    left &= ~others
                    if (to, other_to) not in seen:
                        seen.add((to, other_to))
                        pairs.append((to, other_to))
            if left:
                return False  # some text goes on so in `a`, and none does in `b`
        if len(pairs) > PAIRS:
            return False
    return True


def met_plainly(a: String, b: String, judge: Judge) -> String | None:
    """Both sets, without idle parts where they have several; None when certainly empty."""
    both = meet_strings(a, b)
    parts = 0 if both is None else len(both.inside) + len(both.outside)
    if both is None or parts < SEVERAL:
        return both
    plain = _plain(both)
    if plain is not None:
        judge.charge(parts // 16)
    return plain


def met_keys(a: String, b: String, judge: Judge) -> String | None:
    """The keys of both sets, without idle parts; None when there are none, exactly."""
    both = meet_strings(a, b)
    plain = None if both is None else _plain(both)
    if plain is None:
        return None
    judge.charge(1)
    if not (plain.inside or plain.outside):
        return plain
    if len(plain.inside) + len(plain.outside) > 1 and not has_likely_text(plain):
        judge.charge(AUTOMATON_COST)
    return plain if live_string(plain) else None


def other_keys(a: String, b: String, judge: Judge) -> list[String]:
    """The keys of `a` that are not in `b`, as a union."""
    found = [met_keys(a, piece, judge) for piece in without_string(b)]
    return [keys for keys in dict.fromkeys(found) if keys is not None]


@lru_cache(maxsize=16_384)
def _plain(keys: String) -> String | None:
    """The same set without parts that others imply; None when two parts contradict each other."""
    if keys is ANY_STRING or keys.values is not None:
        return keys
    inside: list[Language] = []
    for language in keys.inside:
        if any(apart(language, other) for other in inside):
            return None
        if not any(within(other, language) for other in inside):
            inside = [other for other in inside if not within(language, other)]
            inside.append(language)
    outside: list[Language] = []
    for language in keys.outside:
        if any(within(other, language) for other in inside):
            return None
        if not any(apart(other, language) for other in inside) and not any(
            within(language, other) for other in outside
        ):
            outside = [other for other in outside if not within(other, language)]
            outside.append(language)
    excluded = keys.excluded
    if excluded and (inside or outside):
        excluded = frozenset(
            name
            for name in excluded
            if all(language.holds(name) for language in inside)
            and not any(language.holds(name) for language in outside)
        )
    return keys._replace(inside=tuple(inside), outside=tuple(outside), excluded=excluded)
