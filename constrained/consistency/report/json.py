"""An analysis as JSON and back: complete, with stable keys, and NaN as null.

The keys are the field names of the dataclasses in `constrained.consistency.analysis`. A number that
is not known is null, with the reason in the estimate beside it; endless is the text "inf". Arrays
are nested lists. `SCHEMA` changes when a key changes its name or meaning.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from constrained.consistency.analysis import Analysis
from constrained.errors import RecordError

__all__ = ["SCHEMA", "from_json", "to_json"]

SCHEMA = "constrained.consistency/analysis/1"


def to_json(analysis: Analysis, *, cells: bool = True, indent: int | None = None) -> str:
    """The whole analysis; without `cells` the heat maps stay empty (and the text short).

    >>> from constrained.consistency.analysis import analyse_draws
    >>> text = to_json(analyse_draws([[[1], [2]], [[3], [5]]]))
    >>> json.loads(text)["judges"][0]["summary"]["move"]["value"]
    1.5
    """
    if not cells:
        judges = tuple(dataclasses.replace(j, heat_maps=()) for j in analysis.judges)
        analysis = dataclasses.replace(analysis, judges=judges)
    said = {"schema": SCHEMA, "verdict": analysis.gates.verdict, **_encoded(analysis)}
    return json.dumps(said, ensure_ascii=False, allow_nan=False, indent=indent)


def from_json(text: str) -> Analysis:
    """The analysis that `to_json` wrote; `RecordError` for any other text.

    >>> from constrained.consistency.analysis import analyse_draws
    >>> found = analyse_draws([[[1], [2]], [[3], [5]]])
    >>> from_json(to_json(found)).judges[0].summary == found.judges[0].summary
    True
    """
    try:
        said = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecordError(f"this is no analysis: {error}") from error
    schema = said.get("schema") if isinstance(said, dict) else None
    if schema != SCHEMA:
        raise RecordError(
            f"this is no analysis that can be read here: its schema is {schema!r}, not {SCHEMA!r} "
            "(write the report again from its store)"
        )
    try:
        found = _decoded(said, Analysis)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"the analysis is damaged: {error!r}") from error
    if not isinstance(found, Analysis):
        raise RecordError("the analysis is damaged")
    return found


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _encoded(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _encoded_array(value)
    if isinstance(value, Mapping):
        return {_encoded_key(key): _encoded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value.item() if isinstance(value, np.generic) else value


def _encoded_key(key: Any) -> str:
    """Places of cells as "row,column"."""
    return ",".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _encoded_array(array: np.ndarray) -> Any:
    if np.isfinite(array).all():
        return array.tolist()
    objects = array.astype(object)
    objects[np.isnan(array)] = None
    objects[np.isposinf(array)] = "inf"
    objects[np.isneginf(array)] = "-inf"
    return objects.tolist()


def _defaults(part: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return part.default is not missing or part.default_factory is not missing


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _decoded(said: Any, kind: Any) -> Any:
    """`said` as a value of the type `kind`, which a dataclass's field has."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return said
    if origin in (Union, UnionType):
        if said is None:
            return None
        return _decoded(said, next(part for part in parts if part is not type(None)))
    if origin is np.ndarray:
        return np.array(said, dtype=np.float64)  # None is NaN, "inf" is inf
    if origin is tuple:
        inner = parts[0] if parts[1:] == (...,) else None
        each = parts if inner is None else [inner] * len(said)
        return tuple(_decoded(one, of) for one, of in zip(said, each, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        places = get_origin(parts[0]) is tuple
        keys = [tuple(map(int, k.split(","))) if places else k for k in said]
        values = [_decoded(one, parts[1]) for one in said.values()]
        return dict(zip(keys, values, strict=True))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        # What reports of before did not say has a default.
        fields = [f for f in dataclasses.fields(kind) if f.name in said or not _defaults(f)]
        return kind(**{f.name: _decoded(said[f.name], hints[f.name]) for f in fields})
    if kind is float:
        return math.nan if said is None else float(said)
    return said
