"""CPython's own table of regular expressions, and a table of ours, judged by `re` itself.

Whatever `re.compile` accepts compiles here to exactly the same whole texts and the same findings,
or is refused by name. What is refused of CPython's table stands in `REFUSED`, which may only get
shorter: a pattern that compiles now must be struck from it.
"""

from __future__ import annotations

import importlib
import re
import warnings

import pytest

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar import Grammar
from constrained.spec.regex import pattern_node
from tests.oracle.spans import matches

REFUSED = {
    "back-reference": {
        r"([a-c]*)\1",
        r"(a+).\1$",
        r"^(a+).\1$",
        r"([a-c]+)\1",
        r"(a+)\1",
        r"(a+)+\1",
        r"(a+)a\1$",
        r"([abc]*)\1",
        r"(?i)([a-c]*)\1",
    }
}


def cases_of_cpython() -> list[tuple[str, str]]:
    """Pattern and subject; nothing where the interpreter comes without its tests."""
    try:
        table = importlib.import_module("test.re_tests").tests
    except ImportError:
        return []
    return [(case[0], case[1]) for case in table if isinstance(case[0], str)]


OURS = [
    (r"\d{3}-\d{4}", ["555-1234", "555-123", "५५५-1234"]),
    (r"(?a)\d{3}-\d{4}", ["555-1234", "५५५-1234"]),
    (r"^(?=.*\d)(?=.*[a-z])(?!.*\s).{8,}$", ["passw0rd", "password", "pass w0rd", "12345678"]),
    (r"^(?!foo).*$", ["foo", "fo", "barfoo", "foobar", "", "bar\n"]),
    (r"^(?:(?!--).)*$", ["a-b", "a--b", "--", "-", ""]),
    (r"/\*(?:(?!\*/).)*\*/", ["/**/", "/* a */", "/* */ */", "/*/"]),
    (r"(?!000|666)[0-8]\d{2}-(?!00)\d{2}-(?!0000)\d{4}", ["123-45-6789", "666-45-6789"]),
    (r"((?!-)[a-z\d-]{1,63}(?<!-)\.)+[a-z]{2,6}", ["a-b.com", "-a.com", "a-.com", "a.b.org"]),
    (r"\bfoo\b.*\bbar\b", ["foo bar", "foobar", "foo-bar", "foo xbar"]),
    (r"(?:\b\w+\b\s*)*", ["one two", "one, two", ""]),
    (r"\w+(?:,\s*\w+)*$", ["a, b,c", "a,b\n", "a,,b"]),
    (r"a$", ["a", "a\n"]),
    (r"a$\n?", ["a", "a\n", "a\n\n"]),
    (r"(?m)^a$(?:\n^a$)*", ["a\na\na", "a", "a\n"]),
    (r"a\Z\n?", ["a", "a\n"]),
    (r"(?:(?:^|,)[ab])+", ["a", "a,b", ",a", "a,"]),
    (r"(?:[ab](?:,|$))+", ["a", "a,b", "a,b,", "ab"]),
    (r"(?i)straße", ["STRASSE", "StRaße", "STRAẞE"]),
    ("(?i)kelvin\\s+\u017f", ["\u212aELVIN s", "kelvin S"]),
    (r"(?i:a)b", ["Ab", "AB", "ab"]),
    (r"(?x) a b  # twice", ["ab", "a b", "ab  # twice"]),
    (r"(?s).(?-s:.)", ["\na", "a\n"]),
    (r"a*+b", ["aab", "b", "aac"]),
    (r"a{1,2}+a", ["aaa", "aa"]),
    (r"(?>a+)b", ["aab", "aa"]),
    (r"(?>ab|cd)e", ["abe", "cde", "ae"]),
    (r"(?>(?<!\\)(?>\"(?>\\.|[^\\\"]+)+\"|\"\"|(?>'[^']+')))", ['"a\\"b"', '""', "'a'", '"a\\"']),
    (r"(?>/(?>[\w_%!$@:.,~-]+|\\.)*)+", ["/usr/lib", "/a\\ b/", "/a b", "usr"]),
    (r"(?>a(?:[ab]c|\.)*+d)", ["aacd", "abc.d", "ad", "abcd", "aac"]),
    (r"(?>(?>a+|b)*)b?", ["aab", "", "abab"]),
    (r"(?>a|a[ab]{2}){2,}+b", ["aab", "ab", "aabab", "aaabb"]),
    (r"(?>([ab])x?\1)a", ["axaa", "aaa", "axba", "bb"]),
    (r"(?<!\\)\"", ['"', '\\"']),
    (r"[^\W\d_]+", ["abc", "äöü", "a1", "a_"]),
    (r"\N{GREEK SMALL LETTER ALPHA}\x62\u0063\U00000064\145", ["\u03b1bcde"]),
    (r".*(?<!\.exe)", ["a.exe", "a.ex", "a.txt"]),
    (r".+(?<=[.!?])", ["Yes.", "No", "."]),
    (r"x{0}y{2,}z{,2}", ["yy", "yyyzz", "y", "yyzzz", "xyy"]),
    (r"[]a]+[^]b]", ["]a]c", "]a]b", "ac"]),
    (r"\B", [""]),
    (r"\d{2}([-/.])\d{2}\1\d{4}", ["01-02-2024", "01-02/2024", "01.02.2024"]),
    (r"(?P<quote>[\"'])\w*(?P=quote)", ['"a"', "'a'", "\"a'"]),
    (r"(?:(a|b)(?!\1)[ab])+", ["ab", "abba", "aa"]),
    (r"((a|b)c)\1\2", ["acaca", "acacb", "bcbcb"]),
    (r"(?:)|a||b", ["", "a", "b", "ab"]),
]


def pieces(subject: str) -> set[str]:
    """The subject, its substrings where it is short, and small changes of it."""
    size = len(subject)
    near = {subject, "", subject + "\n", "\n" + subject, subject + subject, subject.upper()}
    if size > 12:
        return near | {subject[:i] for i in range(12)} | {subject[-i:] for i in range(1, 12)}
    return near | {subject[i:j] for i in range(size) for j in range(i + 1, size + 1)}


def check(pattern: str, texts: set[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `re` warns of classes that look like sets
        compiled = re.compile(pattern)
    whole = Grammar(pattern_node(pattern))
    inside = Grammar(pattern_node(pattern, search=True))
    for text in texts:
        data = text.encode()
        assert matches(whole, data) == (compiled.fullmatch(text) is not None), text
        assert matches(inside, data) == (compiled.search(text) is not None), text


@pytest.mark.parametrize(("pattern", "texts"), OURS, ids=[pattern for pattern, _ in OURS])
def test_pattern_matches_what_re_matches(pattern: str, texts: list[str]) -> None:
    check(pattern, {piece for text in texts for piece in pieces(text)})


def test_patterns_of_cpython_match_what_re_matches() -> None:
    refused: dict[str, set[str]] = {}
    for pattern, subject in cases_of_cpython():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except re.error:
            with pytest.raises(InvalidSpec):
                pattern_node(pattern)
            continue
        try:
            pattern_node(pattern)
        except UnsupportedSpec as refusal:
            refused.setdefault(refusal.feature, set()).add(pattern)
        else:
            check(pattern, pieces(subject))
    for feature, patterns in refused.items():
        new = patterns - REFUSED.get(feature, set())
        assert not new, f"now refused, {feature}: {sorted(new)}"
    if refused:
        stale = {f: sorted(p - refused.get(f, set())) for f, p in REFUSED.items()}
        assert not any(stale.values()), f"compiled now, strike from REFUSED: {stale}"
