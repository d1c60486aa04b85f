"""What the beginning of an output means: `so_far`, for showing answers while they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json

from constrained.spec.spec import Hole, Part, Spec

__all__ = ["Division", "Unfinished", "json_so_far", "so_far", "text_so_far"]


class Unfinished(str):
    """Text that is still growing; otherwise a `str`.

    >>> Unfinished("The ess") == "The ess"
    True
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Unfinished({str(self)!r})"


def so_far(spec: Spec[Any], text: str) -> Any:
    """What is settled in the beginning of an output: values as far as nothing can change them.

    Objects are dicts of their finished fields, arrays lists of their finished items, growing text
    is `Unfinished`. A number counts once it cannot get more digits. JSON of a type is shown as
    plain JSON values, since a type can only be checked as a whole. None when nothing is settled.

    >>> from constrained.spec import template, text
    >>> spec = template("{why} Score: {score:0..10}", why=text(stop="."))
    >>> so_far(spec, "It argues w")
    {'why': Unfinished('It argues w')}
    >>> so_far(spec, "It argues well. Score: 1")
    {'why': 'It argues well'}
    """
    if spec.read_so_far is not None:
        return spec.read_so_far(text)
    if spec.alternatives:
        data = text.encode("utf-8")
        open_ = [
            one for one in spec.alternatives if one.engine.advance_bytes(one.engine.start, data)
        ]
        return so_far(open_[0], text) if len(open_) == 1 else None
    return _sequence_so_far(spec.parts, text.encode("utf-8")) if spec.parts else None


def _begins(spec: Spec[Any], data: bytes) -> bool:
    return spec.engine.advance_bytes(spec.engine.start, data) is not None


def _sequence_so_far(parts: Sequence[Part], data: bytes) -> Any:
    """The values of the holes that are finished, and of the one that is growing."""
    division = Division.of(parts).advance(data)
    found: list[tuple[str | None, Any]] = []
    for place, part in enumerate(parts):
        begin = division.begin(place)
        if begin is None:
            break
        done = division.passed(place)
        if isinstance(part, Hole):
            piece = data[begin : division.earliest_end(place)].decode("utf-8", errors="ignore")
            value = part.spec.read(piece) if done else so_far(part.spec, piece)
            if done or value is not None:
                found.append((part.name, value))
        if not done:
            break
    if not found:
        return None
    if all(name is not None for name, _ in found):
        return dict(found)
    holes = sum(isinstance(part, Hole) for part in parts)
    return found[0][1] if holes == 1 else tuple(value for _, value in found)


@dataclass(frozen=True)
class Division:
    """How a growing text may be divided among the parts of a sequence; immutable.

    `ways` maps (place of a part, state inside it) to where this part and those before it begin, in
    bytes. Ways that could be told apart by nothing to come are one: the one with the longest first
    part, as `constrained.spec.parts.divide` takes it.
    """

    parts: tuple[Part, ...]
    ways: dict[tuple[int, int], tuple[int, ...]]
    length: int = 0

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Division:
        """The division of the empty text."""
        empty = cls(tuple(parts), {})
        return replace(empty, ways=empty._gathered(empty._entered(0, (0,), 0)))

    def advance(self, data: bytes) -> Division:
        """The division after more bytes."""
        ways = self.ways
        for position in range(self.length, self.length + len(data)):
            byte = data[position - self.length : position - self.length + 1]
            ways = self._gathered(
                moved
                for (index, state), begins in ways.items()
                for moved in self._moved(index, state, begins, byte, position + 1)
            )
        return replace(self, ways=ways, length=self.length + len(data))

    def begin(self, place: int) -> int | None:
        """Where a part begins; None while that is open."""
        begins = {b[place] if len(b) > place else None for b in self.ways.values()}
        return begins.pop() if len(begins) == 1 else None

    def passed(self, place: int) -> bool:
        """Nothing to come can change where this part begins and ends."""
        return self.begin(place) is not None and self.begin(place + 1) is not None

    def earliest_end(self, place: int) -> int:
        """Up to where the text certainly belongs to a part that has begun."""
        ends = (b[place + 1] if len(b) > place + 1 else self.length for b in self.ways.values())
        return min(ends, default=self.length)

    def _moved(
        self, index: int, state: int, begins: tuple[int, ...], byte: bytes, position: int
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Where a way leads with one more byte."""
        if index == len(self.parts):
            return
        part = self.parts[index]
        if isinstance(part, str):
            literal = part.encode("utf-8")
            if literal[state : state + 1] == byte:
                yield from self._left(index, state + 1, begins, position)
            return
        after = part.spec.engine.advance_bytes(state, byte)
        if after is not None:
            yield from self._left(index, after, begins, position)

    def _left(
        self, index: int, state: int, begins: tuple[int, ...], position: int
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """A way, where it can go on inside its part, and into the next part where this may end."""
        part = self.parts[index]
        if isinstance(part, str):
            may_end = must_end = state == len(part.encode("utf-8"))
        else:
            may_end, must_end = part.spec.engine.accepting(state), part.spec.engine.final(state)
        if not must_end:
            yield index, state, begins
        if may_end:
            yield from self._entered(index + 1, (*begins, position), position)

    def _entered(
        self, index: int, begins: tuple[int, ...], position: int
    ) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        if index == len(self.parts):
            yield index, 0, begins
            return
        part = self.parts[index]
        first = 0 if isinstance(part, str) else part.spec.engine.start
        yield from self._left(index, first, begins, position)

    @staticmethod
    def _gathered(
        ways: Iterator[tuple[int, int, tuple[int, ...]]],
    ) -> dict[tuple[int, int], tuple[int, ...]]:
        found: dict[tuple[int, int], tuple[int, ...]] = {}
        for index, state, begins in ways:
            found[index, state] = max(begins, found.get((index, state), begins))
        return found


def text_so_far(text: str, stop: str | None = None) -> Unfinished:
    r"""Growing text, less what may be the beginning of the stop.

    >>> text_so_far("two words\n#", stop="\n##")
    Unfinished('two words')
    """
    held = range(min(len(stop or ""), len(text)), 0, -1)
    cut = next((n for n in held if text.endswith((stop or "")[:n])), 0)
    return Unfinished(text[: len(text) - cut])


def json_so_far(text: str) -> Any:
    """The finished members and items of a JSON text that has begun.

    >>> json_so_far('{"score": 7, "why": "It arg')
    {'score': 7, 'why': Unfinished('It arg')}
    >>> json_so_far('{"scores": [7, 1')
    {'scores': [7]}
    """
    closed = _lenient(text, strings=False)
    growing = _lenient(text, strings=True)
    if closed != growing:
        return _marked(closed, growing)
    return _lenient(text.rstrip("0123456789+-.eE"), strings=False)


def _lenient(text: str, *, strings: bool) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings" if strings else True)
    except ValueError:  # nothing is there yet, or a number that Python refuses to read
        return None


def _marked(closed: Any, growing: Any) -> Any:
    """`growing`, its last string marked where `closed` does not have it."""
    if isinstance(growing, dict):
        *before, (name, last) = growing.items()
        inner = closed.get(name) if isinstance(closed, dict) else None
        return {**dict(before), name: _marked(inner, last)}
    if isinstance(growing, list):
        same = isinstance(closed, list) and len(closed) == len(growing)
        return [*growing[:-1], _marked(closed[-1] if same else None, growing[-1])]
    return Unfinished(growing)
