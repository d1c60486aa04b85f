r"""ECMA-262 patterns as JSON Schema's `pattern` uses them: found in a text, or not.

The verdicts are those of the standard with the `u` flag (and of annex B where the `u` flag knows no
meaning); the table was written by hand and agrees with V8.
"""

from __future__ import annotations

import pytest

from constrained.errors import InvalidSpec
from constrained.grammar import Grammar
from constrained.spec.regex import pattern_node
from tests.oracle.spans import matches

FOUND: list[tuple[str, list[str], list[str]]] = [
    # pattern, texts with a match, texts without one
    # anchors
    ("foo", ["foo", "a foo b", "foo\n"], ["fo", "", "FOO"]),
    ("^foo", ["foo", "foobar"], ["a foo", "\nfoo"]),
    ("foo$", ["foo", "a foo"], ["foo\n", "foob"]),
    ("^foo$", ["foo"], ["foo\n", "\nfoo", "foofoo"]),
    ("^a|b$", ["ab", "axx", "xxb"], ["xax", "bx"]),
    ("^$", [""], ["\n", "a"]),
    ("", ["", "anything"], []),
    ("a^b", [], ["ab", "a^b"]),
    # characters
    (".", ["a", "é", "😀", "\x85", "\x0b"], ["", "\n", "\r", "\u2028", "\u2029"]),
    ("^.$", ["😀"], ["ab"]),
    (r"^\d+$", ["0123456789"], ["٣", "५", "1a"]),
    (r"^\D$", ["٣", "a"], ["1"]),
    (r"^\w+$", ["aZ_09"], ["é", "ß", "a-b", "\u017f"]),
    (r"^\W$", ["é", " ", "-"], ["a", "_"]),
    (
        r"^\s$",
        [" ", "\t", "\n", "\x0b", "\f", "\r", "\xa0", "\ufeff", "\u2003", "\u2028"],
        ["\x85"],
    ),
    (r"^\S$", ["a", "\x85", "\x1c", "\u200b"], [" ", "\u3000", "\ufeff"]),
    (r"^\t\n\v\f\r\0$", ["\t\n\x0b\x0c\r\x00"], ["tn"]),
    (r"^\cA\cz$", ["\x01\x1a"], ["cAcz"]),
    (r"^\x41\u0042\u{43}\u{1F600}$", ["ABC😀"], ["x41"]),
    (r"^\ud83d\ude00$", ["😀"], ["\ufffd"]),
    (r"^[\u{1F600}-\u{1F64F}]$", ["😀"], ["😀😀", "a"]),
    (r"^\/\-\_\@\"\ \%\:\;\<\,\=\!\#\&\~\`\'$", ["/-_@\" %:;<,=!#&~`'"], []),
    # annex B: braces and brackets that can mean nothing else
    ("^{$", ["{"], ["}"]),
    ("^}$", ["}"], [""]),
    ("^]$", ["]"], [""]),
    ("^a{$", ["a{"], ["a"]),
    ("^a{b}$", ["a{b}"], ["a"]),
    ("^{a}$", ["{a}"], ["a"]),
    ("^a{1$", ["a{1"], ["a"]),
    (r"^\{\{[a-z]+}}$", ["{{ab}}"], ["{ab}"]),
    # classes
    ("^[^]$", ["\n", "a", "😀"], ["", "ab"]),
    ("^[]$", [], ["", "a", "]"]),
    ("[]", [], ["", "a"]),
    ("a|[]", ["a"], ["b"]),
    (r"^[\]a]$", ["]", "a"], ["\\"]),
    (r"^[a\-z]$", ["a", "-", "z"], ["b"]),
    ("^[a-]$", ["a", "-"], ["b"]),
    (r"^[\w-.]$", ["a", "-", "."], [",", "/"]),
    (r"^[a-\d]$", ["a", "-", "7"], ["b"]),
    (r"^[\b]$", ["\x08"], ["b"]),
    (r"^[^\d\s]$", ["a", "٣"], ["1", " "]),
    ("^[[a]]$", ["a]", "[]"], ["a", "[a]"]),
    ("^[.*+?^${}()|/]$", [".", "$", "|", "^"], ["a", "\\"]),
    (r"^[\S\s]$", ["\n", "a"], [""]),
    # quantifiers
    ("^a{2}$", ["aa"], ["a", "aaa"]),
    ("^a{2,}$", ["aa", "aaaa"], ["a"]),
    ("^a{0,2}?$", ["", "a", "aa"], ["aaa"]),
    ("^(?:ab)+?$", ["ab", "abab"], ["", "aba"]),
    ("^(a|b){2}$", ["ab", "bb"], ["a"]),
    ("^(?:(?=a))*b$", ["b"], ["ab"]),
    ("^(?=a)*a$", ["a"], ["b"]),
    # groups and assertions
    ("^(?<year>[0-9]{4})-(?<month>[0-9]{2})$", ["2024-01"], ["24-1"]),
    ("^(?!foo)", ["bar", "", "afoo"], ["foo", "foobar"]),
    ("^(?!.*foo)", ["bar", "", "fo\nfoo"], ["foo", "a foo b"]),
    (r"^(?=.*\d)(?=.*[a-z]).{4,}$", ["abc1", "1zzz"], ["abcd", "1234", "ab1"]),
    ("(?=.*b)a", ["ab", "ba b", "axb"], ["a", "ba"]),
    ("foo(?!bar)", ["foo", "foobaz", "foobarfoo"], ["foobar"]),
    ("foo(?=bar)", ["foobar"], ["foo", "foobaz"]),
    (r"(?<!\$)\b\d+", ["42", "x 42"], ["$42", "a42"]),
    ("(?<=a+)b", ["ab", "xaab"], ["b", "xb"]),
    ("(?<=^|,)x", ["x", "a,x"], ["ax"]),
    ("(?<!abc)d$", ["d", "abd"], ["abcd"]),
    (r"\bfoo\b", ["foo", "a foo.", "éfooé"], ["foob", "_foo"]),
    (r"^\B$", [""], ["a"]),
    (r"\Boo", ["foo"], ["oo"]),
    ("((?:[^/]*/)*)(?=\\.(yaml|yml|json))", ["a/.yaml", "x.json"], ["a/yaml", ".txt"]),
    # back-references to groups of few texts
    (r"^([\"'])[a-z]*\1$", ['"a"', "''"], ["\"a'", '"a']),
    (r"^(?<sep>[-/])a\k<sep>$", ["-a-", "/a/"], ["-a/"]),
    (r"^(\d?)-\1$", ["-", "1-1"], ["1-", "-1"]),
    (r"^([\"']?)a\1$".replace('\\"', '"'), ["a", "'a'"], ["'a"]),
    (r"^([x]?)a\1$", ["a", "xax"], ["xa"]),
    # references to groups that hold nothing match the empty string
    (r"^(a)?b\1$", ["b", "aba"], ["ab"]),
    (r"^(?:(a)|b\1)+$", ["ab", "ba"], ["", "c"]),
    (r"^\1(a)$", ["a"], ["aa"]),
    (r"^(a\1)$", ["a"], ["aa"]),
    # looks beyond one round of a repeat
    ("^((?!mode)(?!Mode).)*$", ["mod", "oMod"], ["mode", "aModes"]),
    (r"^[a-z\d](?:[a-z\d]|-(?=[a-z\d])){0,38}$", ["a-b", "a" * 39], ["a--b", "a-", "a" * 40]),
    ("^(?:(?<=ab)-|[ab])*$", ["ab-ab-", "b"], ["-", "a-", "ab--"]),
    ("^(?:[ab-](?<!a-b|--))*$", ["a-a", "b-b"], ["a-b", "--"]),
    # general categories
    (r"^\p{L}+$", ["aéß日"], ["a1"]),
    (r"^\p{Lu}\p{Ll}*$", ["Éa"], ["éa"]),
    (r"^\P{L}$", ["1", " "], ["a"]),
    (r"^[\p{Zs}\p{Nd}]$", ["\xa0", "٣", "1"], ["a", "\n"]),
    (r"^\p{Letter}\p{gc=Nd}\p{General_Category=Punctuation}$", ["a1!"], ["a1a"]),
    (r"^\p{ASCII}\p{Any}$", ["aé"], ["éa"]),
]


@pytest.mark.filterwarnings("ignore::constrained.errors.PatternWarning")
@pytest.mark.parametrize(("pattern", "found", "missing"), FOUND, ids=[case[0] for case in FOUND])
def test_pattern_is_found_as_the_standard_says(
    pattern: str, found: list[str], missing: list[str]
) -> None:
    grammar = Grammar(pattern_node(pattern, dialect="ecma", search=True))
    for text in found:
        assert matches(grammar, text.encode()), text
    for text in missing:
        assert not matches(grammar, text.encode()), text


MALFORMED = [
    *("a**", "a{2}{3}", "*a", "^*", r"\b+", "(?<=a)*", "(a", "a)", "[a", "[b-a]", "a\\", "a{2,1}"),
    *("{1}", r"\xg", r"\u12", r"\u{}", r"\u{zz}", r"\c", r"\k<n", r"\k", r"\p", r"\p{", r"\01"),
    *(r"\1", r"\z", r"\h", r"[\B]", r"[\1]", "(?<1>a)", "(?<n", "(?P=n)", "(?#a)", "(?>a)", "a*+"),
]


@pytest.mark.parametrize("pattern", MALFORMED)
def test_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidSpec):
        pattern_node(pattern, dialect="ecma", search=True)
