"""`substring_of`: quotes from a given text, by characters, by words, or by pieces of your own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Literal

from constrained.arguments import check_switch, shown
from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import ANY_CHAR, Grammar, Node, cat, intersect, literal, optional, repeat
from constrained.grammar.build import substrings
from constrained.spec.compose import check_text
from constrained.spec.json_schema import read_json
from constrained.spec.json_text import spelled_char
from constrained.spec.so_far import json_so_far, text_so_far
from constrained.spec.source import call_source
from constrained.spec.spec import Spec
from constrained.spec.text import check_lengths

__all__ = ["Unit", "pieces", "substring_of"]

Unit = Literal["characters", "words"]

RUNS = re.compile(r"\w+|\s+|[^\w\s]+")
"""Words, white space, and what stands between them."""

SPELLINGS = re.compile(r"\\u....|\\.|.", re.DOTALL)
"""The characters of a JSON string that was written by `json.dumps`."""


def substring_of(
    text: str | Sequence[str],
    unit: Unit = "characters",
    *,
    min_length: int = 1,
    max_length: int | None = None,
    quoted: bool = False,
) -> Spec[str]:
    r"""Any contiguous piece of a text, exactly as it stands there: a quote, a citation.

    With `unit` ``"characters"`` a piece may begin and end between any two characters (code
    points). With ``"words"`` it cuts no run of word characters (``\w``), none of white space, and
    none of other characters. A list of texts is the units themselves: pieces are one of them, or
    several that follow one another there (sentences, say, or lines).

    Lengths count characters of the piece. It is not empty unless `min_length` is 0. `quoted` writes
    it as a JSON string, for a place inside JSON; the value is the piece itself either way, and
    ``text.find(value)`` is where it stands first.

    A text of 100,000 characters costs some milliseconds: nothing is built but the order of its
    suffixes. `Limits.max_nodes` counts a node for every 16 bytes.

    Raises `UnsatisfiableSpec` when no piece has such a length, `InvalidSpec` for arguments of the
    wrong kind.

    >>> essay = "Phones distract. They also connect people."
    >>> quote = substring_of(essay, "words")
    >>> quote.matches("connect people"), quote.matches("connect peop")
    (True, False)
    >>> substring_of(["One.", " Two.", " Three."]).parse(" Two. Three.")
    ' Two. Three.'
    """
    check_switch(unit, "unit", InvalidSpec, known=("characters", "words"))
    check_switch(quoted, "quoted", InvalidSpec, known=(True, False))
    check_lengths(min_length, max_length)
    options: dict[str, tuple[object, object]] = {
        "unit": (unit, "characters"),
        "min_length": (min_length, 1),
        "max_length": (max_length, None),
        "quoted": (quoted, False),
    }

    def source() -> str:
        return call_source("substring_of", [repr(text)], options)

    units = _units(text, unit)
    body = _pieces(text, units, quoted)
    if min_length > 1 or max_length is not None:
        letter = spelled_char(((0, 0x10FFFF),), "raw") if quoted else ANY_CHAR
        body = intersect(body, repeat(letter, min_length, max_length))
    if not min_length:
        body = optional(body)
    if quoted:
        body = cat(literal('"'), body, literal('"'))
    grammar = Grammar(body)
    _check_satisfiable(grammar, units, min_length, max_length)
    if quoted:
        return Spec(source, grammar, read_json, read_so_far=json_so_far)
    return Spec(source, grammar, str, read_so_far=text_so_far)


def pieces(text: str | Sequence[str], unit: Unit = "characters") -> Node:
    """The pieces of a text that are not empty, as `substring_of` has them.

    >>> from constrained.grammar.text import print_node
    >>> print_node(pieces("a b", "words"))
    '%{"a", " ", "b"}'
    """
    return _pieces(text, _units(text, unit), quoted=False)


def _units(text: Any, unit: Unit) -> list[str] | str:
    """What pieces are made of: texts, or the characters of one."""
    if isinstance(text, str):
        check_text(text)
        return RUNS.findall(text) if unit == "words" else text
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray):
        raise InvalidSpec(
            f"{shown(text)} is no text", hint="pass a str, or a list of the pieces to choose from"
        )
    if unit != "characters":
        raise InvalidSpec(
            "a list of texts says what the units are, and unit says something else",
            hint='leave unit out, or pass "".join(texts)',
        )
    for one in text:
        check_text(one)
    return [one for one in text if one]


def _pieces(text: str | Sequence[str], units: list[str] | str, quoted: bool) -> Node:
    whole = text if isinstance(text, str) else "".join(units)
    if quoted and (escaped := _escaped(whole)) != whole:
        whole = escaped
        units = SPELLINGS.findall(whole) if isinstance(units, str) else list(map(_escaped, units))
    return substrings(whole, None if isinstance(units, str) else _cuts(units))


def _cuts(units: Iterable[str]) -> Iterable[int]:
    return accumulate(map(len, map(str.encode, units)))


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _check_satisfiable(
    grammar: Grammar, units: list[str] | str, least: int, most: int | None
) -> None:
    """Raise `UnsatisfiableSpec` when no piece has such a length."""
    if not least:
        return
    if not units:
        raise UnsatisfiableSpec(
            "the text is empty, and so are its pieces (pass min_length=0 for the empty piece)"
        )
    if least > 1 and least > (length := sum(map(len, units))):
        raise UnsatisfiableSpec(
            f"no piece has at least {least:,} characters: the text has {length:,}"
        )
    if most is not None and not isinstance(units, str):
        try:
            ByteEngine(grammar)
        except UnsatisfiableSpec:
            raise UnsatisfiableSpec(
                f"no piece has at least {least:,} and at most {most:,} characters"
            ) from None
