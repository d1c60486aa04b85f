"""Lower a grammar to the flat program that the native core loads (format: `_core/program.h`)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar.nodes import (
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
)
from constrained.limits import DEFAULT_LIMITS, Limits

__all__ = ["Program", "lower"]

_LARGEST_COUNT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Program:
    """A lowered grammar: int32 arrays `code` and `bodies`, the literals' bytes, the start node."""

    code: array[int]
    pool: bytes
    bodies: array[int]
    start: int


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, (Cat, Alt, And)):
        yield from node.parts
    elif isinstance(node, (Repeat, Not, Lexeme)):
        yield node.body


def lower(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> Program:
    """Number the grammar's nodes in post-order and write them down.

    Only rules that can be reached are lowered. Raises `InvalidSpec` for a `Ref` without a rule and
    `LimitExceeded` for a grammar beyond `limits.max_nodes`.

    >>> from constrained.grammar import Grammar, literal
    >>> lower(Grammar(literal("ab"))).pool
    b'ab'
    """
    code = array("i")
    pool = bytearray()
    number: dict[int, int] = {}  # id(node) -> its number; `keep` holds nodes made on the way
    by_value: dict[Node, int] = {}  # equal leaves share a number
    rule_number: dict[str, int] = {}
    bodies: list[Node] = []
    count = 0
    weight = 0

    def write(node: Node) -> int:
        nonlocal count
        match node:
            case Nothing():
                code.append(0)
            case Empty():
                code.append(1)
            case Bytes(ranges) | Chars(ranges):
                code.append(2 if isinstance(node, Bytes) else 12)
                code.append(len(ranges))
                for low, high in ranges:
                    code.append(low)
                    code.append(high)
            case Literal(data):
                code.extend((3, len(pool), len(data)))
                pool.extend(data)
            case Literals(options):
                code.extend((4, len(options)))
                for data in options:
                    code.extend((len(pool), len(data)))
                    pool.extend(data)
            case Cat(parts) | Alt(parts) | And(parts):
                code.append(5 if isinstance(node, Cat) else 6 if isinstance(node, Alt) else 9)
                code.append(len(parts))
                code.extend([number[id(part)] for part in parts])
            case Repeat(body, least, most):
                if max(least, most or 0) > _LARGEST_COUNT:
                    raise LimitExceeded("max_nodes", limits.max_nodes, "counting repetitions")
                code.extend((7, number[id(body)], least, -1 if most is None else most))
            case Ref(name):
                if name not in rule_number:
                    if name not in grammar.rules:
                        known = ", ".join(sorted(grammar.rules)[:10]) or "none"
                        raise InvalidSpec(f"no rule named {name!r}", hint=f"rules: {known}")
                    rule_number[name] = len(bodies)
                    bodies.append(grammar.rules[name])
                code.extend((8, rule_number[name]))
            case Not(body):
                code.extend((10, number[id(body)]))
            case Lexeme(body):
                code.extend((11, number[id(body)]))
            case _:
                raise InvalidSpec(f"{type(node).__name__} is not a grammar node")
        count += 1
        return count - 1

    def number_below(root: Node) -> None:
        nonlocal weight
        stack: list[tuple[Node, bool]] = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in number:
                continue
            inner = isinstance(node, (Cat, Alt, And, Repeat, Not, Lexeme))
            if inner and not ready:
                stack.append((node, True))
                stack.extend((child, False) for child in _children(node) if id(child) not in number)
                continue
            if inner:
                number[id(node)] = write(node)
            else:
                known = by_value.get(node)
                if known is None:
                    by_value[node] = known = write(node)
                number[id(node)] = known
            weight += len(node.options) if isinstance(node, Literals) else 1
            if weight > limits.max_nodes:
                raise LimitExceeded("max_nodes", limits.max_nodes, "compiling the spec")

    number_below(grammar.start)
    done = 0
    while done < len(bodies):  # lowering a body may reach further rules
        number_below(bodies[done])
        done += 1
    return Program(
        code,
        bytes(pool),
        array("i", [number[id(body)] for body in bodies]),
        number[id(grammar.start)],
    )
