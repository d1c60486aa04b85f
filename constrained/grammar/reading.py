"""Reads the notation of `constrained.grammar.text` back into grammars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType

from constrained.errors import InvalidSpec
from constrained.grammar.build import ANY_CHAR, EMPTY, NOTHING, byte_class, char_class
from constrained.grammar.nodes import (
    Alt,
    And,
    Cat,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Ref,
    Repeat,
    Substrings,
)
from constrained.grammar.rules import Grammar

__all__ = ["line_and_column", "read_grammar"]

TOKENS = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<chars>\[(?:[^\]\\\n]|\\.)*\])
      | (?P<bytes><[^>\n]*>)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\\n]|\\.)*`)
      | (?P<count>\{\s*[0-9]{1,12}\s*(?:,\s*[0-9]{0,12}\s*)?\}|[*+?])
      | (?P<mark>[()|&!@;=.,{}%])""",
    re.VERBOSE,
)
ESCAPES = re.compile(
    r"\\(?:x(?P<byte>[0-9a-fA-F]{2})|u\{(?P<point>[0-9a-fA-F]{1,6})\}|(?P<self>.))"
)
BYTE_SPAN = re.compile(r"([0-9a-fA-F]{2})(?:-([0-9a-fA-F]{2}))?")
PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
COUNTS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def line_and_column(text: str, offset: int) -> str:
    """Where `offset` is in `text`, as ``line:column``, both counted from 1."""
    before = text[:offset]
    return f"{before.count(chr(10)) + 1}:{offset - (before.rfind(chr(10)) + 1) + 1}"


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    offset: int


@dataclass(slots=True)
class _Group:
    """What has been read of one pair of parentheses (or of one statement)."""

    opened: int
    alternatives: list[Node] = field(default_factory=list)
    conjuncts: list[Node] = field(default_factory=list)
    sequence: list[Node] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: Node | None = None


