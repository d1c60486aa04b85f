r"""Character classes as code point ranges: `\w`, `\d`, `\s`, categories, ignoring case.

What Python calls a word character, a digit or a space is read off Python's own `re` (one scan over
all code points, about 10 ms, at first use), so the sets follow the Unicode version of the running
interpreter. Importing this module computes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from itertools import groupby

import numpy as np

from constrained.grammar.build import MAX_CODE_POINT, ranges_minus, ranges_of
from constrained.grammar.nodes import Ranges

__all__ = [
    "ALL",
    "ASCII_CLASSES",
    "ECMA_CLASSES",
    "ECMA_DOT",
    "NEWLINE",
    "PYTHON_DOT",
    "a_character",
    "ascii_lower_case_of",
    "atoms_of",
    "category",
    "disjoint",
    "has_upper_case_strays",
    "holds",
    "ignoring_ascii_case",
    "ignoring_case",
    "lower_case_of",
    "negated",
    "one_of",
    "python_class",
    "within",
]

ALL: Ranges = ((0, MAX_CODE_POINT),)


def negated(ranges: Ranges) -> Ranges:
    """Every code point that is not in the ranges."""
    return ranges_minus(ALL, ranges)


def one_of(characters: str) -> Ranges:
    """The ranges of these characters."""
    return ranges_of((ord(c), ord(c)) for c in characters)


def holds(ranges: Ranges, code: int) -> bool:
    """Whether the code point is in the ranges."""
    i = bisect_right(ranges, (code, MAX_CODE_POINT)) - 1
    return i >= 0 and ranges[i][1] >= code


def a_character(ranges: Ranges) -> int | None:
    """The first code point of the set that is a character; None where it has only surrogates."""
    for low, high in ranges:
        if not 0xD800 <= low <= 0xDFFF:
            return low
        if high > 0xDFFF:
            return 0xE000
    return None


def within(ranges: Ranges, other: Ranges) -> bool:
    """Whether `other` holds all of `ranges`."""
    return not ranges_minus(ranges, other)


def disjoint(ranges: Ranges, other: Ranges) -> bool:
    """Whether no code point is in both."""
    return ranges_minus(ranges, other) == ranges


def atoms_of(sets: list[Ranges]) -> tuple[Ranges, ...]:
    """The coarsest partition of all code points in which every set is a union of cells."""
    atoms: list[Ranges] = [ALL]
    for chosen in sets:
        halves = [(ranges_minus(a, negated(chosen)), ranges_minus(a, chosen)) for a in atoms]
        atoms = [half for pair in halves for half in pair if half]
    return tuple(atoms)


NEWLINE = one_of("\n")
PYTHON_DOT = negated(NEWLINE)
ECMA_DOT = negated(one_of("\n\r\u2028\u2029"))

_ASCII_DIGIT: Ranges = ((48, 57),)
_ASCII_WORD = ranges_of([(48, 57), (65, 90), (95, 95), (97, 122)])
_ASCII_SPACE = one_of(" \t\n\r\f\v")
# ECMA-262 section 22.2.2.9: WhiteSpace (Zs, tab, vertical tab, form feed, no-break space, BOM)
# and LineTerminator. Zs has not changed since Unicode 6.3.
_ECMA_SPACE = ranges_of(
    [
        *one_of("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"),
        (0x2000, 0x200A),
    ]
)


def _with_negations(positive: dict[str, Ranges]) -> dict[str, Ranges]:
    return positive | {name.upper(): negated(ranges) for name, ranges in positive.items()}


ASCII_CLASSES = _with_negations({"d": _ASCII_DIGIT, "w": _ASCII_WORD, "s": _ASCII_SPACE})
ECMA_CLASSES = _with_negations({"d": _ASCII_DIGIT, "w": _ASCII_WORD, "s": _ECMA_SPACE})


def _all_characters() -> str:
    codes = np.arange(MAX_CODE_POINT + 1, dtype="<u4")
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


@cache
def python_class(name: str) -> Ranges:
    r"""What `\d`, `\w`, `\s` or the upper-case letter (`name`) matches in a str pattern."""
    if name.isupper():
        return negated(python_class(name.lower()))
    runs = re.compile(f"\\{name}+").finditer(_all_characters())
    return tuple((run.start(), run.end() - 1) for run in runs)


@cache
def _categories() -> dict[str, Ranges]:
    """Each general category's code points."""
    runs: dict[str, list[tuple[int, int]]] = {}
    start = 0
    for name, run in groupby(map(unicodedata.category, _all_characters())):
        end = start + sum(1 for _ in run)
        runs.setdefault(name, []).append((start, end - 1))
        start = end
    return {name: tuple(ranges) for name, ranges in runs.items()}


