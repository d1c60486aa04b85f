"""From a deterministic automaton over characters to grammar nodes: how sets of numerals are built.

Numerals are easiest to describe as a machine that reads one character after the other (how do the
digits so far compare with the bound, which remainder do they leave). `compile_automaton` explores
such a machine, drops the states from which nothing can be accepted, merges states with the same
future and writes the rest down as nodes: loops of a state with itself as repetitions, larger
loops as right-linear rules.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache

from constrained.errors import LimitExceeded
from constrained.grammar import (
    EMPTY,
    NOTHING,
    Cat,
    Chars,
    Literal,
    Node,
    Nothing,
    Ref,
    Repeat,
    alt,
    cat,
    char_class,
    literal,
    optional,
    repeat,
)
from constrained.limits import Limits

__all__ = ["NODES_PER_STATE", "Move", "Successors", "compile_automaton"]

Move = tuple[bool, Mapping[str, Hashable]]
Successors = Callable[[Hashable], Move]
"""state -> (is the text complete here, character -> next state)."""

NODES_PER_STATE = 31
"""What a state with an edge for each digit counts for."""

INLINE_NODES = 8
"""A state that several others lead to is repeated in place up to this size, else named."""

INLINE_DEPTH = 24
"""Deeper nesting is cut by a named rule: every walk over nodes recurses."""


class _State:
    def __init__(self, accepting: bool, edges: dict[str, int]) -> None:
        self.accepting = accepting
        self.edges = edges


def compile_automaton(
    start: Hashable, successors: Successors, *, name: str, words: str = "", limits: Limits
) -> tuple[Node, dict[str, Node]]:
    """The texts that the automaton accepts, as a node and the rules it names.

    `name` begins the names of the rules; it must be a function of the accepted set, so that equal
    sets in one grammar share their rules. `words` name the set for people. `NOTHING` when no text
    is accepted. Raises `LimitExceeded` when the automaton needs more than `limits.max_nodes` nodes.

    >>> node, rules = compile_automaton(0, lambda n: (n > 0, {"a": n + 1} if n < 2 else {}),
    ...                                 name="a", limits=Limits())
    >>> node
    Repeat(body=Literal(data=b'a'), least=1, most=2)
    """
    states = _explore(start, successors, words or name, limits)
    live = _live(states)
    if 0 not in live:
        return NOTHING, {}
    for state in states:
        state.edges = {symbol: to for symbol, to in state.edges.items() if to in live}
    return _write(states, name)


def _explore(start: Hashable, successors: Successors, words: str, limits: Limits) -> list[_State]:
    numbers: dict[Hashable, int] = {start: 0}
    queue: list[Hashable] = [start]
    states: list[_State] = []
    size = 0
    for state in queue:  # grows while it is walked: breadth first
        accepting, moves = successors(state)
        edges: dict[str, int] = {}
        before: Hashable = None
        number = 0
        for symbol, to in moves.items():
            if to is not before:  # runs of symbols lead to one state: look it up once
                before, number = to, numbers.setdefault(to, len(queue))
                if number == len(queue):
                    queue.append(to)
            edges[symbol] = number
        states.append(_State(accepting, edges))
        size += 1 + 3 * len(edges)  # an edge: a class, the reference after it, the two together
        if size > limits.max_nodes:
            raise LimitExceeded("max_nodes", limits.max_nodes, f"writing down {words}")
    return states


def _live(states: list[_State]) -> set[int]:
    before: list[list[int]] = [[] for _ in states]
    for number, state in enumerate(states):
        for to in state.edges.values():
            before[to].append(number)
    live = {number for number, state in enumerate(states) if state.accepting}
    stack = list(live)
    while stack:
        for number in before[stack.pop()]:
            if number not in live:
                live.add(number)
                stack.append(number)
    return live


def _components(states: list[_State]) -> list[list[int]]:
    """Strongly connected components, each after the ones it leads to (Tarjan 1972, iterative)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    found: list[list[int]] = []
    work = [(0, iter(states[0].edges.values()))]
    index[0] = low[0] = 0
    stack.append(0)
    on_stack.add(0)
    while work:
        here, targets = work[-1]
        for to in targets:
            if to not in index:
                index[to] = low[to] = len(index)
                stack.append(to)
                on_stack.add(to)
                work.append((to, iter(states[to].edges.values())))
                break
            if to in on_stack:
                low[here] = min(low[here], index[to])
        else:
            work.pop()
            if work:
                above = work[-1][0]
                low[above] = min(low[above], low[here])
            if low[here] == index[here]:
                component = [stack.pop()]
                while component[-1] != here:
                    component.append(stack.pop())
                on_stack.difference_update(component)
                found.append(component[::-1])
    return found


