"""Cuts a grammar in Lark's notation into tokens, and into the definitions they make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder

from constrained.errors import UnsupportedSpec
from constrained.grammar.text import line_and_column
from constrained.spec.cfg.expression import Token, fail

__all__ = ["Definition", "is_terminal", "scan", "shown"]

TOKENS = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"i?)
      | (?P<regexp>/(?!/)(?:[^\\/]|\\[\s\S])+/[a-z]*)
      | (?P<directive>%[a-zA-Z_]+)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>-?[0-9]{1,12})
      | (?P<token><[^<>\n]*>)
      | (?P<grammar>@[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>->|\.\.|[:|()\[\]{},~?*+!.&=])""",
    re.VERBOSE,
)

NESTED = {
    "%lark": (
        "a grammar in a grammar has names of its own",
        "write its rules in the outer grammar, each under another name",
    ),
}
"""What brings another notation in braces: refused before the braces are read as Lark's."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A rule, a terminal or a template, not yet read."""

    name: Token
    parameters: tuple[str, ...]
    body: tuple[Token, ...]
    lazy: bool = False
    """Whether it ends where it first can."""
    suffix: Token | None = None
    """The text that ends it."""


def is_terminal(name: str) -> bool:
    """Whether a name is a terminal's: upper case."""
    return name.strip("_")[:1].isupper()


def shown(token: Token) -> str:
    """A token as an error quotes it."""
    return "the end" if token.kind == "end" else repr(token.text)


def scan(text: str) -> list[Token]:
    """The tokens of a grammar's text; the last one is of kind ``end``."""
    tokens: list[Token] = []
    offset, first = 0, True
    while offset < len(text):
        match = TOKENS.match(text, offset)
        if match is None or match.lastgroup is None:
            raise fail(text, offset, f"unexpected {text[offset]!r}")
        end, kind, value = match.end(), match.lastgroup, None
        if kind == "skip":
            first = first or "\n" in match[0]
        else:
            if match[0] in NESTED:
                where = line_and_column(text, offset)
                problem, hint = NESTED[match[0]]
                raise UnsupportedSpec(match[0], problem, where=where, hint=hint)
            if match[0] == "%json":
                kind = "json"
                value, end = _json(text, end, "%json needs a JSON Schema")
            elif match[0] == "%regex":
                kind = "substrings"
                value, end = _json(text, end, "%regex needs its text in JSON")
            elif match[0] == "%llguidance":
                value, end = _json(text, end, "%llguidance needs its options in JSON")
            tokens.append(Token(kind, match[0], offset, first, value))
            first = False
        offset = end
    return [*tokens, Token("end", "", offset, True)]


def _json(text: str, offset: int, needs: str) -> tuple[object, int]:
    begin = offset + len(text[offset:]) - len(text[offset:].lstrip())
    try:
        return JSONDecoder().raw_decode(text, begin)
    except JSONDecodeError as error:
        raise fail(text, error.pos, f"{needs}: {error.msg}") from None
    except RecursionError:
        raise fail(text, begin, f"{needs}, nested less deeply") from None
