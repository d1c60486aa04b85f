"""The cells of tables as levels, numbers and texts of a `Gathering`, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from constrained.consistency.importing.fields import text_of
from constrained.consistency.importing.gathering import NAN, Gathering
from constrained.consistency.importing.judgements import FACETS
from constrained.consistency.records import Score
from constrained.consistency.scores import number_in, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["NAMED", "add_extras", "add_levels", "is_blank", "read_texts", "texts_of"]


def texts_of(values: Sequence[Any]) -> list[str]:
    """Cells as texts; those that are one text in many rows are looked at once."""
    known = {text: text_of(text) for text in {v for v in values if v.__class__ is str}}
    return [known[v] if v.__class__ is str else text_of(v) for v in values]


def read_texts(
    spec: Spec[Any], field: str, texts: Sequence[str], gathering: Gathering, first: int
) -> tuple[list[float], list[float] | None]:
    """The scores that a format reads out of texts; the second ones where they are pairs."""
    known: dict[str, tuple[Score | None, str]] = {}
    scores, second = [], []
    for place, text in enumerate(texts):
        if text not in known:
            known[text] = read_score(spec, text, field=field)
        score, failure = known[text]
        if failure:
            gathering.failures[first + place] = failure
        pair = score if isinstance(score, tuple) else (NAN if score is None else score, NAN)
        scores.append(pair[0])
        second.append(pair[1])
    return scores, second if any(x == x for x in second) or gathering.second else None


def add_levels(
    gathering: Gathering, cells: Mapping[str, Sequence[Any]], first: int, count: int
) -> None:
    """Add the levels of some rows; a facet without a column has one level."""
    for facet in FACETS:
        levels = gathering.levels[facet]
        if facet in cells:
            gathering.codes[facet].extend(levels.codes(cells[facet], first))
        elif count:
            gathering.codes[facet].extend(levels.codes([None], first) * count)


def add_extras(
    gathering: Gathering, cells: Mapping[str, Sequence[Any]], first: int, count: int
) -> None:
    """Add numbers of draws and gold scores."""
    if "draw" in cells:
        known = {}
        for place, value in enumerate(cells["draw"]):
            key = value if value.__class__ is str else (value.__class__, repr(value))
            if key not in known:
                known[key] = _whole(gathering.where(first + place), value)
            gathering.draws.append(known[key])
    else:
        gathering.draws.extend([-1] * count)
    if "gold" not in cells:
        return
    items = gathering.codes["item"]
    seen = set()
    for place, value in enumerate(cells["gold"]):
        row = first + place
        if is_blank(value) or (items[row], repr(value)) in seen:
            continue
        seen.add((items[row], repr(value)))
        number = number_in(value)
        if number is None:
            where = gathering.where(row)
            raise RecordError(f"{where}: the gold score {value!r:.80} is not a number")
        gathering.keep_gold(items[row], number, row)


def is_blank(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _text_level(default: str) -> Callable[[Any], str]:
    """The name of a level that is a text; `default` where it is left out."""
    return lambda value: text_of(value).strip() or default


def _item(value: Any) -> str:
    name = text_of(value).strip()
    if not name:
        raise RecordError("the row names no item")
    return name


def _order(value: Any) -> str:
    order = text_of(value).strip()
    if order not in ("", "ab", "ba"):
        raise RecordError(f"the order is {order!r}; it can be ab, ba or empty")
    return order


def _temperature(value: Any) -> float:
    given = 1.0 if is_blank(value) else number_in(value)
    if given is None or given < 0:
        raise RecordError(f"{value!r:.80} is no temperature")
    return given + 0.0


NAMED: dict[str, Callable[[Any], Any]] = {
    "item": _item,
    "prompt": _text_level("prompt"),
    "format": _text_level("plain"),
    "variant": _text_level("model"),
    "temperature": _temperature,
    "order": _order,
}
"""How the name of a level is made of what stands in a cell."""


def _whole(where: str, value: Any) -> int:
    if value is None or value == "":
        return -1
    number = number_in(value)
    if number is None or number < 0 or not number.is_integer() or number >= 2**53:
        raise RecordError(f"{where}: draw is {value!r:.80}; it has to be a whole number from 0 on")
    return int(number)
