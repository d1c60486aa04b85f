"""What a spec can say of its outputs before any model runs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from math import ceil, inf
from typing import Any

from constrained.engine import ByteEngine, Engine
from constrained.limits import Limits
from constrained.spec.automaton import (
    Automaton,
    characters_in,
    explore,
    fewest_characters,
)
from constrained.spec.finiteness import finiteness
from constrained.spec.members import all_outputs
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["Summary", "summarise"]

PREFIX_EXAMPLES = 3
COUNTED_OUTPUTS = 10_000
"""Outputs whose tokens are counted one by one."""

TOKEN_STEPS = 200_000
"""Tokens tried for the fewest of an output: some tenths of a second."""


@dataclass(frozen=True)
class Summary:
    """Facts about the outputs of a spec; None where a fact does not exist or could not be told.

    >>> from constrained.spec import integer
    >>> print(integer(0, 10).summary())
    11 outputs
    1 to 2 bytes, 1 to 2 characters
    some outputs begin others: '1'
    """

    finite: bool | None
    """Whether the outputs are finitely many: exact; None when it cannot be told within limits."""

    reason: str
    """Why infinite, or what could not be told within limits; else empty."""

    outputs: int | None
    """How many outputs there are, exactly; None when infinite, or (with a `reason`) too many
    states."""

    shortest_bytes: int
    """Length of the shortest output, in bytes of UTF-8."""

    longest_bytes: int | None
    """Length of the longest, in bytes; None when infinite (or too many states)."""

    shortest_characters: int | None
    """The fewest characters of an output; None when that takes too many states to tell."""

    longest_characters: int | None
    """The most characters of an output; None when infinite (or too many states)."""

    prefixes: bool | None
    """Whether some output is the beginning of another, so that only an end token tells them
    apart; None when that takes too many states to tell."""

    prefix_examples: tuple[str, ...]
    """Up to three of the shortest outputs that begin others."""

    beginning: str
    """The text that every output begins with."""

    fewest_tokens: int | None = None
    """The fewest tokens that spell an output, over all outputs and all ways to spell each, the end
    token not counted; None without a vocabulary, or when that takes too much work to tell."""

    most_tokens: int | None = None
    """Over all outputs, the most tokens that one needs when it is spelled with as few as it can
    be, the end token not counted; None without a vocabulary, when infinite, and when there are
    more than 10,000 outputs."""

    leading_space: bool | None = None
    """Whether the vocabulary has a token of a space and the beginning of an output: models like to
    write such a token first, and the format forbids it unless its text begins with the space.
    None without a vocabulary."""

    def __str__(self) -> str:
        lines = [self._outputs()]
        lengths = [
            _range(self.shortest_bytes, self.longest_bytes, "byte"),
            _range(self.shortest_characters, self.longest_characters, "character"),
        ]
        lines.append(", ".join(length for length in lengths if length))
        if self.fewest_tokens is not None or self.most_tokens is not None:
            lines.append(_range(self.fewest_tokens, self.most_tokens, "token"))
        if self.beginning:
            lines.append(f"always begins with {self.beginning!r}")
        if self.prefixes:
            shown = ", ".join(map(repr, self.prefix_examples))
            lines.append(f"some outputs begin others: {shown}")
        elif self.prefixes is not None:
            lines.append("no output begins another")
        if self.leading_space:
            lines.append("the first token may want a leading space")
        return "\n".join(lines)

    def _outputs(self) -> str:
        if self.outputs is not None:
            return _amount(self.outputs, "output")
        if self.finite is None:
            return f"cannot tell whether the outputs are finitely many: {self.reason}"
        kind = "finitely" if self.finite else "infinitely"
        return f"{kind} many outputs: {self.reason}"


def _range(least: int | None, most: int | None, unit: str) -> str:
    if least is None:
        return "" if most is None else f"at most {_amount(most, unit)}"
    if most is None:
        return f"at least {_amount(least, unit)}"
    return _amount(most, unit) if least == most else f"{least:,} to {_amount(most, unit)}"


def _amount(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'s' * (number != 1)}"


def summarise(spec: Spec[Any], vocabulary: Vocabulary | None, limits: Limits) -> Summary:
    """See `Spec.summary`. Raises `VocabularyError` when the tokenizer can spell no output."""
    found = finiteness(spec.grammar, limits)
    engine = spec.engine
    automaton = explore(engine, limits.max_states)
    order = automaton.order() if found.finite and automaton.complete else None
    outputs = None if order is None else automaton.count(order)
    reason = found.reason
    if found.finite and order is None:
        reason = f"more than {limits.max_states:,} states (Limits.max_states)"
    prefixes, examples = _prefixes(automaton)
    fewest, most, space = None, None, None
    if vocabulary is not None:
        tokens = Engine(spec.grammar, vocabulary, limits)
        fewest = _fewest_tokens(tokens)
        if outputs is not None and outputs <= COUNTED_OUTPUTS:
            most = _most_tokens(tokens)
        space = _leading_space(engine, vocabulary)
    return Summary(
        finite=found.finite,
        reason=reason,
        outputs=outputs,
        shortest_bytes=engine.distance(engine.start),
        longest_bytes=None if order is None else automaton.longest(order, lambda _: 1),
        shortest_characters=fewest_characters(engine, limits.max_states),
        longest_characters=None if order is None else automaton.longest(order, characters_in),
        prefixes=prefixes or (False if automaton.complete else None),
        prefix_examples=examples,
        beginning=engine.forced(engine.start).decode("utf-8", "ignore"),
        fewest_tokens=fewest,
        most_tokens=most,
        leading_space=space,
    )


def _prefixes(automaton: Automaton) -> tuple[bool, tuple[str, ...]]:
    """Whether an explored accepting state leads on, and shortest outputs that end in such states.

    Every state leads to an accepting one, so what ends there begins a longer output.
    """
    reached: dict[int, bytes] = {automaton.start: b""}
    some, examples = False, []
    for state, ways in automaton.ways.items():  # breadth first, as explored
        output = reached[state]
        for data, to in ways:
            reached.setdefault(to, output + bytes([max(data, key=_readability)]))
        if ways and state in automaton.accepting:
            some = True
            try:
                examples.append(output.decode("utf-8"))
            except UnicodeDecodeError:
                continue
            if len(examples) == PREFIX_EXAMPLES:
                break
    return some, tuple(examples)


def _readability(byte: int) -> tuple[bool, bool, int]:
    letter = chr(byte).isalnum() and byte < 0x80
    return letter, 0x20 <= byte < 0x7F, -byte


def _fewest_tokens(engine: Engine) -> int | None:
    """Breadth first over tokens; no longer than the tokens of the shortest output."""
    bound = engine.cost(engine.start)
    longest = max(len(token) for token in engine.vocabulary.tokens if token)
    seen = frontier = {engine.start}
    steps = 0
    for tokens in range(bound):
        following: set[int] = set()
        for state in frontier:
            if engine.accepting(state):
                return tokens
            if tokens + ceil(engine.distance(state) / longest) >= bound:
                continue
            for token in engine.allowed(state).tolist():
                following.add(engine.advance(state, token))
                steps += 1
                if steps > TOKEN_STEPS:
                    return None
        frontier = following - seen
        seen = seen | frontier
    return bound


def _most_tokens(engine: Engine) -> int:
    """The greatest of the outputs' fewest tokens, each found position by position."""
    vocabulary = engine.vocabulary
    usable = {token for token in vocabulary.tokens[: vocabulary.width] if token}
    lengths = sorted({len(token) for token in usable})
    fewest: list[float] = [0]  # for every beginning of the output at hand
    previous, most = b"", 0.0
    for output in all_outputs(engine):
        pairs = zip(previous, output, strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        del fewest[shared + 1 :]
        for end in range(shared + 1, len(output) + 1):
            before = (
                fewest[end - length]
                for length in lengths
                if length <= end and output[end - length : end] in usable
            )
            fewest.append(1 + min(before, default=inf))
        previous, most = output, max(most, fewest[-1])
    return int(most)


def _leading_space(engine: ByteEngine, vocabulary: Vocabulary) -> bool:
    return any(
        engine.advance_bytes(engine.start, token[1:]) is not None
        for token in vocabulary.tokens[: vocabulary.width]
        if token and token[:1] == b" " and len(token) > 1
    )
