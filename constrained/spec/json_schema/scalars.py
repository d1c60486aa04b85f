"""Numbers and strings as grammar nodes; equal records share one node in the whole process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, inf

from constrained.engine import ByteEngine
from constrained.grammar import (
    ANY_CHAR,
    Grammar,
    Node,
    alt,
    cat,
    intersect,
    lexeme,
    literal,
    literals,
    minus,
    repeat,
)
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.json_schema.languages import finite_texts, is_empty
from constrained.spec.json_schema.number_records import closed_bounds, common_multiple
from constrained.spec.json_schema.records import ANY_NUMBER, Exact, Number, String
from constrained.spec.json_schema.string_records import holds, plausible_string
from constrained.spec.json_style import Escapes, Integers
from constrained.spec.json_text import is_plain, spelled_char, spelled_text
from constrained.spec.numbers_json import (
    EVERY_INTEGER,
    EVERY_NUMBER,
    certain_numerals,
    decimal_grammar,
    integer_grammar,
)

__all__ = [
    "begin_string",
    "few_texts",
    "has_likely_text",
    "is_combined",
    "is_quick",
    "is_stepped",
    "live_string",
    "number_grammar",
    "string_node",
    "text_node",
]

QUOTE = literal('"')
EVERY_RANGE = ((0, 0x10FFFF),)
ANY_INTEGER = Number(whole=True)
LONGEST_CANDIDATE = 1000
ZERO_FRACTION = cat(literal("."), repeat(literal("0"), 1))


def is_quick(record: Number | String) -> bool:
    """Whether the record's node is made without an automaton or a regular expression."""
    if isinstance(record, String):
        return not (record.inside or record.outside)
    return record.values is not None or record in (ANY_NUMBER, ANY_INTEGER)


def is_stepped(record: Number) -> bool:
    """Whether the numbers are on, or off, a step: their automaton may be too large."""
    return record.multiple is not None or bool(record.not_multiples)


def is_combined(record: String) -> bool:
    """Whether several patterns hold at once: an engine may have to search long for a text of them.

    A length beside one pattern is no second one: it is counted, not searched.
    """
    return record.values is None and len(record.inside) + 2 * len(record.outside) > 1


# ------------------------------------------------------------------ strings


@lru_cache(maxsize=4096)
def string_node(record: String, escapes: Escapes) -> Node:
    """The strings of a record with their quotes. The record must not be empty."""
    if record.values is not None:
        return alt(
            literals([f'"{text}"' for text in record.values if is_plain(text)]),
            *(text_node(text, escapes) for text in sorted(record.values) if not is_plain(text)),
        )
    char = spelled_char(EVERY_RANGE, escapes)
    parts = [language.spelled(escapes) for language in record.inside]
    if record.least or record.most is not None or not parts:
        parts.append(repeat(char, record.least, record.most))
    gone = [language.spelled(escapes) for language in record.outside]
    gone += [spelled_text(text, escapes) for text in sorted(record.excluded) if not is_plain(text)]
    gone.append(literals([text for text in record.excluded if is_plain(text)]))
    return lexeme(cat(QUOTE, minus(intersect(*parts), *gone), QUOTE))


@lru_cache(maxsize=4096)
def begin_string(record: String, escapes: Escapes, limits: Limits) -> None:
    """Raise `LimitExceeded` when an engine cannot find a text of the record, which has one."""
    engine = ByteEngine(Grammar(string_node(record, escapes)), limits)
    engine.distance(engine.start)


@lru_cache(maxsize=8192)
def text_node(text: str, escapes: Escapes) -> Node:
    """One string with its quotes."""
    if is_plain(text):
        return literal(f'"{text}"')
    return cat(QUOTE, spelled_text(text, escapes), QUOTE)


@lru_cache(maxsize=4096)
def live_string(record: String) -> bool:
    """Whether the record holds any string, exactly."""
    if not plausible_string(record):
        return False
    if record.values is not None or not (record.inside or record.outside):
        return True
    if len(record.inside) == 1 and not (record.outside or record.excluded):
        example = record.inside[0].example
        if example is not None and record.least <= len(example) <= _most(record):
            return True
        shortest = record.inside[0].shortest
        if shortest is not None and shortest >= record.least:
            return shortest <= _most(record)
    return has_likely_text(record) or not is_empty(_texts(record))


