"""The exact words in which patterns are refused: what, where, and what to do."""

from __future__ import annotations

import re

import pytest

from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    PatternWarning,
    UnsatisfiableSpec,
    UnsupportedSpec,
)
from constrained.limits import Limits
from constrained.spec.json_schema import json
from constrained.spec.regex import pattern_node, regex

MALFORMED = [
    ("a(b", "at position 1: '(' without its ')' (write \\( for the character)"),
    ("a)b", "at position 1: ')' without its '(' (write \\) for the character)"),
    ("x[ab", "at position 1: '[' without its ']' (write \\[ for the character)"),
    ("*a", "at position 0: nothing to repeat before '*' (write \\* for the character)"),
    ("^*", "at position 1: nothing to repeat before '*' (write \\* for the character)"),
    (
        "a{2}{3}",
        "at position 4: a quantifier after a quantifier (put the first one's part in (?:...))",
    ),
    ("a{3,2}", "at position 1: repeat of at least 3 and at most 2"),
    ("a{4294967295}", "at position 1: a repeat count must be below 4294967295"),
    ("[z-a]", "at position 1: the range 'z-a' is in reverse"),
    (r"[\w-z]", r"at position 1: '\\w-z' is no range (put the '-' first or last in the class)"),
    ("a\\", "at position 1: a backslash at the end of the pattern"),
    (r"\q", r"at position 0: unknown escape \q"),
    (r"\x4", r"at position 0: \x needs 2 hexadecimal digits"),
    (r"\U00110000", "at position 0: there is no character 0x110000"),
    (r"\N{NO SUCH}", "at position 0: there is no character named 'NO SUCH'"),
    (r"\N{DIGIT ONE", "at position 3: the name of a character without its closing '}'"),
    (r"\777", r"at position 0: \777 is beyond \377"),
    (r"\2", "at position 0: there is no group 2 before this"),
    (r"(a\1)", "at position 2: group 1 is still open here"),
    ("(?P<n>a)(?P<n>b)", "at position 8: the group name 'n' is taken"),
    ("(?P=n)", "at position 0: there is no group named 'n' before this"),
    ("(?P<1>a)", "at position 0: '1' is no group name"),
    ("(?<n>a)", "at position 0: unknown group (?<n (named groups are (?P<name>...))"),
    ("(?<=a*)b", "at position 0: a look-behind needs a fixed width in Python"),
    (
        "a(?i)b",
        "at position 1: global flags after the start of the pattern"
        " (write (?i:...) around the part that is meant)",
    ),
    ("(?z)", "at position 2: unknown flag 'z'"),
    ("(?L)a", "at position 2: the flag 'L' is for bytes patterns only"),
    ("(?au)a", "at position 2: the flags 'a' and 'u' exclude each other"),
    ("(?#a", "at position 0: a comment without its ')'"),
    ("(" * 65 + ")" * 65, "at position 64: groups nested more than 64 deep"),
]


