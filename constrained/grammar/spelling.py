"""`Spelling`: which texts the tokens of a vocabulary can be joined to.

A text can be spelled when tokens can be joined to its bytes: ``T*`` for the tokens ``T``. Most
tokens say nothing new (they can be joined from shorter ones); what is left, the *pieces*, is the
smallest set with the same joins. For byte-level tokenizers these are single bytes, for those
without byte tokens mostly single characters. Three things are read off the pieces:

* a character can be spelled when pieces can be joined to its bytes, whichever way they cut it;
* a text can be spelled when its characters can, or when longer pieces (an added ``<answer>`` where
  nothing else writes ``<``) fill the rest;
* where no piece begins another, a text that can be spelled can also be gone on with after any of
  its tokens. Where one does (the byte E6, and the bytes E6 97 without a 97), some tokens lead
  nowhere, and masks have to look further (`constrained._core.dead_ends`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TypeVar

from constrained.grammar.build import SURROGATES, ranges_minus, ranges_of
from constrained.grammar.nodes import Ranges

__all__ = ["Characters", "Spelling", "is_character", "spelling_of"]

S = TypeVar("S")

UTF8_BYTES = frozenset(range(0xF5)) - {0xC0, 0xC1}
"""The bytes that occur in UTF-8 at all."""

LEADS = (
    *((byte, byte & 0x1F, 1, 0x80, 0xBF) for byte in range(0xC2, 0xE0)),
    *(
        (byte, byte & 0x0F, 2, 0xA0 if byte == 0xE0 else 0x80, 0x9F if byte == 0xED else 0xBF)
        for byte in range(0xE0, 0xF0)
    ),
    *(
        (byte, byte & 0x07, 3, 0x90 if byte == 0xF0 else 0x80, 0x8F if byte == 0xF4 else 0xBF)
        for byte in range(0xF0, 0xF5)
    ),
)
"""First bytes: their bits, how many bytes follow, the least and the greatest second byte."""


class Characters(AbstractSet[str]):
    """A set of characters as ranges of code points: a million of them take no room.

    >>> some = Characters(((0x61, 0x7A),))
    >>> "k" in some, "K" in some, len(some), some == set("abcdefghijklmnopqrstuvwxyz")
    (True, False, 26, True)
    """

    def __init__(self, ranges: Ranges) -> None:
        self.ranges = ranges
        self._lows = [low for low, _ in ranges]

    def __contains__(self, character: object) -> bool:
        if not (isinstance(character, str) and len(character) == 1):
            return False
        place = bisect_right(self._lows, ord(character)) - 1
        return place >= 0 and ord(character) <= self.ranges[place][1]

    def __iter__(self) -> Iterator[str]:
        return (chr(point) for low, high in self.ranges for point in range(low, high + 1))

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __repr__(self) -> str:
        return f"Characters({len(self):,} of them)"

    @classmethod
    def _from_iterable(cls, it: Iterable[S]) -> AbstractSet[S]:
        """What unions and differences with other sets give."""
        return frozenset(it)


class Spelling:
    r"""What can be joined from `pieces`, none of which the others can be joined to.

    >>> spelling = Spelling([b"a", b"\xe6", b"\x97\xa5", b"<b>"])
    >>> spelling.joins("a日".encode()), "日" in spelling.characters, "<" in spelling.characters
    (True, True, False)
    >>> spelling.joins(b"a<b>"), spelling.joins(b"a<a")
    (True, False)
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = frozenset(pieces)
        self.bytes = frozenset(byte for piece in self.pieces for byte in piece)
        self.single = frozenset(piece[0] for piece in self.pieces if len(piece) == 1)
        self.longer = frozenset(p for p in self.pieces if not _within_a_character(p))
        self._lengths = _lengths(self.pieces)
        self._begun = {  # only within a character: pieces may be very long
            piece[:size] for piece in self.pieces for size in range(1, min(len(piece), 4))
        }
        self.prefix_free = not any(
            piece[:size] in self.pieces
            for piece in self.pieces
            for size in self._lengths[piece[0]]
            if size < len(piece)
        )
        self.characters = Characters(self._character_ranges())

    def joins(self, data: bytes) -> bool:
        """Whether pieces can be joined to `data`."""
        return _joins(data, self.pieces, self._lengths)

    def _character_ranges(self) -> Ranges:
        found = [(byte, byte) for byte in self.single if byte < 0x80]
        known: dict[tuple[frozenset[bytes], int], Ranges] = {}
        start = frozenset([b""])
        for lead, bits, following, low, high in LEADS:
            after = self._step(start, lead)
            for byte in range(low, high + 1):
                states = self._step(after, byte)
                first = (bits << 6 | byte & 0x3F) << 6 * (following - 1)
                ends = self._ends(states, following - 1, known)
                found += [(first + begin, first + end) for begin, end in ends]
        return ranges_minus(ranges_of(found), (SURROGATES,))

    def _step(self, states: frozenset[bytes], byte: int) -> frozenset[bytes]:
        """The pieces begun after one more byte; the empty one where a piece may begin."""
        after = set()
        for begun in states:
            longer = begun + bytes([byte])
            if longer in self.pieces:
                after.add(b"")
            if longer in self._begun:
                after.add(longer)
        return frozenset(after)

    def _ends(
        self,
        states: frozenset[bytes],
        left: int,
        known: dict[tuple[frozenset[bytes], int], Ranges],
    ) -> Ranges:
        """The last `left` bytes of characters that can be spelled, as numbers of 6 bits each."""
        if not states:
            return ()
        if left == 0:
            return ((0, 0),) if b"" in states else ()
        key = (states, left)
        if key not in known:
            found: list[tuple[int, int]] = []
            for byte in range(0x80, 0xC0):
                first = (byte & 0x3F) << 6 * (left - 1)
                ends = self._ends(self._step(states, byte), left - 1, known)
                found += [(first + begin, first + end) for begin, end in ends]
            known[key] = ranges_of(found)
        return known[key]


