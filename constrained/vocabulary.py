"""`Vocabulary`: what each token id appends to the text, which ids end it, and the logits' width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from constrained._core import native
from constrained._core.loaded import Loaded
from constrained._core.tokens import STORE_BYTES, native_vocabulary
from constrained.arguments import check_switch, whole_number
from constrained.chat.ends import template_end
from constrained.errors import VocabularyError
from constrained.grammar.spelling import Characters, Spelling, spelling_of
from constrained.marks import mark_ids
from constrained.tokenizers import MAX_IDS, check_spelling, end_id, token_bytes, tokenizer_name

__all__ = ["Vocabulary", "id_set"]


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

    `marks` are ids of tokens such as ``<tool_call>`` that say what kind of text begins or ends. A
    format that writes the text of one may use it there: where each of its bytes stands in the
    format as itself, in a fixed text or a choice of some. Free text never is the mark; it may still
    spell the same characters in other tokens. An id whose text no other tokens can be joined to is
    no mark but text, or a format could not be written at all.

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
        marks: Iterable[int] = (),
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
        asked = id_set(marks, "marks")
        beyond = sorted(i for i in asked if not 0 <= i < len(tokens))
        if beyond:
            raise VocabularyError(
                f"marks {beyond[:5]} are outside the {len(tokens):,} tokens; pass ids of tokens"
            )
        self._asked_marks = frozenset(i for i in asked if self.tokens[i] is not None)

    changed_texts: tuple[str, ...] = ()
    quiet_ends: frozenset[int] = frozenset()

    def __reduce__(self) -> tuple[Any, ...]:
        """A vocabulary crosses process borders as its tokens; what engines share is made anew."""
        made = (self.tokens, self.end_ids, self.width, self.store_bytes, self._asked_marks)
        learnt = {"changed_texts": self.changed_texts, "quiet_ends": self.quiet_ends}
        return _restored, made, learnt

    def __len__(self) -> int:
        """How many ids the tokenizer has; may be more or fewer than `width`."""
        return len(self.tokens)

    def __repr__(self) -> str:
        usable = sum(token is not None for token in self.tokens[: self.width])
        return (
            f"Vocabulary({usable:,} tokens, width={self.width:,}, end_ids={sorted(self.end_ids)})"
        )

    @cached_property
    def spelling(self) -> Spelling | None:
        """What tokens can be joined to; None when every byte that UTF-8 uses is a token."""
        return self._spelling_without(self.marks)

    @cached_property
    def marks(self) -> frozenset[int]:
        """Ids that only a format which writes their text may use."""
        if not self._asked_marks:
            return self._asked_marks
        others = self._spelling_without(self._asked_marks)
        spelled = (
            i for i in self._asked_marks if others is None or others.joins(self.tokens[i] or b"")
        )
        return frozenset(spelled)

    def _spelling_without(self, ids: frozenset[int]) -> Spelling | None:
        usable = self.tokens[: self.width]
        return spelling_of(token for i, token in enumerate(usable) if i not in ids)

    @property
    def spells(self) -> Characters | None:
        """The characters whose bytes tokens can be joined to; None when that is all of them."""
        return None if self.spelling is None else self.spelling.characters

    @cached_property
    def native(self) -> native.Vocabulary:
        """The same for the engine's core: built once (about 0.2 s for 128,000 tokens)."""
        return native_vocabulary(
            self.tokens,
            self.end_ids,
            self.width,
            self.store_bytes,
            spelling=self.spelling,
            marks=self.marks,
        )

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
        marks_in_text: bool = False,
    ) -> Vocabulary:
        """The vocabulary of a Hugging Face tokenizer (or a `tiktoken.Encoding`).

        `width` is the width of the model's logits (``model.config.get_text_config().vocab_size``);
        without it, the tokenizer's own size. `end_ids` are added to the tokenizer's end of
        sequence and to the token that its chat template writes after an answer
        (`constrained.chat.ends_of` says where each was found). Built once per tokenizer and kept as
        long as it lives.

        Tokens such as ``<tool_call>`` (`constrained.marks`) are left out of free text, and kept for
        formats that write their text; with `marks_in_text` they are text like any other.
        `changed_texts` are those of the texts tried whose white space the tokenizer changes when it
        encodes (T5): they can be written all the same. `quiet_ends` are the ends that the chat
        template alone names: a program that reads the tokenizer's own does not stop there.

        Raises `VocabularyError` when what the ids spell cannot be told exactly.
        """
        encodes = hasattr(tokenizer, "encode") or hasattr(tokenizer, "eos_token_id")
        if isinstance(tokenizer, str) or not encodes:
            raise VocabularyError(
                f"this is no tokenizer but {tokenizer!r:.60}; load one, for example with "
                "constrained.models.load_tokenizer"
            )
        check_switch(marks_in_text, "marks_in_text", VocabularyError, known=(True, False))
        ends = set(id_set(end_ids))
        eos = end_id(tokenizer)
        if eos is not None:
            ends.add(eos)
        turn = template_end(tokenizer)
        quiet: frozenset[int] = frozenset()
        if turn is not None and (width is None or turn < _width(width)):
            quiet = frozenset({turn} - ends)
            ends.add(turn)
        if not ends:
            raise VocabularyError(
                f"tokenizer {tokenizer_name(tokenizer)} has no end-of-sequence token; pass "
                "end_ids=[...] (the ids at which this model ends an answer)"
            )
        tokens, changed = _tokens_of(tokenizer)
        if width is None:
            width = max(len(tokens), max(ends) + 1)
        width = _width(width)
        key = (len(tokens), width, frozenset(ends), quiet, store_bytes, marks_in_text)
        known = _VOCABULARIES.setdefault(tokenizer, {})
        if key not in known:
            marks = () if marks_in_text else mark_ids(tokenizer)
            made = cls(tokens, end_ids=ends, width=width, store_bytes=store_bytes, marks=marks)
            made.changed_texts = changed
            made.quiet_ends = quiet
            known[key] = made
        return known[key]


