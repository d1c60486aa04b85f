"""Hypothesis strategies: random grammars of every node kind, and random vocabularies for them."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from constrained.grammar import (
    Bytes,
    Chars,
    Grammar,
    Node,
    Ref,
    alt,
    byte_class,
    cat,
    char_class,
    complement,
    intersect,
    lexeme,
    literal,
    literals,
    minus,
    optional,
    repeat,
    substrings,
)
from constrained.grammar.build import EMPTY, NOTHING
from constrained.vocabulary import Vocabulary

__all__ = [
    "SMALL",
    "alphabet_of",
    "any_grammars",
    "grammars",
    "regular_nodes",
    "text_vocabulary",
    "texts_of_models",
    "vocabularies",
]

SMALL = b"ab"
"""The alphabet of most grammars; `alphabet_of` adds what a grammar spells besides."""

RULE_NAMES = ("r0", "r1", "r2")
LEAVES: list[Node] = [
    literal("a"),
    literal("b"),
    literal("ab"),
    literal("ba"),
    literals(["a", "ab", "bb"]),
    literals(["", "aba"]),
    literals(["b", "é"]),
    substrings("abaab"),
    substrings("aéb"),
    substrings("abbab", [2, 3]),
    char_class("ab"),
    char_class("b", "é"),
    char_class((0x61, 0x62), "é", "😀"),
    byte_class((0x61, 0x62)),
    byte_class((0x62, 0x62), (0xC3, 0xC3)),
    EMPTY,
    NOTHING,
]
BOUNDS = [(0, None), (1, None), (0, 1), (2, 2), (0, 2), (1, 3), (2, None), (3, 5)]


def _inner(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    two_or_three = st.lists(children, min_size=2, max_size=3)
    return st.one_of(
        two_or_three.map(lambda parts: cat(*parts)),
        two_or_three.map(lambda parts: alt(*parts)),
        st.builds(lambda body, n: repeat(body, *n), children, st.sampled_from(BOUNDS)),
        children.map(optional),
        children.map(lexeme),
    )


def _with_booleans(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        _inner(children),
        st.builds(intersect, children, children),
        children.map(complement),
        st.builds(lambda left, right: intersect(left, complement(right)), children, children),
    )


def regular_nodes() -> st.SearchStrategy[Node]:
    """Nodes without references, `And` and `Not` included."""
    return st.recursive(st.sampled_from(LEAVES), _with_booleans, max_leaves=5)


def grammars(*, recursive: bool = True, left: bool = False) -> st.SearchStrategy[Grammar]:
    """Grammars whose rules may be recursive (never to the left unless `left`).

    `And` and `Not` stand over nodes without rules, and over `tail`, a right-linear recursive rule.
    """
    regular = st.one_of(regular_nodes(), st.sampled_from(LEAVES))
    refs = [Ref(name) for name in RULE_NAMES] if recursive else []
    consuming = st.sampled_from([literal("a"), literal("b"), char_class("b", "é")])
    guarded = st.builds(
        lambda head, name, tail: cat(head, Ref(name), tail),
        consuming,
        st.sampled_from(RULE_NAMES),
        st.sampled_from(LEAVES),
    )
    pieces = [st.sampled_from(LEAVES), regular]
    if recursive:
        pieces.append(guarded)
    if left:
        pieces.append(st.sampled_from(refs))
    bodies = st.recursive(st.one_of(*pieces), _inner, max_leaves=5)
    starts = st.one_of(bodies, st.sampled_from(refs)) if refs else bodies
    over_tail = st.sampled_from(
        [
            complement(Ref("tail")),
            intersect(Ref("tail"), complement(literal("ab"))),
            intersect(repeat(char_class("ab"), 1), Ref("tail")),
        ]
    )
    tails = st.builds(
        lambda one, two, end: alt(cat(one, Ref("tail")), cat(two, Ref("tail")), end),
        consuming,
        consuming,
        st.sampled_from(LEAVES[:9]),
    )
    if recursive:
        starts = st.one_of(
            starts, st.builds(alt, starts, over_tail), st.builds(cat, over_tail, starts)
        )
    return st.builds(
        lambda start, rules, tail: Grammar(
            start, dict(zip(RULE_NAMES, rules, strict=True)) | {"tail": tail}
        ),
        starts,
        st.tuples(bodies, bodies, bodies),
        tails,
    )


# --- any value at all, for the text form ----------------------------------------------------------

_ranges = st.lists(st.tuples(st.integers(0, 0x10FFFF), st.integers(0, 40)), min_size=1, max_size=4)
_leaves: st.SearchStrategy[Node] = st.one_of(
    st.binary(max_size=6).map(literal),
    st.text(max_size=6).map(literal),
    st.lists(st.one_of(st.binary(max_size=4), st.text(max_size=4)), max_size=4).map(literals),
    _ranges.map(lambda rs: char_class(*((low, min(0x10FFFF, low + size)) for low, size in rs))),
    st.text(max_size=6).map(char_class),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 9)), min_size=1, max_size=3).map(
        lambda rs: byte_class(*((low, min(255, low + size)) for low, size in rs))
    ),
    st.sampled_from(RULE_NAMES).map(Ref),
    st.text(st.characters(exclude_categories=()), max_size=5).map(Ref),
)


def _raw(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    from constrained.grammar import Alt, And, Cat, Lexeme, Not, Repeat

    many = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        many.map(Cat),
        many.map(Alt),
        many.map(And),
        children.map(Not),
        children.map(Lexeme),
        st.builds(
            lambda body, least, more: Repeat(body, least, None if more is None else least + more),
            children,
            st.integers(0, 3),
            st.none() | st.integers(0, 3),
        ),
    )


def any_grammars() -> st.SearchStrategy[Grammar]:
    """Grammars of any shape, meaningful or not, normalised or not."""
    nodes = st.recursive(_leaves, _raw, max_leaves=8)
    names = st.one_of(st.sampled_from(RULE_NAMES), st.text(max_size=5))
    return st.builds(Grammar, nodes, st.dictionaries(names, nodes, max_size=3))


def alphabet_of(grammar: Grammar) -> bytes:
    """`SMALL`, and every byte of the two-byte characters that the grammar's leaves may use."""
    found = set(SMALL)
    stack = [grammar.start, *grammar.rules.values()]
    while stack:
        node = stack.pop()
        if isinstance(node, Bytes):
            found.update(b for low, high in node.ranges for b in range(low, high + 1))
        elif isinstance(node, Chars):
            found.update(b for low, high in node.ranges for b in f"{chr(low)}{chr(high)}".encode())
        else:
            for value in (getattr(node, "parts", ()), getattr(node, "options", ())):
                for item in value:
                    found.update(item) if isinstance(item, bytes) else stack.append(item)
            found.update(getattr(node, "data", b""))
            body = getattr(node, "body", None)
            if body is not None:
                stack.append(body)
    return bytes(sorted(found))


