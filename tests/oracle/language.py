"""All short members of a grammar, by set algebra, and what follows from having them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from constrained.grammar import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Grammar,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
    Substrings,
)
from tests.oracle.spans import OracleError, pieces

__all__ = ["Language", "alive", "mask", "members", "shortest"]

Words = frozenset[bytes]
NONE: Words = frozenset()
EMPTY_WORD: Words = frozenset([b""])


class Language:
    """Every member of `grammar` of at most `length` bytes that uses only bytes of `alphabet`.

    >>> from constrained.grammar import Grammar, literal, repeat
    >>> sorted(Language(Grammar(repeat(literal("ab"))), 5, b"ab").words)
    [b'', b'ab', b'abab']
    """

    def __init__(self, grammar: Grammar, length: int, alphabet: bytes) -> None:
        self.length = length
        self.alphabet = bytes(sorted(set(alphabet)))
        self._rules = grammar.rules
        self._known: dict[str, Words] = {}
        self._complements: dict[int, Words | None] = {}
        self.words = self._solve(grammar.start)

    def continuing(self, prefix: bytes) -> Words:
        """The members that begin with `prefix`."""
        return frozenset(word for word in self.words if word.startswith(prefix))

    def _solve(self, node: Node) -> Words:
        """The least fixpoint: rules start empty and grow until a round adds nothing."""
        while True:
            self._changed = False
            self._done: set[str] = set()
            words = self._of(node)
            if not self._changed:
                return words

    def _of(self, node: Node) -> Words:
        match node:
            case Nothing():
                return NONE
            case Empty():
                return EMPTY_WORD
            case Literal(data):
                return self._keep([data])
            case Literals(options):
                return self._keep(options)
            case Substrings(data, cuts):
                return self._keep(pieces(data, cuts))
            case Chars(ranges):
                return self._keep(
                    char.encode()
                    for char in self._chars()
                    if any(low <= ord(char) <= high for low, high in ranges)
                )
            case Bytes(ranges):
                return self._keep(
                    bytes([byte])
                    for byte in self.alphabet
                    if any(low <= byte <= high for low, high in ranges)
                )
            case Cat(parts):
                words = EMPTY_WORD
                for part in parts:
                    words = self._join(words, self._of(part))
                return words
            case Alt(parts):
                return NONE.union(*(self._of(part) for part in parts))
            case And(parts):
                return frozenset.intersection(*(self._of(part) for part in parts))
            case Not(body):
                return self._complement(body)
            case Lexeme(body):
                return self._of(body)
            case Ref(name):
                return self._rule(name)
            case Repeat(body, least, most):
                return self._copies(self._of(body), least, most)
        raise OracleError(f"unknown node {node!r}")

    def _rule(self, name: str) -> Words:
        if name not in self._rules:
            raise OracleError(f"no rule {name!r}")
        known = self._known.get(name, NONE)
        if name in self._done:
            return known
        self._done.add(name)
        words = known | self._of(self._rules[name])
        if words != known:
            self._known[name] = words
            self._changed = True
        return words

    def _complement(self, body: Node) -> Words:
        if id(body) not in self._complements:
            self._complements[id(body)] = None
            done = self._done
            inside = self._solve(body)  # complete, before it is turned round
            self._changed, self._done = True, done  # rules may have grown behind the caller's back
            self._complements[id(body)] = self._everything() - inside
        outside = self._complements[id(body)]
        if outside is None:
            raise OracleError("a rule needs its own complement")
        return outside

    def _everything(self) -> Words:
        lengths = range(self.length + 1)
        return frozenset(bytes(w) for n in lengths for w in product(self.alphabet, repeat=n))

    def _copies(self, body: Words, least: int, most: int | None) -> Words:
        exactly = EMPTY_WORD
        for _ in range(least):
            after = self._join(exactly, body)
            if after == exactly:
                break
            exactly = after
        reached, count = exactly, least
        while most is None or count < most:
            exactly = self._join(exactly, body)
            if exactly <= reached:
                break
            reached |= exactly
            count += 1
        return reached

    def _join(self, left: Words, right: Words) -> Words:
        return frozenset(a + b for a in left for b in right if len(a) + len(b) <= self.length)

    def _keep(self, words: Iterable[bytes]) -> Words:
        allowed = set(self.alphabet)
        return frozenset(w for w in words if len(w) <= self.length and allowed.issuperset(w))

    def _chars(self) -> Iterator[str]:
        """Every character whose UTF-8 bytes are all in the alphabet."""
        later = [byte for byte in self.alphabet if 0x80 <= byte < 0xC0]
        for first in self.alphabet:
            extra = 0 if first < 0x80 else 1 if first < 0xE0 else 2 if first < 0xF0 else 3
            for rest in product(later, repeat=extra):
                try:
                    yield bytes([first, *rest]).decode("utf-8")
                except UnicodeDecodeError:
                    continue


def members(grammar: Grammar, max_length: int, alphabet: bytes) -> Words:
    """The members of at most `max_length` bytes over `alphabet`."""
    return Language(grammar, max_length, alphabet).words


def shortest(grammar: Grammar, prefix: bytes, max_extra: int, alphabet: bytes) -> bytes | None:
    """The first (by length, then by bytes) of the shortest texts that complete `prefix`."""
    language = Language(grammar, len(prefix) + max_extra, alphabet + prefix)
    rests = [word[len(prefix) :] for word in language.continuing(prefix)]
    return min(rests, key=lambda rest: (len(rest), rest), default=None)


def alive(grammar: Grammar, data: bytes, max_extra: int, alphabet: bytes) -> bool:
    """Whether at most `max_extra` more bytes of `alphabet` can make `data` a member."""
    return shortest(grammar, data, max_extra, alphabet) is not None


def mask(
    grammar: Grammar,
    tokens: Sequence[bytes | None],
    prefix: bytes,
    max_extra: int,
    alphabet: bytes,
) -> set[int]:
    """The ids whose bytes may follow `prefix`; ids without bytes, and empty ones, never do."""
    longest = max((len(token) for token in tokens if token), default=0)
    spelled = alphabet + prefix + b"".join(token for token in tokens if token)
    language = Language(grammar, len(prefix) + longest + max_extra, spelled)
    starts = {
        word[: len(prefix) + n]
        for word in language.continuing(prefix)
        for n in range(len(word) - len(prefix) + 1)
    }
    return {i for i, token in enumerate(tokens) if token and prefix + token in starts}
