"""`Grammar`: a start node and the rules that it names; rules may be made when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from constrained.errors import ConstrainedError
from constrained.grammar.nodes import Node

__all__ = ["Grammar", "LaterRules"]


class LaterRules(Mapping[str, Node]):
    """Rules whose bodies are made when they are first looked up.

    An engine looks those that `may_wait` up when it needs them. That is a promise: their bodies
    match something, and never the empty text.
    """

    def may_wait(self, name: str) -> bool:  # noqa: ARG002 - what a rule is called may decide
        """Whether the promise holds for this rule."""
        return True

    def must_wait(self, name: str) -> bool:  # noqa: ARG002 - as `may_wait`
        """Whether to make the body only when a state needs it, however near it is.

        For rules that may wait and whose bodies take long to make.
        """
        return False

    def least(self, name: str) -> int:  # noqa: ARG002 - as `may_wait`
        """A number that no text of the rule has fewer bytes than, known without its body.

        The closer it is, the fewer bodies are made in the search for a shortest output.
        """
        return 1

    @property
    def left_out(self) -> Sequence[ConstrainedError]:
        """Why parts of the spec are missing in the bodies made so far; empty when none are."""
        return ()


@dataclass(frozen=True)
class Grammar:
    """A start node and the rules that its `Ref` nodes name.

    >>> from constrained.grammar import Grammar, literal
    >>> Grammar(literal("yes")).start
    Literal(data=b'yes')
    """

    start: Node
    rules: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
