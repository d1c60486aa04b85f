"""What a terminal is made of: texts, character ranges, regular expressions, the common names."""

from __future__ import annotations

import re

from constrained.errors import UnsupportedSpec
from constrained.grammar import Node, lexeme
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.regex import pattern_node
from constrained.spec.regex.python_dialect import PythonParser
from constrained.spec.regex.syntax import (
    Anchor,
    Atomic,
    Boundary,
    Look,
    Quantified,
    Sequence,
    Syntax,
)
from constrained.spec.regex.width import width

__all__ = ["COMMON", "pattern_terminal", "text_ignoring_case"]

_EXPONENT = r"[eE][+-]?[0-9]+"
_DECIMAL = r"(?:[0-9]+\.[0-9]*|\.[0-9]+)"
_FLOAT = rf"(?:[0-9]+{_EXPONENT}|{_DECIMAL}(?:{_EXPONENT})?)"

COMMON = {
    "DIGIT": r"[0-9]",
    "HEXDIGIT": r"[0-9a-fA-F]",
    "INT": r"[0-9]+",
    "SIGNED_INT": r"[+-]?[0-9]+",
    "DECIMAL": _DECIMAL,
    "FLOAT": _FLOAT,
    "SIGNED_FLOAT": rf"[+-]?{_FLOAT}",
    "NUMBER": rf"(?:{_FLOAT}|[0-9]+)",
    "SIGNED_NUMBER": rf"[+-]?(?:{_FLOAT}|[0-9]+)",
    "_EXP": _EXPONENT,
    "_STRING_INNER": r"[^\n]*",
    "ESCAPED_STRING": r'"(?:[^"\\\n]|\\[^\n])*"',
    "LCASE_LETTER": r"[a-z]",
    "UCASE_LETTER": r"[A-Z]",
    "LETTER": r"[a-zA-Z]",
    "WORD": r"[a-zA-Z]+",
    "CNAME": r"[_a-zA-Z][_a-zA-Z0-9]*",
    "WS_INLINE": r"[ \t]+",
    "WS": r"[ \t\f\r\n]+",
    "CR": r"\r",
    "LF": r"\n",
    "NEWLINE": r"(?:\r?\n)+",
    "SH_COMMENT": r"\#[^\n]*",
    "CPP_COMMENT": r"//[^\n]*",
    "C_COMMENT": r"/\*(?:[^*]|\*+[^*/])*\*+/",
    "SQL_COMMENT": r"--[^\n]*",
}
"""The terminals that Lark's documentation calls `common`, as regular expressions.

Strings and comments end where a lexer would end them: at the first closing mark.
"""

FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.UNICODE}


def pattern_terminal(pattern: str, flags: str, where: str, limits: Limits = DEFAULT_LIMITS) -> Node:
    """The texts that a regular expression of a terminal matches in full.

    Raises `UnsupportedSpec` for an assertion that could look beyond the terminal: what it would see
    there is not the terminal's to say.
    """
    if "l" in flags:
        raise UnsupportedSpec(
            "flag l", "a pattern must not depend on the locale", where=where, hint="leave out l"
        )
    flag = 0
    for letter in flags:
        flag |= FLAGS[letter]
    flag &= ~int(re.UNICODE)
    _check_inside(PythonParser(pattern, where, flag).parse(), where)
    return lexeme(pattern_node(pattern, flags=flag, where=where, limits=limits))


def text_ignoring_case(text: str, where: str) -> Node:
    """The text in any mix of cases, as `re.IGNORECASE` has it."""
    return pattern_terminal(re.escape(text), "i", where)


def _check_inside(tree: Syntax, where: str) -> None:
    """Refuse what a character after or before the terminal could decide.

    Those are assertions, but for looks that the terminal's own characters are sure to answer, and
    what never gives back characters (``a++``, ``(?>...)``) where the terminal may end after it:
    there it would have to know what comes next.
    """
    fine: set[int] = set()
    stack = [(tree, False)]  # whether more characters of the terminal are sure to follow
    while stack:
        node, followed = stack.pop()
        match node:
            case Sequence(parts):
                for i, part in enumerate(parts):
                    if isinstance(part, Look) and _answered(part, parts[:i], parts[i + 1 :]):
                        fine.add(id(part))
                    stack.append((part, followed or any(width(p)[0] for p in parts[i + 1 :])))
                continue
            case Quantified(possessive=True, position=position) | Atomic(position=position):
                least, most = width(node)
                if least != most and not followed:
                    raise _looking(
                        "a possessive end of a terminal",
                        "this must not be followed by more of the same",
                        f"{where}, position {position}",
                    )
            case Anchor(position=position) | Boundary(position=position) | Look(position=position):
                if id(node) not in fine:
                    raise _looking(
                        "an assertion in a terminal",
                        "this looks at what stands before or after the terminal",
                        f"{where}, position {position}",
                    )
                followed = False
        for value in node.held():
            stack += [
                (v, followed)
                for v in (value if isinstance(value, tuple) else (value,))
                if isinstance(v, Syntax)
            ]


def _looking(feature: str, problem: str, where: str) -> UnsupportedSpec:
    return UnsupportedSpec(
        feature, problem, where=where, hint="write what the terminal itself is made of"
    )


def _answered(look: Look, before: tuple[Syntax, ...], after: tuple[Syntax, ...]) -> bool:
    most = width(look.body)[1]
    return most is not None and sum(width(p)[0] for p in (after if look.ahead else before)) >= most