# The value aliases of General_Category (Unicode, PropertyValueAliases.txt), squeezed to lower case.
_CATEGORY_NAMES = {
    "C": "Other",
    "Cc": "Control cntrl",
    "Cf": "Format",
    "Cn": "Unassigned",
    "Co": "Private_Use",
    "Cs": "Surrogate",
    "L": "Letter",
    "LC": "Cased_Letter L&",
    "Ll": "Lowercase_Letter",
    "Lm": "Modifier_Letter",
    "Lo": "Other_Letter",
    "Lt": "Titlecase_Letter",
    "Lu": "Uppercase_Letter",
    "M": "Mark Combining_Mark",
    "Mc": "Spacing_Mark",
    "Me": "Enclosing_Mark",
    "Mn": "Nonspacing_Mark",
    "N": "Number",
    "Nd": "Decimal_Number digit",
    "Nl": "Letter_Number",
    "No": "Other_Number",
    "P": "Punctuation punct",
    "Pc": "Connector_Punctuation",
    "Pd": "Dash_Punctuation",
    "Pe": "Close_Punctuation",
    "Pf": "Final_Punctuation",
    "Pi": "Initial_Punctuation",
    "Po": "Other_Punctuation",
    "Ps": "Open_Punctuation",
    "S": "Symbol",
    "Sc": "Currency_Symbol",
    "Sk": "Modifier_Symbol",
    "Sm": "Math_Symbol",
    "So": "Other_Symbol",
    "Z": "Separator",
    "Zl": "Line_Separator",
    "Zp": "Paragraph_Separator",
    "Zs": "Space_Separator",
}
_CATEGORY_OF = {
    name: short for short, names in _CATEGORY_NAMES.items() for name in (short, *names.split())
}


@cache
def category(name: str) -> Ranges | None:
    """The code points of a general category (`Lu`, `Uppercase_Letter`, `L`); None if unknown.

    `Any`, `ASCII`, `Assigned` and `ASCII_Hex_Digit` are known as well.
    """
    match name:
        case "Any":
            return ALL
        case "ASCII":
            return ((0, 127),)
        case "ASCII_Hex_Digit" | "AHex":
            return one_of("0123456789ABCDEFabcdef")
        case "Assigned":
            return negated(_categories()["Cn"])
    short = _CATEGORY_OF.get(name)
    if short is None:
        return None
    members = ("Lu", "Ll", "Lt") if short == "LC" else (short,)
    tables = _categories()
    return ranges_of(
        pair for known in tables if known.startswith(members) for pair in tables[known]
    )


# Letters with a case lie in planes 0 and 1; a test compares every code point with `re`.
_CASED_END = 0x20000


@cache
def _partners() -> dict[int, tuple[int, ...]]:
    """For each letter with case: what `re.IGNORECASE` takes for the same, itself included.

    `re` compares simple lower cases, and takes lower-case letters with a common upper case for the
    same (k and the Kelvin sign; s and the long s).
    """
    lower: dict[str, str] = {}
    for code in range(_CASED_END):
        char = chr(code)
        # The dotted capital I alone has a lower case of two characters; `re` takes the first.
        small = char.lower()[0]
        if small != char or char.upper() != char:
            lower[char] = small
    groups: dict[str, list[int]] = {}
    for char, small in lower.items():
        groups.setdefault(small.upper(), []).append(ord(char))
    return {code: tuple(group) for group in groups.values() for code in group}


def ignoring_case(ranges: Ranges) -> Ranges:
    """The ranges and everything that `re.IGNORECASE` takes for the same (str patterns)."""
    partners = _partners()
    if sum(high - low + 1 for low, high in ranges) <= len(partners):
        present = [c for low, high in ranges for c in range(low, high + 1) if c in partners]
    else:
        present = [c for c in partners if holds(ranges, c)]
    return ranges_of([*ranges, *((same, same) for code in present for same in partners[code])])


def lower_case_of(code: int) -> Ranges:
    """The code points with the lower case of this one: what `re` takes for a group's text again.

    Fewer than `ignoring_case` gives: the long s is no s here.
    """
    small = chr(code).lower()[0]
    return ranges_of((c, c) for c in _partners().get(code, (code,)) if chr(c).lower()[0] == small)


def ascii_lower_case_of(code: int) -> Ranges:
    """The same under the flag ASCII."""
    return ignoring_ascii_case(((code, code),))


def has_upper_case_strays(ranges: Ranges, folded: Ranges) -> bool:
    """Whether the upper case of some letter lies in the ranges, but the letter not in `folded`."""
    return any(
        holds(ranges, ord(chr(code).upper()[0])) and not holds(folded, code) for code in _partners()
    )


def ignoring_ascii_case(ranges: Ranges) -> Ranges:
    """The ranges with both cases of every ASCII letter in them."""
    added = [
        (max(low, first) + shift, min(high, last) + shift)
        for low, high in ranges
        for first, last, shift in ((65, 90, 32), (97, 122, -32))
    ]
    return ranges_of([*ranges, *added])
