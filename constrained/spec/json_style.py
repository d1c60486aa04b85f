"""`JsonStyle`: where whitespace may stand in JSON, and how characters and numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal as OneOf

from constrained.errors import InvalidSpec
from constrained.grammar import Node, alt, cat, char_class, lexeme, literal, literals, repeat

__all__ = ["COMPACT", "FLEXIBLE", "SPACED", "Escapes", "Integers", "JsonStyle", "style_named"]

Escapes = OneOf["either", "raw", "ascii"]
Integers = OneOf["plain", "fraction"]


@dataclass(frozen=True, slots=True)
class JsonStyle:
    r"""Where whitespace may stand, and how characters may be escaped.

    Whitespace stands in four places: after an opening brace or bracket, before a closing one,
    after a comma, and after a colon; never around the whole value, before a comma or colon, or
    inside ``{}`` and ``[]``.

    =============  =================================  ====================  ====================
    style          after ``{ [ ,``, before ``} ]``     after ``:``            the same as
    =============  =================================  ====================  ====================
    ``flexible``   nothing, one space, or a line      nothing or a space    all those below
                   break and up to `indent_limit`
                   spaces or tabs
    ``compact``    nothing                            nothing               separators=(",", ":")
    ``spaced``     one space after ``,`` only          one space             ``json.dumps``
    ``indented``   a line break and `indent` per      one space             ``json.dumps`` with
                   level                                                    ``indent=``
    =============  =================================  ====================  ====================

    `indent` is the text of one level for an indented style, None otherwise. Indentation is exact
    down to `indent_depth` levels; deeper ones take any number of spaces up to `indent_limit`, so
    that recursive schemas stay finite. `comma`, `colon` and `around` list the texts allowed after
    a comma, after a colon, and inside brackets. `escapes` says how characters beyond ASCII are
    written: ``raw``, ``ascii`` (``\uXXXX``), or ``either``. `integers` says whether whole numbers
    may end in a fraction of zeros (``1.0``), which Python reads as floats: ``plain`` or
    ``fraction``.

    >>> JsonStyle(comma=("",), colon=(" ",)).colon
    (' ',)
    """

    comma: tuple[str, ...] = (" ",)
    colon: tuple[str, ...] = (" ",)
    around: tuple[str, ...] = ("",)
    line_breaks: bool = False
    indent: str | None = None
    indent_limit: int = 80
    indent_depth: int = 16
    escapes: Escapes = "either"
    integers: Integers = "plain"

    def __post_init__(self) -> None:
        texts = (*self.comma, *self.colon, *self.around, self.indent or "")
        if any(text.strip(" \t\r\n") for text in texts):
            raise InvalidSpec(
                "a JSON style may hold whitespace only",
                hint="use spaces, tabs and line breaks in comma, colon, around and indent",
            )
        if self.escapes not in ("either", "raw", "ascii"):
            raise InvalidSpec(f"escapes is {self.escapes!r}", hint="use 'either', 'raw' or 'ascii'")
        if self.integers not in ("plain", "fraction"):
            raise InvalidSpec(f"integers is {self.integers!r}", hint="use 'plain' or 'fraction'")

    def level(self, depth: int) -> int:
        """The depth that matters for whitespace: 0 unless the style indents."""
        return 0 if self.indent is None else min(depth, self.indent_depth)

    def opening(self, depth: int) -> Node:
        """Whitespace after ``{`` or ``[`` whose members stand at `depth`."""
        return _gap(self, self.around, depth)

    def closing(self, depth: int) -> Node:
        """Whitespace before ``}`` or ``]`` of a value whose members stand at `depth`."""
        return _gap(self, self.around, depth if depth >= self.indent_depth else depth - 1)

    def between(self, depth: int) -> Node:
        """A comma and the whitespace after it, between members at `depth`."""
        return cat(literal(","), _gap(self, self.comma, depth))

    def after_key(self) -> Node:
        """A colon and the whitespace after it."""
        return cat(literal(":"), lexeme(literals(self.colon)))


@lru_cache(maxsize=512)
def _gap(style: JsonStyle, texts: tuple[str, ...], depth: int) -> Node:
    """Whitespace: the same in front of everything, so what the engine knows of it is shared."""
    return lexeme(_whitespace(style, texts, depth))


def _whitespace(style: JsonStyle, texts: tuple[str, ...], depth: int) -> Node:
    if style.indent is not None:
        if depth >= style.indent_depth:
            return cat(literal("\n"), repeat(char_class(" \t"), 0, style.indent_limit))
        return literal("\n" + style.indent * depth)
    if not style.line_breaks:
        return literals(texts)
    lines = cat(literal("\n"), repeat(char_class(" \t"), 0, style.indent_limit))
    return alt(literals(texts), lines)


FLEXIBLE = JsonStyle(comma=("", " "), colon=("", " "), around=("", " "), line_breaks=True)
COMPACT = JsonStyle(comma=("",), colon=("",))
SPACED = JsonStyle()
INDENTED = JsonStyle(indent="  ")
STYLES = {"flexible": FLEXIBLE, "compact": COMPACT, "spaced": SPACED, "indented": INDENTED}


def style_named(whitespace: str | JsonStyle) -> JsonStyle:
    """The style of that name, or the style itself. Raises `InvalidSpec` for anything else."""
    if isinstance(whitespace, JsonStyle):
        return whitespace
    style = STYLES.get(whitespace) if isinstance(whitespace, str) else None
    if style is None:
        raise InvalidSpec(
            f"unknown whitespace style {whitespace!r}",
            hint="use 'flexible', 'compact', 'spaced', 'indented' or a JsonStyle",
        )
    return style
