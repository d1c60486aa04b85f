"""Reads GBNF, the grammar notation of llama.cpp."""

from __future__ import annotations

import re
from collections.abc import Mapping

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar import (
    ANY_CHAR,
    Grammar,
    Node,
    Ref,
    Repeat,
    char_class,
    lexeme,
    literal,
)
from constrained.grammar.build import MAX_CODE_POINT, ranges_minus, ranges_of
from constrained.grammar.passes.walk import walk
from constrained.grammar.text import line_and_column
from constrained.spec.cfg.expression import Builder, Token, characters, fail, known_names

__all__ = ["read_gbnf"]

TOKENS = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<chars>\[(?:[^\]\\]|\\.)*\])
      | (?P<header>[A-Za-z0-9_-]+\s*::=)
      | (?P<macro>(?:(?:Token)?TagDispatch|Regex|Token|ExcludeToken)\s*\()
      | (?P<look>\(=)
      | (?P<name>[A-Za-z0-9_-]+)
      | (?P<count>\{\s*[0-9]{1,12}\s*(?:,\s*(?:-1|[0-9]{0,12})\s*)?\}|[*+?])
      | (?P<token>!?<[^>\n]*>)
      | (?P<mark>[|().])""",
    re.VERBOSE,
)
ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "\\": "\\",
    '"': '"',
    "[": "[",
    "]": "]",
    "-": "-",
    "^": "^",
}
REFUSED = {
    "macro": (
        "macro",
        "a macro is not part of the notation",
        "write the texts it stands for as rules",
    ),
    "look": (
        "look-ahead assertion",
        "what follows a rule is not the rule's to say",
        "leave the assertion out, or write its text where it follows",
    ),
}
"""What XGrammar prints and GBNF has no counterpart for: feature, problem, hint."""
COUNTS: Mapping[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def read_gbnf(text: str, start: str) -> Grammar:
    """The grammar that `text` writes down; `start` is the rule to begin with.

    Raises `InvalidSpec` and `UnsupportedSpec`, with line:column.

    >>> read_gbnf('root ::= "a" | "b"', "root").rules["root"].parts[0]
    Literal(data=b'a')
    """
    tokens = _scan(text)
    headers = [index for index, token in enumerate(tokens) if token.kind == "header"]
    if tokens[0].kind not in ("header", "end"):
        raise fail(text, tokens[0].offset, f"expected `name ::=`, not {tokens[0].text!r}")
    names: dict[str, Token] = {}
    for index in headers:
        name = tokens[index].text[:-3].rstrip()
        if name in names:
            raise fail(text, tokens[index].offset, f"{name} is defined twice")
        names[name] = tokens[index]
    if start not in names:
        raise InvalidSpec(
            f"there is no rule {start!r} to start with",
            hint=f"known rules: {known_names(names)}; or pass start=...",
        )
    rules = {}
    for name, begin, end in zip(names, headers, [*headers[1:], len(tokens) - 1], strict=True):
        rules[name] = _marked(_expression(text, tokens[begin:end], names))
    return Grammar(Ref(start), rules)


def _marked(node: Node) -> Node:
    """A rule of characters only that repeats (a string, a number) is a lexeme."""
    parts = list(walk([node]))
    plain = not any(isinstance(part, Ref) for part in parts)
    return lexeme(node) if plain and any(isinstance(part, Repeat) for part in parts) else node


def _expression(text: str, tokens: list[Token], names: Mapping[str, Token]) -> Node:
    builder = Builder(text, tokens[0])
    for token in tokens[1:]:
        match token.kind, token.text:
            case "mark", "(":
                builder.open(token)
            case "mark", ")":
                builder.part(builder.close(token, "(").node())
            case "mark", "|":
                builder.group.end_alternative()
            case "mark", _:
                builder.part(ANY_CHAR)
            case "count", _:
                builder.repeat(token, *_count(token))
            case "string", _:
                body = token.text[1:-1]
                pairs = characters(text, token, body, ESCAPES)
                builder.part(literal("".join(char for char, _ in pairs)))
            case "chars", _:
                builder.part(_chars(text, token))
            case "name", name:
                if name not in names:
                    known = f"known rules: {known_names(names)}"
                    raise fail(text, token.offset, f"{name} is not defined", known)
                builder.part(Ref(name))
            case _:
                raise UnsupportedSpec(
                    "token literals",
                    f"{token.text} stands for a token, not for text",
                    where=line_and_column(text, token.offset),
                    hint="write the text of the token",
                )
    return builder.finish()


def _count(token: Token) -> tuple[int, int | None]:
    if token.text in COUNTS:
        return COUNTS[token.text]
    least, comma, most = token.text[1:-1].partition(",")
    if not comma:
        return int(least), int(least)
    return int(least), None if most.strip() in ("", "-1") else int(most)


def _chars(text: str, token: Token) -> Node:
    body = token.text[1:-1]
    negated = body.startswith("^")
    units = list(characters(text, token, body[negated:], ESCAPES))
    ranges = []
    index = 0
    while index < len(units):
        low = high = ord(units[index][0])
        if index + 2 < len(units) and units[index + 1] == ("-", False):
            high = ord(units[index + 2][0])
            index += 2
            if high < low:
                raise fail(text, token.offset, f"a range in {token.text} counts down")
        ranges.append((low, high))
        index += 1
    found = ranges_of(ranges)
    return char_class(*(ranges_minus(((0, MAX_CODE_POINT),), found) if negated else found))


def _scan(text: str) -> list[Token]:
    tokens: list[Token] = []
    offset = 0
    while offset < len(text):
        match = TOKENS.match(text, offset)
        if match is None or match.lastgroup is None:
            raise fail(text, offset, f"unexpected {text[offset]!r}")
        if match.lastgroup in REFUSED:
            feature, problem, hint = REFUSED[match.lastgroup]
            if match.lastgroup == "macro":
                feature = match[0][:-1].rstrip()
            where = line_and_column(text, offset)
            raise UnsupportedSpec(feature, problem, where=where, hint=hint)
        if match.lastgroup != "skip":
            tokens.append(Token(match.lastgroup, match[0], offset))
        offset = match.end()
    return [*tokens, Token("end", "", offset)]
