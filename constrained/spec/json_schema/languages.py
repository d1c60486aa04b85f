"""`Language`: a regular set of texts that keywords such as `pattern` and `format` name."""

from __future__ import annotations

from functools import lru_cache

from constrained.engine import ByteEngine
from constrained.errors import UnsatisfiableSpec
from constrained.grammar import Grammar, Node, Nothing
from constrained.limits import DEFAULT_LIMITS
from constrained.spec.json_text import Escapes, spelled

__all__ = ["Language", "finite_texts", "is_empty", "pattern_language"]


class Language:
    """A regular set of texts, as a node over characters; compared by identity.

    One object stands for one pattern or format in the whole process, so equal constraints meet
    as the same object and what was found out about them is kept.
    """

    __slots__ = ("_engine", "_known", "_spelled", "label", "node")

    def __init__(self, label: str, node: Node) -> None:
        self.label = label
        self.node = node
        self._engine: ByteEngine | None = None
        self._known: dict[str, bool] = {}
        self._spelled: dict[Escapes, Node] = {}

    def __repr__(self) -> str:
        return f"Language({self.label})"

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
        if self._engine is None:
            self._engine = ByteEngine(Grammar(self.node), DEFAULT_LIMITS)
        state = self._engine.advance_bytes(self._engine.start, data)
        return state is not None and self._engine.accepting(state)

    def spelled(self, escapes: Escapes) -> Node:
        """The spellings of the texts inside a JSON string."""
        found = self._spelled.get(escapes)
        if found is None:
            found = self._spelled[escapes] = spelled(self.node, escapes)
        return found


@lru_cache(maxsize=4096)
def pattern_language(pattern: str) -> Language:
    """The texts in which an ECMA-262 regular expression is found, as `pattern` means it.

    Raises `InvalidSpec` and `UnsupportedSpec` as `pattern_node` does, without a place.
    """
    from constrained.spec.regex import pattern_node

    return Language(pattern, pattern_node(pattern, dialect="ecma", search=True))


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