@pytest.mark.parametrize(("pattern", "message"), MALFORMED)
def test_malformed_pattern_is_refused_with_its_position(pattern: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        regex(pattern)
    assert str(caught.value) == message


REFUSED = [
    (
        "back-reference",
        r"(a+)b\1",
        "at position 5: a back-reference to a group of many texts is not regular"
        " (write out the alternatives, or check it after generation)",
    ),
    (
        "back-reference",
        r"(?:(a)|b\1)+",
        "at position 8: a back-reference to what the last round of a repeat matched is not"
        " written out (write out the alternatives, or check it after generation)",
    ),
    (
        "back-reference",
        r"(?=(a|b))\1",
        "at position 9: a back-reference to a group inside a look-around is not written out outside"
        " it (write out the alternatives, or check it after generation)",
    ),
    (
        "conditional group",
        "(?:(a)|b)*(?(1)a|b)",
        "at position 10: a condition on what the last round of a repeat matched is not written out"
        " (write out the two cases as alternatives)",
    ),
    (
        "conditional group",
        "((?(1)a|b)){2}",
        "at position 1: a condition on the group that it stands in is not regular"
        " (write out the two cases as alternatives)",
    ),
    (
        "atomic group",  # which text the group takes first is not told once it is written out
        r"(?>\w(a?a)|\1ab.).",
        "at position 0: an atomic group cuts off matches"
        " (write (?:...) in place of (?>...), which may allow more)",
    ),
    (
        "atomic group",
        "(?>(?:a|ab)(?:c|bcd))d*",
        "at position 0: an atomic group cuts off matches"
        " (write (?:...) in place of (?>...), which may allow more)",
    ),
    (
        "possessive quantifier",
        "(?:a|ab){2}+a",
        "at position 8: a possessive quantifier on more than one character cuts off matches"
        " (leave out the '+' after the quantifier, which may allow more)",
    ),
    (
        "look-behind",
        r"(?:a(?<=\ba)x|b)*",
        "at position 4: an assertion in a look-behind over several characters is not compiled here"
        " (put it after the plain text that it looks at, or at the end of the pattern)",
    ),
    (
        "look-behind",
        "(?:a|(?<=b.{20}c)d)*",
        "its look-behinds tell too much of what stands before them apart (simplify the pattern)",
    ),
    (
        "assertion in a repeat",
        "(?:(?=a.{40}b)a|b)*",
        "at position 18: the assertions inside this repeat are not compiled"
        " (move them out of the repeat)",
    ),
    (
        "assertion in a repeat",
        r"(?:ab*\b){0,65}b?",
        "at position 9: a repeat of more than 64 around an assertion is not compiled"
        " (move the assertion out of the repeat)",
    ),
    (
        "ignoring case beyond U+FFFF",
        "(?i)x[\U00010400a]",
        "at position 5: Python ignores the case of characters beyond U+FFFF incompletely in a class"
        " (write out both cases, outside the part where case is ignored)",
    ),
]


@pytest.mark.parametrize(("feature", "pattern", "message"), REFUSED)
def test_what_is_not_compiled_exactly_is_refused_by_name(
    feature: str, pattern: str, message: str
) -> None:
    re.compile(pattern)  # well formed
    with pytest.raises(UnsupportedSpec) as caught:
        regex(pattern)
    assert (caught.value.feature, str(caught.value)) == (feature, message)


ECMA = [
    (
        UnsupportedSpec,
        r"(a*)\1",
        "at #/pattern, position 4: a back-reference to a group of many texts is not regular"
        " (write out the alternatives, or check it after generation)",
    ),
    (
        UnsupportedSpec,
        r"\p{Script=Greek}",
        "at #/pattern, position 0: the Unicode property 'Script=Greek' is not known here"
        " (general categories such as \\p{L} or \\p{Lu} are; list the ranges instead)",
    ),
    (
        UnsupportedSpec,
        "(?i)abc",
        "at #/pattern, position 0: the inline flags (?i) are not ECMA-262 of before 2025"
        " (write both cases, as in [aA])",
    ),
    (
        InvalidSpec,
        r"\Aabc",
        "at #/pattern, position 0: \\A is no escape of ECMA-262 here"
        " (write ^ for the start of the text)",
    ),
    (
        InvalidSpec,
        r"a\q",
        "at #/pattern, position 1: \\q is no escape of ECMA-262 here (write q for the letter)",
    ),
    (
        InvalidSpec,
        "a{,3}",
        "at #/pattern, position 1: a repeat without its least count (write 0 before the comma)",
    ),
    (
        InvalidSpec,
        "a++",
        "at #/pattern, position 2: a quantifier after a quantifier"
        " (put the first one's part in (?:...))",
    ),
    (InvalidSpec, r"\u{110000}", "at #/pattern, position 0: there is no character \\u{110000}"),
    (InvalidSpec, r"\u00g0", "at #/pattern, position 0: \\u needs 4 hexadecimal digits"),
    (InvalidSpec, r"\c1", "at #/pattern, position 0: \\c without a letter"),
    (InvalidSpec, "(?>a)", "at #/pattern, position 0: unknown group (?>"),
    (
        InvalidSpec,
        r"\3",
        "at #/pattern, position 0: there is no group 3 (write \\x.. for a character)",
    ),
    (
        InvalidSpec,
        r"(?<y>a)\k<x>",
        "at #/pattern, position 7: there is no group named 'x' (name a group (?<x>...))",
    ),
    (
        UnsupportedSpec,
        "(?<n>a)|(?<n>b)",
        "at #/pattern, position 8: two groups with the name 'n' are not ECMA-262 of before 2025"
        " (give each group a name of its own)",
    ),
]


@pytest.mark.parametrize(("kind", "pattern", "message"), ECMA)
def test_ecma_pattern_is_refused_under_its_pointer(
    kind: type[Exception], pattern: str, message: str
) -> None:
    with pytest.raises(kind) as caught:
        pattern_node(pattern, dialect="ecma", search=True, where="#/pattern")
    assert str(caught.value) == message


def test_pattern_that_matches_nothing_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableSpec) as caught:
        regex("a^b")
    assert str(caught.value) == ("no text matches regex('a^b') (look for ^ or $ inside the text)")


def test_bytes_pattern_is_refused() -> None:
    with pytest.raises(InvalidSpec) as caught:
        regex(re.compile(b"a"))  # type: ignore[arg-type]
    assert str(caught.value) == "a pattern is text, not bytes (decode bytes patterns first)"


