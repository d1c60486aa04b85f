"""Character classes against `re` and `unicodedata`, over every code point there is."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest

from constrained.grammar import Chars, Literal, Node
from constrained.spec.regex import classes, pattern_node

EVERYTHING = "".join(map(chr, range(0x110000)))
SCALARS = EVERYTHING[:0xD800] + EVERYTHING[0xE000:]
CASED = "".join(c for c in SCALARS if c.lower() != c or c.upper() != c)


def members(node: Node) -> set[int]:
    """The code points that a node of one character matches."""
    if isinstance(node, Literal):
        return {ord(node.data.decode())}
    if not isinstance(node, Chars):
        return set()
    return {code for low, high in node.ranges for code in range(low, high + 1)}


def found(pattern: str, flags: int = 0, among: str = SCALARS) -> set[int]:
    """What `re` matches, one character at a time."""
    return {ord(c) for c in re.compile(pattern, flags).findall(among)}


@pytest.mark.parametrize("letter", "wWdDsS")
@pytest.mark.parametrize("flags", [0, re.ASCII, re.IGNORECASE])
def test_class_is_that_of_re_over_all_code_points(letter: str, flags: int) -> None:
    assert members(pattern_node(f"\\{letter}", flags=flags)) == found(f"\\{letter}", flags)


@pytest.mark.parametrize(
    "pattern",
    [".", "(?s).", r"[^\w]", r"[\w-]", r"[^\d\s]", r"[\W\d]", "[^a]", "[\x00-\U0010ffff]", "[^\n]"],
)
def test_bracketed_class_is_that_of_re_over_all_code_points(pattern: str) -> None:
    assert members(pattern_node(pattern)) == found(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]",
        "[^k]",
        "[K-\u017f]",
        "[a-z\u03b1-\u03c9]",
        "[^a-z\u03b1-\u03c9]",
        "[\\w\u03b9]",
        "[^\\W\u03b9]",
        "[\\d\u0345]",
        "[A-\U0010ffff]",
        "[\ud800-\udfffa]",
    ],
)
@pytest.mark.parametrize("flags", [re.IGNORECASE, re.IGNORECASE | re.ASCII])
def test_class_that_ignores_case_is_that_of_re(pattern: str, flags: int) -> None:
    assert members(pattern_node(pattern, flags=flags)) == found(pattern, flags)


@pytest.mark.parametrize("pattern", ["[\xe0-\U00010000]", "[𐐀-𐐐]", "[𐐨a]", "[𐐀]", "[^𐐀]", "𐐀"])
def test_letters_beyond_the_basic_plane_ignore_case_as_re_does(pattern: str) -> None:
    assert members(pattern_node(pattern, flags=re.IGNORECASE)) == found(pattern, re.IGNORECASE)


def test_each_character_ignores_case_as_re_does() -> None:
    """Every cased character as a pattern against every cased character as a text."""
    for char in CASED:
        expected = found(re.escape(char), re.IGNORECASE, CASED)
        assert members(pattern_node(char, flags=re.IGNORECASE)) == expected, hex(ord(char))


def test_characters_without_case_match_themselves_only() -> None:
    """Nothing outside the cased characters changes by ignoring case, as in `re`."""
    cased = set(map(ord, CASED))
    others = classes.negated(classes.one_of(CASED))
    pattern = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in others)
    added = {c for low, high in classes.ignoring_case(others) for c in range(low, high + 1)} & cased
    assert added == found(f"[{pattern}]", re.IGNORECASE, CASED) == set()


@pytest.mark.parametrize("flags", [re.ASCII | re.IGNORECASE])
def test_each_ascii_character_ignores_case_as_re_does(flags: int) -> None:
    ascii_and_friends = SCALARS[:128] + "\u017f\u212a\u0130\u0131"
    for char in ascii_and_friends:
        expected = found(re.escape(char), flags, ascii_and_friends)
        assert members(pattern_node(re.escape(char), flags=flags)) == expected, char


@pytest.mark.parametrize(
    ("name", "categories"),
    [
        ("Lu", {"Lu"}),
        ("Uppercase_Letter", {"Lu"}),
        ("gc=Lu", {"Lu"}),
        ("General_Category=Decimal_Number", {"Nd"}),
        ("L", {"Lu", "Ll", "Lt", "Lm", "Lo"}),
        ("LC", {"Lu", "Ll", "Lt"}),
        ("Letter", {"Lu", "Ll", "Lt", "Lm", "Lo"}),
        ("punct", {"Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po"}),
        ("Zs", {"Zs"}),
        ("Cn", {"Cn"}),
    ],
)
def test_unicode_property_is_its_general_categories(name: str, categories: set[str]) -> None:
    expected = {ord(c) for c in SCALARS if unicodedata.category(c) in categories}
    assert members(pattern_node(f"\\p{{{name}}}", dialect="ecma")) == expected
    others = members(pattern_node(f"[^\\p{{{name}}}]", dialect="ecma"))
    assert others == members(pattern_node(f"\\P{{{name}}}", dialect="ecma"))
    assert others == set(map(ord, SCALARS)) - expected


def test_ecma_classes_are_those_of_the_standard() -> None:
    word = {ord(c) for c in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"}
    space = {9, 10, 11, 12, 13, 0xFEFF, 0x2028, 0x2029} | {
        ord(c) for c in SCALARS if unicodedata.category(c) == "Zs"
    }
    everything = set(map(ord, SCALARS))
    assert members(pattern_node(r"\w", dialect="ecma")) == word
    assert members(pattern_node(r"\W", dialect="ecma")) == everything - word
    assert members(pattern_node(r"\d", dialect="ecma")) == set(range(48, 58))
    assert members(pattern_node(r"\s", dialect="ecma")) == space
    assert members(pattern_node(r"\S", dialect="ecma")) == everything - space
    assert members(pattern_node(".", dialect="ecma")) == everything - {10, 13, 0x2028, 0x2029}


def test_unicode_tables_are_made_at_first_use_only() -> None:
    """Neither the import nor a pattern without such a class computes them."""
    program = (
        "from constrained.spec.regex import classes, pattern_node\n"
        "pattern_node('[a-z]+(?:b|c)*')\n"
        "pattern_node('\\\\d+', dialect='ecma')\n"
        "tables = classes.python_class, classes._categories, classes._partners\n"
        "print([table.cache_info().currsize for table in tables])\n"
        "pattern_node('(?i)k\\\\w')\n"
        "print([table.cache_info().currsize for table in tables])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[0, 0, 0]\n[1, 0, 1]\n", done.stderr
