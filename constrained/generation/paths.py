"""`Paths`: all token paths of a guide as a tree, before any model has seen them.

The shape depends on the guide alone, so it is grown once and scored after any number of prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from constrained.errors import LimitExceeded, UnsupportedSpec
from constrained.generation.guide import Guide, Ids
from constrained.generation.tree import Tree
from constrained.limits import Limits
from constrained.spec.spec import Spec

__all__ = ["Output", "PathNode", "Paths", "Reader", "check_listable", "grow"]


class Reader(Protocol):
    """Follows the text of an output, byte by byte; immutable."""

    def advance(self, data: bytes) -> Reader:
        """The reader after more of the output."""


@dataclass(eq=False, slots=True)
class PathNode:
    """A token path that the guide allows; `node` is where it leads."""

    node: int
    parent: int
    token: int
    depth: int
    allowed: Ids
    """The ids that may come next, end ids included; none where the path is not followed further."""
    children: list[int] = field(default_factory=list)
    ending: bool = False

    @property
    def chooses(self) -> bool:
        """There is more than one way on, ending included."""
        return len(self.children) + self.ending > 1


@dataclass(frozen=True, eq=False, slots=True)
class Output:
    """One text that paths end in, with its value and the places of those paths."""

    text: str
    value: Any
    ends: tuple[int, ...]


class Paths:
    """All token paths of a guide; parents before children. `outputs` are in the order of bytes."""

    def __init__(
        self,
        nodes: Sequence[PathNode],
        guide: Guide,
        read: Callable[[str], tuple[str, Any]],
        before: Sequence[int] = (),
    ) -> None:
        self.nodes = tuple(nodes)
        self.guide = guide
        self.before = tuple(before)
        self._read = read

    @cached_property
    def outputs(self) -> tuple[Output, ...]:
        """What the paths spell; spellings of one text are one output."""
        found: dict[str, tuple[Any, list[int]]] = {}
        for place, node in enumerate(self.nodes):
            if node.ending:
                text, value = self._read(self.guide.text((*self.before, *self.ids(place))))
                found.setdefault(text, (value, []))[1].append(place)
        ordered = sorted(found, key=lambda text: text.encode("utf-8"))
        return tuple(Output(text, found[text][0], tuple(found[text][1])) for text in ordered)

    @cached_property
    def head(self) -> tuple[int, ...]:
        """The nodes on the way to the first choice that need a model, the root first."""
        head = [0]
        while not self.nodes[head[-1]].chooses and self.nodes[head[-1]].children:
            head.append(self.nodes[head[-1]].children[0])
        return tuple(head if self.nodes[head[-1]].children else head[:-1])

    def wanted(self, *, tails: bool) -> tuple[int, ...]:
        """The nodes below the head whose logits are needed."""
        nodes = self.nodes
        wanted = {i for i, node in enumerate(nodes) if (node.children if tails else node.chooses)}
        for index in sorted(wanted, reverse=True):
            parent = nodes[index].parent
            while parent >= 0 and parent not in wanted:
                wanted.add(parent)
                parent = nodes[parent].parent
        return tuple(sorted(wanted.difference(self.head)))

    def tree(self, places: Sequence[int]) -> Tree:
        """Some of the nodes as the model takes them; parents that are not among them are cut."""
        at = {index: place for place, index in enumerate(places)}
        return Tree(
            tuple(self.nodes[index].token for index in places),
            tuple(at.get(self.nodes[index].parent, -1) for index in places),
        )

    def ids(self, place: int) -> tuple[int, ...]:
        """The tokens from the start to a node."""
        ids = []
        while place:
            ids.append(self.nodes[place].token)
            place = self.nodes[place].parent
        return tuple(ids[::-1])


TOO_MANY = (
    'draw samples; in JSON leave one way to write spaces with json(..., whitespace="compact")'
)


def check_listable(spec: Spec[Any], limits: Limits) -> None:
    """Refuse what cannot be listed before it is tried.

    Raises `UnsupportedSpec` when the spec has infinitely many outputs, `LimitExceeded` when it is
    seen to have more than ``limits.max_outputs``.
    """
    try:
        spec.enumerate(limits=limits)
    except LimitExceeded as error:
        doing = f"listing the outputs of {spec!r:.60}"
        raise LimitExceeded(error.limit, error.value, doing, remedy=TOO_MANY) from None
    except UnsupportedSpec as error:
        raise UnsupportedSpec(
            error.feature,
            f"an exact distribution needs a finite spec, and {spec!r} has infinitely many outputs",
            hint="bound its repeats and numbers, or draw samples",
        ) from error


def grow(
    guide: Guide,
    limits: Limits,
    read: Callable[[str], tuple[str, Any]],
    *,
    start: int | None = None,
    before: Sequence[int] = (),
    reader: Reader | None = None,
    decided: Callable[[Any], bool] | None = None,
) -> Paths:
    """All token paths from `start` on, each followed until it ends or its reader says `decided`.

    `before` are the tokens that lead to `start`. `read` gives for the text of all tokens the text
    and the value that they stand for. Raises `LimitExceeded` beyond ``limits.max_outputs`` paths,
    and `UnsupportedSpec` when a path can go round in a circle and never be decided.
    """
    ends = guide.vocabulary.end_ids
    nodes: list[PathNode] = []
    readers: list[Any] = []
    least = 0  # every id that may come next begins a path of its own

    def follow(state: int, parent: int, token: int, depth: int, reader: Any) -> None:
        nonlocal least
        settled = decided is not None and decided(reader)
        ids = guide.allowed(state)[:0] if settled else guide.allowed(state)
        ending = settled or guide.accepting(state)
        ways = len(ids) - sum(int((ids == end).sum()) for end in ends) + ending
        least += ways - (parent >= 0)
        if least > limits.max_outputs:
            raise LimitExceeded(
                "max_outputs",
                limits.max_outputs,
                "listing the token paths of a distribution",
                remedy=TOO_MANY,
            )
        nodes.append(PathNode(state, parent, token, depth, ids, ending=ending))
        readers.append(reader)

    follow(guide.start if start is None else start, -1, -1, 0, reader)
    for index, node in enumerate(nodes):
        for token in node.allowed.tolist():
            if token in ends:
                continue
            after = guide.advance(node.node, token)
            if decided is not None and _repeats(nodes, index, after):
                raise UnsupportedSpec(
                    "infinite",
                    "the field has infinitely many values, so its distribution cannot be listed",
                    hint="bound its repeats and numbers, or draw samples",
                )
            read_on = readers[index]
            if read_on is not None:
                read_on = read_on.advance(guide.vocabulary.tokens[token] or b"")
            node.children.append(len(nodes))
            follow(after, index, token, node.depth + 1, read_on)
    return Paths(nodes, guide, read, before)


def _repeats(nodes: Sequence[PathNode], index: int, node: int) -> bool:
    """Whether a node is one that the path came through."""
    while index >= 0:
        if nodes[index].node == node:
            return True
        index = nodes[index].parent
    return False
