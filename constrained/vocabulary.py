"""`Vocabulary`: what each token id appends to the text, which ids end it, and the logits' width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from constrained._core import native
from constrained._core.loaded import Loaded
from constrained._core.tokens import STORE_BYTES, native_vocabulary
from constrained.arguments import whole_number
from constrained.chat.ends import template_end
from constrained.errors import VocabularyError
from constrained.tokenizers import check_spelling, token_bytes, tokenizer_name

__all__ = ["Vocabulary", "id_set"]

UTF8_BYTES = frozenset(range(0x80)) | frozenset(range(0x80, 0xC0)) | frozenset(range(0xC2, 0xF5))
"""The bytes that occur in UTF-8 at all."""


class Vocabulary:
    """Token ids and the bytes that each appends to the running text.

    `tokens[i]` is None for an id that is special or unused: no mask ever allows it, except for the
    `end_ids`, which end an output and spell nothing. `width` is the width of the model's logits;
    ids beyond it can never be sampled (some models have fewer logits than their tokenizer has
    ids), ids below it without a token are padding of the embedding and never allowed. Equality is
    identity.

    Engines of one vocabulary share their states and masks. Once these take more than `store_bytes`
    (a bound on when sharing stops, not on what one engine may take: see `Limits`), engines made
    from then on share new ones; the old ones are freed with the last engine that uses them.

    Raises `VocabularyError` when there is no end id or one that is outside the width, and for a
    negative `store_bytes`.

    >>> from constrained.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary([b"yes", b"no", b" ", None], end_ids=[3])
    >>> len(vocabulary), vocabulary.width, sorted(vocabulary.spells)
    (4, 4, [' '])
    """

    def __init__(
        self,
        tokens: Sequence[bytes | None],
        *,
        end_ids: Iterable[int],
        width: int | None = None,
        store_bytes: int = STORE_BYTES,
    ) -> None:
        if not isinstance(tokens, Sequence) or isinstance(tokens, str | bytes):
            raise VocabularyError(
                f"tokens must be a list with the bytes of each id, got {tokens!r:.60}; for a "
                "tokenizer there is Vocabulary.from_tokenizer"
            )
        self.store_bytes = whole_number(store_bytes, "store_bytes", VocabularyError, least=0)
        self.end_ids = id_set(end_ids)
        self.width = len(tokens) if width is None else _width(width)
        if not self.end_ids:
            raise VocabularyError(
                "the vocabulary has no end id, so no output could ever end; pass end_ids=[...] "
                "(the tokenizer's eos_token_id)"
            )
        beyond = sorted(i for i in self.end_ids if not 0 <= i < self.width)
        if beyond:
            raise VocabularyError(
                f"end ids {beyond} are outside the {self.width:,} logits of the model, so it could "
                "never end an output; pass end ids that the model has, or the right width"
            )
        ends = self.end_ids
        for i, token in enumerate(tokens):
            if not (token is None or isinstance(token, bytes)):
                raise VocabularyError(f"token {i} must be bytes or None, got {token!r:.60}")
        self.tokens: tuple[bytes | None, ...] = tuple(
            None if i in ends or not token else token for i, token in enumerate(tokens)
        )
        usable = self.tokens[: self.width]
        single = {token[0] for token in usable if token is not None and len(token) == 1}
        # Known from the start: the first engine should not wait for a walk over all tokens.
        self._spells_all = single >= UTF8_BYTES

    def __len__(self) -> int:
        """How many ids the tokenizer has; may be more or fewer than `width`."""
        return len(self.tokens)

    def __repr__(self) -> str:
        usable = sum(token is not None for token in self.tokens[: self.width])
        return (
            f"Vocabulary({usable:,} tokens, width={self.width:,}, end_ids={sorted(self.end_ids)})"
        )

    @cached_property
    def spells(self) -> frozenset[str] | None:
        """The characters that it can spell; None when every byte that UTF-8 uses is a token."""
        if self._spells_all:
            return None
        characters = set()
        for token in self.tokens[: self.width]:
            if token is None or len(token) > 4:
                continue
            try:
                text = token.decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                characters.add(text)
        return frozenset(characters)

    @cached_property
    def native(self) -> native.Vocabulary:
        """The same for the engine's core: built once (about 0.2 s for 128,000 tokens)."""
        return native_vocabulary(self.tokens, self.end_ids, self.width, self.store_bytes)

    @cached_property
    def loaded(self) -> Loaded:
        """The grammars that engines have loaded lately: equal engines share all that they know."""
        return Loaded(self.store_bytes)

    def spell(self, ids: Iterable[int]) -> bytes:
        """The bytes that ids append one after another; special ids append nothing.

        >>> Vocabulary([b"a", b"b", None], end_ids=[2]).spell([1, 0, 2])
        b'ba'
        """
        tokens, size = self.tokens, len(self.tokens)
        return b"".join(tokens[i] or b"" for i in ids if 0 <= i < size)

    @classmethod
    def from_tokenizer(
        cls,
        tokenizer: Any,
        *,
        width: int | None = None,
        end_ids: Iterable[int] = (),
        store_bytes: int = STORE_BYTES,
    ) -> Vocabulary:
        """The vocabulary of a Hugging Face tokenizer (or a `tiktoken.Encoding`).

        `width` is the width of the model's logits (``model.config.get_text_config().vocab_size``);
        without it, the tokenizer's own size. `end_ids` are added to the tokenizer's end of
        sequence and to the token that its chat template writes after an answer
        (`constrained.chat.ends_of` says where each was found). Built once per tokenizer and kept as
        long as it lives.

        Raises `VocabularyError` when what the ids spell cannot be told exactly.
        """
        encodes = hasattr(tokenizer, "encode") or hasattr(tokenizer, "eos_token_id")
        if isinstance(tokenizer, str) or not encodes:
            raise VocabularyError(
                f"this is no tokenizer but {tokenizer!r:.60}; load one, for example with "
                "constrained.models.load_tokenizer"
            )
        ends = set(id_set(end_ids))
        eos = getattr(tokenizer, "eos_token_id", getattr(tokenizer, "eot_token", None))
        if eos is not None:
            ends.add(int(eos))
        turn = template_end(tokenizer)
        if turn is not None and (width is None or turn < _width(width)):
            ends.add(turn)
        if not ends:
            raise VocabularyError(
                f"tokenizer {tokenizer_name(tokenizer)} has no end-of-sequence token; pass "
                "end_ids=[...] (the ids at which this model ends an answer)"
            )
        tokens = _tokens_of(tokenizer)
        if width is None:
            width = max(len(tokens), max(ends) + 1)
        width = _width(width)
        key = (len(tokens), width, frozenset(ends), store_bytes)
        known = _VOCABULARIES.setdefault(tokenizer, {})
        if key not in known:
            known[key] = cls(tokens, end_ids=ends, width=width, store_bytes=store_bytes)
        return known[key]


