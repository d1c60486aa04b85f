"""`regex` as a spec, the shape of the nodes, and hostile patterns."""

from __future__ import annotations

import contextlib
import random
import re
import time

import numpy as np
import pytest

from constrained.engine import ByteEngine, Engine
from constrained.errors import ConstrainedError, UnsupportedSpec
from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    NOTHING,
    Grammar,
    Node,
    cat,
    char_class,
    literal,
    literals,
    minus,
    optional,
    repeat,
)
from constrained.spec.regex import pattern_node, regex
from constrained.vocabulary import Vocabulary

ANY = repeat(ANY_CHAR)


def test_spec_matches_and_reads_the_text_itself() -> None:
    spec = regex(r"Score: (?:[0-9]|10)")
    assert repr(spec) == "regex('Score: (?:[0-9]|10)')"
    assert [spec.matches(text) for text in ("Score: 7", "Score: 10", "Score: 11", "7")] == [
        True,
        True,
        False,
        False,
    ]
    assert spec.parse("Score: 7") == "Score: 7"


def test_spec_of_a_compiled_pattern_keeps_its_flags() -> None:
    spec = regex(re.compile("ab", re.IGNORECASE | re.VERBOSE))
    assert repr(spec) == "regex('ab', re.IGNORECASE|re.VERBOSE)"
    assert spec.matches("aB")
    assert not regex(re.compile("(?a)\\d")).matches("\u0663")
    assert regex(re.compile("\\d")).matches("\u0663")


def test_engine_runs_look_around_and_unicode_classes() -> None:
    engine = ByteEngine(Grammar(pattern_node(r"(?=.*\d)(?!.*--)[\w-]{4,}")))
    for text in ("ab-1", "äß-٣", "abcd", "a--1", "a1"):
        state = engine.advance_bytes(engine.start, text.encode())
        expected = re.fullmatch(r"(?=.*\d)(?!.*--)[\w-]{4,}", text) is not None
        assert (state is not None and engine.accepting(state)) == expected, text


LETTER = char_class((97, 122))

SHAPES: list[tuple[str, Node]] = [
    ("abc", literal("abc")),
    ("a(?:b)[c]", literal("abc")),
    ("a|b|[c-d]", char_class((97, 100))),
    ("foo|bar|", optional(literals(["bar", "foo"]))),
    ("yes|no", literals(["yes", "no"])),
    ("(?:[a-z]{1,1000}){1,1000000}", repeat(repeat(LETTER, 1, 1000), 1, 1_000_000)),
    ("^a$", literal("a")),
    (r"\ba\b", literal("a")),
    ("a{0}", EMPTY),
    ("a^b", NOTHING),
    ("[\ud800-\udfff]", NOTHING),
    ("(?!a)[a-z]", char_class((98, 122))),
    ("(?!foo)[a-z]{3}", minus(repeat(LETTER, 3, 3), cat(literal("foo"), ANY))),
    ("a+?b*?", cat(repeat(literal("a"), 1), repeat(literal("b")))),
    ("(?i)a1", cat(char_class("aA"), literal("1"))),
]


@pytest.mark.parametrize(("pattern", "node"), SHAPES, ids=[ascii(p) for p, _ in SHAPES])
def test_whole_match_is_written_plainly(pattern: str, node: Node) -> None:
    assert pattern_node(pattern) == node


SEARCHES: list[tuple[str, Node]] = [
    ("^a$", literal("a")),
    ("a", cat(ANY, literal("a"), ANY)),
    ("^a", cat(literal("a"), ANY)),
    ("a$", cat(ANY, literal("a"))),
    (".*a.*", cat(ANY, literal("a"), ANY)),
    ("a+", cat(ANY, literal("a"), ANY)),
    ("", ANY),
    ("[a-z]*", ANY),
    ("^[a-z]+$", repeat(LETTER, 1)),
    ("^(?!foo)", minus(ANY, cat(literal("foo"), ANY))),
    ("^(?:(?!ab)[a-z])*$", minus(repeat(LETTER), cat(ANY, literal("ab"), ANY))),
]


@pytest.mark.parametrize(("pattern", "node"), SEARCHES, ids=[repr(p) for p, _ in SEARCHES])
def test_search_is_written_plainly(pattern: str, node: Node) -> None:
    assert pattern_node(pattern, dialect="ecma", search=True) == node


