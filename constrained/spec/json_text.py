r"""How JSON strings are spelled, and regular sets of texts carried through that.

The grammar of a JSON string is the inverse image of decoding: a set of texts over characters
becomes the set of their spellings, and because every spelling decodes to exactly one text, that
map commutes with union, intersection and complement. So `pattern`, lengths and key exclusions are
written over characters and spelled here once.

Spellings (RFC 8259 allows more; these are what JSON writers produce):

===========================================  ==========================================
character                                    spelled
===========================================  ==========================================
``"`` and ``\``                               ``\"`` and ``\\``
backspace, form feed, line feed, CR, tab     ``\b \f \n \r \t``
other control characters below U+0020        ``\u00XX``
U+0020 to U+007E, the rest                   itself
U+007F and everything beyond ASCII           itself, or ``\uXXXX`` (a surrogate pair beyond
                                             U+FFFF), as the style's `escapes` allows
===========================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from constrained.errors import UnsupportedSpec
from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    Alt,
    And,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Repeat,
    alt,
    cat,
    char_class,
    intersect,
    lexeme,
    literal,
    literals,
    minus,
    repeat,
)
from constrained.grammar.build import SURROGATES, ranges_minus, ranges_of
from constrained.spec.json_style import Escapes

__all__ = [
    "ANY_CHAR",
    "ANY_TEXT",
    "is_plain",
    "spelled",
    "spelled_char",
    "spelled_text",
]

Pairs = tuple[tuple[int, int], ...]

ANY_TEXT = repeat(ANY_CHAR)
"""Any text, as a node over characters."""

SHORT = {'"': '"', "\\": "\\", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""Characters with an escape of one letter."""

PLAIN = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E))
CONTROL = ((0x00, 0x07), (0x0B, 0x0B), (0x0E, 0x1F))
BEYOND = (0x7F, 0x10FFFF)


def _overlap(ranges: tuple[tuple[int, int], ...], low: int, high: int) -> list[tuple[int, int]]:
    return [(max(a, low), min(b, high)) for a, b in ranges if a <= high and b >= low]


@lru_cache(maxsize=512)
def _hex_class(digits: tuple[int, ...]) -> Node:
    """One hexadecimal digit of these values, in either case."""
    if len(digits) == 1 and digits[0] < 10:
        return literal(str(digits[0]))
    return char_class(*("0123456789"[d] if d < 10 else "ABCDEFabcdef"[d - 10 :: 6] for d in digits))


def _hex(ranges: Pairs, digits: int) -> Node:
    """`digits` hexadecimal digits with a value from the ranges: a trie, equal parts merged."""
    if digits == 0:
        return EMPTY
    unit = 16 ** (digits - 1)
    if ranges == ((0, 16 * unit - 1),):
        return repeat(_hex_class(tuple(range(16))), digits, digits)
    rests: dict[Pairs, list[int]] = {}
    for digit in range(16):
        base = digit * unit
        rest = tuple((a - base, b - base) for a, b in _overlap(ranges, base, base + unit - 1))
        if rest:
            rests.setdefault(rest, []).append(digit)
    return alt(*(cat(_hex_class(tuple(d)), _hex(rest, digits - 1)) for rest, d in rests.items()))


def _pairs(ranges: Pairs) -> Node:
    r"""``XXXX\uXXXX``: surrogate pairs of the characters beyond U+FFFF in the ranges."""
    blocks: dict[Pairs, list[tuple[int, int]]] = {}  # trail ranges -> lead ranges
    for low, high in _overlap(ranges, 0x10000, 0x10FFFF):
        first, last = (low - 0x10000) >> 10, (high - 0x10000) >> 10
        for lead_low, lead_high in _pieces(low, high, first, last):
            start = max(low, 0x10000 + (lead_low << 10)) & 0x3FF
            end = min(high, 0x103FF + (lead_high << 10)) & 0x3FF
            trail = ((0xDC00 + start, 0xDC00 + end),)
            blocks.setdefault(trail, []).append((0xD800 + lead_low, 0xD800 + lead_high))
    return alt(
        *(
            cat(_hex(ranges_of(leads), 4), literal("\\u"), _hex(trail, 4))
            for trail, leads in blocks.items()
        )
    )


