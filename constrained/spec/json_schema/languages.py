"""`Language`: a regular set of texts that keywords such as `pattern` and `format` name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache

from constrained.engine import ByteEngine
from constrained.errors import UnsatisfiableSpec
from constrained.grammar import (
    Alt,
    Cat,
    Chars,
    Empty,
    Grammar,
    Literal,
    Literals,
    Node,
    Nothing,
    Repeat,
)
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.json_style import Escapes
from constrained.spec.json_text import spelled

__all__ = ["Language", "finite_texts", "is_empty", "pattern_language", "shortest_text"]


class Language:
    """A regular set of texts, as a node over characters; compared by identity.

    One object stands for one pattern or format in the whole process, so equal constraints meet
    as the same object and what was found out about them is kept. `make` makes the node when it is
    first looked at; `example` is one of the texts, if one is known.
    """

    def __init__(self, label: str, make: Callable[[], Node], example: str | None = None) -> None:
        self.label = label
        self.example = example
        self._make = make
        self._engine: ByteEngine | None = None
        self._moves: dict[int, list[tuple[int, int]]] = {}
        self._known: dict[str, bool] = {} if example is None else {example: True}
        self._spelled: dict[Escapes, Node] = {}

    def __repr__(self) -> str:
        return f"Language({self.label})"

    @cached_property
    def node(self) -> Node:
        """The set, as a node over characters."""
        return self._make()

    def holds(self, text: str) -> bool:
        """Whether the text is in the set; texts that UTF-8 cannot write are in none."""
        found = self._known.get(text)
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[text] = self._run(text)
        return found

    def _run(self, text: str) -> bool:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return False
        engine = self._made()
        if engine is None:
            return False
        state = engine.advance_bytes(engine.start, data)
        return state is not None and engine.accepting(state)

    @cached_property
    def witness(self) -> str | None:
        """A shortest text; None when the set is empty."""
        engine = self._made()
        return None if engine is None else engine.completion(engine.start).decode()

    @cached_property
    def shortest(self) -> int | None:
        """Characters of a shortest text; None when that is not plain from the node."""
        return shortest_text(self.node)

    @property
    def start(self) -> int | None:
        """The state of its automaton before any byte; None when the set is empty."""
        engine = self._made()
        return None if engine is None else engine.start

    def accepts(self, state: int) -> bool:
        """Whether a text may end in a state."""
        engine = self._made()
        return engine is not None and engine.accepting(state)

    def moves(self, state: int) -> list[tuple[int, int]]:
        """The ways on: bytes as the bits of a number, and the state after any of them."""
        found = self._moves.get(state)
        if found is None:
            engine = self._made()
            ways = [] if engine is None else engine.transitions(state)
            found = [(sum(1 << byte for byte in data), to) for data, to in ways]
            self._moves[state] = found
        return found

    def _made(self) -> ByteEngine | None:
        if self._engine is None:
            self._engine = _engine(self.node)
        return self._engine

    def spelled(self, escapes: Escapes) -> Node:
        """The spellings of the texts inside a JSON string."""
        found = self._spelled.get(escapes)
        if found is None:
            found = self._spelled[escapes] = spelled(self.node, escapes)
        return found


@lru_cache(maxsize=4096)
def pattern_language(pattern: str, limits: Limits = DEFAULT_LIMITS) -> Language:
    """The texts in which an ECMA-262 regular expression is found, as `pattern` means it.

    Raises `InvalidSpec`, `UnsupportedSpec` and `LimitExceeded` as `pattern_node` does, without a
    place.
    """
    from constrained.spec.regex import pattern_node

    node = pattern_node(pattern, dialect="ecma", search=True, limits=limits)
    return Language(pattern, lambda: node)


def shortest_text(node: Node) -> int | None:
    """Characters of a shortest text of a node that has one for certain.

    None for nodes with intersections or complements, whose emptiness needs an automaton.

    >>> from constrained.grammar import cat, literal, repeat
    >>> shortest_text(cat(literal("ab"), repeat(literal("c"), 3, 9)))
    5
    """
    done: dict[int, int | None] = {}

    def of(part: Node) -> int | None:
        key = id(part)
        if key not in done:
            done[key] = measure(part)
        return done[key]

    def measure(part: Node) -> int | None:
        match part:
            case Chars():
                return 1
            case Literal(data=data):
                return len(data.decode())
            case Literals(options=options):
                return min(len(data.decode()) for data in options)
            case Cat(parts=parts):
                sizes = [of(inner) for inner in parts]
                return None if None in sizes else sum(size or 0 for size in sizes)
            case Alt(parts=parts):
                known = [size for size in map(of, parts) if size is not None]
                return min(known) if len(known) == len(parts) else None
            case Repeat(body=body, least=least):
                size = of(body)
                return None if size is None and least else (size or 0) * least
            case Empty():
                return 0
        return None

    return of(node)


def is_empty(node: Node) -> bool:
    """Whether a regular node matches nothing at all."""
    return _engine(node) is None


def finite_texts(node: Node, most: int) -> tuple[str, ...] | None:
    """The texts of a regular node, sorted; None when there are, or may be, more than `most`."""
    engine = _engine(node)
    if engine is None:
        return ()
    found: list[bytes] = []
    open_states = [(b"", engine.start)]
    steps = 0
    while open_states:
        text, state = open_states.pop()
        if engine.accepting(state):
            found.append(text)
        for data, following in engine.transitions(state):
            open_states += [(text + bytes((byte,)), following) for byte in data]
        steps += 1
        if len(found) > most or len(open_states) > 4 * most or steps > 64 * most:
            return None
    return tuple(sorted(data.decode() for data in found))


def _engine(node: Node) -> ByteEngine | None:
    if isinstance(node, Nothing):
        return None
    try:
        return ByteEngine(Grammar(node), DEFAULT_LIMITS)
    except UnsatisfiableSpec:
        return None
