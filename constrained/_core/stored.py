"""`StoredGrammar`: a grammar as the core reads it, kept in bytes; nodes are made when asked for."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Iterator
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from constrained._core.lowering import lower
from constrained._core.native import CoreError, Program
from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
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
from constrained.grammar.rules import Grammar, LaterRules
from constrained.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["StoredGrammar", "grammar_bytes", "grammar_from_bytes"]

_NUMBER = 4  # bytes of an int32
_SIZES = 4  # int32 numbers before the arrays: lengths of code, bodies and pool, and the start
_NODE_NUMBERS = 16  # int32 numbers of a node, on average, at most

MOST_TEXT = 2**26
"""Bytes of all literals of a stored grammar, at most."""


class StoredGrammar(Grammar):
    """A grammar that was lowered before: engines load its `program` as it is.

    `start` and `rules` are made from the program when they are first looked at.
    """

    program: Program

    def __init__(self, program: Program) -> None:
        object.__setattr__(self, "program", program)

    def __repr__(self) -> str:
        return f"<stored grammar of {len(self.program.bodies) // _NUMBER} rules>"

    @cached_property
    def _nodes(self) -> list[Node]:
        return list(_raised(self.program))

    @cached_property
    def start(self) -> Node:
        """The start node."""
        return self._nodes[self.program.start]

    @cached_property
    def rules(self) -> Mapping[str, Node]:
        """The rules, named by number."""
        bodies = array("i", self.program.bodies)
        return MappingProxyType({str(i): self._nodes[body] for i, body in enumerate(bodies)})


def grammar_bytes(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The grammar, lowered with all its rules, as bytes; errors as for `lower`.

    Little-endian int32 numbers (lengths of code, bodies and pool, the start node, the code, the
    bodies), then the pool; compressed with zlib at its fastest.

    >>> from constrained.grammar import literal
    >>> grammar_from_bytes(grammar_bytes(Grammar(literal("yes")))).start
    Literal(data=b'yes')
    """
    program = grammar.program if isinstance(grammar, StoredGrammar) else lower(grammar, limits)
    if isinstance(rules := grammar.rules, LaterRules):
        for reason in rules.left_out:
            raise reason
    code, bodies, pool = program.code, program.bodies, program.pool
    if len(pool) > MOST_TEXT or len(code) + len(bodies) > _NUMBER * _most_numbers(limits):
        raise LimitExceeded("max_nodes", limits.max_nodes, "storing a grammar")
    sizes = array("i", [len(code) // _NUMBER, len(bodies) // _NUMBER, len(pool), program.start])
    numbers = array("i", sizes.tobytes() + code + bodies)
    return zlib.compress(_little_endian(numbers).tobytes() + pool, 1)


def grammar_from_bytes(data: bytes, limits: Limits = DEFAULT_LIMITS) -> StoredGrammar:
    """What `grammar_bytes` wrote, checked: whatever is done with it later, it is a grammar.

    Raises `InvalidSpec` for other bytes, and `LimitExceeded` for a grammar beyond
    `limits.max_nodes`, before it takes memory.
    """
    most = _NUMBER * (_SIZES + _most_numbers(limits)) + MOST_TEXT
    try:
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(data, most + 1)
        if len(raw) > most:
            raise LimitExceeded("max_nodes", limits.max_nodes, "unpacking a stored grammar")
        if not unpacking.eof or unpacking.unused_data:
            raise ValueError
        code, bodies, pool, start = _little_endian(array("i", raw[: _NUMBER * _SIZES]))
        end = _NUMBER * (_SIZES + code + bodies)
        if min(code, bodies, pool) < 0 or len(raw) != end + pool:
            raise ValueError
        if code + bodies > _most_numbers(limits) or pool > MOST_TEXT:
            raise LimitExceeded("max_nodes", limits.max_nodes, "reading a stored grammar")
        numbers = _little_endian(array("i", raw[_NUMBER * _SIZES : end]))
        program = Program(numbers[:code].tobytes(), raw[end:], numbers[code:].tobytes(), start)
        program.check(limits.max_nodes)
    except CoreError as error:
        limit, message = error.args
        if limit:
            raise LimitExceeded(limit, getattr(limits, limit), message) from None
        raise _damaged() from None
    except (zlib.error, ValueError):
        raise _damaged() from None
    return StoredGrammar(program)


def _most_numbers(limits: Limits) -> int:
    return _NODE_NUMBERS * limits.max_nodes + 1_000  # few nodes may be wide ones


def _damaged() -> InvalidSpec:
    return InvalidSpec("these bytes hold no grammar, or are damaged", hint="compile it again")


def _little_endian(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers = array("i", numbers)
        numbers.byteswap()
    return numbers


def _raised(program: Program) -> Iterator[Node]:
    """The nodes of a program in its order: the inverse of lowering."""
    nodes: list[Node] = []
    numbers = iter(array("i", program.code))
    pool = program.pool

    def take(count: int) -> list[int]:
        return [next(numbers) for _ in range(count)]

    def texts(count: int) -> list[bytes]:
        places = take(2 * count)
        pairs = zip(places[::2], places[1::2], strict=True)
        return [pool[offset : offset + length] for offset, length in pairs]

    def pairs(count: int) -> tuple[tuple[int, int], ...]:
        bounds = take(2 * count)
        return tuple(zip(bounds[::2], bounds[1::2], strict=True))

    def parts() -> tuple[Node, ...]:
        return tuple(nodes[i] for i in take(next(numbers)))

    def made(operation: int) -> Node:
        match operation:
            case 0:
                return Nothing()
            case 1:
                return Empty()
            case 2:
                return Bytes(pairs(next(numbers)))
            case 3:
                return Literal(texts(1)[0])
            case 4:
                return Literals(tuple(texts(next(numbers))))
            case 5:
                return Cat(parts())
            case 6:
                return Alt(parts())
            case 7:
                body, least, most = take(3)
                return Repeat(nodes[body], least, None if most < 0 else most)
            case 8:
                return Ref(str(next(numbers)))
            case 9:
                return And(parts())
            case 10:
                return Not(nodes[next(numbers)])
            case 11:
                return Lexeme(nodes[next(numbers)])
            case 12:
                return Chars(pairs(next(numbers)))
            case 13:
                count = next(numbers)
                return Substrings(texts(1)[0], tuple(take(count)) or None)
        raise _damaged()

    for operation in numbers:
        nodes.append(made(operation))
        yield nodes[-1]
