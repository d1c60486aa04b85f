"""`Engine` and `ByteEngine`: pure functions over integer states, the one wide seam of the library.

A state is an integer that stands for everything that may still follow. States are never changed:
rolling back is dropping integers from a list, a fork copies the list, a beam reorder indexes it.
Laws that the tests hold these classes to are in ``docs/explanation/engine.md``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from constrained._core import native
from constrained._core.dead_ends import DeadEnds
from constrained._core.lowering import Lowering, lower
from constrained._core.stored import StoredGrammar
from constrained.collection import collection_paused
from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    SpellingWarning,
    TokenRejected,
    UnsatisfiableSpec,
    UnsupportedSpec,
    VocabularyError,
)
from constrained.grammar.passes import Loss
from constrained.grammar.passes.joining import NOTHING_JOINED, spelled
from constrained.grammar.rules import Grammar, LaterRules
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits
from constrained.vocabulary import Vocabulary

__all__ = ["ByteEngine", "Engine"]

P = ParamSpec("P")
R = TypeVar("R")

_DEAD = 0
_INFINITE = 2**32 - 1


def _describe(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _describe_class(data: bytes) -> str:
    """Byte ranges for people: ``'0'-'9'``; bytes of longer characters are summed up."""
    ascii_bytes = [b for b in data if b < 0x80]
    parts: list[str] = []
    begin = 0
    for i in range(1, len(ascii_bytes) + 1):
        if i == len(ascii_bytes) or ascii_bytes[i] != ascii_bytes[i - 1] + 1:
            low, high = chr(ascii_bytes[begin]), chr(ascii_bytes[i - 1])
            if i - begin > 2:
                parts.append(f"{low!r}-{high!r}")
            else:
                parts.extend(repr(chr(b)) for b in ascii_bytes[begin:i])
            begin = i
    if len(ascii_bytes) < len(data):
        parts.append("non-ASCII characters")
    return " ".join(parts)


class ByteEngine:
    """A grammar, run byte by byte.

    Raises `UnsatisfiableSpec` when nothing at all matches, `LimitExceeded` when the grammar or a
    call needs more than `limits`, `InvalidSpec` for a left-recursive rule (rewrite it with
    `constrained.grammar.passes.without_left_recursion` first).

    >>> from constrained.grammar import Grammar, literals
    >>> engine = ByteEngine(Grammar(literals(["yes", "no"])))
    >>> state = engine.advance_bytes(engine.start, b"y")
    >>> engine.forced(state)
    b'es'
    """

    def __init__(self, grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> None:
        check_limits(limits)
        self.grammar = grammar
        self.limits = limits
        self._core = self._load()
        self.start: int = self._core.start
        if self.start == _DEAD:
            raise UnsatisfiableSpec("no text matches this spec")

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Raise `UnsupportedSpec`: states are numbers of this process."""
        raise UnsupportedSpec(
            "pickle",
            "an engine cannot be pickled",
            hint="send the spec's to_bytes() and the vocabulary, and make the engine there",
        )

    def _tokens(self) -> native.Vocabulary | None:
        return None

    @collection_paused()
    def _load(self) -> native.Core:
        limits = self.limits
        fetch: Callable[[int], native.Program] | None = None
        least: Callable[[int], int] | None = None
        if isinstance(self.grammar, StoredGrammar):
            program = self.grammar.program
        elif isinstance(rules := self.grammar.rules, LaterRules):
            lowering = Lowering(self.grammar.start, rules, limits)
            program, fetch, least = lowering.first, lowering.fetch, lowering.least
        else:
            program = lower(self.grammar, limits)
        return self._call(
            native.Core,
            self._tokens(),
            program,
            native.Bounds(
                limits.max_terms,
                limits.max_steps,
                limits.max_nodes,
                limits.max_depth,
                limits.max_mask_bytes,
            ),
            fetch,
            least,
        )

    def _call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except native.CoreError as error:
            limit, message = error.args
            if limit:
                value = getattr(self.limits, limit)
                raise LimitExceeded(limit, value, message) from None
            raise InvalidSpec(message) from None

    def advance_bytes(self, state: int, data: bytes) -> int | None:
        """The state after `data`, or None when no output continues so.

        Raises why a part of the spec was left out when `data` may go on with that part.
        """
        following = self._call(self._core.advance_bytes, state, data)
        if not following and isinstance(rules := self.grammar.rules, LaterRules):
            for reason in rules.left_out:
                raise reason
        return following or None

    def accepting(self, state: int) -> bool:
        """Whether the output may end here."""
        return self._core.accepting(state)

    def final(self, state: int) -> bool:
        """Whether the output must end here: accepting, and nothing can follow."""
        return self._call(self._core.final, state)

    def forced(self, state: int) -> bytes:
        """The longest certain continuation; empty when there is a choice, ending included."""
        return self._call(self._core.forced, state)

    def distance(self, state: int) -> int:
        """Fewest bytes to an accepting state."""
        return self._call(self._core.distance, state)

    def completion(self, state: int) -> bytes:
        """`distance(state)` bytes that complete the output; always the same ones.

        The completion after a prefix of a completion is the rest of it.
        """
        return self._call(self._core.completion, state)

    def transitions(self, state: int) -> list[tuple[bytes, int]]:
        """All ways on: (the bytes of one class, the state after any of them)."""
        return self._call(self._core.transitions, state)

    def expected(self, state: int) -> str:
        """What may follow, for people."""
        forced = self.forced(state)
        if forced:
            return _describe(forced)
        choices = list(dict.fromkeys(_describe_class(data) for data, _ in self.transitions(state)))
        if self.accepting(state):
            choices.append("the end")
        shown = choices[:6] + (["..."] if len(choices) > 6 else [])
        return " or ".join(shown)

    @property
    def stats(self) -> dict[str, int]:
        """Counters: terms made by this engine, terms and bytes of the store it shares."""
        return self._core.stats()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(expects {self.expected(self.start)})"


