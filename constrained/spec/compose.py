"""Sequences and unions of specs: what ``+`` and ``|`` make, and what every template is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from constrained.errors import InvalidSpec, TextRejected
from constrained.grammar import Grammar, literal
from constrained.grammar.combine import concatenate, unite
from constrained.limits import widest
from constrained.spec.parts import divide
from constrained.spec.spec import Hole, Part, Spec

__all__ = ["check_text", "concatenated", "literal_text", "sequence", "united"]

T = TypeVar("T")


def literal_text(text: str) -> Spec[str]:
    """Exactly this text; its value is the text.

    >>> from constrained.spec import as_spec
    >>> as_spec("yes").parse("yes")
    'yes'
    """
    check_text(text)
    return Spec(f"as_spec({text!r})", Grammar(literal(text)), str, (text,))


def check_text(text: str) -> None:
    """Raise `InvalidSpec` for what is no text, or none that UTF-8 can encode."""
    if not isinstance(text, str):
        raise InvalidSpec(f"{text!r} is no text", hint="pass a str")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidSpec(
            f"{text!r} holds half a character (a lone surrogate) at position {error.start}",
            hint="write the whole character",
        ) from None


def sequence(
    source: str, parts: Sequence[Part], build: Callable[[list[tuple[Hole, Any]]], T]
) -> Spec[T]:
    """The parts one after another; `build` makes the value from each hole with its own value."""
    grammars = [
        Grammar(literal(part)) if isinstance(part, str) else part.spec.grammar for part in parts
    ]

    def read(text: str) -> T:
        texts = divide(parts, text)
        if texts is None:
            raise TextRejected(text, 0, source)
        return build(
            [
                (part, part.spec.read(piece))
                for part, piece in zip(parts, texts, strict=True)
                if isinstance(part, Hole)
            ]
        )

    limits = widest(*(part.spec.limits for part in parts if isinstance(part, Hole)))
    return Spec(source, concatenate(*grammars), read, tuple(parts), limits=limits)


def concatenated(left: Spec[Any], right: Spec[Any]) -> Spec[Any]:
    """`left` then `right`, flat: (a + b) + c and a + (b + c) are the same.

    The value: the values of the parts that are not literal text, a tuple when there are several,
    the text itself when there is none.
    """
    parts: list[Part] = []
    for part in (*_unnamed_parts(left), *_unnamed_parts(right)):
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif part:
            parts.append(part)
    holes = sum(isinstance(part, Hole) for part in parts)
    if not holes:
        return literal_text("".join(part for part in parts if isinstance(part, str)))
    source = " + ".join(map(_source, parts))
    if holes == 1:
        return sequence(source, parts, lambda values: values[0][1])
    return sequence(source, parts, lambda values: tuple(value for _, value in values))


def united(left: Spec[T], right: Spec[Any]) -> Spec[Any]:
    """`left` or `right`; a text that both match is read as the first."""
    alternatives = (*_alternatives(left), *_alternatives(right))

    def read(text: str) -> Any:
        for alternative in alternatives:
            if alternative.matches(text):
                return alternative.read(text)
        raise TextRejected(text, 0, source)

    source = " | ".join(alternative.source for alternative in alternatives)
    grammar = unite(*(alternative.grammar for alternative in alternatives))
    limits = widest(*(alternative.limits for alternative in alternatives))
    return Spec(source, grammar, read, (), alternatives, limits=limits)


def _unnamed_parts(spec: Spec[Any]) -> tuple[Part, ...]:
    """The parts of a sequence whose holes have no names; any other spec is one part."""
    if spec.parts and all(hole.name is None for hole in spec.holes):
        return spec.parts
    return (Hole(None, spec),)


def _alternatives(spec: Spec[Any]) -> tuple[Spec[Any], ...]:
    return spec.alternatives or (spec,)


def _source(part: Part) -> str:
    if isinstance(part, str):
        return repr(part)
    return f"({part.spec!r})" if part.spec.alternatives else repr(part.spec)
