"""Strings of types: lengths, changes, and patterns as the type's own regex engine reads them.

pydantic searches with Rust's `regex` crate, or with Python's `re`; a JSON Schema with ECMA-262. The
three agree on most patterns. Where they do not, only texts are offered on which they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar import intersect

__all__ = ["pattern_schemas", "string_schema"]

Schema = dict[str, Any]

TRIMMED = r"^(?:[^\s\u0085\x1c-\x1f](?:[\s\S]*[^\s\u0085\x1c-\x1f])?)?$"
ASCII = r"^[\x00-\x7f]*$"
PLAIN_SPACE = r"^[^\x1c-\x1f\u0085\ufeff]*$"
"""Without the characters that are white space for one engine only."""
ONE_LINE = r"^[^\n]*$"
NOT_EMPTY = r"^[\s\S]"
"""Python's `\\B` is found in no empty text, that of the others is."""


def string_schema(schema: Mapping[str, Any], config: Mapping[str, Any]) -> Schema:
    """The strings of a `str` core schema under the settings of its model.

    >>> string_schema({"min_length": 2, "strip_whitespace": True}, {})["minLength"]
    2
    """

    def setting(name: str) -> Any:
        own = schema.get(name)
        return config.get(f"str_{name}") if own is None else own

    found: Schema = {"type": "string"}
    if setting("min_length"):
        found["minLength"] = setting("min_length")
    if setting("max_length") is not None:
        found["maxLength"] = setting("max_length")
    parts: list[Schema] = []
    pattern = schema.get("pattern")
    if pattern is not None:
        found["pattern"], *more = pattern_schemas(pattern, config.get("regex_engine"))
        parts += [{"pattern": one} for one in more]
    if setting("strip_whitespace") and len(found) > 1:
        parts.append({"pattern": TRIMMED})
    if schema.get("ascii_only"):
        parts.append({"pattern": ASCII})
    if parts:
        found["allOf"] = parts
    return found


def pattern_schemas(pattern: str | re.Pattern[str], engine: str | None = None) -> list[str]:
    r"""ECMA-262 patterns that together find only what the type's own engine finds.

    >>> pattern_schemas(r"^\W$")
    ['^\\W$', '^[\\x00-\\x7f]*$']
    """
    python = engine == "python-re" or isinstance(pattern, re.Pattern)
    if isinstance(pattern, re.Pattern):
        if pattern.flags & ~(re.UNICODE | re.DOTALL):
            raise UnsupportedSpec(
                "pattern flags",
                f"the flags of {pattern!r} are not enforced",
                hint="write them out in the pattern",
            )
        dotall, pattern = pattern.flags & re.DOTALL, pattern.pattern
        if dotall and "." in pattern:
            raise UnsupportedSpec(
                "pattern flags", "the flag DOTALL is not enforced", hint=r"write [\s\S] for a dot"
            )
    pieces = list(_pieces(pattern))
    written = "".join(_translated(piece, inside) for piece, inside, _ in pieces)
    if not python:
        _check_classes(pattern, pieces)
    found = [written]
    negated = any(
        piece in (r"\W", r"\D", r"\b", r"\B", r"\P")
        or (piece in (r"\w", r"\d", r"\p") and negative)
        for piece, _, negative in pieces
    )
    if negated:
        found.append(ASCII)
    if python and any(piece == r"\B" for piece, _, _ in pieces):
        found.append(NOT_EMPTY)
    if any(piece in (r"\s", r"\S") for piece, _, _ in pieces):
        found.append(PLAIN_SPACE)
    if any(piece in ("(?!", "(?<!") for piece, _, _ in pieces):
        found += [one for one in (ASCII, ONE_LINE) if one not in found]
    _check(written, found[1:])
    return found


PIECE = re.compile(r"\\.|\(\?(?:P?<(?![=!])|<[=!]|.)?|\[\^?|[\s\S]", re.DOTALL)


def _pieces(pattern: str) -> Iterator[tuple[str, bool, bool]]:
    """Escapes, openings, characters; each with (inside a class, inside a negated one)."""
    inside = negative = False
    position = 0
    while found := PIECE.match(pattern, position):
        piece = found[0]
        if inside and not piece.startswith("\\"):
            piece = pattern[position]
        yield piece, inside, inside and negative
        position += len(piece)
        if not inside and piece.startswith("["):
            inside, negative = True, len(piece) == 2
        elif inside and piece == "]":
            inside = False


ANCHORS = {r"\A": "^", r"\z": "$", r"\Z": "$"}
GROUPS = ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?P<", "(?<")


def _translated(piece: str, inside: bool) -> str:
    if inside:
        return piece
    if piece in ANCHORS:
        return ANCHORS[piece]
    if piece.startswith("(?"):
        if piece not in GROUPS:
            raise UnsupportedSpec(
                "pattern flags",
                f"{piece!r} in a pattern is not enforced",
                hint="write flags out: [aA] for a letter in either case",
            )
        return "(?<" if piece == "(?P<" else piece
    return piece


def _check_classes(pattern: str, pieces: list[tuple[str, bool, bool]]) -> None:
    """Rust reads brackets, `&&`, `--` and `~~` inside a class as sets; ECMA-262 as characters."""
    text = "".join(piece if inside else " " for piece, inside, _ in pieces)
    if "[" in re.sub(r"\\.", "", text) or any(sign in text for sign in ("&&", "--", "~~")):
        raise UnsupportedSpec(
            "pattern classes",
            f"classes inside classes are not enforced: {pattern!r}",
            hint="write the class out",
        )


def _check(pattern: str, more: list[str]) -> None:
    """Refuse a pattern that cannot be read, or that finds no text on which all engines agree."""
    from constrained.spec.json_schema.languages import is_empty, pattern_language

    try:
        node = pattern_language(pattern).node
        if not more or is_empty(node):
            return
        if is_empty(intersect(node, *(pattern_language(one).node for one in more))):
            raise UnsupportedSpec(
                "pattern",
                f"the pattern {pattern!r} is enforced on texts that all engines read alike "
                "(with \\W, \\D, \\b or a negated class: ASCII texts), and it finds none of them",
                hint="write out the characters that are meant",
            )
    except InvalidSpec as error:
        raise UnsupportedSpec(
            "pattern", f"the pattern {pattern!r} is not enforced: {error}", hint="simplify it"
        ) from error