def spelling_of(tokens: Iterable[bytes | None]) -> Spelling | None:
    """What the tokens can be joined to; None when every byte that UTF-8 uses is a token.

    >>> spelling_of([bytes([byte]) for byte in range(256)]) is None
    True
    >>> sorted(spelling_of([b"a", b"ab", b"b", b"abba", b"cd"]).pieces)
    [b'a', b'b', b'cd']
    """
    known_tokens = list(tokens)
    single = {token for token in known_tokens if token is not None and len(token) == 1}
    if {token[0] for token in single} >= UTF8_BYTES:
        return None
    keys = b"".join(single)
    others = {token for token in known_tokens if token and token.translate(None, keys)}
    pieces, lengths = set(single), _lengths(single)
    for token in sorted(others, key=lambda token: (len(token), token)):
        if not _joins(token, pieces, lengths):
            pieces.add(token)
            known = lengths.setdefault(token[0], [])
            if len(token) not in known:
                known.append(len(token))
    return Spelling(pieces)


def _lengths(pieces: Iterable[bytes]) -> dict[int, list[int]]:
    """The lengths of the pieces that begin with each byte."""
    lengths: dict[int, set[int]] = {}
    for piece in pieces:
        lengths.setdefault(piece[0], set()).add(len(piece))
    return {byte: sorted(known) for byte, known in lengths.items()}


def _joins(data: bytes, pieces: AbstractSet[bytes], lengths: dict[int, list[int]]) -> bool:
    reached = {0}
    for place in range(len(data)):
        if place in reached:
            for length in lengths.get(data[place], ()):
                if data[place : place + length] in pieces and place + length <= len(data):
                    reached.add(place + length)
            reached.discard(place)
            if not reached:
                return False
    return len(data) in reached


def is_character(piece: bytes) -> bool:
    r"""Whether it is one whole character.

    >>> [is_character(piece) for piece in (b"a", "é".encode(), b"\xc3", b"ab")]
    [True, True, False, False]
    """
    return len(piece.decode("utf-8", "ignore").encode("utf-8")) == len(piece) and (
        len(piece) == 1 or _within_a_character(piece)
    )


def _within_a_character(piece: bytes) -> bool:
    """Whether all of it lies in one character: it begins or continues one, and goes no further."""
    first = piece[0]
    most = 1 if first < 0x80 else 2 if 0xC0 <= first < 0xE0 else 4 if first >= 0xF0 else 3
    return len(piece) <= most and all(0x80 <= byte < 0xC0 for byte in piece[1:])
