r"""Back-references to groups of a few texts, written out: ``([-/.])\d\1`` as three alternatives.

A back-reference makes a language irregular only where its group matches without bound. Where the
group stands in the same sequence, before the reference and not optional, and matches few texts,
the sequence is the union over these texts, each put in place of the group and its references.
What cannot be written out is left for `reduce` to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

from constrained.spec.regex.syntax import (
    Atomic,
    BackReference,
    CharSet,
    Choice,
    Conditional,
    Group,
    Look,
    Quantified,
    Sequence,
    Syntax,
    Text,
    changed,
)

__all__ = ["written_out"]

MAX_TEXTS = 64
MAX_COPIED = 100_000


def written_out(tree: Syntax) -> Syntax:
    """The tree without the back-references that can be written out."""
    return _Writer().write(tree)


class _Writer:
    """Writes out references, up to a bound on all that it copies."""

    def __init__(self) -> None:
        self.copied = 0

    def write(self, tree: Syntax) -> Syntax:
        if isinstance(tree, Look) and not tree.ahead:
            return tree  # ECMA-262 matches it from right to left
        if isinstance(tree, Sequence):
            wanted = [part for part in _walk(tree) if isinstance(part, BackReference)]
            for group in _certain(tree) if wanted else ():
                if any(_refers(reference, group) for reference in wanted):
                    options = self._options(tree, group)
                    if options is not None:
                        return Choice(options)
        return _mapped(tree, self.write)

    def _options(self, tree: Sequence, group: Group) -> tuple[Syntax, ...] | None:
        """The sequence for each text of the group; None where these are too many."""
        texts = _texts(group.body)
        if texts is None:
            return None
        self.copied += len(texts) * sum(1 for _ in _walk(tree))
        if self.copied > MAX_COPIED:
            return None
        chosen = [Text(text) if text else Sequence(()) for text in texts]
        return tuple(self.write(_replaced(tree, group, text)) for text in chosen)


def _refers(part: Syntax, group: Group) -> bool:
    """Whether the part is a reference to the group that stands after it and heeds case."""
    return (
        isinstance(part, BackReference)
        and part.key in (group.number, group.name)
        and part.position > group.position
        and not part.ignoring_case
    )


def _replaced(tree: Syntax, group: Group, chosen: Syntax) -> Syntax:
    """The tree with the chosen text in place of the group and its references."""
    if tree is group or _refers(tree, group):
        return chosen
    return _mapped(tree, lambda part: _replaced(part, group, chosen))


def _mapped(tree: Syntax, function: Callable[[Syntax], Syntax]) -> Syntax:
    """The tree with the function applied to its direct parts."""
    match tree:
        case Sequence(parts):
            return Sequence(tuple(map(function, parts)))
        case Choice(options):
            return Choice(tuple(map(function, options)))
        case Group(body=body) | Quantified(body=body) | Atomic(body=body) | Look(body=body):
            return changed(tree, body=function(body))
        case Conditional(body=body):
            return changed(tree, body=function(body))
    return tree


def _parts(tree: Syntax) -> tuple[Syntax, ...]:
    match tree:
        case Sequence(parts) | Choice(parts):
            return parts
        case Group(body=body) | Quantified(body=body) | Atomic(body=body):
            return (body,)
        case Look(body=body) | Conditional(body=body):
            return (body,)
    return ()


def _walk(tree: Syntax) -> Iterator[Syntax]:
    """The tree and all its parts."""
    todo = [tree]
    while todo:
        tree = todo.pop()
        yield tree
        todo.extend(_parts(tree))


def _certain(tree: Syntax) -> Iterator[Group]:
    """The groups that take part in every match of the tree, inner ones first."""
    if isinstance(tree, Sequence):
        for part in tree.parts:
            yield from _certain(part)
    elif isinstance(tree, Group):
        yield from _certain(tree.body)
        yield tree


def _texts(tree: Syntax) -> list[str] | None:
    """All texts that the tree matches; None where they are many, or depend on what is around."""
    found: list[str] | None = None
    match tree:
        case Text(text):
            found = [text]
        case CharSet(ranges) if sum(high - low + 1 for low, high in ranges) <= MAX_TEXTS:
            codes = (code for low, high in ranges for code in range(low, high + 1))
            found = [chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF]
        case Group(body=body):
            found = _texts(body)
        case Choice(options):
            lists = [_texts(option) for option in options]
            known = [texts for texts in lists if texts is not None]
            if len(known) == len(lists):
                found = [text for texts in known for text in texts]
        case Sequence(parts):
            found = [""]
            for part in parts:
                found = _products(found, _texts(part))
        case Quantified(body, least, int(most), possessive=False) if most <= MAX_TEXTS:
            once = _texts(body)
            power: list[str] | None = [""]
            found = []
            for count in range(most + 1):
                if count >= least:
                    found = None if found is None or power is None else found + power
                power = _products(power, once)
    if found is None or len(found) > MAX_TEXTS:
        return None
    return list(dict.fromkeys(found))


def _products(fronts: list[str] | None, backs: list[str] | None) -> list[str] | None:
    if fronts is None or backs is None or len(fronts) * len(backs) > MAX_TEXTS:
        return None
    return ["".join(pair) for pair in product(fronts, backs)]