def _merge(states: list[_State]) -> list[list[int]]:
    """Let edges lead to the first of several states with the same future; the components left.

    Futures are compared from the ends backwards; states on larger loops stay as they are.
    """
    same: dict[tuple[bool, tuple[tuple[str, int], ...]], int] = {}
    merged: dict[int, int] = {}
    kept: list[list[int]] = []
    for component in _components(states):
        merged.update(zip(component, component, strict=True))
        if len(component) == 1:
            number = component[0]
            state = states[number]
            future = tuple(
                # -1 stands for the state itself, so that equal loops are recognised
                (symbol, -1 if to == number else merged[to])
                for symbol, to in sorted(state.edges.items())
            )
            merged[number] = same.setdefault((state.accepting, future), number)
            if merged[number] != number:
                continue
        kept.append(component)
    for component in kept:
        for number in component:
            edges = states[number].edges
            states[number].edges = {symbol: merged[to] for symbol, to in edges.items()}
    return kept


def _write(states: list[_State], name: str) -> tuple[Node, dict[str, Node]]:
    components = _merge(states)
    uses = [0] * len(states)
    for component in components:
        for number in component:
            for to in set(states[number].edges.values()) - {number}:
                uses[to] += 1
    nodes: dict[int, Node] = {}
    sizes: dict[int, int] = {}  # nodes, written out
    depths: dict[int, int] = {}  # nesting, written out
    rules: dict[str, Node] = {}

    def name_it(number: int) -> None:
        nodes[number], sizes[number], depths[number] = Ref(f"{name}:{number}"), 1, 1

    for component in components:
        if len(component) > 1:
            for number in component:
                name_it(number)
            for number in component:
                rules[f"{name}:{number}"] = _body(number, states[number], nodes)
            continue
        number = component[0]
        body = nodes[number] = _body(number, states[number], nodes)
        targets = set(states[number].edges.values()) - {number}
        if isinstance(body, Repeat) and isinstance(body.body, Chars | Literal):
            sizes[number], depths[number] = 2, 1
        else:
            sizes[number] = 2 + sum(2 + sizes[to] for to in targets)
            depths[number] = 1 + max((depths[to] for to in targets), default=0)
        shared = uses[number] > 1 and sizes[number] > INLINE_NODES
        if shared or depths[number] > INLINE_DEPTH:
            rules[f"{name}:{number}"] = body
            name_it(number)
    return nodes[0], rules


def _body(number: int, state: _State, nodes: Mapping[int, Node]) -> Node:
    """The texts of one state, given those of the states that it leads to."""
    by_target: dict[int, list[str]] = {}
    for symbol, to in sorted(state.edges.items()):
        by_target.setdefault(to, []).append(symbol)
    loop = by_target.pop(number, None) if number not in nodes else None
    body = alt(*(_then(_one_of(tuple(symbols)), nodes[to]) for to, symbols in by_target.items()))
    if state.accepting:
        body = _or_empty(body)
    return body if loop is None else cat(repeat(_one_of(tuple(loop))), body)


@lru_cache(maxsize=2048)
def _one_of(symbols: tuple[str, ...]) -> Node:
    return literal(symbols[0]) if len(symbols) == 1 else char_class("".join(symbols))


def _then(first: Node, rest: Node) -> Node:
    """`first` then `rest`; x then x{n,m} is x{n+1,m+1}."""
    if isinstance(rest, Ref):
        return Cat((first, rest))
    head, *tail = rest.parts if isinstance(rest, Cat) else (rest,)
    if isinstance(head, Repeat) and head.body == first:
        most = None if head.most is None else head.most + 1
        return cat(Repeat(first, head.least + 1, most), *tail)
    if head == first and not isinstance(first, Literal):
        return cat(Repeat(first, 2, 2), *tail)
    return cat(first, rest)


def _or_empty(body: Node) -> Node:
    """`body` or the empty text; x{1,m} or nothing is x{0,m}."""
    if isinstance(body, Nothing):
        return EMPTY
    if isinstance(body, Repeat) and body.least == 1:
        return Repeat(body.body, 0, body.most)
    return optional(body)
