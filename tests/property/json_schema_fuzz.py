"""Schemas by chance, and what must hold for them: the machinery of the fuzz tests.

Two directions, each against `jsonschema`: texts that random walks under the byte engine end in are
valid, and values that are valid can be written under it. A longer run over a file of real schemas
(gzip, one JSON object with the key `schema`, and perhaps `tests` with `data`, per line)::

    python -m tests.property.json_schema_fuzz maskbench-dev.jsonl.gz --seconds 600 --seed 1
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any

from constrained.engine import ByteEngine
from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    UnsatisfiableSpec,
    UnsupportedSpec,
)
from constrained.limits import Limits
from constrained.spec.json_schema import schema_grammar
from tests.property.reference_validator import NoReference, is_valid, reading

__all__ = ["check", "disagreements", "mutated", "values_near", "walk", "writable"]

Pick = Random
"""Where choices come from: a `Random`, or Hypothesis's stand-in for it, which shrinks."""

LIMITS = Limits(max_nodes=60_000, max_steps=300_000)
NAMES = ("a", "b", "name", "é", 'qu"ote')
PATTERNS = ("^a", "b$", "^[a-z]+$", "[0-9]{2}", "^x-", "^.{0,3}$", "e|o")
NUMBERS = (-1, 0, 1, 2, 3, 7, 10, 100, 0.5, 0.1, 2.5, 1e-3)
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
COUNTS = (0, 1, 2, 3, 5)


# ------------------------------------------------------------------ walking and writing


def walk(engine: ByteEngine, pick: Pick, steps: int) -> str:
    """A text: some steps by chance, then a shortest way to the end."""
    state, data = engine.start, bytearray()
    for _ in range(pick.randrange(steps)):
        ways = engine.transitions(state)
        if not ways:
            break
        found, state = ways[pick.randrange(len(ways))]
        data.append(found[pick.randrange(len(found))])
        if engine.accepting(state) and pick.randrange(4) == 0:
            return data.decode()
    return (bytes(data) + engine.completion(state)).decode()


def writable(engine: ByteEngine, value: Any) -> bool:
    """Whether the engine lets the value be written, compactly, with its members in some order.

    Raises `NoReference` when there are too many orders to try.
    """
    try:
        ends = _Writer(engine).after(engine.start, value)
        return any(engine.accepting(state) for state in ends)
    except UnicodeEncodeError as error:
        raise NoReference("half a character: UTF-8 has no text for it") from error


class _Writer:
    """Depth first, in the value's own order before others."""

    def __init__(self, engine: ByteEngine, most: int = 3_000) -> None:
        self.engine = engine
        self.left = most

    def after(self, state: int, value: Any) -> Iterator[int]:
        """The states that writing the value leads to."""
        if isinstance(value, dict) and value:
            for start in self._step(state, "{"):
                yield from self._members(start, value, tuple(value), "", set())
        elif isinstance(value, list) and value:
            for start in self._step(state, "["):
                yield from self._items(start, value, 0)
        else:
            for text in spellings(value):
                yield from self._step(state, text)

    def _step(self, state: int, text: str) -> Iterator[int]:
        self.left -= 1
        if self.left < 0:
            raise NoReference("too many orders to try")
        end = self.engine.advance_bytes(state, text.encode())
        if end is not None:
            yield end

    def _items(self, state: int, items: list[Any], index: int) -> Iterator[int]:
        if index == len(items):
            yield from self._step(state, "]")
            return
        for begun in self._step(state, ",") if index else (state,):
            for after in self.after(begun, items[index]):
                yield from self._items(after, items, index + 1)

    def _members(
        self,
        state: int,
        value: dict[str, Any],
        left: tuple[str, ...],
        comma: str,
        seen: set[tuple[int, tuple[str, ...]]],
    ) -> Iterator[int]:
        if (state, left) in seen:
            return
        seen.add((state, left))
        if not left:
            yield from self._step(state, "}")
        for key in left:
            rest = tuple(other for other in left if other != key)
            for begun in self._step(state, f"{comma}{json.dumps(key, ensure_ascii=False)}:"):
                for after in self.after(begun, value[key]):
                    yield from self._members(after, value, rest, ",", seen)


def spellings(value: Any) -> list[str]:
    """How a scalar may be written: as `json.dumps` does, and a number in plain decimals."""
    if isinstance(value, float):
        plain = format(Decimal(repr(value)), "f")
        whole = [str(int(value))] if value.is_integer() and abs(value) < 1e22 else []
        return list(dict.fromkeys([json.dumps(value), plain, *whole]))
    return [json.dumps(value, ensure_ascii=False)]


# ------------------------------------------------------------------ mutations