# --- vocabularies ---------------------------------------------------------------------------------

PIECES = [b"a", b"b", b"ab", b"ba", b"aab", b"bb", b"\xc3\xa9", b"a\xc3", b"\xa9b", "😀".encode()]
tokens_of_pieces = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(b"".join)


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """Every byte is a token; besides, longer tokens, duplicates, ids without bytes, any width."""
    entries: st.SearchStrategy[bytes | None] = st.one_of(tokens_of_pieces, st.none())
    first: list[bytes | None] = draw(st.lists(entries, max_size=6))
    last: list[bytes | None] = draw(st.lists(entries, max_size=12))
    tokens = [*first, *(bytes([byte]) for byte in range(256)), None, *last]
    ends = {len(first) + 256}
    if first and draw(st.booleans()):
        ends.add(draw(st.integers(0, len(first) - 1)))
    width = draw(st.integers(len(first) + 257, len(tokens) + 40))
    return Vocabulary(tokens, end_ids=ends, width=width)


# --- text as models write it ----------------------------------------------------------------------

WORDS = [
    "the",
    " the",
    " score",
    "Score",
    "ing",
    " a",
    "\n",
    "  ",
    '"',
    '":',
    '", "',
    "{",
    "}",
    "\\",
]


def text_vocabulary(size: int = 1500, seed: int = 0) -> Vocabulary:
    """Every byte, and tokens as byte-level tokenizers have them: plain words, spaces, punctuation,
    digits, longer characters, some long runs."""
    draw = Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens: set[bytes] = {word.encode() for word in WORDS}
    tokens |= {str(number).encode() for number in range(150)}
    tokens |= {char.encode() * n for char in " =-*a0é" for n in (2, 3, 8, 16, 35)}
    while len(tokens) < size:
        word = "".join(draw.choices(letters, k=draw.randint(1, 12)))
        start, end = (
            draw.choice(["", " ", "\n", "_", '"']),
            draw.choice(["", "", "", ".", '"', "é", "("]),
        )
        tokens.add(f"{start}{draw.choice([word, word.title(), word.upper()])}{end}".encode())
    return Vocabulary(
        [*map(bytes, zip(range(256))), *sorted(tokens), None], end_ids=[256 + len(tokens)]
    )


def _counts(most: int) -> st.SearchStrategy[tuple[int, int | None]]:
    return st.tuples(st.integers(0, most), st.none() | st.integers(0, most)).map(
        lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
    )


def texts_of_models() -> st.SearchStrategy[Node]:
    """Strings, numbers, bounded text and lists of them: what formats are made of."""
    any_char = char_class((0, 0x10FFFF))
    classes = st.sampled_from(
        [
            any_char,
            char_class((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF)),
            char_class((0x61, 0x7A)),
            char_class((0x61, 0x7A), (0x41, 0x5A), (0x30, 0x39), " _"),
            char_class((0x20, 0x7E)),
            char_class((0x30, 0x39)),
            char_class((0, 9), (11, 0x10FFFF)),
        ]
    )
    runs = st.builds(lambda one, n: repeat(one, *n), classes, _counts(40))
    escapes = alt(
        char_class((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF)), cat(literal("\\"), any_char)
    )
    pieces = st.one_of(
        runs,
        runs.map(lexeme),
        st.builds(lambda n: lexeme(repeat(escapes, *n)), _counts(40)),
        st.builds(lambda one, n: intersect(one, repeat(any_char, *n)), runs, _counts(30)),
        st.builds(
            lambda one, word: lexeme(
                minus(one, cat(repeat(any_char), literal(word), repeat(any_char)))
            ),
            runs,
            st.sampled_from(WORDS[:4]),
        ),
        st.sampled_from([literal(word) for word in WORDS]),
        st.just(literals(["the", "the score", " the", "9", "10"])),
    )
    quoted = pieces.map(lambda body: cat(literal('"'), body, literal('"')))
    items = st.one_of(pieces, quoted)
    listed = st.builds(
        lambda item, n: repeat(cat(item, literals([", ", "\n"])), *n), items, _counts(3)
    )
    return st.lists(st.one_of(items, quoted, listed), min_size=1, max_size=3).map(
        lambda ps: cat(*ps)
    )
