"""Random patterns against `re`: the same strings match, the same patterns are malformed."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from constrained.errors import InvalidSpec, LimitExceeded, UnsupportedSpec
from constrained.grammar import (
    Alt,
    And,
    Cat,
    Chars,
    Empty,
    Grammar,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Repeat,
)
from constrained.spec.regex import pattern_node
from constrained.spec.regex.python_dialect import PythonParser
from tests.oracle.spans import matches

LETTERS = "ab_ \n1-\u0130k\u212aß\u0345\u2028😀"
TEXTS = st.text(alphabet="ab \n", max_size=5) | st.text(alphabet=LETTERS, max_size=4)


def words(text: str) -> list[str]:
    return text.split()


ATOMS = st.sampled_from(
    [
        *words(r"a b _ . ab ba \w \W \d \s \S [ab] [^a] [\w-] \x61 \n (?i:k) (?i:[a-k]) é|ß"),
        *(" ", "\n", "[^\n]", "(?s:.)", r"(?a:\w)", ""),
    ]
)
QUANTIFIERS = st.sampled_from(
    ["*", "+", "?", "{2}", "{0}", "{1,2}", "{,2}", "{1,}", "*?", "+?", "??", "{1,2}?"]
)
ANCHORS = st.sampled_from(
    [
        *words(r"^ $ \A \Z \b \B (?m:^) (?m:$) (?a:\b) (?<=a) (?<!b) (?<=ab) (?<!ab)"),
        *words(r"(?=a) (?!b) (?=\s|$) (?!$) (?=ab) (?!ba)"),
        "(?<!\n)",
    ]
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map("(?:{})".format) | inner.map("({})".format)
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join).map("(?:{})".format),
        st.tuples(group, QUANTIFIERS).map("".join),
        st.tuples(ANCHORS, inner).map("".join),
        st.tuples(inner, ANCHORS).map("".join),
        st.tuples(st.sampled_from(["(?={})", "(?!{})"]), inner, inner).map(
            lambda parts: parts[0].format(parts[1]) + parts[2]
        ),
        inner.map("(?>{})".format),
        st.tuples(group, st.sampled_from(["*+", "++", "?+", "{1,2}+", "{17}", "{0,20}"])).map(
            "".join
        ),
        st.tuples(
            st.sampled_from(["a", ".", r"\w", "[ab]"]), st.sampled_from(["*+", "++", "?+"]), inner
        ).map("".join),
    )


PATTERNS = st.recursive(ATOMS, _grow, max_leaves=8)


def compiled(pattern: str, flags: int, *, search: bool) -> Node | None:
    """The node, or None where the pattern is refused by name."""
    try:
        return pattern_node(pattern, flags=flags, search=search)
    except (UnsupportedSpec, LimitExceeded):
        return None


def nodes(node: Node) -> list[Node]:
    found, todo = [], [node]
    while todo:
        node = todo.pop()
        found.append(node)
        if isinstance(node, Cat | Alt | And):
            todo.extend(node.parts)
        elif isinstance(node, Repeat | Not):
            todo.append(node.body)
    return found


FLAGS = st.sampled_from(
    [0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.ASCII, re.IGNORECASE | re.ASCII | re.MULTILINE]
)


@settings(max_examples=1200, deadline=None)
@example(r"(?:(?!-a)\W){0,3}(?: ){0,3}$(?<=(?m:^))", 0, ["\n  "])
@example(r"(?:\bab\b ?)*", 0, ["ab ab", "abab"])
@example(r"(?:(?:^|,)a)+$", 0, ["a,a", ",a", "aa"])
@example(r"(?:a(?: |$))*\n?", 0, ["a a\n", "a a", "aa"])
@example(r"\B", 0, [""])
@example(r"(?!\b)", 0, [""])
@given(PATTERNS, FLAGS, st.lists(TEXTS, min_size=4, max_size=8))
def test_whole_texts_match_as_in_re(pattern: str, flags: int, texts: list[str]) -> None:
    node = compiled(pattern, flags, search=False)
    if node is not None:
        for text in texts:
            expected = re.fullmatch(pattern, text, flags) is not None
            assert matches(Grammar(node), text.encode()) == expected, (pattern, flags, text)


@settings(max_examples=600, deadline=None)
@given(PATTERNS, FLAGS, st.lists(TEXTS, min_size=4, max_size=8))
def test_texts_with_a_match_inside_are_found_as_in_re(
    pattern: str, flags: int, texts: list[str]
) -> None:
    node = compiled(pattern, flags, search=True)
    if node is not None:
        for text in texts:
            expected = re.search(pattern, text, flags) is not None
            assert matches(Grammar(node), text.encode()) == expected, (pattern, flags, text)


@settings(max_examples=300, deadline=None)
@given(PATTERNS, st.booleans())
def test_nodes_are_of_the_promised_kinds_and_complements_stay_inside_text(
    pattern: str, search: bool
) -> None:
    node = compiled(pattern, 0, search=search)
    if node is None:
        return
    allowed = (Nothing, Empty, Literal, Literals, Chars, Cat, Alt, Repeat, And, Not)
    found = nodes(node)
    assert all(isinstance(part, allowed) for part in found)
    for part in found:
        if isinstance(part, And):
            assert not all(isinstance(side, Not) for side in part.parts)
        else:
            children = getattr(part, "parts", (getattr(part, "body", None),))
            assert not any(isinstance(child, Not) for child in children)
    for invalid in (b"\xff", b"a\x80", b"\xed\xa0\x80"):
        assert not matches(Grammar(node), invalid)


GROUPS = st.sampled_from(["a", "a|b", "ab?", "[ab]{1,2}", "a|ab|", "(?i:a)", "(a|b)b", "a*", "é|b"])
AFTER = st.sampled_from(
    ["\\1", "b\\1", "\\1?b", "(?:\\1|b)", "(?!\\1).*", "\\1{2}", "(?i:\\1)", ".*(?<=\\1)"]
)


@settings(max_examples=700, deadline=None)
@given(
    st.sampled_from(
        [
            *("(?:{}({}){}){}", "{}(?:({}){}|b){}", "{}(?=({}).*{}){}", "{}(?:({}))?{}{}"),
            *("{}(?:({})|b{}){}", "{}(?:({})|b){}{}", "(?i){}(?:({})b){{1,2}}{}{}"),
            *("(?:{}({})|{}{})*", "{}(?:({})|(b)){}{}", "(?i:{}({})){}(?(1)a|b){}"),
            *("{}(?!({})b{}){}.*", "(?:{}(?>({})){}{})?"),
        ]
    ),
    st.sampled_from(["", "b?", "^"]),
    GROUPS,
    AFTER,
    st.sampled_from(["", "*", "{2}", "b", "(?(1)b|a)"]),
    st.lists(st.text(alphabet="abAé", max_size=6), min_size=5, max_size=8),
)
def test_back_references_match_as_in_re(
    frame: str, front: str, group: str, after: str, back: str, texts: list[str]
) -> None:
    pattern = frame.format(front, group, after, back)
    try:
        compiled_by_re = re.compile(pattern)
    except re.error:  # a quantifier with nothing before it, a look-behind without a fixed width
        with pytest.raises(InvalidSpec):
            pattern_node(pattern)
        return
    node = compiled(pattern, 0, search=False)
    if node is not None:
        for text in texts:
            expected = compiled_by_re.fullmatch(text) is not None
            assert matches(Grammar(node), text.encode()) == expected, (pattern, text)


SCRAPS = st.sampled_from(
    [
        *"ab\\()[]{}*+?|^$.-,1208:=!<>P# \nxismauLé\ud800",
        *words(r"(? (?: (?= (?<= (?<! (?> (?# (?P<n> (?P=n) (?(1) (?(n) (?i) (?x) (?i-s: (a) [a-"),
        *words(r"\1 \x41 \u0041 \U0001F600 \012 \777 \b \w \Z {1,2} {,3} ++ *+"),
        r"\N{DIGIT ONE}",
    ]
)


@settings(max_examples=3000, deadline=None)
@given(
    st.lists(SCRAPS, max_size=8).map("".join),
    st.sampled_from([0, 0, re.VERBOSE, re.IGNORECASE, re.ASCII, re.LOCALE, re.ASCII | re.UNICODE]),
)
def test_patterns_are_malformed_exactly_where_re_says_so(pattern: str, flags: int) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `re` warns of classes that look like sets
            re.compile(pattern, flags)
        expected = True
    except (re.error, OverflowError, ValueError):
        expected = False
    try:
        PythonParser(pattern, "", flags).parse()
        actual = True
    except InvalidSpec as error:
        actual = False
        position = re.search(r"position (\d+)", error.where)
        assert position is not None
        assert int(position[1]) <= len(pattern)
    assert actual == expected