def id_set(ids: Any, name: str = "end_ids") -> frozenset[int]:
    """Ids as a set; `VocabularyError` for what is no list of them. `name` is the argument's."""
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise VocabularyError(f"{name} must be a list of token ids, got {ids!r:.60}")
    one = "an end id" if name == "end_ids" else f"an id of {name}"
    return frozenset(whole_number(i, one, VocabularyError) for i in ids)


def _restored(
    tokens: tuple[bytes | None, ...],
    end_ids: frozenset[int],
    width: int,
    store_bytes: int,
    marks: frozenset[int],
) -> Vocabulary:
    return Vocabulary(tokens, end_ids=end_ids, width=width, store_bytes=store_bytes, marks=marks)


def _width(width: Any) -> int:
    size = whole_number(width, "width", VocabularyError, least=1)
    if size > MAX_IDS:
        raise VocabularyError(
            f"the width {size:,} is more than {MAX_IDS:,}; pass end ids and the width of the "
            "logits that the model has"
        )
    return size


_Read = tuple[tuple[bytes | None, ...], tuple[str, ...]]
_TOKENS: WeakKeyDictionary[Any, tuple[int, _Read]] = WeakKeyDictionary()
_VOCABULARIES: WeakKeyDictionary[Any, dict[Any, Vocabulary]] = WeakKeyDictionary()


def _tokens_of(tokenizer: Any) -> _Read:
    """`token_bytes` and `check_spelling`, once per tokenizer; again when tokens were added."""
    sized = hasattr(tokenizer, "__len__")
    size = len(tokenizer) if sized else getattr(tokenizer, "n_vocab", -1)
    known = _TOKENS.get(tokenizer)
    if known is None or known[0] != size:
        tokens = token_bytes(tokenizer)
        _TOKENS[tokenizer] = known = (size, (tokens, check_spelling(tokenizer, tokens)))
    return known[1]
