"""Lower a grammar to the flat program that the native core loads (format: `_core/program.h`)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from constrained.collection import collection_paused
from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Grammar,
    LaterRules,
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

__all__ = ["AT_ONCE", "Lowering", "Program", "lower"]

AT_ONCE = 400
"""Nodes that are lowered before the first mask: about a millisecond's worth."""

_WITH_PARTS = (Cat, Alt, And)
_WITH_BODY = (Repeat, Not, Lexeme)
_TYPICAL = 40  # nodes of a rule
_LARGEST_COUNT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Program:
    """A lowered grammar: the int32 array `code`, the literals' bytes and the start node.

    `bodies` are the nodes of the rules (int32), `keys` their keys where later programs name them
    (int32), else empty.
    """

    code: array[int]
    pool: bytes
    bodies: array[int]
    start: int
    keys: array[int] = field(default_factory=lambda: array("i"))


def lower(grammar: Grammar, limits: Limits = DEFAULT_LIMITS) -> Program:
    """Number the grammar's nodes in post-order and write them down, rules and all.

    Only rules that can be reached are lowered. Raises `InvalidSpec` for a `Ref` without a rule and
    `LimitExceeded` for a grammar beyond `limits.max_nodes`.

    >>> from constrained.grammar import Grammar, literal
    >>> lower(Grammar(literal("ab"))).pool
    b'ab'
    """
    return _Writer(grammar.rules, limits, limits.max_nodes).program(grammar.start)


class Lowering:
    """Lowers a grammar with `LaterRules` piece by piece: `first` now, the rest when asked for.

    The first program has the rules nearest to the start, up to `AT_ONCE` nodes; other rules that
    may wait are named by keys, and `fetch(key)` lowers one of them. Errors are those of `lower`.
    """

    def __init__(self, start: Node, rules: LaterRules, limits: Limits = DEFAULT_LIMITS) -> None:
        self._rules = rules
        self._limits = limits
        self._keys: dict[str, int] = {}
        self._names: list[str] = []
        self.first = _Writer(rules, limits, AT_ONCE, self._key, rules.may_wait).program(start)

    def fetch(self, key: int) -> Program:
        """The program of the rule with this key; rules that it names are named by key."""
        with collection_paused():
            body = self._rules[self._names[key]]
            writer = _Writer(self._rules, self._limits, 0, self._key, self._rules.may_wait)
            return writer.program(body)

    def _key(self, name: str) -> int:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = len(self._names)
            self._names.append(name)
        return key


class _Writer:
    """Writes one program; `key` names the rules beyond `at_once` nodes (None: all fit)."""

    def __init__(
        self,
        rules: Mapping[str, Node],
        limits: Limits,
        at_once: int,
        key: Callable[[str], int] | None = None,
        waits: Callable[[str], bool] = lambda name: False,  # noqa: ARG005 - as LaterRules.may_wait
    ) -> None:
        self.rules = rules
        self.limits = limits
        self.at_once = at_once
        self.key = key
        self.waits = waits
        self.code = array("i")
        self.pool = bytearray()
        self.number: dict[int, int] = {}  # id(node) -> its number
        self.by_value: dict[Node, int] = {}  # equal leaves share a number
        self.rule_number: dict[str, int] = {}
        self.bodies: list[Node] = []
        self.count = 0
        self.weight = 0
        self.done = 0

    def program(self, start: Node) -> Program:
        self.below(start)
        while self.done < len(self.bodies):  # lowering a body may reach further rules
            body = self.bodies[self.done]
            self.done += 1
            self.below(body)
        keys = array("i")
        if self.key is not None:
            keys.extend([self.key(name) if self.waits(name) else -1 for name in self.rule_number])
        return Program(
            self.code,
            bytes(self.pool),
            array("i", [self.number[id(body)] for body in self.bodies]),
            self.number[id(start)],
            keys,
        )

    def below(self, root: Node) -> None:
        number, by_value, write = self.number, self.by_value, self.write
        stack: list[Node | None] = [root]
        while stack:
            node = stack.pop()
            if node is None:  # all below the next is written
                node = stack.pop()
                if node is None or id(node) in number:
                    continue
                number[id(node)] = write(node)
            elif id(node) in number:
                continue
            elif isinstance(node, _WITH_PARTS):
                stack += (node, None)
                stack += node.parts
                continue
            elif isinstance(node, _WITH_BODY):
                stack += (node, None, node.body)
                continue
            else:
                known = by_value.get(node)
                if known is None:
                    by_value[node] = known = write(node)
                number[id(node)] = known
                if isinstance(node, Literals):
                    self.weight += len(node.options) - 1
            self.weight += 1
            if self.weight > self.limits.max_nodes:
                raise LimitExceeded("max_nodes", self.limits.max_nodes, "compiling the spec")

    def write(self, node: Node) -> int:
        code, pool, number = self.code, self.pool, self.number
        # The most frequent kinds first: this is where lowering spends its time.
        if isinstance(node, _WITH_PARTS):
            code.append(5 if isinstance(node, Cat) else 6 if isinstance(node, Alt) else 9)
            code.append(len(node.parts))
            code.extend([number[id(part)] for part in node.parts])
        elif isinstance(node, Literal):
            code.extend((3, len(pool), len(node.data)))
            pool += node.data
        elif isinstance(node, (Chars, Bytes)):
            code.extend((2 if isinstance(node, Bytes) else 12, len(node.ranges)))
            code.extend(chain.from_iterable(node.ranges))
        elif isinstance(node, Repeat):
            least, most = node.least, -1 if node.most is None else node.most
            if max(least, most) > _LARGEST_COUNT:
                raise LimitExceeded("max_nodes", self.limits.max_nodes, "counting repetitions")
            code.extend((7, number[id(node.body)], least, most))
        elif isinstance(node, Ref):
            self.refer(node.name)
        elif isinstance(node, (Lexeme, Not)):
            code.extend((11 if isinstance(node, Lexeme) else 10, number[id(node.body)]))
        elif isinstance(node, Literals):
            code.extend((4, len(node.options)))
            for data in node.options:
                code.extend((len(pool), len(data)))
                pool += data
        elif isinstance(node, (Nothing, Empty)):
            code.append(0 if isinstance(node, Nothing) else 1)
        else:
            raise InvalidSpec(f"{type(node).__name__} is not a grammar node")
        self.count += 1
        return self.count - 1

    def refer(self, name: str) -> None:
        rule = self.rule_number.get(name)
        if rule is None:
            waiting = len(self.bodies) - self.done
            enough = self.weight + waiting * _TYPICAL >= self.at_once
            if enough and self.key is not None and self.waits(name):
                self.code.extend((13, self.key(name)))
                return
            if name not in self.rules:
                known = ", ".join(sorted(self.rules)[:10]) or "none"
                raise InvalidSpec(f"no rule named {name!r}", hint=f"rules: {known}")
            rule = self.rule_number[name] = len(self.bodies)
            self.bodies.append(self.rules[name])
        self.code.extend((8, rule))
