"""Hand a vocabulary's tokens to the core, and the characters that make plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from constrained._core import native
from constrained._core.lowering import lower
from constrained.grammar.build import char_class, ranges_in_both, ranges_minus, ranges_of
from constrained.grammar.rules import Grammar
from constrained.grammar.spelling import Spelling

__all__ = ["PLAIN", "STORE_BYTES", "native_vocabulary"]

SEPARATORS = ranges_of(
    [(ord(c), ord(c)) for c in "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"]
    + [(0x2000, 0x200A)]
)
"""White space and line ends beyond ASCII, which patterns like ``.`` and ``\\S`` do not take."""

PLAIN_RANGES = ranges_minus(
    ((0x20, 0x10FFFF),),
    ranges_of([(0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), *SEPARATORS]),
)

PLAIN = char_class(*PLAIN_RANGES)
"""Characters that stand for themselves in JSON strings and most other text."""

STORE_BYTES = 512 * 2**20
"""Memory for terms and masks beyond which engines made from then on share a new store."""


def native_vocabulary(
    tokens: Sequence[bytes | None],
    end_ids: Iterable[int],
    width: int,
    store_bytes: int = STORE_BYTES,
    *,
    spelling: Spelling | None = None,
    marks: Iterable[int] = (),
) -> native.Vocabulary:
    """The core's form of a vocabulary: a trie of the tokens, plain ones known by length.

    Plain characters that cannot be spelled stand in no grammar that an engine of it runs.
    """
    spelled = () if spelling is None else ranges_in_both(PLAIN_RANGES, spelling.characters.ranges)
    plain = lower(Grammar(char_class(*spelled) if spelled else PLAIN))
    texts = [token or b"" for token in tokens]
    return native.Vocabulary(texts, sorted(end_ids), width, plain, store_bytes, sorted(marks))
