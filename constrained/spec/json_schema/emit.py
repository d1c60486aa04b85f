"""From shapes to grammar nodes: every demand that holds arrays or objects becomes one rule.

A rule's body is built when it is first asked for (`Rules` is a lazy mapping), so the work before
the first mask does not grow with the schema. For that a reference may only be made to a demand
that is known to be alive (see `liveness`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import RLock
from typing import TypeVar

from constrained.errors import LimitExceeded
from constrained.grammar import NOTHING, Node, Ref, alt, cat, literal, literals, optional, repeat
from constrained.spec.json_schema.array_machine import is_counted
from constrained.spec.json_schema.liveness import Liveness, is_simple
from constrained.spec.json_schema.machine import Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.object_machine import Entry
from constrained.spec.json_schema.records import Array, Demand, Object
from constrained.spec.json_schema.regions import Region, unnamed_regions
from constrained.spec.json_schema.scalars import live_string, number_grammar, string_node, text_node
from constrained.spec.json_schema.shapes import FALSE, NULL, TRUE, Shape
from constrained.spec.json_text import JsonStyle

__all__ = ["Emission", "Rules"]

Label = TypeVar("Label")

SHARED_TAIL = 12
"""Optional properties are written out up to every so manieth one, where a shared rule begins."""

ATOMS = ((NULL, "null"), (FALSE, "false"), (TRUE, "true"))


class Rules(Mapping[str, Node]):
    """Rules by name, each built when first looked up; iterating builds all that can be reached."""

    def __init__(self, emission: Emission) -> None:
        self._emission = emission

    def __getitem__(self, name: str) -> Node:
        return self._emission.rule(name)

    def __contains__(self, name: object) -> bool:
        return self._emission.has_rule(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._emission.all_rules())

    def __len__(self) -> int:
        return len(self._emission.all_rules())


class Emission:
    """The grammar of one schema document in one whitespace style."""

    def __init__(self, meaning: Meaning, style: JsonStyle) -> None:
        self.meaning = meaning
        self.document = meaning.document
        self.live = Liveness(meaning)
        self.alive = self.live.alive
        self.style = style
        self.rules = Rules(self)
        self._built: dict[str, Node] = {}
        self._pending: dict[str, Callable[[], Node]] = {}
        self._promised: set[str] = set()
        self._building = RLock()
        self._names: dict[tuple[Demand, int], str] = {}
        self._taken: dict[str, Demand] = {}
        self._values: dict[tuple[Demand, int], Node] = {}

    # -------------------------------------------------------------- rules

    def rule(self, name: str) -> Node:
        """The body of a rule."""
        body = self._built.get(name)
        if body is not None:
            return body
        with self._building:
            if name in self._built:
                return self._built[name]
            build = self._pending.pop(name)
            body = self._built[name] = build()
            if len(self._built) > self.document.limits.max_nodes:
                limit = self.document.limits.max_nodes
                raise LimitExceeded("max_nodes", limit, "writing the rules of a JSON Schema")
        return body

    def has_rule(self, name: object) -> bool:
        """Whether the rule is known so far."""
        return name in self._built or name in self._promised

    def all_rules(self) -> dict[str, Node]:
        """Every rule that can be reached, built."""
        while self._pending:
            self.rule(next(iter(self._pending)))
        return self._built

    def later(self, name: str, build: Callable[[], Node]) -> Ref:
        """A reference to a rule to be built on demand."""
        if name not in self._promised:
            self._promised.add(name)
            self._pending[name] = build
        return Ref(name)

    def _name(self, demand: Demand, depth: int) -> str:
        key = (demand, depth)
        name = self._names.get(key)
        if name is None:
            name = self._demand_name(demand)
            if self._taken.setdefault(name, demand) != demand:
                name = f"{name} ({len(self._names)})"
                self._taken[name] = demand
            if depth:
                name = f"{name} @{depth}"
            self._names[key] = name
        return name

    def _demand_name(self, demand: Demand) -> str:
        if not demand:
            return "any"
        document = self.document
        if len(demand) == 1:
            node = next(iter(demand))
            return document.name(node) if node > 0 else f"not {document.name(-node)}"
        if len(demand) > 4:
            return f"{document.name(min(abs(n) for n in demand))} and {len(demand) - 1} more"
        return " and ".join(
            document.name(n) if n > 0 else f"not {document.name(-n)}"
            for n in sorted(demand, key=lambda n: (n < 0, abs(n)))
        )

    # -------------------------------------------------------------- values

    def value(self, demand: Demand, depth: int) -> Node:
        """The texts of the values that satisfy a demand, which must be alive.

        Arrays and objects in it hold their members at `depth`.
        """
        key = (demand, depth)
        node = self._values.get(key)
        if node is None:
            shape = self.meaning.shape(demand)
            if shape.arrays or shape.objects:
                name = self._name(demand, depth)
                node = self.later(name, lambda: self._body(demand, depth))
            else:
                node = self._scalars(shape)
            self._values[key] = node
        return node

    def _body(self, demand: Demand, depth: int) -> Node:
        name = self._name(demand, depth)
        parts = [self._scalars(self.meaning.shape(demand))]
        parts += [
            self._object(record, depth, f"{name} object {index}")
            for index, record in enumerate(self.live.alive_objects(demand))
        ]
        parts += [
            self._array(record, depth, f"{name} array {index}")
            for index, record in enumerate(self.live.alive_arrays(demand))
        ]
        return alt(*parts)

    def _scalars(self, shape: Shape) -> Node:
        parts = []
        if shape.atoms:
            parts.append(literals([text for bit, text in ATOMS if shape.atoms & bit]))
        for number in shape.numbers:
            grammar = number_grammar(number, self.document.spellings)
            self._built.update(grammar.rules)
            parts.append(grammar.start)
        escapes = self.style.escapes
        parts += [string_node(record, escapes) for record in shape.strings if live_string(record)]
        return parts[0] if len(parts) == 1 else alt(*parts)

    # -------------------------------------------------------------- arrays

    def _array(self, record: Array, depth: int, name: str) -> Node:
        opening, closing, comma = self._brackets("[]", depth)
        inner = self.style.level(depth + 1)
        if is_counted(record):
            return self._run(self.live.array_machine(record), self._item, name, "[]", depth)
        most = record.most
        prefix = []
        for index, demand in enumerate(record.prefix[:most]):
            if not self.alive(demand):
                most = index
                break
            prefix.append(self.value(demand, inner))
        more = None if most is None else most - len(prefix)
        rest: Node = NOTHING
        if more != 0 and len(prefix) == len(record.prefix) and self.alive(record.rest):
            rest = self.value(record.rest, inner)
        body = _sequence(prefix, rest, comma, record.least, more)
        empty = literal("[]") if record.least == 0 else NOTHING
        return alt(empty, cat(opening, body, closing))

    def _item(self, demand: Demand, depth: int) -> Node:
        return self.value(demand, self.style.level(depth + 1))

    def _brackets(self, brackets: str, depth: int) -> tuple[Node, Node, Node]:
        depth = self.style.level(depth)
        style = self.style
        return (
            cat(literal(brackets[0]), style.opening(depth)),
            cat(style.closing(depth), literal(brackets[1])),
            style.between(depth),
        )

    # -------------------------------------------------------------- objects

    def _object(self, record: Object, depth: int, name: str) -> Node:
        if not is_simple(record):
            return self._run(self.live.object_machine(record), self._entry, name, "{}", depth)
        opening, closing, comma = self._brackets("{}", depth)
        members: list[tuple[bool, Node]] = []
        for key, demand in record.named.items():
            if self.alive(demand):
                members.append((key in record.required, self.member(key, demand, depth)))
        others = alt(*(self.other_member(region, depth) for region in self._regions(record)))
        more = repeat(cat(comma, others))
        first = next((i for i, (needed, _) in enumerate(members) if needed), len(members))
        tail = [
            cat(comma, node) if needed else optional(cat(comma, node)) for needed, node in members
        ]
        if first == 0 and members:
            return cat(opening, members[0][1], *tail[1:], more, closing)
        rest = self._rest(tail, first, more, name)
        starts = [cat(members[i][1], rest(i + 1)) for i in range(min(first + 1, len(members)))]
        if first == len(members):
            starts.append(cat(others, more))
            return alt(literal("{}"), cat(opening, alt(*starts), closing))
        return cat(opening, alt(*starts), closing)

    def _rest(self, tail: list[Node], first: int, more: Node, name: str) -> Callable[[int], Node]:
        """What follows once something is written: shared rules while many starts lead there."""
        last = cat(*tail[first + 1 :], more) if first < len(tail) else more

        def after(index: int) -> Node:
            if index > first or index >= len(tail):
                return last
            stop = min((index // SHARED_TAIL + 1) * SHARED_TAIL, first + 1, len(tail))
            here = tail[index:stop]
            return cat(*here, last if stop > first or stop == len(tail) else shared(stop))

        def shared(index: int) -> Node:
            return self.later(f"{name} from {index}", lambda: after(index))

        return after

    def _regions(self, record: Object) -> list[Region]:
        return unnamed_regions(record, self.alive, self.meaning)

    def member(self, key: str, demand: Demand, depth: int) -> Node:
        """``"key": value``."""
        inner = self.style.level(depth + 1)
        node = text_node(key, self.style.escapes)
        return cat(node, self.style.after_key(), self.value(demand, inner))

    def other_member(self, region: Region, depth: int) -> Node:
        """A member whose key is any of a region."""
        inner = self.style.level(depth + 1)
        node = string_node(region.keys, self.style.escapes)
        return cat(node, self.style.after_key(), self.value(region.demand, inner))

    # -------------------------------------------------------------- machines

    def _entry(self, entry: Entry, depth: int) -> Node:
        name, region = entry
        if name is None:
            return self.other_member(region, depth)
        return self.member(name, region.demand, depth)

    def _run(
        self,
        machine: Machine[Label],
        write: Callable[[Label, int], Node],
        name: str,
        brackets: str,
        depth: int,
    ) -> Node:
        """A machine's accepted member lists between brackets, one rule per state."""
        opening, closing, comma = self._brackets(brackets, depth)
        empty = literal(brackets) if 0 in machine.accepting else NOTHING

        def state(number: int) -> Node:
            ends = closing if number in machine.accepting else NOTHING
            return alt(ends, *(step(edge, comma) for edge in machine.edges[number]))

        def step(edge: tuple[Label, int], before: Node) -> Node:
            label, to = edge
            follow = self.later(f"{name} state {to}", lambda: state(to))
            return cat(before, write(label, depth), follow)

        return alt(empty, *(step(edge, opening) for edge in machine.edges[0]))


def _sequence(prefix: list[Node], rest: Node, comma: Node, least: int, more: int | None) -> Node:
    """At least one item: `prefix` in order, then up to `more` of `rest`, at least `least`."""
    least_rest = max(0, least - len(prefix))
    if not prefix:
        low, high = max(0, least_rest - 1), None if more is None else more - 1
        if high is not None and high < low:
            return NOTHING
        return cat(rest, repeat(cat(comma, rest), low, high))
    tail = repeat(cat(comma, rest), least_rest, more)
    if len(prefix) >= least:
        for index in range(len(prefix) - 1, max(least, 1) - 1, -1):
            tail = optional(cat(comma, prefix[index], tail))
    head = prefix[0]
    for index in range(1, min(max(least, 1), len(prefix))):
        head = cat(head, comma, prefix[index])
    return cat(head, tail)
