"""Where the score stands in a format: what comes before it, and what has to be read for it.

Reason-then-exact scoring draws a whole output, keeps the text before the score, and asks for the
exact distribution of the score after that text. For that the format has to be a template (or specs
joined by ``+``): its parts say where the score begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constrained.consistency.scores import number_of
from constrained.errors import ConstrainedError, InvalidSpec
from constrained.spec.compose import sequence
from constrained.spec.parts import divide
from constrained.spec.spec import Hole, Part, Spec

__all__ = ["SplitFormat", "split_at_score"]

REMEDY = (
    "write the format as a template with the reasons before the score, for example "
    "'{why:/[^\\n]{1,300}/}\\nScore: {score:0..10}'"
)


@dataclass(frozen=True)
class SplitFormat:
    """A format in three pieces: `before` the score, the `scored` parts, and what follows them.

    `scored` begins with the score's hole (the first of two, for pairwise judging) and ends with
    the literal text after it, which tells ``1`` from the beginning of ``10``.
    """

    parts: tuple[Part, ...]
    first: int
    scored: tuple[Part, ...]

    def before(self, text: str) -> str | None:
        """The text before the score; None when `text` is not in the format."""
        texts = divide(self.parts, text)
        return None if texts is None else "".join(texts[: self.first])

    def rest(self, literal: str) -> Spec[Any]:
        """`literal` and then the scored parts; the value is the score or the pair of scores."""
        parts = (literal, *self.scored) if literal else self.scored
        return sequence(f"score after {literal!r}", parts, _numbers)


def _numbers(pairs: Sequence[tuple[Hole, Any]]) -> Any:
    values = [number for _, value in pairs if (number := number_of(value)) is not None]
    return values[0] if len(values) == 1 else tuple(values)


def split_at_score(spec: Spec[Any], field: str = "") -> SplitFormat:
    """Find the score's hole (`field` by name, else the ones that hold numbers).

    Raises `InvalidSpec` for a format without parts, for one whose score cannot be told, and where
    no literal text separates the score from free text after it.

    >>> from constrained.spec import template
    >>> split = split_at_score(template("{why:/[a-z ]{1,9}/}. Score: {score:0..10} / 10"))
    >>> split.before("too short. Score: 3 / 10")
    'too short. Score: '
    >>> split.rest(" ").parse(" 3 / 10")
    3.0
    """
    places = [i for i, part in enumerate(spec.parts) if isinstance(part, Hole)]
    if not places:
        raise InvalidSpec(
            "reason-then-exact scoring has to know where the score begins, and this format has no "
            "parts",
            hint=REMEDY,
        )
    named = [i for i in places if field and _hole(spec, i).name == field]
    scored = named or [i for i in places if not field and _holds_numbers(_hole(spec, i))]
    if not 1 <= len(scored) <= 2:
        said = f"a hole {field!r}" if field else "one hole (or two) that holds a number"
        raise InvalidSpec(f"the score cannot be found: the format needs {said}", hint=REMEDY)
    last = scored[-1]
    between = [i for i in places if scored[0] < i < last]
    if between:
        raise InvalidSpec("there is another hole between the two scores", hint=REMEDY)
    end = last + 1
    if end < len(spec.parts):
        if not isinstance(spec.parts[end], str):
            raise InvalidSpec(
                "no literal text separates the score from what follows it", hint=REMEDY
            )
        end += 1
    return SplitFormat(spec.parts, scored[0], spec.parts[scored[0] : end])


def _hole(spec: Spec[Any], place: int) -> Hole:
    part = spec.parts[place]
    return part if isinstance(part, Hole) else Hole(None, spec)


def _holds_numbers(hole: Hole) -> bool:
    try:
        examples = hole.spec.examples(3)
        return all(number_of(hole.spec.parse(text)) is not None for text in examples)
    except ConstrainedError:
        return False
