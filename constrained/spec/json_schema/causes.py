"""Why nothing satisfies a schema: the pointer to the cause and one sentence about it."""

from __future__ import annotations

from constrained.errors import UnsatisfiableSpec
from constrained.spec.json_schema.emit import Emission
from constrained.spec.json_schema.object_records import demand_for
from constrained.spec.json_schema.reading import Reading, demand_of, language_of
from constrained.spec.json_schema.records import NOTHING, Demand
from constrained.spec.json_schema.shapes import Shape, meet
from constrained.spec.json_schema.shortened import shortened

__all__ = ["unsatisfiable"]

Finding = tuple[str, str]
Step = tuple[str, Demand]

LOOKING_AROUND = ("(?=", "(?!", "(?<=", "(?<!")

ONE_TYPE = (
    ("minimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
)
"""Keywords that contradict each other when the first is too large for the second."""


def unsatisfiable(emission: Emission, root: Demand) -> UnsatisfiableSpec:
    """The error for a demand that is not alive."""
    demand, where, seen = root, "#", {root}
    while True:
        finding = _explain(emission, demand, where)
        if isinstance(finding[1], str):
            return UnsatisfiableSpec(finding[1], where=finding[0])
        where, demand = finding
        if demand in seen:
            return UnsatisfiableSpec(
                "only an endless value would satisfy the schema: it always requires itself again",
                where=where,
            )
        seen.add(demand)


def _explain(emission: Emission, demand: Demand, where: str) -> Finding | Step:
    """The cause, or the place and demand to look at next."""
    if demand == NOTHING:
        return where, "the schema is false, so nothing satisfies it"
    positive = sorted(node for node in demand if node > 0)
    if len(demand) > 1 or not positive:
        for node in positive:
            if not emission.alive(demand_of(node)):
                return emission.document.pointer(node), demand_of(node)
        places = [emission.document.pointer(abs(node)) for node in sorted(demand, key=abs)]
        return where, f"the schemas that must hold here contradict each other: {', '.join(places)}"
    node = positive[0]
    read = emission.meaning.reading(node)
    where = emission.document.pointer(node)
    return (
        _own(emission, read, where)
        or _parts(emission, read, where)
        or _pattern(read, where)
        or _members(emission, node, where)
        or (where, "its keywords contradict each other, so no value satisfies all of them")
    )


def _own(emission: Emission, read: Reading, where: str) -> Finding | None:
    shape = read.shape()
    schema = read.schema
    if _empty(shape):
        for low, high in ONE_TYPE:
            if low in schema and high in schema:
                return (
                    f"{where}/{low}",
                    f"{low} {schema[low]} and {high} {schema[high]} leave no value",
                )
        return where, f"no value of type {schema.get('type')} satisfies the other keywords"
    for values in read.values:
        met = meet(values, shape, emission.meaning)
        if _empty(met):
            keyword = "enum" if "enum" in schema else "const"
            if keyword == "enum" and not schema["enum"]:
                return f"{where}/enum", "an empty enum allows no value"
            return f"{where}/{keyword}", f"no value of {keyword} satisfies the keywords beside it"
        shape = met
    return None


def _pattern(read: Reading, where: str) -> Finding | None:
    """The pattern that no text at all matches, in a schema of strings."""
    pattern = read.schema.get("pattern")
    if not isinstance(pattern, str) or language_of(read, pattern, "pattern").witness is not None:
        return None
    why = ""
    if any(mark in pattern for mark in LOOKING_AROUND):
        why = ": what stands around it is not what its look-aheads and look-behinds ask for"
    elif any(mark in pattern.replace("[^", "") for mark in ("^", "$", "\\b", "\\B")):
        why = ": look for ^, $, \\b or \\B where none can be"
    return f"{where}/pattern", f"no text matches the pattern {shortened(pattern)}{why}"


def _parts(emission: Emission, read: Reading, where: str) -> Finding | Step | None:
    alive, document = emission.alive, emission.document
    for operation, nodes, _ in read.parts:
        if operation == "all" and not alive(demand_of(nodes[0])):
            target = demand_of(nodes[0])
            return (document.pointer(abs(nodes[0])) if nodes[0] != -1 else where), target
        if operation in ("any", "one") and not any(alive(demand_of(node)) for node in nodes):
            keyword = "anyOf" if operation == "any" else "oneOf"
            return f"{where}/{keyword}", f"no branch of {keyword} can be satisfied"
    names = {"any": "anyOf", "one": "oneOf", "if": "if", "not": "not", "names": "propertyNames"}
    together = [f"{where}/{names[part[0]]}" for part in read.parts if part[0] in names]
    if together:
        return together[
            0
        ], f"nothing satisfies {together[0].rpartition('/')[2]} and what is beside it"
    targets = [document.pointer(part[1][0]) for part in read.parts if part[0] == "all"]
    if len(targets) > 1:
        return where, f"the schemas that must all hold contradict each other: {', '.join(targets)}"
    return None


def _members(emission: Emission, node: int, where: str) -> Step | None:
    shape = emission.meaning.shape_of(node)
    for record in shape.objects:
        for name in record.required:
            demand = demand_for(record, name)
            if not emission.alive(demand):
                place = f"{where}/required"
                if name in emission.document.schemas[node].get("properties", {}):
                    place = emission.document.pointer_below(node, ("properties", name))
                return place, demand
    for array in shape.arrays:
        for index in range(min(array.least, len(array.prefix))):
            if not emission.alive(array.prefix[index]):
                return emission.document.pointer_below(node, ("prefixItems", index)), array.prefix[
                    index
                ]
        if array.least > len(array.prefix) and not emission.alive(array.rest):
            return f"{where}/items", array.rest
    return None


def _empty(shape: Shape) -> bool:
    return not any(shape)