def places(schema: Any) -> Iterator[tuple[Callable[[Any], None], Any]]:
    """Every schema inside a schema, with what puts another in its place."""
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword in ("properties", "patternProperties", "$defs", "definitions"):
            holders = [(value, key) for key in value]
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems") or isinstance(value, list):
            schemas = keyword not in ("enum", "required", "type", "examples", "default")
            holders = [(value, i) for i in range(len(value))] if schemas else []
        elif isinstance(value, dict) and keyword not in ("const", "default", "dependencies"):
            holders = [(schema, keyword)]
        else:
            holders = []
        for holder, key in holders:
            if isinstance(holder[key], (dict, bool)):
                yield (lambda new, h=holder, k=key: h.__setitem__(k, new)), holder[key]
                yield from places(holder[key])


def mutated(schema: Any, pick: Pick, edits: int = 3) -> Any:
    """The schema with some edits by chance; it may have become malformed or unsatisfiable.

    Without `$schema`: edits mix the keywords of all drafts.
    """
    root = [_undeclared(schema)]
    for _ in range(pick.randrange(edits) + 1):
        spots = [((lambda new: root.__setitem__(0, new)), root[0]), *places(root[0])]
        put, found = spots[pick.randrange(len(spots))]
        _, other = spots[pick.randrange(len(spots))]
        put(deepcopy(EDITS[pick.randrange(len(EDITS))](found, other, pick)))
    return root[0]


def _undeclared(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_undeclared(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _undeclared(value) for key, value in schema.items() if key != "$schema"}


def _dropped(found: Any, _: Any, pick: Pick) -> Any:
    if not isinstance(found, dict) or not found:
        return True
    gone = sorted(found)[pick.randrange(len(found))]
    return {key: value for key, value in found.items() if key != gone}


def _wrapped(found: Any, other: Any, pick: Pick) -> Any:
    keyword = ("allOf", "anyOf", "oneOf")[pick.randrange(3)]
    if len(json.dumps(other)) > 400:
        other = {"type": TYPES[pick.randrange(len(TYPES))]}
    return {keyword: [found, other]}


def _refused(found: Any, _: Any, pick: Pick) -> Any:
    return {
        **(found if isinstance(found, dict) else {}),
        "not": LEAVES[pick.randrange(len(LEAVES))],
    }


def _conditional(found: Any, _: Any, pick: Pick) -> Any:
    return {
        "if": LEAVES[pick.randrange(len(LEAVES))],
        "then": found,
        "else": LEAVES[pick.randrange(len(LEAVES))],
    }


def _limited(found: Any, _: Any, pick: Pick) -> Any:
    limit = LEAVES[pick.randrange(len(LEAVES))]
    return {**(found if isinstance(found, dict) else {}), **limit}


def _closed(found: Any, _: Any, pick: Pick) -> Any:
    closed = ("additionalProperties", "unevaluatedProperties", "items", "unevaluatedItems")
    if not isinstance(found, dict):
        return found
    return {closed[pick.randrange(4)]: (False, {"type": "integer"})[pick.randrange(2)], **found}


def _renamed(found: Any, other: Any, pick: Pick) -> Any:
    if not isinstance(found, dict) or not isinstance(found.get("properties"), dict):
        return {"properties": {NAMES[pick.randrange(len(NAMES))]: found}, "type": "object"}
    name = NAMES[pick.randrange(len(NAMES))]
    return {**found, "properties": {**found["properties"], name: other}, "required": [name]}


def _listed(found: Any, _: Any, pick: Pick) -> Any:
    return {"type": "array", "items": found, "maxItems": COUNTS[pick.randrange(len(COUNTS))]}


EDITS: tuple[Callable[[Any, Any, Pick], Any], ...] = (
    _dropped,
    _wrapped,
    _refused,
    _conditional,
    _limited,
    _limited,
    _closed,
    _renamed,
    _listed,
)

LEAVES: tuple[dict[str, Any], ...] = (
    *({"type": name} for name in TYPES),
    {"type": ["string", "null"]},
    {"type": ["integer", "array"]},
    *({"minimum": number} for number in NUMBERS[:6]),
    *({"exclusiveMaximum": number} for number in NUMBERS[4:10]),
    *({"multipleOf": number} for number in (1, 2, 0.5, 0.01)),
    *({"pattern": pattern} for pattern in PATTERNS),
    {"minLength": 2},
    {"maxLength": 1},
    {"minItems": 1},
    {"maxItems": 2},
    {"uniqueItems": True, "items": {"enum": ["a", "b", 1, None]}},
    {"contains": {"type": "string"}},
    {"contains": {"minimum": 2}, "minContains": 0, "maxContains": 1},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
    {"minProperties": 1},
    {"maxProperties": 2},
    {"required": ["a"]},
    {"required": ["name", "b"]},
    {"properties": {"a": {"type": "integer"}}},
    {"patternProperties": {"^x-": {"type": "string"}}},
    {"propertyNames": {"maxLength": 4}},
    {"additionalProperties": {"type": "boolean"}},
    {"dependentRequired": {"a": ["b"]}},
    {"dependentSchemas": {"name": {"required": ["a"]}}},
    {"enum": [1, "a", None, {"a": 1}, [1, 2]]},
    {"const": "b"},
    {"const": {"a": [0.1, True]}},
)


def values_near(value: Any, pick: Pick) -> Any:
    """A value like this one, with one place changed."""
    if isinstance(value, dict) and value and pick.randrange(3):
        key = list(value)[pick.randrange(len(value))]
        if pick.randrange(4) == 0:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: values_near(value[key], pick)}
    if isinstance(value, list) and value and pick.randrange(3):
        i = pick.randrange(len(value))
        if pick.randrange(4) == 0:
            return [*value, value[i]]
        return [*value[:i], values_near(value[i], pick), *value[i + 1 :]]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and pick.randrange(2):
        return value + (1, -1, 0.5)[pick.randrange(3)]
    plain: tuple[Any, ...] = (None, True, 0, 1, 2.5, "", "a", "ab", "é", [], [1], {}, {"a": 1})
    return plain[pick.randrange(len(plain))]


