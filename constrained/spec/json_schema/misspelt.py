"""Keys of a schema that are no keywords, but look like one: `minlength`, `max_items`, `regex`.

The standard calls every key that it does not know an annotation, so a misspelt keyword enforces
nothing and no validator says so. A key is reported only where it is near a keyword that would limit
values; all others may be anybody's own. No key that OpenAPI, editors, code generators or earlier
drafts are known to add is that near; the tests keep a list.
"""

from __future__ import annotations

import difflib
import functools
from typing import Any

from constrained.spec.json_schema.document import SCHEMA_MAPS, SCHEMA_VALUES, Path, pointer_text
from constrained.spec.json_schema.keywords import ANNOTATIONS, KEYWORDS

__all__ = ["misspelt_keywords"]

MEANT = (*sorted(KEYWORDS), "then", "else", "additionalItems")
"""Keywords whose loss changes which values are valid."""

OTHER_NAMES = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min": "minimum",
    "max": "maximum",
    "minvalue": "minimum",
    "maxvalue": "maximum",
    "mindigits": "minLength",
    "maxdigits": "maxLength",
    "minsize": "minItems",
    "maxsize": "maxItems",
    "regex": "pattern",
    "regexp": "pattern",
    "choices": "enum",
    "types": "type",
    "unique": "uniqueItems",
    "requires": "required",
}
"""Names that other libraries and languages have for a keyword, without their case."""

OF_TYPES = {
    ("minimum", "array"): "minItems",
    ("maximum", "array"): "maxItems",
    ("minimum", "string"): "minLength",
    ("maximum", "string"): "maxLength",
}
"""What a name of another library for a bound means beside a `type`."""

SHORTEST = 5
"""Letters of a keyword from which on one wrong letter is taken for a slip: `note` is not `not`."""

LONGEST = 40
"""Letters of a key that might be a misspelt keyword."""

MOST_NAMED = 20
"""Keys that are found in one schema at most: a list of more helps nobody."""

Misspelt = tuple[str, str, str]
"""A key, what is probably meant, and the JSON pointer of the schema with the key."""

REQUIRED = "a list of names, required, in the object"


def misspelt_keywords(schema: Any) -> list[Misspelt]:
    """The first keys of a schema and its sub-schemas that look like misspelt keywords.

    So does `required: true`, draft 3's mark of a property, which later drafts do not read.

    >>> misspelt_keywords({"items": {"type": "string", "minlength": 2}, "x-minimum": 1})
    [('minlength', 'minLength', '#/items')]
    """
    found: list[Misspelt] = []
    seen: set[int] = set()
    root: Any = ()
    stack: list[tuple[Any, Any]] = [(schema, root)]
    while stack and len(found) < MOST_NAMED:
        value, trail = stack.pop()
        if not isinstance(value, (dict, list, tuple)) or id(value) in seen:
            continue
        seen.add(id(value))
        if not isinstance(value, dict):
            items: list[Any] = list(value)
            stack += [(items[at], (trail, (at,))) for at in range(len(items) - 1, -1, -1)]
            continue
        below: list[tuple[Any, Any]] = []
        for key, inner in value.items():
            if key in SCHEMA_MAPS:
                if isinstance(inner, dict):
                    below += [(one, (trail, (key, name))) for name, one in inner.items()]
            elif key in SCHEMA_VALUES:
                below.append((inner, (trail, (key,))))
            elif key == "required" and inner is True:
                found.append(("required: true", REQUIRED, _pointer(trail)))
            elif isinstance(key, str) and key not in KNOWN:
                meant = meant_by(key)
                if _letters(key) in OTHER_NAMES:
                    meant = OF_TYPES.get((meant, str(value.get("type"))), meant)
                if meant and meant not in value:
                    found.append((key, meant, _pointer(trail)))
        stack += reversed(below)
    return found


def _pointer(trail: Any) -> str:
    steps: list[Path] = []
    while trail:
        trail, last = trail
        steps.append(last)
    return pointer_text(tuple(step for part in reversed(steps) for step in part))


@functools.lru_cache(1024)
def meant_by(key: str) -> str:
    """The keyword that a key is near to; empty for keys that are known or near to none.

    >>> meant_by("additional_properties"), meant_by("mimimum"), meant_by("colour")
    ('additionalProperties', 'minimum', '')
    """
    if key in KNOWN or key[:2] in ("x-", "X-") or key[:1] in "_." or len(key) > LONGEST:
        return ""
    letters = _letters(key)
    other = OTHER_NAMES.get(letters)
    if other is not None:
        return other
    same = BY_LETTERS.get(letters)
    if same is not None:
        return same
    if NEARBY.isdisjoint(_shortened(letters)):
        return ""  # most keys
    near = [word for word in MEANT if len(word) >= SHORTEST and _one_slip(letters, _letters(word))]
    return difflib.get_close_matches(key, near, 1, 0.0)[0] if near else ""


def _letters(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "").replace(" ", "").lstrip("$@")


def _shortened(letters: str) -> list[str]:
    """The letters, and what is left of them without one: words of one slip have one in common."""
    return [letters, *(letters[:at] + letters[at + 1 :] for at in range(len(letters)))]


def _one_slip(one: str, other: str) -> bool:
    """Whether one letter is missing, too many or wrong, or two neighbours are swapped."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1:
        return False
    start = 0
    while start < len(one) and one[start] == other[start]:
        start += 1
    if len(one) < len(other):
        return one[start:] == other[start + 1 :]
    if one[start + 1 :] == other[start + 1 :]:
        return True
    swapped = one[start + 1 : start + 2] + one[start : start + 1]
    return swapped + one[start + 2 :] == other[start:]


KNOWN = frozenset((*KEYWORDS, *ANNOTATIONS.split()))
BY_LETTERS = {_letters(word): word for word in MEANT}
NEARBY = frozenset(
    short for word in MEANT if len(word) >= SHORTEST for short in _shortened(_letters(word))
)