def _pieces(low: int, high: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Runs of leads whose trails are all alike: a partial first, the whole ones, a partial last."""
    if first < last and (low - 0x10000) & 0x3FF:
        yield first, first
        first += 1
    whole = last if (high - 0x10000) & 0x3FF == 0x3FF or first == last else last - 1
    yield first, whole
    if whole < last:
        yield last, last


@lru_cache(maxsize=8192)
def spelled_char(ranges: Pairs, escapes: Escapes = "either") -> Node:
    """All spellings of one character from the ranges."""
    raw: list[tuple[int, int]] = []
    for low, high in PLAIN:
        raw += _overlap(ranges, low, high)
    beyond = ranges_minus(tuple(_overlap(ranges, *BEYOND)), (SURROGATES,))
    if escapes != "ascii":
        raw += beyond
    escaped = [pair for low, high in CONTROL for pair in _overlap(ranges, low, high)]
    if escapes != "raw":
        escaped += beyond
    short = [
        letter
        for char, letter in SHORT.items()
        if any(low <= ord(char) <= high for low, high in ranges)
    ]
    hexadecimal = alt(_hex(tuple(_overlap(tuple(escaped), 0, 0xFFFF)), 4), _pairs(tuple(escaped)))
    after = alt(_one_of([(ord(c), ord(c)) for c in short]), cat(literal("u"), hexadecimal))
    return alt(_one_of(raw), cat(literal("\\"), after))


def _one_of(ranges: list[tuple[int, int]]) -> Node:
    """One character of the ranges; a text when there is only one."""
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return literal(chr(ranges[0][0]))
    return char_class(*ranges)


def is_plain(text: str) -> bool:
    """Whether the text has one spelling only, itself."""
    return text.isascii() and text.isprintable() and '"' not in text and "\\" not in text


def spelled_text(text: str, escapes: Escapes = "either") -> Node:
    """All spellings of one text, quotes not included."""
    if is_plain(text):
        return literal(text)
    _check_scalar(text)
    return cat(
        *(literal(c) if is_plain(c) else spelled_char(((ord(c), ord(c)),), escapes) for c in text)
    )


def _check_scalar(text: str) -> None:
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise UnsupportedSpec(
            "lone surrogate",
            f"the text {text!r} holds a lone surrogate, which UTF-8 cannot write",
            hint="remove the surrogate, or write the character it is half of",
        )


def spelled(node: Node, escapes: Escapes = "either") -> Node:
    r"""The spellings, inside a JSON string, of the texts that a node over characters matches.

    Nodes that `node` holds several times are spelled once and shared again.

    >>> from constrained.grammar import literal
    >>> spelled(literal("a\n"))
    Literal(data=b'a\\n')
    """
    return _Speller(escapes).of(node)


class _Speller:
    def __init__(self, escapes: Escapes) -> None:
        self.escapes = escapes
        self.done: dict[int, Node] = {}

    def of(self, node: Node) -> Node:
        found = self.done.get(id(node))
        if found is None:
            found = self.done[id(node)] = self._spell(node)
        return found

    def _spell(self, node: Node) -> Node:
        match node:
            case Chars(ranges=ranges):
                return spelled_char(ranges, self.escapes)
            case Literal(data=data):
                return spelled_text(data.decode(), self.escapes)
            case Literals(options=options):
                texts = [data.decode() for data in options]
                plain = literals([text for text in texts if is_plain(text)])
                rest = [text for text in texts if not is_plain(text)]
                return alt(plain, *(spelled_text(text, self.escapes) for text in rest))
            case Cat(parts=parts):
                return cat(*map(self.of, parts))
            case Alt(parts=parts):
                return alt(*map(self.of, parts))
            case And(parts=parts):
                return intersect(*map(self.of, parts))
            case Repeat(body=body, least=least, most=most):
                return repeat(self.of(body), least, most)
            case Not(body=body):
                return minus(repeat(self.of(ANY_CHAR)), self.of(body))
            case Lexeme(body=body):
                return lexeme(self.of(body))
            case Empty() | Nothing():
                return node
        raise UnsupportedSpec(
            type(node).__name__,
            "a JSON string cannot be built from single bytes or recursive rules",
            hint="describe its text with characters",
        )
