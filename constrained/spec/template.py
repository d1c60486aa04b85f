r"""`template`: literal text with typed holes.

A template is text in which ``{name}`` is a hole and ``{{`` and ``}}`` are braces. What a hole takes
is given by name, or in the hole itself:

=======================  ======================================================================
``{score}``              what the argument `score` says: anything `as_spec` takes
``{score:0..10}``        an integer; a bound may be left out (``0..``)
``{score:0..10 step 2}``  an integer on a step
``{score:0..5 step 0.5}``  a number on a step, if a bound or the step has a point
``{label:good|bad}``     one of the texts, exactly as they stand between the bars
``{code:/[A-Z]{3}/}``    a regular expression; it ends at the first ``/}``
=======================  ======================================================================

The value is a dict from names to values. Every hole has a name, and no two have the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from constrained.errors import InvalidSpec, SpecError, UnsupportedSpec
from constrained.grammar.text import line_and_column
from constrained.spec.coerce import as_spec
from constrained.spec.compose import check_text, sequence
from constrained.spec.lookalikes import RANGE, refuse_inline
from constrained.spec.numbers import integer, number
from constrained.spec.numbers_json import LONGEST_BOUND
from constrained.spec.spec import Hole, Part, Spec
from constrained.spec.types import choice

__all__ = ["template"]

BRACE = re.compile(r"\{\{|\}\}|\{|\}")
EXAMPLES = "{score:0..10}, {score:0..5 step 0.5}, {label:good|bad} or {code:/[A-Z]+/}"


def template(text: str, /, **holes: Any) -> Spec[dict[str, Any]]:
    """Literal text with typed holes; the value is a dict from their names to their values.

    See the module's table for what may stand in a hole. Raises `InvalidSpec` with the line and
    column of an unknown, repeated or malformed hole, or with the name of an argument that has
    none.

    >>> spec = template("Essay score: {score} / 10", score=range(0, 11))
    >>> spec.parse("Essay score: 7 / 10")
    {'score': 7}
    >>> template("{grade:A|B|C}, {points:0..5 step 0.5}").parse("B, 3.5")
    {'grade': 'B', 'points': 3.5}
    """
    check_text(text)
    parts: list[Part] = []
    names: dict[str, int] = {}
    for position, piece in _pieces(text):
        if isinstance(piece, str):
            parts.append(piece)
            continue
        name, inline = piece
        where = line_and_column(text, position)
        if not name.isidentifier():
            raise InvalidSpec(
                f"a hole needs a name, not {name!r}",
                where=where,
                hint="write {name}, or {{ and }} for braces in the text",
            )
        if name in names:
            raise InvalidSpec(
                f"hole {name!r} appears twice", where=where, hint="give each hole its own name"
            )
        names[name] = position
        parts.append(Hole(name, _hole(name, inline, holes, where)))
    unused = [name for name in holes if name not in names]
    if unused:
        known = ", ".join(names) or "none"
        raise InvalidSpec(
            f"there is no hole {unused[0]!r} in the template", hint=f"its holes: {known}"
        )
    return sequence(
        _source(text, holes), parts, lambda pairs: {str(hole.name): value for hole, value in pairs}
    )


def _pieces(text: str) -> Iterator[tuple[int, str | tuple[str, str | None]]]:
    """Literal texts, and holes as (name, what stands after the colon), with their positions."""
    literal, begin = "", 0
    while begin < len(text):
        found = BRACE.search(text, begin)
        if found is None:
            literal += text[begin:]
            break
        literal += text[begin : found.start()]
        if found[0] in ("{{", "}}"):
            literal += found[0][0]
            begin = found.end()
            continue
        if found[0] == "}":
            raise InvalidSpec(
                "a closing brace without an opening one",
                where=line_and_column(text, found.start()),
                hint="write }} for a brace in the text",
            )
        if literal:
            yield begin, literal
            literal = ""
        hole, begin = _hole_text(text, found.start())
        name, colon, inline = hole.partition(":")
        yield found.start(), (name, inline if colon else None)
    if literal:
        yield len(text), literal


def _hole_text(text: str, opening: int) -> tuple[str, int]:
    """What stands between the braces of a hole, and where the text goes on after it."""
    name_end = min(
        p for p in (text.find(":", opening), text.find("}", opening), len(text)) if p > 0
    )
    is_regex = text.startswith(":/", name_end)
    closing = text.find("/}", name_end + 2) + 1 if is_regex else text.find("}", opening)
    between = text[opening + 1 : closing]
    if closing <= 0 or (not is_regex and "{" in between):
        raise InvalidSpec(
            "a hole is not closed",
            where=line_and_column(text, opening),
            hint="end a regular expression with /}"
            if is_regex
            else "write {{ for a brace in the text",
        )
    return between, closing + 1


def _hole(name: str, inline: str | None, holes: Mapping[str, Any], where: str) -> Spec[Any]:
    """The spec of a hole, from the argument of its name or from what it says itself."""
    if inline is None and name not in holes:
        known = ", ".join(holes) or "none"
        raise InvalidSpec(
            f"unknown hole {name!r}",
            where=where,
            hint=f"pass {name}=..., or write {EXAMPLES}; known names: {known}",
        )
    if inline is not None and name in holes:
        raise InvalidSpec(
            f"hole {name!r} is described both in the template and by an argument",
            where=where,
            hint="keep one of them",
        )
    try:
        if inline is not None:
            return _inline(inline)
        if isinstance(holes[name], str):
            refuse_inline(holes[name])
        return as_spec(holes[name])
    except UnsupportedSpec as error:
        raise UnsupportedSpec(error.feature, f"hole {name!r}: {error}", where=where) from error
    except SpecError as error:
        raise type(error)(f"hole {name!r}: {error}", where=where) from error


def _inline(said: str) -> Spec[Any]:
    """The spec that a hole describes itself."""
    if len(said) >= 2 and said[0] == said[-1] == "/":
        from constrained.spec.regex import regex

        return regex(said[1:-1])
    ranged = RANGE.fullmatch(said)
    if ranged is not None:
        low, high, step = (None if text is None else _numeral(text) for text in ranged.groups())
        if not any("." in text for text in ranged.groups() if text):
            return integer(
                None if low is None else int(low),
                None if high is None else int(high),
                step=1 if step is None else int(step),
            )
        if step is None:
            raise InvalidSpec(f"{said!r} needs a step", hint=f"write {said} step 0.5")
        return number(low, high, step=step)
    options = said.split("|")
    if len(options) == 1:
        raise InvalidSpec(f"cannot read {said!r}", hint=f"write {EXAMPLES}")
    if any(option != option.strip() or not option for option in options):
        raise InvalidSpec(
            f"an option of {said!r} is empty, or begins or ends with a space",
            hint="leave no space around the bars, or pass the options as an argument",
        )
    return choice(options)


def _numeral(text: str) -> float | Decimal:
    """The number, exactly as it is written: a float only if that prints as this number."""
    if len(text) > LONGEST_BOUND:
        raise InvalidSpec(f"a number of the range has more than {LONGEST_BOUND:,} digits")
    exact = Decimal(text)
    return float(text) if Decimal(repr(float(text))) == exact else exact


def _source(text: str, holes: Mapping[str, Any]) -> str:
    arguments = "".join(
        f", {name}={value.__qualname__ if isinstance(value, type) else repr(value)}"
        for name, value in holes.items()
    )
    return f"template({text!r}{arguments})"
