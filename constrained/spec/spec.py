"""`Spec`: an output format, with everything it can say of itself before any model runs.

A spec is a grammar and a reader. Front ends (`regex`, `template`, `json`, ...) are functions that
return one; nothing subclasses it. What matches is defined once, by the byte engine over the spec's
own grammar: `matches`, `parse`, `examples`, `enumerate` and `summary` all run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from constrained.arguments import whole_number
from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.grammar import Grammar
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits

if TYPE_CHECKING:
    from constrained.spec.summary import Summary
    from constrained.vocabulary import Vocabulary

__all__ = ["Hole", "Part", "Spec"]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, eq=False, repr=False)
class Spec(Generic[T_co]):
    """An output format.

    `written` is how a user would write it, or makes that text when it is asked for (`source`),
    `grammar` what the engine runs, `read` turns a text that matches into its typed value. A
    sequence (a template, or specs joined by ``+``) has its `parts`, a union its `alternatives`;
    other specs have neither.

    >>> from constrained.spec import integer
    >>> spec = "Score: " + integer(0, 10)
    >>> spec.matches("Score: 11"), spec.parse("Score: 7")
    (False, 7)
    """

    written: str | Callable[[], str]
    grammar: Grammar
    read: Callable[[str], T_co]
    parts: tuple[Part, ...] = ()
    alternatives: tuple[Spec[Any], ...] = ()
    read_so_far: Callable[[str], Any] | None = None
    """What the beginning of an output means; None: nothing, or what `parts` say of it."""
    limits: Limits = DEFAULT_LIMITS
    """What was given where the spec was made: what is asked of the spec keeps to it, too."""

    @cached_property
    def source(self) -> str:
        """How a user would write this spec; its repr."""
        return self.written if isinstance(self.written, str) else self.written()

    @property
    def holes(self) -> tuple[Hole, ...]:
        """The parts that are not literal text, in order."""
        return tuple(part for part in self.parts if isinstance(part, Hole))

    @cached_property
    def engine(self) -> ByteEngine:
        """The engine of this spec without tokens, made once.

        Raises `UnsatisfiableSpec` when no text matches.
        """
        return ByteEngine(self.grammar, self.limits)

    def matches(self, text: str) -> bool:
        """Whether `text` is one of the outputs. Raises `TextRejected` for what is no text.

        >>> from constrained.spec import choice
        >>> choice(["good", "bad"]).matches("goo")
        False
        """
        return self._rejected_at(text) is None

    def parse(self, text: str) -> T_co:
        """The typed value of `text`.

        Sequences are divided so that each part, from the left, is as long as it can be. Raises
        `TextRejected` (a `ValueError`) with the byte position when `text` does not match.

        >>> from constrained.spec import integer
        >>> integer(0, 10).parse("11")
        Traceback (most recent call last):
        constrained.errors.TextRejected: '11' does not match at byte 1: expected '0' or the end
        """
        rejected = self._rejected_at(text)
        if rejected is not None:
            raise TextRejected(text, *rejected)
        return self.read(text)

    def examples(self, n: int = 5, seed: int = 0) -> list[str]:
        """Up to `n` different outputs drawn at random, the short ones first.

        The same for the same `seed`. Fewer than `n` only when there are fewer outputs (or, for an
        infinite spec, when the draws did not find more, and when outputs have tens of thousands of
        bytes). Not every output is equally likely. Raises `UnsupportedSpec` when even the shortest
        output is too long to be drawn.

        >>> from constrained.spec import integer
        >>> sorted(integer(0, 3).examples(9))
        ['0', '1', '2', '3']
        """
        from constrained.spec.members import examples

        return examples(self, n, seed)

    def enumerate(self, limit: int | None = None, *, limits: Limits | None = None) -> Iterator[str]:
        """All outputs, or the first `limit`, each once, sorted by their UTF-8 bytes; lazily.

        Raises `UnsupportedSpec` when there are infinitely many (they have no first one) and, when
        no `limit` is given, `LimitExceeded` when there are more than `limits.max_outputs` (None:
        those of the spec).

        >>> from constrained.spec import integer
        >>> list(integer(8, 11).enumerate())
        ['10', '11', '8', '9']
        """
        from constrained.spec.members import enumerate_outputs

        return enumerate_outputs(self, limit, self._bounds(limits))

    def summary(
        self, vocabulary: Vocabulary | None = None, *, limits: Limits | None = None
    ) -> Summary:
        """What can be said of the outputs before any model runs; see `Summary`.

        `limits` None: those of the spec.

        >>> from constrained.spec import integer
        >>> integer(0, 10).summary().outputs
        11
        """
        from constrained.spec.summary import summarise

        return summarise(self, vocabulary, self._bounds(limits))

    def to_bytes(self, *, limits: Limits | None = None) -> bytes:
        """The compiled spec as bytes, with all its rules, to be loaded by `from_bytes`.

        Versioned, no pickle. Raises `LimitExceeded` for a grammar beyond `limits.max_nodes` (None:
        those of the spec).

        >>> from constrained.spec import json
        >>> Spec.from_bytes(json({"const": [1]}).to_bytes()).parse("[1]")
        [1]
        """
        from constrained.spec.stored import spec_bytes

        return spec_bytes(self, self._bounds(limits))

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        *,
        read: Callable[[str], Any] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Spec[Any]:
        """The spec that `to_bytes` wrote: the same outputs, without compiling anything.

        Values of JSON Schemas are read as JSON. Other specs have readers of their own, which bytes
        cannot hold: pass `read`, a function from a text that matches to its value. Parts and
        alternatives are not kept. The grammar is checked while it is read. Raises `InvalidSpec` for
        bytes that are damaged, of another version or without a reader, and `LimitExceeded` for a
        grammar beyond `limits.max_nodes`.
        """
        from constrained.spec.stored import spec_from_bytes

        check_limits(limits)
        return spec_from_bytes(data, read, limits)

    def _bounds(self, limits: Limits | None) -> Limits:
        if limits is None:
            return self.limits
        check_limits(limits)
        return limits

    def _rejected_at(self, text: str) -> tuple[int, str] | None:
        """Where `text` stops matching and what was expected there; None when it matches."""
        if not isinstance(text, str):
            raise TextRejected(repr(text), 0, f"a str, not {type(text).__name__}")
        engine = self.engine
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as error:
            before = len(text[: error.start].encode("utf-8"))
            return before, "a whole character, not half of one (a lone surrogate)"
        state: int | None = engine.advance_bytes(engine.start, data)
        if state is not None:
            return None if engine.accepting(state) else (len(data), engine.expected(state))
        state = engine.start
        for position in range(len(data)):
            following = engine.advance_bytes(state, data[position : position + 1])
            if following is None:
                return position, engine.expected(state)
            state = following
        return None

    def __add__(self, other: object) -> Spec[Any]:
        """One output of this format, then one of the other; a `str` is literal text."""
        from constrained.spec.coerce import as_spec
        from constrained.spec.compose import concatenated

        return concatenated(self, as_spec(other))

    def __radd__(self, other: object) -> Spec[Any]:
        """One output of the other format, then one of this; a `str` is literal text."""
        from constrained.spec.coerce import as_spec
        from constrained.spec.compose import concatenated

        return concatenated(as_spec(other), self)

    def __or__(self, other: object) -> Spec[Any]:
        """An output of either format; a text that matches both is read by the left one."""
        from constrained.spec.coerce import as_spec
        from constrained.spec.compose import united

        return united(self, as_spec(other))

    def __ror__(self, other: object) -> Spec[Any]:
        """An output of either format; a text that matches both is read by the left one."""
        from constrained.spec.coerce import as_spec
        from constrained.spec.compose import united

        return united(as_spec(other), self)

    def __mul__(self, copies: object) -> Spec[Any]:
        """So many outputs of this format, one after another; the value is the list of theirs."""
        from constrained.spec.many import many

        copies = whole_number(copies, "the number of copies", InvalidSpec, least=0)
        return many(self, copies, copies)

    __rmul__ = __mul__

    def __copy__(self) -> Spec[T_co]:
        """Itself: nothing of a spec ever changes, and equality is identity."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Spec[T_co]:
        return self

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Raise `UnsupportedSpec`: a pickle cannot hold the functions that read values."""
        raise UnsupportedSpec(
            "pickle",
            f"{self.source:.60} cannot be pickled",
            hint="make it anew in the other process, or send to_bytes() and load it there",
        )

    def __repr__(self) -> str:
        return self.source


@dataclass(frozen=True, eq=False)
class Hole:
    """A part of a sequence that is not literal text; templates name theirs."""

    name: str | None
    spec: Spec[Any]


Part = str | Hole
"""A piece of a sequence: literal text, or a hole with its own spec."""
