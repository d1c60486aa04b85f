"""Prints grammars in the notation of `constrained.grammar.text`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from constrained.errors import LimitExceeded
from constrained.grammar.build import ANY_CHAR
from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
    Substrings,
)
from constrained.grammar.rules import Grammar
from constrained.limits import DEFAULT_LIMITS, Limits

__all__ = ["print_grammar", "print_node"]

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAMED_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}
LINE = 100

# How tightly a construct holds together; a part that holds less tightly than its place needs
# stands in parentheses.
ALT, AND, CAT, PREFIX, POSTFIX, ATOM = range(6)


def print_grammar(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> str:
    """The text form; `read_grammar` gives the same grammar back.

    Raises `LimitExceeded` when more than `limits.max_nodes` nodes would be printed: a node that is
    shared between places is printed at each of them.

    >>> from constrained.grammar import Grammar, Ref, cat, literal, optional
    >>> print(print_grammar(Grammar(Ref("s"), {"s": cat(literal("a"), optional(Ref("s")))})))
    s ;
    s = "a" s? ;
    """
    statements = [_statement("", grammar.start, limits)]
    statements += [
        _statement(f"{_name(name)} = ", node, limits) for name, node in grammar.rules.items()
    ]
    return "\n".join(statements)


def print_node(node: Node, limits: Limits = DEFAULT_LIMITS) -> str:
    """The text form of one node, on one line.

    >>> from constrained.grammar import literal, repeat
    >>> print_node(repeat(literal("ab"), 2, 3))
    '"ab"{2,3}'
    """
    return "".join(_pieces(node, limits))


def _statement(head: str, node: Node, limits: Limits) -> str:
    line = f"{head}{print_node(node, limits)} ;"
    if len(line) <= LINE or not isinstance(node, Alt):
        return line
    options = ("".join(_pieces(option, limits, AND)) for option in node.parts)
    return f"{head.rstrip()}\n    " + "\n  | ".join(options) + " ;"


def _tightness(node: Node) -> int:
    match node:
        case Alt():
            return ALT
        case And():
            return AND
        case Cat():
            return CAT
        case Not() | Lexeme():
            return PREFIX
        case Repeat():
            return POSTFIX
    return ATOM


def _pieces(root: Node, limits: Limits, needed: int = ALT) -> Iterator[str]:
    """Piece by piece, with a stack of its own: nesting may be far deeper than Python's."""
    stack: list[str | tuple[Node, int]] = [(root, needed)]
    printed = 0
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
            continue
        printed += 1
        if printed > limits.max_nodes:
            raise LimitExceeded("max_nodes", limits.max_nodes, "printing a grammar")
        node, needed = item
        pieces = _parts(node)
        if _tightness(node) < needed:
            pieces = ["(", *pieces, ")"]
        stack.extend(reversed(pieces))


def _parts(node: Node) -> list[str | tuple[Node, int]]:
    match node:
        case Alt(parts):
            return _joined(parts, " | ", AND)
        case And(parts):
            return _joined(parts, " & ", CAT)
        case Cat(parts):
            return _joined(parts, " ", PREFIX)
        case Not(body):
            return ["!", (body, PREFIX)]
        case Lexeme(body):
            return ["@", (body, PREFIX)]
        case Repeat(body, least, most):
            return [(body, POSTFIX), _count(least, most)]
    return [_atom(node)]


def _joined(parts: Iterable[Node], between: str, needed: int) -> list[str | tuple[Node, int]]:
    pieces: list[str | tuple[Node, int]] = []
    for part in parts:
        pieces += [between, (part, needed)]
    return pieces[1:]


def _count(least: int, most: int | None) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if short:
        return short
    if most == least:
        return f"{{{least}}}"
    return f"{{{least},{'' if most is None else most}}}"


def _atom(node: Node) -> str:
    match node:
        case Nothing():
            return "[]"
        case Empty():
            return '""'
        case Literal(data):
            return _quoted(data)
        case Literals(options):
            return "{" + ", ".join(map(_quoted, options)) + "}"
        case Substrings(data, cuts):
            return "%" + _quoted(data) if cuts is None else "%{" + _units(data, cuts) + "}"
        case Chars(ranges):
            if node == ANY_CHAR:
                return "."
            return "[" + "".join(_span(low, high) for low, high in ranges) + "]"
        case Bytes(ranges):
            spans = (f"{low:02x}" + (f"-{high:02x}" if high > low else "") for low, high in ranges)
            return "<" + " ".join(spans) + ">"
        case Ref(name):
            return _name(name)
    raise TypeError(f"not a grammar node: {node!r}")


def _units(data: bytes, cuts: tuple[int, ...]) -> str:
    ends = zip((0, *cuts), (*cuts, len(data)), strict=True)
    return ", ".join(_quoted(data[begin:end]) for begin, end in ends)


def _span(low: int, high: int) -> str:
    first, last = (_escaped(chr(point), "]-[^") for point in (low, high))
    return first if low == high else f"{first}{last}" if high == low + 1 else f"{first}-{last}"


def _name(name: str) -> str:
    return name if IDENTIFIER.fullmatch(name) else "`" + _escaped(name, "`") + "`"


def _quoted(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")  # a byte that is no text becomes a surrogate
    return '"' + "".join(map(_byte_or_char, text)) + '"'


def _byte_or_char(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return _escaped(char, '"')


def _escaped(text: str, delimiters: str) -> str:
    return "".join(
        NAMED_ESCAPES.get(char) or (f"\\{char}" if char in delimiters else _printable(char))
        for char in text
    )


def _printable(char: str) -> str:
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"