# ------------------------------------------------------------------ what must hold


def compiled(schema: Any, order: Any = "schema") -> ByteEngine | None:
    """The engine of a schema; None when nothing satisfies it."""
    try:
        grammar = schema_grammar(schema, formats="annotation", order=order, limits=LIMITS)
        return ByteEngine(grammar, LIMITS)
    except UnsatisfiableSpec:
        return None


def as_doubles(value: Any) -> bool:
    """Whether all numbers in the value are doubles, as its readers will have them."""
    if isinstance(value, dict):
        return all(map(as_doubles, value.values()))
    if isinstance(value, list):
        return all(map(as_doubles, value))
    return not isinstance(value, int) or abs(value) <= 2**53


def disagreements(schema: Any, values: list[Any], pick: Pick, walks: int = 6) -> Iterator[str]:
    """Where the library and `jsonschema` differ about a schema.

    Raises `NoReference`, and what compiling raises when the schema is refused.
    """
    engine = compiled(schema, ("schema", "any")[pick.randrange(4) == 0])
    for value in values:
        if not as_doubles(value):
            continue  # readers take it for another number than jsonschema does
        # Valid values may be written; what may be written is valid (this order or that).
        valid, found = is_valid(schema, value), engine is not None and writable(engine, value)
        if valid != found:
            yield f"{json.dumps(value)} is {'valid' if valid else 'invalid'}, but {found=}"
    for number in range(walks if engine is not None else 0):
        text = walk(engine, pick, 8 * (number + 1))
        if not is_valid(schema, reading(text)):
            yield f"the walk {text!r} is invalid"


def check(schema: Any, values: list[Any], pick: Pick) -> str:
    """Nothing when all holds, else why there was nothing to check. Raises `AssertionError`."""
    try:
        found = list(disagreements(schema, values, pick))
    except NoReference:
        return "no reference"
    except InvalidSpec:
        return "malformed"
    except UnsupportedSpec as error:
        return f"refused ({error.feature})"
    except LimitExceeded:
        return "limits"
    assert not found, f"{json.dumps(schema)}: {found}"
    return ""


# ------------------------------------------------------------------ the long run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with gzip.open(chosen.file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pick, ends = Random(chosen.seed), time.monotonic() + chosen.seconds
    counts: Counter[str] = Counter()
    while time.monotonic() < ends:
        row = rows[pick.randrange(len(rows))]
        if len(json.dumps(row["schema"])) > 20_000:
            continue
        schema = mutated(row["schema"], pick)
        samples = [test["data"] for test in row.get("tests", [])][:4]
        samples = [s for s in samples if len(json.dumps(s)) < 2_000]
        values = samples + [values_near(s, pick) for s in samples for _ in range(3)]
        seed = pick.randrange(2**32)
        begun = time.process_time()
        try:
            counts[check(schema, values, Random(seed)) or "checked"] += 1
        except Exception as error:
            counts["WRONG"] += 1
            print(f"{type(error).__name__}: {str(error)[:3000]}", flush=True)  # noqa: T201
        took = time.process_time() - begun
        if took > 10:
            counts["slow"] += 1
            print(f"slow, {took:.0f} s: {json.dumps(schema)[:2000]}", flush=True)  # noqa: T201
    print(dict(counts.most_common()))  # noqa: T201


if __name__ == "__main__":
    main()