def read_grammar(text: str) -> Grammar:
    """The grammar that `text` writes down.

    Raises `InvalidSpec` with ``line:column``. References to rules that do not exist are left to
    `constrained.grammar.passes.check_references`.

    >>> read_grammar('"a" digit+ ; digit = [0-9] ;').rules["digit"]
    Chars(ranges=((48, 57),))
    """
    return _Reader(text).grammar()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self.scan()
        self.token = next(self.tokens)

    def scan(self) -> Iterator[_Token]:
        offset = 0
        while offset < len(self.text):
            match = TOKENS.match(self.text, offset)
            if match is None or match.lastgroup is None:
                raise self.error(f"unexpected {self.text[offset]!r}", offset)
            if match.lastgroup != "skip":
                yield _Token(match.lastgroup, match[0], offset)
            offset = match.end()
        yield _Token("end", "", offset)

    def error(self, problem: str, offset: int, hint: str = "") -> InvalidSpec:
        return InvalidSpec(problem, where=line_and_column(self.text, offset), hint=hint)

    def take(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.token = next(self.tokens)
        return token

    def grammar(self) -> Grammar:
        start = self.expression()
        rules: dict[str, Node] = {}
        while self.token.kind != "end":
            name = self.take()
            if name.kind != "name":
                raise self.error(
                    f"a rule begins with its name, not with {name.text!r}", name.offset
                )
            key = self.name(name)
            if key in rules:
                raise self.error(f"rule {name.text} is defined twice", name.offset)
            equals = self.take()
            if equals.text != "=":
                raise self.error(f"expected = after the rule name {name.text}", equals.offset)
            rules[key] = self.expression()
        return Grammar(start, MappingProxyType(rules))

    def expression(self) -> Node:
        """One expression and its semicolon, with a stack of groups instead of recursion."""
        groups = [_Group(self.token.offset)]
        while True:
            token = self.take()
            group = groups[-1]
            match token.kind, token.text:
                case "mark", "(":
                    self.close_part(group)
                    groups.append(_Group(token.offset))
                case "mark", ")" if len(groups) > 1:
                    groups.pop()
                    groups[-1].last = self.close(group, token)
                case "mark", "|":
                    group.alternatives.append(self.close_conjunction(group, token))
                case "mark", "&":
                    group.conjuncts.append(self.close_sequence(group, token))
                case "mark", "!" | "@":
                    self.close_part(group)
                    group.prefixes.append(token.text)
                case "mark", ";" if len(groups) == 1:
                    return self.close(group, token)
                case "count", _:
                    if group.last is None:
                        raise self.error(f"nothing before {token.text} to repeat", token.offset)
                    group.last = Repeat(group.last, *self.count(token))
                case "end", _:
                    opened = len(groups) > 1
                    problem = "this parenthesis is never closed" if opened else "expected ;"
                    raise self.error(problem, group.opened if opened else token.offset)
                case _:
                    atom = self.atom(token)
                    self.close_part(group)
                    group.last = atom

    def close_part(self, group: _Group) -> None:
        """The last part is over: no count can follow it any more."""
        if group.last is not None:
            node = group.last
            for prefix in reversed(group.prefixes):
                node = Not(node) if prefix == "!" else Lexeme(node)
            group.sequence.append(node)
            group.prefixes.clear()
            group.last = None

    def close_sequence(self, group: _Group, end: _Token) -> Node:
        self.close_part(group)
        if group.prefixes or not group.sequence:
            raise self.error(
                f"expected an expression before {end.text!r}",
                end.offset,
                'write "" for the empty text',
            )
        parts, group.sequence = group.sequence, []
        return parts[0] if len(parts) == 1 else Cat(tuple(parts))

    def close_conjunction(self, group: _Group, end: _Token) -> Node:
        parts, group.conjuncts = [*group.conjuncts, self.close_sequence(group, end)], []
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def close(self, group: _Group, end: _Token) -> Node:
        parts = [*group.alternatives, self.close_conjunction(group, end)]
        return parts[0] if len(parts) == 1 else Alt(tuple(parts))

    def atom(self, token: _Token) -> Node:
        match token.kind, token.text:
            case "string", _:
                data = self.string(token)
                return Literal(data) if data else EMPTY
            case "chars", _:
                return self.chars(token)
            case "bytes", _:
                return self.byte_ranges(token)
            case "name", _:
                if self.token.text == "=":
                    raise self.error(
                        f"expected ; before the rule {token.text}",
                        token.offset,
                        "the first statement is the start expression, rules follow it",
                    )
                return Ref(self.name(token))
            case "mark", ".":
                return ANY_CHAR
            case "mark", "{":
                return self.options(token)
            case "mark", "%":
                return self.substrings(token)
        raise self.error(f"unexpected {token.text!r}", token.offset)

    def count(self, token: _Token) -> tuple[int, int | None]:
        if token.text in COUNTS:
            return COUNTS[token.text]
        least, comma, most = token.text[1:-1].replace(" ", "").partition(",")
        low = int(least)
        high = low if not comma else int(most) if most.strip() else None
        if high is not None and high < low:
            raise self.error(f"{token.text} counts down", token.offset)
        return low, high

    def options(self, opened: _Token) -> Node:
        found = set(self.texts())
        if len(found) < 2:
            raise self.error("{...} needs two different texts", opened.offset)
        return Literals(tuple(sorted(found)))

    def substrings(self, sign: _Token) -> Node:
        token = self.take()
        if token.kind == "string":
            data = self.string(token)
            if len(data) > 1:
                return Substrings(data, None)
        elif token.text == "{":
            units = self.texts()
            if len(units) > 1 and all(units):
                return Substrings(b"".join(units), tuple(accumulate(map(len, units[:-1]))))
        raise self.error(
            "% needs a text of several characters, or several units that are not empty",
            sign.offset,
            'write %"text", or %{"one", " ", "two"}',
        )

    def texts(self) -> list[bytes]:
        """The texts up to the closing brace."""
        found: list[bytes] = []
        while True:
            token = self.take()
            if token.kind != "string":
                raise self.error('expected "text" in {...}', token.offset)
            found.append(self.string(token))
            end = self.take()
            if end.text == "}":
                return found
            if end.text != ",":
                raise self.error("expected , or } in {...}", end.offset)

    def name(self, token: _Token) -> str:
        if not token.text.startswith("`"):
            return token.text
        pieces = [piece for piece, _ in self.units(token)]
        if any(isinstance(piece, bytes) for piece in pieces):
            raise self.error("a rule name holds characters only", token.offset)
        return "".join(map(str, pieces))

    def string(self, token: _Token) -> bytes:
        pieces: list[bytes] = []
        for piece, _ in self.units(token):
            try:
                pieces.append(piece if isinstance(piece, bytes) else piece.encode("utf-8"))
            except UnicodeEncodeError:
                raise self.error("a surrogate has no UTF-8 form", token.offset) from None
        return b"".join(pieces)

    def chars(self, token: _Token) -> Node:
        ends: list[tuple[int, int]] = []
        dash = False
        for char, escaped in self.units(token):
            if isinstance(char, bytes) or "\ud800" <= char <= "\udfff":
                raise self.error("a class holds characters only", token.offset, "bytes stand in <>")
            point = ord(char)
            if char == "-" and not escaped:
                if dash or not ends:
                    break
                dash = True
            elif dash:
                low, high = ends.pop()
                if low != high or point < low:
                    break
                ends.append((low, point))
                dash = False
            else:
                ends.append((point, point))
        else:
            if not dash:
                return char_class(*ends) if ends else NOTHING
        raise self.error(
            f"a range of the class {token.text} is not low-high",
            token.offset,
            r"write \- for the sign itself",
        )

    def byte_ranges(self, token: _Token) -> Node:
        ends: list[tuple[int, int]] = []
        for span in token.text[1:-1].split():
            match = BYTE_SPAN.fullmatch(span)
            low, high = (int(match[1], 16), int(match[2] or match[1], 16)) if match else (1, 0)
            if high < low:
                raise self.error(
                    f"{span!r} is not a byte or a range of bytes",
                    token.offset,
                    "bytes are two hexadecimal digits, as in <00-7f ff>",
                )
            ends.append((low, high))
        return byte_class(*ends)

    def units(self, token: _Token) -> Iterator[tuple[str | bytes, bool]]:
        """The characters between the delimiters, and whether each was escaped."""
        offset, end = 1, len(token.text) - 1
        while offset < end:
            char = token.text[offset]
            if char != "\\":
                yield char, False
                offset += 1
                continue
            match = ESCAPES.match(token.text, offset)
            where = token.offset + offset
            if match is None or (match["self"] or "") in tuple("xu"):
                raise self.error("a damaged escape", where, r"write \xNN or \u{N...}")
            offset = match.end()
            if match["byte"]:
                yield bytes([int(match["byte"], 16)]), True
            elif match["point"]:
                point = int(match["point"], 16)
                if point > 0x10FFFF:
                    raise self.error(f"there is no code point {point:x}", where)
                yield chr(point), True
            elif match["self"].isalnum() and match["self"] not in PLAIN_ESCAPES:
                raise self.error(f"unknown escape {match[0]}", where)
            else:
                yield PLAIN_ESCAPES.get(match["self"], match["self"]), True
