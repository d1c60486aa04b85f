"""Outputs of a spec: all of them in order, or a varied few at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from constrained.arguments import whole_number
from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, LimitExceeded, UnsupportedSpec
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.automaton import explore
from constrained.spec.finiteness import finiteness
from constrained.spec.spec import Spec

__all__ = ["all_outputs", "enumerate_outputs", "examples"]

ATTEMPTS = 20
"""Draws for each example asked for, before fewer are returned."""

VAIN = 1_000
"""Draws in a row that find nothing new, before fewer are returned."""

BYTES_AT_LEAST, BYTES_OF_AN_EXAMPLE = 50_000, 2_000
"""Bytes that all draws of one call may have: some tenths of a second for a few examples."""

LETTERS_AND_DIGITS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
PRINTABLE = frozenset(range(0x20, 0x7F))
COMMON_LEADS = frozenset([*range(0xC3, 0xCB), *range(0xE4, 0xEA)])
"""First bytes of characters that fonts have: Latin, Chinese, Japanese."""


def all_outputs(engine: ByteEngine, most_steps: int | None = None) -> Iterator[bytes]:
    """The outputs of an engine whose spec is finite, each once, sorted; lazily.

    Those that are met within `most_steps` bytes, if that is given.
    """
    output = bytearray()
    ways = [_onward(engine, engine.start)]  # for each byte of the output, and after it
    steps = 0
    if engine.accepting(engine.start):
        yield b""
    while ways:
        if not ways[-1]:
            ways.pop()
            if output:
                output.pop()
            continue
        if steps == most_steps:
            return
        steps += 1
        byte, state = ways[-1].pop()
        output.append(byte)
        if engine.accepting(state):
            yield bytes(output)
        ways.append(_onward(engine, state))


def _onward(engine: ByteEngine, state: int) -> list[tuple[int, int]]:
    """The next bytes and the states after them, the first one last."""
    onward = [(byte, to) for data, to in engine.transitions(state) for byte in data]
    onward.sort(reverse=True)
    return onward


def enumerate_outputs(spec: Spec[Any], limit: int | None, limits: Limits) -> Iterator[str]:
    """See `Spec.enumerate`; refusals are raised at once, not when the first output is taken."""
    if limit is not None:
        whole_number(limit, "limit", InvalidSpec, least=0)
    found = finiteness(spec.grammar, limits)
    if found.finite is None:
        raise UnsupportedSpec(
            "enumerate", f"cannot tell whether {spec!r} is finite: {found.reason}"
        )
    if not found.finite:
        raise UnsupportedSpec(
            "enumerate",
            f"{_shortened(spec)} has infinitely many outputs: {found.reason}",
            hint="bound its lengths, or use examples()",
        )
    if limit is None:
        automaton = explore(spec.engine, limits.max_states)
        order = automaton.order() if automaton.complete else None
        if order is not None and automaton.count(order) > limits.max_outputs:
            raise _too_many(spec, limits)
        return _counted(spec, limits)
    return (_text(output) for output in islice(all_outputs(spec.engine), limit))


def _counted(spec: Spec[Any], limits: Limits) -> Iterator[str]:
    for number, output in enumerate(all_outputs(spec.engine)):
        if number == limits.max_outputs:
            raise _too_many(spec, limits)
        yield _text(output)


def _too_many(spec: Spec[Any], limits: Limits) -> LimitExceeded:
    return LimitExceeded(
        "max_outputs", limits.max_outputs, f"listing the outputs of {_shortened(spec)}"
    )


def _text(output: bytes) -> str:
    try:
        return output.decode("utf-8")
    except UnicodeDecodeError:
        raise UnsupportedSpec("enumerate", f"the output {output!r} is not UTF-8 text") from None


def _shortened(spec: Spec[Any]) -> str:
    return spec.source if len(spec.source) <= 60 else spec.source[:57] + "..."


def examples(spec: Spec[Any], n: int, seed: int) -> list[str]:
    """See `Spec.examples`: later draws are longer; a draw that was seen before is thrown away."""
    whole_number(n, "n", InvalidSpec, least=0)
    draws = random.Random(whole_number(seed, "seed", InvalidSpec))
    engine = spec.engine
    room = BYTES_AT_LEAST + BYTES_OF_AN_EXAMPLE * n
    shortest = engine.distance(engine.start)
    if shortest > room:
        raise UnsupportedSpec(
            "examples",
            f"the shortest output of {_shortened(spec)} has {shortest:,} bytes or more, "
            "which are too many to draw",
            hint="draw from a spec with smaller lengths",
        )
    found: dict[str, None] = {}

    def keep(output: bytes) -> None:
        with suppress(UnicodeDecodeError):  # outputs that are no text are no examples
            found[output.decode("utf-8")] = None

    vain = 0
    for attempt in range(n * ATTEMPTS):
        if len(found) == n or shortest > room or vain == VAIN:
            break
        output = _draw(engine, draws, draws.randint(0, 3 + attempt), room)
        room -= len(output)
        known = len(found)
        keep(output)
        vain = vain + 1 if len(found) == known else 0
    if len(found) < n and finiteness(spec.grammar, DEFAULT_LIMITS).finite:
        for output in islice(all_outputs(engine, room), n * ATTEMPTS):
            if len(found) < n:
                keep(output)
    return sorted(found, key=lambda text: (len(text), text))


def _draw(engine: ByteEngine, draws: random.Random, choices: int, room: int) -> bytes:
    """An output: at most `choices` free choices, then a random one of the shortest ways out.

    No choice is made after which the output would be longer than `room`.
    """
    output = bytearray()
    state = engine.start
    while choices:
        ways = sorted(engine.transitions(state))
        if not ways or (engine.accepting(state) and draws.random() < 0.25):
            break
        data, to = draws.choices(ways, [_weight(data) for data, _ in ways])[0]
        if engine.distance(to) >= room - len(output):
            break
        choices -= len(ways) > 1 or len(data) > 1
        output.append(_byte(data, draws))
        state = to
    while not engine.accepting(state):
        left = engine.distance(state) - 1
        ways = sorted(engine.transitions(state))
        data, state = draws.choice([way for way in ways if engine.distance(way[1]) == left])
        output.append(_byte(data, draws))
    return bytes(output)


def _weight(data: bytes) -> float:
    """Readable classes are drawn more often than control and non-ASCII characters."""
    if not LETTERS_AND_DIGITS.isdisjoint(data):
        return 3.0
    if not PRINTABLE.isdisjoint(data):
        return 1.0
    return 0.02 if min(data) < 0xF0 else 0.0005


def _byte(data: bytes, draws: random.Random) -> int:
    kinds = [LETTERS_AND_DIGITS] if draws.random() < 0.8 else []
    for kind in (*kinds, PRINTABLE, COMMON_LEADS):
        some = [byte for byte in data if byte in kind]
        if some:
            return draws.choice(some)
    return draws.choice(list(data))