HOSTILE = {
    "many ranges": r"(?>a\w|b{0,2})*b(?:){,2}",
    "many ranges in a look": r"(?!b{2,}b|(?>\w{1,2}|ab|b*a){2,}a)a?",
    "text": "a" * 10**6,
    "repeats": "a*" * 50_000,
    "alternatives": "|".join(f"w{i}" for i in range(30_000)),
    "classes": r"[^\w\s]" * 30_000,
    "groups": "(?:.)" * 40_000,
    "cases": "(?i)" + "k" * 100_000,
    "anchors": "$" * 100_000,
    "boundaries": r"a\b " * 25_000,
    "nullable boundaries": r"a?\b" * 20_000,
    "look-aheads": "(?=a)" * 30_000,
    "look-aheads between": "x(?=a*b)" * 20_000,
    "look-behinds": "(?<!a)." * 20_000,
    "guarded alternatives": "(?:(?=a*b)x|(?=c*d)y)" * 8_000,
    "nested groups": "(" * 64 + "a" + ")" * 64,
    "nested repeats": "(?:" * 60 + "a" + "){1,1000000}" * 60,
    "nested stars": "(?:" * 60 + "a" + ")*" * 60,
    "too deep": "(" * 100_000,
    "open classes": "[" * 200_000,
    "open braces": "{1" * 50_000,
    "digits": "a{" + "1" * 10**6 + "}",
    "empty alternatives": "(?:" + "|" * 100_000 + ")",
    "assertion loops": r"(?:(?:(?:\b\w\b)*\s)*\b)*",
    "many looks behind": "(?:" + "|".join(f"(?<=[{chr(97 + i)}-z])x" for i in range(20)) + ")*",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("search", [False, True])
def test_hostile_pattern_is_compiled_or_refused_soon(name: str, search: bool) -> None:
    before = time.process_time()
    with contextlib.suppress(ConstrainedError):
        pattern_node(HOSTILE[name], search=search)
    assert time.process_time() - before < 10


def test_assertions_that_pile_up_are_refused() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        pattern_node("x(?=a*b)" * 300, where="#/pattern")
    assert str(caught.value) == (
        "at #/pattern: its assertions nest more than 250 deep when written out"
        " (split the pattern, or leave some of them out)"
    )


HARD = [
    # pattern, fewest bytes
    (r"(?!.*//)(?:.{1,63}\.)+a", 3),
    (r"(?=.*//)(?:.{1,63}\.)+a", 4),
    (r"(?!.*\.\.)(?!.*--)[a-z.-]{3,63}", 3),
    (r"(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{8,64}", 8),
    (r"(?=.*[A-Z])(?=.*[!@#$&*])(?=.*[0-9])(?=.*[a-z]).{8,128}", 8),
    (r"(?=(?:.*\d){3,})(?=(?:.*[a-z]){4,}).{10,100}", 10),
    (r"(?!.*(?:password|admin))(?=.*[a-z]{3})(?=.*\d{2}).{12,72}", 12),
    (r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", 4),
    (r"(?=.{1,254}$)(?:(?!\d+\.)[a-z0-9_-]{1,63}\.?)+(?:[a-z]{2,})", 3),
    (r"(?=.{5000})(?!.{6000}).*b", 5000),
]
"""Counters under look-arounds: their states, unfolded, are more than can be visited."""


@pytest.mark.parametrize(("pattern", "fewest"), HARD, ids=[pattern for pattern, _ in HARD])
def test_a_pattern_with_counters_under_looks_knows_its_shortest_text(
    pattern: str, fewest: int
) -> None:
    spec = regex(pattern)
    assert spec.engine.distance(spec.engine.start) == fewest
    for text in spec.examples(3):
        assert re.fullmatch(pattern, text)


@pytest.mark.parametrize("pattern", [pattern for pattern, fewest in HARD if fewest < 100])
def test_a_pattern_with_counters_under_looks_is_written_within_any_budget(pattern: str) -> None:
    words = [w + t for w in ("the", "pass", "admin", "word", "A", "9", "/", ".") for t in "ab1 ./"]
    tokens = [bytes([byte]) for byte in range(256)] + [word.encode() for word in words]
    engine = Engine(regex(pattern).grammar, Vocabulary([*tokens, None], end_ids=[len(tokens)]))
    row = np.zeros(engine.words, np.int32)
    draws = random.Random(pattern)
    for extra in (0, 1, 5, 40):
        state, text, left = engine.start, b"", engine.cost(engine.start) + extra
        while left and not (engine.accepting(state) and draws.random() < 0.1):
            engine.fill_mask_within(state, row, left)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            choices = [int(token) for token in allowed if token < len(tokens)]
            if not choices:
                break
            token = draws.choice(choices)
            state, text, left = engine.advance(state, token), text + tokens[token], left - 1
        assert engine.accepting(state)
        assert re.fullmatch(pattern, text.decode())