def test_flags_beside_a_compiled_pattern_are_refused() -> None:
    with pytest.raises(InvalidSpec) as caught:
        regex(re.compile("a"), re.IGNORECASE)
    assert str(caught.value) == (
        "flags for a pattern that is compiled already"
        " (give them to re.compile, or pass the pattern's text)"
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (re.LOCALE, "at position 0: the LOCALE flag is for bytes patterns only"),
        (re.ASCII | re.UNICODE, "at position 0: the flags ASCII and UNICODE exclude each other"),
        (1 << 20, "at position 0: unknown flags 0x100000"),
    ],
)
def test_flags_without_a_meaning_are_refused(flags: int, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        regex("a", flags)
    assert str(caught.value) == message


def test_flags_for_an_ecma_pattern_are_refused() -> None:
    with pytest.raises(InvalidSpec) as caught:
        pattern_node("a", dialect="ecma", flags=re.IGNORECASE)
    assert str(caught.value) == "flags are for Python patterns (leave them out)"


def test_the_limits_of_the_caller_hold_for_patterns() -> None:
    pattern = r"(?:(?=a*b)\w|(?=c*d)\w){1,3}"
    assert regex(pattern).matches("ab")
    few = Limits(max_nodes=20)
    for build in (lambda: regex(pattern, limits=few), lambda: pattern_node(pattern, limits=few)):
        with pytest.raises(LimitExceeded) as caught:
            build()
        assert (caught.value.limit, caught.value.value) == ("max_nodes", 20)
    many = Limits(max_nodes=3_000_000)
    assert regex("(?:(?=a*b)xx?|(?=c*d)y){1,10}", limits=many)


def test_the_limits_of_a_schema_hold_for_its_patterns() -> None:
    schema = {"type": "string", "pattern": r"^(?:(?=a*b)\w|(?=c*d)\w){1,3}$"}
    assert json(schema).matches('"ab"')
    with pytest.raises(LimitExceeded) as caught:
        json(schema, limits=Limits(max_nodes=100))
    assert "while compiling a regular expression" in str(caught.value)


def test_pattern_that_grows_without_bound_reaches_a_limit() -> None:
    with pytest.raises(LimitExceeded) as caught:
        regex("(?:(?=a*b)xx?|(?=c*d)y){1,16}")
    assert caught.value.limit == "max_nodes"
    assert "while compiling a regular expression" in str(caught.value)


LENIENT = [
    (r"^\{d}$", 4, "}", "\\}"),
    (r"a\-b", 1, r"\-", "-"),
    (r"[\_]", 1, r"\_", "_"),
    ("a]", 1, "]", "\\]"),
    ("x{", 1, "{", "\\{"),
    (r"\é", 0, r"\é", "é"),
]


@pytest.mark.parametrize(("pattern", "position", "written", "better"), LENIENT)
def test_pattern_that_is_well_formed_by_leniency_alone_is_warned_of(
    pattern: str, position: int, written: str, better: str
) -> None:
    with pytest.warns(PatternWarning) as caught:
        pattern_node(pattern, dialect="ecma", search=True, where="#/pattern")
    assert [str(warning.message) for warning in caught] == [
        f"at #/pattern, position {position}: {written!r} in the pattern {pattern!r} is read as the "
        f"character {written[-1]!r}, but with the flag u, which JSON Schema recommends, it is "
        "malformed; look for a backslash in the wrong place, or write "
        f"{better} for the character"
    ]


ODD = [
    (
        r"[\w-z]",
        r"at #/pattern, position 1: '\\w-z' in the pattern '[\\w-z]' is read as no range, its "
        "minus as a character, but with the flag u, which JSON Schema recommends, it is malformed; "
        r"look for an end of the range, or write \- for the character",
    ),
    (
        "(?=a)*b",
        "at #/pattern, position 0: '(?=a)*' in the pattern '(?=a)*b' is read as a look-ahead that "
        "is repeated, but with the flag u, which JSON Schema recommends, it is malformed; leave "
        "the quantifier out, or repeat a group around more than that",
    ),
]


@pytest.mark.parametrize(("pattern", "message"), ODD)
def test_leniency_towards_a_range_or_a_look_ahead_is_warned_of(pattern: str, message: str) -> None:
    with pytest.warns(PatternWarning) as caught:
        pattern_node(pattern, dialect="ecma", search=True, where="#/pattern")
    assert [str(warning.message) for warning in caught] == [message]


@pytest.mark.parametrize("pattern", [r"[\w\-]", r"\d{3}", r"^\/\{a\}\]$", r"\.\$\^\|", "[}{]"])
def test_pattern_that_the_flag_u_knows_is_not_warned_of(pattern: str) -> None:
    pattern_node(pattern, dialect="ecma", search=True)  # warnings are errors here