def _shortest(grammar: Grammar, limits: Limits) -> bytes | None:
    """The shortest text of a grammar; None when nothing matches."""
    try:
        engine = ByteEngine(grammar, limits)
    except UnsatisfiableSpec:
        return None
    return engine.completion(engine.start)


class Engine(ByteEngine):
    """A grammar and a vocabulary: token masks.

    Engines of one vocabulary share terms and masks, those of one grammar all of them. Raises what
    `ByteEngine` raises, and `VocabularyError` when the tokenizer cannot spell the format. When it
    cannot spell some parts of it, those are left out, and a `SpellingWarning` says so.

    >>> from constrained.grammar import Grammar, literals
    >>> from constrained.vocabulary import Vocabulary
    >>> tokens = [b"ye", b"s", b"no", b"n", b"o", b"y", b"e", None]
    >>> engine = Engine(Grammar(literals(["yes", "no"])), Vocabulary(tokens, end_ids=[7]))
    >>> engine.allowed(engine.start).tolist()
    [0, 2, 3, 5]
    """

    def __init__(
        self, grammar: Grammar, vocabulary: Vocabulary, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.vocabulary = vocabulary
        self.ended = -1
        spelling, loss = vocabulary.spelling, Loss()
        shortest = partial(_shortest, limits=limits)
        super().__init__(spelled(grammar, spelling, loss, shortest), limits)
        self._dead_ends: DeadEnds | None = None
        if spelling is not None and not spelling.prefix_free:
            self._dead_ends = DeadEnds(self._core, spelling.pieces, limits)
            if self._call(self._dead_ends.way, self.start) is None:
                raise VocabularyError(NOTHING_JOINED)
        if loss:
            warnings.warn(
                f"the tokenizer cannot spell {loss}: outputs with that are left out (use a "
                "tokenizer with byte tokens to have them)",
                SpellingWarning,
                stacklevel=2,
            )

    def _tokens(self) -> native.Vocabulary | None:
        return self.vocabulary.native

    def _load(self) -> native.Core:
        return self.vocabulary.loaded.core(self.grammar, self.limits, super()._load)

    @property
    def width(self) -> int:
        """The model's logits width: bits of a mask row."""
        return self.vocabulary.width

    @property
    def words(self) -> int:
        """int32 words of a mask row."""
        return (self.vocabulary.width + 31) // 32

    def advance(self, state: int, token: int) -> int:
        """The state after `token`; an end token leads from an accepting state to `ended`.

        Raises `TokenRejected` for a token outside the mask.
        """
        if state != self.ended:
            try:
                following = self._core.advance(state, token) if token >= 0 else _DEAD
            except native.CoreError:
                following = self._call(self._core.advance, state, token)
            if self._lives(following):
                return following
        if token in self.vocabulary.end_ids and self.accepting(state):
            return self.ended
        raise TokenRejected(state, token, self.expected(state))

    def allows(self, state: int, token: int) -> bool:
        """Whether `token` may come next."""
        if token in self.vocabulary.end_ids and self.accepting(state):
            return True
        if state == self.ended or token < 0:
            return False
        return self._lives(self._call(self._core.advance, state, token))

    def _lives(self, state: int) -> bool:
        """Whether tokens lead to an end from a state of the core, after a token."""
        ends = self._dead_ends
        return state != _DEAD and (ends is None or self._call(ends.way, state) is not None)

    def accepting(self, state: int) -> bool:
        """Whether the output may end here (the ended output has)."""
        return state == self.ended or self._core.accepting(state)

    def fill_mask(self, state: int, row: NDArray[np.int32]) -> None:
        """Write the mask of `state`: bit t of the row is set exactly when token t may come next.

        `row`: int32, shape (`words`,), C-contiguous, writable. Bits beyond the width are 0; the
        bits of the end tokens are set exactly when the state is accepting.
        """
        if state == self.ended:
            row[:] = 0
            for token in self.vocabulary.end_ids:
                row.view(np.uint32)[token >> 5] |= np.uint32(1 << (token & 31))
            return
        try:
            self._core.fill_mask(state, row)
        except native.CoreError:
            self._call(self._core.fill_mask, state, row)
        if self._dead_ends is not None:
            self._call(self._dead_ends.fill_mask, state, row)

    def fill_masks(
        self, states: Sequence[int], rows: NDArray[np.int32], *, threads: int | None = None
    ) -> None:
        """`fill_mask` for a batch: row i of `rows` gets the mask of state i.

        `rows`: int32, shape (number of states, `words`), C-contiguous, writable. Masks that are
        not known yet are made on up to `threads` threads (None: one per processor core) outside
        the GIL.
        """
        live = [self.start if state == self.ended else state for state in states]
        count = os.cpu_count() or 1 if threads is None else threads
        self._call(self._core.fill_masks, live, rows, max(count, 1))
        for row, state in zip(rows, states, strict=True):
            if state == self.ended:
                self.fill_mask(state, row)
            elif self._dead_ends is not None:
                self._call(self._dead_ends.fill_mask, state, row)

    def fill_mask_within(self, state: int, row: NDArray[np.int32], budget: int) -> None:
        """Like `fill_mask`, but only tokens after which `cost` is at most ``budget - 1``.

        While ``cost(state) <= budget`` the row keeps at least one token or the state is accepting,
        so an output can always be completed inside its budget. `row` as for `fill_mask`.
        """
        if state == self.ended:
            self.fill_mask(state, row)
        elif self._dead_ends is not None:
            self._call(self._core.fill_mask, state, row)
            self._call(self._dead_ends.fill_mask_within, state, row, budget)
        else:
            self._call(self._core.fill_mask_within, state, row, max(budget, 0))

    def allowed(self, state: int) -> NDArray[np.int32]:
        """The token ids of the mask, ascending: int32, shape (number of tokens,)."""
        row = np.zeros(self.words, dtype=np.int32)
        self.fill_mask(state, row)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        return np.flatnonzero(bits).astype(np.int32)

    def cost(self, state: int) -> int:
        """Tokens that spell `completion(state)`; the fewest, where no token begins another."""
        if state == self.ended:
            return 0
        if self._dead_ends is not None:
            way = self._call(self._dead_ends.way, state)
            tokens = _INFINITE if way is None else way.pieces
        else:
            tokens = self._call(self._core.cost, state)
        if tokens == _INFINITE:
            text = _describe(self.completion(state))
            raise VocabularyError(f"the tokenizer cannot spell {text}")
        return tokens

    def forced(self, state: int) -> bytes:
        """The longest certain continuation; empty when there is a choice, ending included."""
        return b"" if state == self.ended else super().forced(state)

    def final(self, state: int) -> bool:
        """Whether the output must end here: accepting, and nothing can follow."""
        return state == self.ended or super().final(state)

    def expected(self, state: int) -> str:
        """What may follow, for people."""
        return "the end" if state == self.ended else super().expected(state)

    def distance(self, state: int) -> int:
        """Fewest bytes to an accepting state."""
        if state == self.ended:
            return 0
        way = None if self._dead_ends is None else self._call(self._dead_ends.way, state)
        return super().distance(state) if way is None else way.length

    def completion(self, state: int) -> bytes:
        """`distance(state)` bytes that complete the output; always the same ones."""
        if state == self.ended:
            return b""
        way = None if self._dead_ends is None else self._call(self._dead_ends.way, state)
        if self._dead_ends is None or way is None:
            return super().completion(state)
        return self._call(self._dead_ends.completion, state)

    def transitions(self, state: int) -> list[tuple[bytes, int]]:
        """All ways on: (the bytes of one class, the state after any of them)."""
        return [] if state == self.ended else super().transitions(state)

    def advance_bytes(self, state: int, data: bytes) -> int | None:
        """The state after `data`, or None when no output continues so."""
        if state == self.ended:
            return None if data else state
        return self._call(self._core.advance_bytes, state, data) or None
