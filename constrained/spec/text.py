"""`text`: free text, bounded by its length, its alphabet, its lines, or a text that ends it."""

from __future__ import annotations

from typing import Any

from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import (
    ANY_BYTE,
    ANY_CHAR,
    Chars,
    Grammar,
    Node,
    cat,
    char_class,
    intersect,
    lexeme,
    literal,
    minus,
    repeat,
)
from constrained.grammar.build import ranges_minus
from constrained.spec.compose import check_text
from constrained.spec.so_far import text_so_far
from constrained.spec.source import call_source
from constrained.spec.spec import Spec

__all__ = ["LARGEST_COUNT", "check_lengths", "text"]


def text(
    *,
    max_length: int | None = None,
    min_length: int = 0,
    stop: str | None = None,
    alphabet: str | None = None,
    lines: int | None = None,
) -> Spec[str]:
    r"""Free text: any Unicode characters, control characters and line breaks included.

    Lengths count characters (code points). `alphabet` lists the characters allowed. `lines` is
    the most lines there may be, divided by ``"\n"``; with ``lines=1`` there is no line break.

    `stop` ends the text where it first appears: an output is the text and the stop after it, the
    value is the text alone, and lengths, alphabet and lines are about the text alone. Without a
    stop the text goes on until the end token (or until what follows it in a template: if the text
    could hold that too, the last place counts).

    Raises `UnsatisfiableSpec` when no text qualifies, `InvalidSpec` for arguments of the wrong
    kind.

    >>> text(stop="\n", max_length=20).parse("two words\n")
    'two words'
    """
    check_lengths(min_length, max_length, lines)
    allowed = ANY_CHAR
    if alphabet is not None:
        check_text(alphabet)
        allowed = char_class(alphabet)
    if stop is not None:
        check_text(stop)
        if not stop:
            raise InvalidSpec("stop is empty", hint="leave it out, or give the text that ends it")
        if len(stop) == 1:
            allowed = _without(allowed, stop)
    body = repeat(allowed, min_length, max_length)
    if lines is not None:
        within = _lines(allowed, lines)
        body = within if (min_length, max_length) == (0, None) else intersect(body, within)
    output = body
    if stop is not None:
        output = cat(body, literal(stop))
        if len(stop) > 1:  # the stop, with more after it, is nowhere
            early = cat(repeat(ANY_BYTE), literal(stop), repeat(ANY_BYTE, 1))
            output = minus(output, early)
    source = call_source(
        "text",
        [],
        {
            "max_length": (max_length, None),
            "min_length": (min_length, 0),
            "stop": (stop, None),
            "alphabet": (alphabet, None),
            "lines": (lines, None),
        },
    )
    grammar = Grammar(lexeme(output))
    _check_satisfiable(grammar, source)
    ending = len(stop or "")
    return Spec(
        source,
        grammar,
        lambda output: output[: len(output) - ending],
        read_so_far=lambda output: text_so_far(output, stop),
    )


LARGEST_COUNT = 2**31 - 1
"""What a grammar can count to."""


def check_lengths(min_length: Any, max_length: Any, lines: Any = None) -> None:
    """Raise `InvalidSpec` for what are no lengths, `UnsatisfiableSpec` where none is allowed."""
    for what, value, least in (
        ("min_length", min_length, 0),
        ("max_length", max_length, 0),
        ("lines", lines, 1),
    ):
        if value is None and what != "min_length":
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidSpec(f"{what} must be an integer of at least {least}, not {value!r}")
        if value > LARGEST_COUNT:
            raise InvalidSpec(f"{what} must be at most {LARGEST_COUNT:,}")
    if max_length is not None and min_length > max_length:
        raise UnsatisfiableSpec(
            f"no text has at least {min_length:,} and at most {max_length:,} characters"
        )


def _check_satisfiable(grammar: Grammar, source: str) -> None:
    try:
        ByteEngine(grammar)
    except UnsatisfiableSpec:
        raise UnsatisfiableSpec(f"no text matches {source}") from None


def _without(allowed: Node, characters: str) -> Node:
    removed = char_class(characters)
    if not isinstance(allowed, Chars) or not isinstance(removed, Chars):
        return allowed
    return char_class(*ranges_minus(allowed.ranges, removed.ranges))


def _lines(allowed: Node, lines: int) -> Node:
    """At most so many lines of characters from `allowed`."""
    line = repeat(_without(allowed, "\n"))
    breaks = isinstance(allowed, Chars) and any(a <= 0x0A <= b for a, b in allowed.ranges)
    if not breaks:
        return line
    return cat(line, repeat(cat(literal("\n"), line), 0, lines - 1))