def has_likely_text(record: String) -> bool:
    """Whether one of a few texts is in the record: then no automaton of the whole is needed."""
    return any(text is not None and holds(record, text) for text in _candidates(record))


def _candidates(record: String) -> Iterator[str | None]:
    """Texts that are likely in the record."""
    for language in record.inside:
        yield language.witness if language.example is None else language.example
    if not record.inside and record.least <= LONGEST_CANDIDATE:
        yield from ("a" * max(record.least, 1), "0" * max(record.least, 1), "")


def _most(record: String) -> float:
    return inf if record.most is None else record.most


@lru_cache(maxsize=4096)
def few_texts(record: String, most: int) -> tuple[str, ...] | None:
    """The strings of a record, sorted; None when there are more than `most`."""
    if record.values is not None:
        return tuple(sorted(record.values)) if len(record.values) <= most else None
    if not record.inside:
        return ("",) if record.most == 0 else None
    return finite_texts(_texts(record), most)


def _texts(record: String) -> Node:
    """The strings of a record, as a node over characters."""
    parts = [language.node for language in record.inside]
    if record.least or record.most is not None or not parts:
        parts.append(repeat(ANY_CHAR, record.least, record.most))
    gone = [language.node for language in record.outside]
    gone.append(literals([text for text in record.excluded if _writable(text)]))
    return minus(intersect(*parts), *gone)


def _writable(text: str) -> bool:
    return not any(0xD800 <= ord(c) <= 0xDFFF for c in text)


# ------------------------------------------------------------------ numbers


def number_grammar(
    record: Number,
    spellings: Mapping[int | Fraction, tuple[str, ...]],
    integers: Integers = "plain",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The numbers of a record. The record must not be empty.

    Raises `LimitExceeded` when they are written in steps that need too large an automaton.
    """
    if record.values is None:
        return _interval(record, integers, limits)
    texts = [t for value in record.values for t in spellings.get(value) or (str(value),)]
    if integers == "plain":
        return Grammar(literals(texts))
    whole = [str(value) for value in record.values if isinstance(value, int)]
    return Grammar(alt(literals(texts), cat(literals(whole), ZERO_FRACTION)))


@lru_cache(maxsize=4096)
def _interval(record: Number, integers: Integers, limits: Limits) -> Grammar:
    if record == ANY_NUMBER:
        return EVERY_NUMBER
    if record == ANY_INTEGER and integers == "plain":
        return EVERY_INTEGER
    base = _multiples(record, integers, limits)
    if not record.not_multiples:
        return Grammar(lexeme(base.start), base.rules)
    rules = dict(base.rules)
    gone = []
    for step in record.not_multiples:
        multiples = decimal_grammar(
            None, None, multiple_of=Fraction(step), exact=True, limits=limits
        )
        rules.update(multiples.rules)
        gone.append(multiples.start)
    # of more digits some would read as the very multiples that are excluded
    certain = intersect(base.start, certain_numerals())
    return Grammar(lexeme(minus(certain, *gone)), rules)


def _multiples(record: Number, integers: Integers, limits: Limits) -> Grammar:
    low, high, step = record.low, record.high, record.multiple
    if record.whole:
        step = 1 if step is None else common_multiple(step, 1)
        low, high = closed_bounds(record) or (low, high)
        first = None if low is None else ceil(low)
        last = None if high is None else floor(high)
        if integers == "fraction":
            return decimal_grammar(
                _exactly(first), _exactly(last), multiple_of=Fraction(step), limits=limits
            )
        return integer_grammar(first, last, multiple_of=int(step), limits=limits)
    return decimal_grammar(
        _exactly(low),
        _exactly(high),
        exclusive_low=record.open_low,
        exclusive_high=record.open_high,
        multiple_of=None if step is None else Fraction(step),
        exponents=not record.not_multiples,
        limits=limits,
    )


def _exactly(bound: Exact | None) -> Fraction | None:
    return None if bound is None else Fraction(bound)
