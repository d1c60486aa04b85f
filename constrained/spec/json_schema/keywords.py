"""The table of keywords: what each one says, one small function per keyword.

A function takes the schema being read and the keyword's value, checks the value's form, and
notes what it means: limits on one type go into the `Reading`, references to other schemas into
its parts. Nothing is combined here; `meaning` does that. A keyword of the standard is in
`KEYWORDS` (enforced) or in `ANNOTATIONS` (says nothing about validity); any other key is an
annotation, as the standard says.
"""

from __future__ import annotations

from typing import Any

from constrained.spec.json_schema.applicator_keywords import APPLICATORS
from constrained.spec.json_schema.document import Document
from constrained.spec.json_schema.member_keywords import MEMBERS
from constrained.spec.json_schema.reading import Keyword, Reading
from constrained.spec.json_schema.records import conjoin
from constrained.spec.json_schema.scalar_keywords import SCALARS
from constrained.spec.json_schema.shapes import Shape
from constrained.spec.json_schema.value_keywords import PLAIN, VALUES

__all__ = ["ANNOTATIONS", "KEYWORDS", "plain_shape", "read_schema"]

KEYWORDS: dict[str, Keyword] = {**VALUES, **SCALARS, **MEMBERS, **APPLICATORS}

ANNOTATIONS = (
    "$schema $id id $anchor $dynamicAnchor $recursiveAnchor $defs definitions $comment $vocabulary "
    "title description default examples deprecated readOnly writeOnly contentEncoding "
    "contentMediaType contentSchema then else additionalItems"
)
"""Keys of the standard that say nothing on their own about which values are valid."""


_LIMITING = frozenset(KEYWORDS) - {"type"}


def plain_shape(schema: dict[str, Any]) -> Shape | None:
    """The shape of a schema that only names one type, as most do; None for all others.

    >>> plain_shape({"type": "null", "title": "nothing"}).atoms
    1
    """
    kind = schema.get("type")
    if type(kind) is str and _LIMITING.isdisjoint(schema):
        return PLAIN.get(kind)
    return None


def read_schema(document: Document, node: int, exact_formats: bool) -> Reading:
    """Read every keyword of one schema. Raises `InvalidSpec` and `UnsupportedSpec` with places."""
    schema = document.schemas[node]
    read = Reading(document, node, schema, exact_formats)
    if "$ref" in schema and 3 <= document.draft <= 7:
        KEYWORDS["$ref"](read, schema["$ref"])  # up to draft 7 a $ref hides its siblings
        return read
    for keyword, value in schema.items():
        function = KEYWORDS.get(keyword)
        if function is not None:
            function(read, value)
    if read.clauses and read.named:
        _add_patterns(read)
    return read


def _add_patterns(read: Reading) -> None:
    """Conjoin the demands of matching patterns to the named properties."""
    named = dict(read.named)
    for keys, demand in read.clauses:
        if keys.inside:
            for name in named:
                if keys.inside[0].holds(name):
                    named[name] = conjoin(named[name], demand)
    read.named = named
