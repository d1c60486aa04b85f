"""Walks over the nodes of a grammar: iterative, each node object once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard, TypeVar

from constrained.grammar.build import EMPTY, NOTHING, complement, lexeme, repeat
from constrained.grammar.nodes import (
    Alt,
    And,
    Cat,
    Empty,
    Lexeme,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
)

__all__ = ["Memo", "children", "components", "fold", "rebuilt", "sequence", "union", "walk"]

R = TypeVar("R")
Memo = dict[int, tuple[Node, R]]
"""Results by node object; holds the node too, so that its id stays its own."""


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below; a `Ref` has none."""
    match node:
        case Cat(parts) | Alt(parts) | And(parts):
            return parts
        case Repeat(body) | Not(body) | Lexeme(body):
            return (body,)
    return ()


def walk(roots: Iterable[Node], rules: Mapping[str, Node] | None = None) -> Iterator[Node]:
    """Every node below `roots`, parents first; with `rules`, through references as well."""
    seen: set[int] = set()
    stack = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack.extend(reversed(children(node)))
        if rules is not None and isinstance(node, Ref) and node.name in rules:
            stack.append(rules[node.name])


def fold(root: Node, combine: Callable[[Node, list[R]], R], memo: Memo[R]) -> R:
    """`combine` every node with the results of its children, children first."""
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in memo:
            stack.pop()
            continue
        below = children(node)
        missing = [child for child in below if id(child) not in memo]
        if missing:
            stack.extend(reversed(missing))
        else:
            stack.pop()
            memo[id(node)] = (node, combine(node, [memo[id(child)][1] for child in below]))
    return memo[id(root)][1]


def components(
    roots: Iterable[Node], successors: Callable[[Node], Sequence[Node]]
) -> list[list[Node]]:
    """The strongly connected components below `roots`, each after all that it leads to.

    Source: R. Tarjan, Depth-first search and linear graph algorithms, 1972.
    """
    found: list[list[Node]] = []
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[Node] = []
    on_path: set[int] = set()
    for root in roots:
        if id(root) in order:
            continue
        work: list[tuple[Node, Iterator[Node]]] = []
        entering: Node | None = root
        while work or entering is not None:
            if entering is not None:
                order[id(entering)] = low[id(entering)] = len(order)
                path.append(entering)
                on_path.add(id(entering))
                work.append((entering, iter(successors(entering))))
                entering = None
            node, rest = work[-1]
            for child in rest:
                if id(child) not in order:
                    entering = child
                    break
                if id(child) in on_path:
                    low[id(node)] = min(low[id(node)], order[id(child)])
            else:
                work.pop()
                if work:
                    parent = id(work[-1][0])
                    low[parent] = min(low[parent], low[id(node)])
                if low[id(node)] == order[id(node)]:
                    start = next(i for i in range(len(path) - 1, -1, -1) if path[i] is node)
                    found.append(path[start:][::-1])
                    on_path.difference_update(map(id, path[start:]))
                    del path[start:]
    return found


# `build.cat` and `build.alt` flatten and compare parts by value, which would unfold shared nodes;
# these normalise one level, and compare by identity.


def sequence(*parts: Node) -> Node:
    """Concatenation, without the parts that say nothing."""
    if any(isinstance(part, Nothing) for part in parts):
        return NOTHING
    flat = [p for part in parts for p in (part.parts if _is_short(part) else (part,))]
    kept = tuple(part for part in flat if not isinstance(part, Empty))
    return EMPTY if not kept else kept[0] if len(kept) == 1 else Cat(kept)


def _is_short(node: Node) -> TypeGuard[Cat]:
    """Whether a concatenation may be copied into another; long ones stay one shared object."""
    return isinstance(node, Cat) and len(node.parts) <= 8


def union(parts: Iterable[Node]) -> Node:
    """Union, without the parts that cannot match."""
    kept = tuple({id(part): part for part in parts if not isinstance(part, Nothing)}.values())
    return NOTHING if not kept else kept[0] if len(kept) == 1 else Alt(kept)


def rebuilt(node: Node, parts: Sequence[Node]) -> Node:
    """`node` with other children, simplified; the same object when they are the same."""
    same = all(part is child for part, child in zip(parts, children(node), strict=True))
    if same and not any(isinstance(part, Nothing) for part in parts):
        return node
    match node:
        case Cat():
            return sequence(*parts)
        case Alt():
            return union(parts)
        case And():
            dead = any(isinstance(part, Nothing) for part in parts)
            return NOTHING if dead else And(tuple(parts))
        case Repeat(_, least, most):
            (body,) = parts
            optional_twice = (least, most) == (0, 1) and isinstance(body, Repeat) and not body.least
            return body if optional_twice else repeat(body, least, most)
        case Not():
            return complement(parts[0])
        case Lexeme():
            return lexeme(parts[0])
    return node
