"""How a text that matches a sequence is divided among the parts of the sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from constrained.spec.spec import Part

__all__ = ["divide"]


def divide(parts: Sequence[Part], text: str) -> tuple[str, ...] | None:
    """The text of each part, in order; None when `text` is no sequence of them.

    Of several divisions it is the one with the longest first part, then the longest second part
    and so on. Each part is run by its own engine; a part that failed at a position once is not
    tried there again, so the work is at most parts x length^2 engine steps.

    >>> from constrained.spec import integer
    >>> spec = integer() + integer()
    >>> divide(spec.parts, "123")
    ('12', '3')
    """
    data = text.encode("utf-8")
    failed: set[tuple[int, int]] = set()
    opened: list[tuple[int, Iterator[int]]] = []  # for each part: where it begins, ends to try
    position = 0
    while True:
        index = len(opened)
        if index == len(parts):
            if position == len(data):
                cuts = [begin for begin, _ in opened] + [position]
                return tuple(data[a:b].decode("utf-8") for a, b in pairwise(cuts))
        elif (index, position) not in failed:
            last = index == len(parts) - 1
            opened.append((position, _ends(parts[index], data, position, last)))
        while opened:
            begin, ends = opened[-1]
            end = next(ends, None)
            if end is not None:
                position = end
                break
            failed.add((len(opened) - 1, begin))
            opened.pop()
        else:
            return None


def _ends(part: Part, data: bytes, begin: int, last: bool) -> Iterator[int]:
    """Where `part` can end when it begins at `begin`, the furthest first.

    The `last` part can end only where the text does.
    """
    if isinstance(part, str):
        literal = part.encode("utf-8")
        return iter([begin + len(literal)] if data.startswith(literal, begin) else [])
    engine = part.spec.engine
    state: int | None = engine.start
    if last:
        state = engine.advance_bytes(engine.start, data[begin:])
        return iter([len(data)] if state is not None and engine.accepting(state) else [])
    found = []
    for position in range(begin, len(data) + 1):
        between = position == len(data) or data[position] & 0xC0 != 0x80  # two characters
        if between and state is not None and engine.accepting(state):
            found.append(position)
        if position < len(data) and state is not None:
            state = engine.advance_bytes(state, data[position : position + 1])
        if state is None:
            break
    return reversed(found)