def id_set(end_ids: Any) -> frozenset[int]:
    """Ids as a set; `VocabularyError` for what is no list of them."""
    if isinstance(end_ids, str | bytes) or not isinstance(end_ids, Iterable):
        raise VocabularyError(f"end_ids must be a list of token ids, got {end_ids!r:.60}")
    return frozenset(whole_number(i, "an end id", VocabularyError) for i in end_ids)


def _width(width: Any) -> int:
    return whole_number(width, "width", VocabularyError, least=1)


_TOKENS: WeakKeyDictionary[Any, tuple[int, tuple[bytes | None, ...]]] = WeakKeyDictionary()
_VOCABULARIES: WeakKeyDictionary[Any, dict[Any, Vocabulary]] = WeakKeyDictionary()


def _tokens_of(tokenizer: Any) -> tuple[bytes | None, ...]:
    """`token_bytes` with its check, once per tokenizer (again when tokens were added to it)."""
    size = len(tokenizer) if hasattr(tokenizer, "__len__") else tokenizer.n_vocab
    known = _TOKENS.get(tokenizer)
    if known is None or known[0] != size:
        tokens = token_bytes(tokenizer)
        check_spelling(tokenizer, tokens)
        _TOKENS[tokenizer] = known = (size, tokens)
    return known[1]
