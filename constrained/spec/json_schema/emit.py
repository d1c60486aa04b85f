"""From shapes to grammar nodes: every demand that holds arrays or objects becomes one rule.

A rule's body is built when it is first asked for (`Rules` is a lazy mapping), so the work before
the first mask does not grow with the schema. For that a reference may only be made to a demand
that is known to be alive (see `liveness`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from constrained.errors import ConstrainedError, LimitExceeded
from constrained.grammar import (
    NOTHING,
    LaterRules,
    Node,
    Nothing,
    Ref,
    alt,
    cat,
    followed,
    literal,
    literals,
    optional,
    repeat,
)
from constrained.limits import DEFAULT_LIMITS
from constrained.spec.json_schema.array_machine import is_counted
from constrained.spec.json_schema.document import Document
from constrained.spec.json_schema.liveness import Liveness, is_simple
from constrained.spec.json_schema.machine import Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.object_machine import Entry
from constrained.spec.json_schema.records import EVERYTHING, Array, Demand, Object
from constrained.spec.json_schema.regions import Region, unnamed_regions
from constrained.spec.json_schema.scalars import (
    is_quick,
    live_string,
    number_grammar,
    string_node,
    text_node,
)
from constrained.spec.json_schema.shapes import FALSE, NULL, TRUE, Shape
from constrained.spec.json_style import JsonStyle

__all__ = ["Emission", "Rules"]

Label = TypeVar("Label")

SHARED_TAIL = 12
"""At every so manieth optional property a rule begins, so that nodes do not nest without end."""

SHARED_ITEMS = 8
"""Optional items of a tuple are nested up to so many deep, then a rule begins."""

ATOMS = ((NULL, "null"), (FALSE, "false"), (TRUE, "true"))


class Rules(LaterRules):
    """Rules by name, each built when first looked up; iterating builds all that can be reached."""

    def __init__(self, emission: Emission) -> None:
        self._emission = emission

    def __getitem__(self, name: str) -> Node:
        return self._emission.rule(name)

    def may_wait(self, name: str) -> bool:
        """Whether it is a rule of values: those of numbers are automata, with empty texts."""
        return self._emission.is_value(name)

    def must_wait(self, name: str) -> bool:
        """Whether it is a rule of numbers or strings that take long to write."""
        return self._emission.is_slow(name)

    def __contains__(self, name: object) -> bool:
        return self._emission.has_rule(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._emission.all_rules())

    def __len__(self) -> int:
        return len(self._emission.all_rules())

    @property
    def left_out(self) -> Sequence[ConstrainedError]:
        """Why parts of the schema are missing in the bodies made so far."""
        return self._emission.live.left_out


class _Items(NamedTuple):
    """A tuple that is being written: its items, then `more` (item with comma, how many at most)."""

    name: str
    items: tuple[Node, ...]
    least: int
    more: tuple[Node, int | None]
    comma: Node
    closing: Node


class _Members(NamedTuple):
    """Members that may follow, `first` the first one required, and what follows that one."""

    name: str
    tail: tuple[Node, ...]
    first: int
    last: Node


class _States(NamedTuple):
    """A machine that is being written, one rule per state."""

    name: str
    machine: Machine[Any]
    write: Callable[[Emission, Any, int], Node]
    comma: Node
    closing: Node
    depth: int


class Emission:
    """The grammar of one schema document in one whitespace style."""

    def __init__(self, meaning: Meaning, style: JsonStyle) -> None:
        self.meaning = meaning
        self.document = meaning.document
        self.live = Liveness(meaning)
        self.alive = self.live.alive
        self.style = style
        self._built: dict[str, Node] = {}
        # Functions of an emission, none of which holds this one: a cycle would keep grammars that
        # are no longer used until the collector comes.
        self._pending: dict[str, Callable[[Emission], Node]] = {}
        self._promised: set[str] = set()
        self._failed: dict[str, ConstrainedError] = {}
        self._slow: set[str] = set()
        self._building = RLock()
        self._colon = _colon(style)
        self._key = _keys(style)
        self._frames: dict[tuple[str, int], tuple[Node, Node, Node]] = {}
        self._names: dict[tuple[Demand, int], str] = {}
        self._taken: dict[str, Demand] = {}
        self._values: dict[tuple[Demand, int], Node] = {}
        self._scalars: dict[int, tuple[Shape, Node]] = {}

    # -------------------------------------------------------------- rules

    def rule(self, name: str) -> Node:
        """The body of a rule; what could not be built raises the same error each time."""
        body = self._built.get(name)
        if body is not None:
            return body
        with self._building:
            if name in self._built:
                return self._built[name]
            if name in self._failed:
                raise self._failed[name]
            self.meaning.begin_step()
            try:
                body = self._pending[name](self)
            except ConstrainedError as error:
                self._failed[name] = error.with_traceback(None)
                raise
            self._built[name] = body
            del self._pending[name]
        return body

    def is_value(self, name: str) -> bool:
        """Whether the rule was promised by `later`."""
        return name in self._promised

    def is_slow(self, name: str) -> bool:
        """Whether the rule is one of scalars that take long to write."""
        return name in self._slow

    def has_rule(self, name: object) -> bool:
        """Whether the rule is known so far."""
        return name in self._built or name in self._promised

    def all_rules(self) -> dict[str, Node]:
        """Every rule that can be reached, built."""
        limit = self.document.limits.max_nodes
        while self._pending:
            self.rule(next(iter(self._pending)))
            if len(self._built) > limit:
                raise LimitExceeded("max_nodes", limit, "writing the rules of a JSON Schema")
        return self._built

    @property
    def rules(self) -> Rules:
        """All rules, built on demand."""
        return Rules(self)

    def later(self, name: str, build: Callable[[Emission], Node]) -> Ref:
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
            written = self._scalars.get(id(shape))
            if written is not None:
                node = written[1]
            elif not demand:
                node = self.later(self._name(demand, depth), lambda e: e.anything(depth))
            elif shape.arrays or shape.objects:
                name = self._name(demand, depth)
                node = self.later(name, lambda emission: emission.body(demand, depth))
            elif all(map(is_quick, shape.numbers)) and all(map(is_quick, shape.strings)):
                node = self.scalars(shape)
                self._scalars[id(shape)] = shape, node
            else:
                name = self._name(demand, 0)
                self._slow.add(name)
                node = self.later(name, lambda emission: emission.scalars(shape))
            self._values[key] = node
        return node

    def body(self, demand: Demand, depth: int) -> Node:
        """The body of a rule of values."""
        name = self._name(demand, depth)
        parts = [self.scalars(self.meaning.shape(demand))]
        parts += [
            self._object(record, demand, depth, f"{name} object {index}")
            for index, record in enumerate(self.live.alive_objects(demand))
        ]
        parts += [
            self._array(record, depth, f"{name} array {index}")
            for index, record in enumerate(self.live.alive_arrays(demand))
        ]
        return alt(*parts)

    def anything(self, depth: int) -> Node:
        """The body of the rule of all values."""
        self.value(EVERYTHING, self.style.level(depth + 1))  # which the body refers to
        return _anything(self.style, depth)

    def scalars(self, shape: Shape) -> Node:
        """The texts of the numbers, strings, booleans and null of a shape."""
        parts = []
        if shape.atoms:
            parts.append(literals([text for bit, text in ATOMS if shape.atoms & bit]))
        for number in shape.numbers:
            grammar = number_grammar(number, self.document.spellings, self.style.integers)
            self._built.update(grammar.rules)
            parts.append(grammar.start)
        escapes = self.style.escapes
        parts += [string_node(record, escapes) for record in shape.strings if live_string(record)]
        return parts[0] if len(parts) == 1 else alt(*parts)

    # -------------------------------------------------------------- arrays

    def _array(self, record: Array, depth: int, name: str) -> Node:
        if is_counted(record):
            return self._run(self.live.array_machine(record), Emission._item, name, "[]", depth)
        opening, closing, comma = self._brackets("[]", depth)
        inner = self.style.level(depth + 1)
        most = record.most
        items = []
        for index, demand in enumerate(record.prefix[:most]):
            if not self.alive(demand):
                most = index
                break
            items.append(self.value(demand, inner))
        more = None if most is None else most - len(items)
        rest: Node = NOTHING
        if more != 0 and len(items) == len(record.prefix) and self.alive(record.rest):
            rest = self.value(record.rest, inner)
        empty = literal("[]") if record.least == 0 else NOTHING
        least = max(record.least, 1)
        if not items:
            low, high = least - 1, None if more is None else more - 1
            if isinstance(rest, Nothing) or (high is not None and high < low):
                return empty
            return alt(empty, cat(opening, rest, repeat(cat(comma, rest), low, high), closing))

        more_items = cat(comma, rest), more
        tuple_ = _Items(name, tuple(items), least, more_items, comma, closing)
        return alt(empty, cat(opening, items[0], self.after_items(tuple_, 1)))

    def after_items(self, items: _Items, index: int) -> Node:
        """What follows `index` items of a tuple."""
        if index == len(items.items):
            item, most = items.more
            return cat(repeat(item, max(0, items.least - index), most), items.closing)
        ends = items.closing if index >= items.least else NOTHING
        if index % SHARED_ITEMS == 0:
            name = f"{items.name} from {index}"
            after: Node = self.later(name, lambda emission: emission.after_items(items, index + 1))
        else:
            after = self.after_items(items, index + 1)
        return alt(ends, cat(items.comma, items.items[index], after))

    def _item(self, demand: Demand, depth: int) -> Node:
        return self.value(demand, self.style.level(depth + 1))

    def _brackets(self, brackets: str, depth: int) -> tuple[Node, Node, Node]:
        """What opens, closes and separates members that stand at a depth."""
        key = (brackets, self.style.level(depth))
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = _frame(self.style, *key)
        return found

    # -------------------------------------------------------------- objects

    def _object(self, record: Object, demand: Demand, depth: int, name: str) -> Node:
        if not is_simple(record, self.meaning.any_order):
            return self._run(self.live.object_machine(record), Emission._entry, name, "{}", depth)
        opening, closing, comma = self._brackets("{}", depth)
        required, inner = record.required, self.style.level(depth + 1)
        members = [
            (key in required, self._key(key), self.value(demand, inner))
            for key, demand in record.named.items()
            if self.alive(demand)
        ]
        others = alt(*(cat(*self._other(region, depth)) for region in self._regions(record, demand)))
        first = next((i for i, (needed, _, __) in enumerate(members) if needed), len(members))
        tail = [
            cat(comma, key, value) if needed else optional(cat(comma, key, value))
            for needed, key, value in members
        ]
        end = cat(repeat(cat(comma, others)), closing)
        if first == 0 and members:
            return cat(opening, *members[0][1:], *tail[1:], end)
        rest = _Members(name, tuple(tail), first, cat(*tail[first + 1 :], end))
        starts = []
        after = rest.last
        for index in reversed(range(min(first + 1, len(members)))):
            _, key, value = members[index]
            starts.append(followed(key, value, by=after))
            if index % SHARED_TAIL:
                after = followed(tail[index], by=after)
            elif index:
                after = self._members_from(rest, index)
        starts.reverse()
        if first < len(members):
            return cat(opening, alt(*starts))
        return alt(literal("{}"), cat(opening, alt(*starts, cat(others, end))))

    def _members_from(self, rest: _Members, index: int) -> Node:
        """A rule for what follows once `index` members are passed."""
        return self.later(
            f"{rest.name} from {index}", lambda emission: emission.after_members(rest, index)
        )

    def after_members(self, rest: _Members, index: int) -> Node:
        """What follows once `index` members are passed."""
        stop = index + SHARED_TAIL
        if stop > rest.first or stop >= len(rest.tail):
            return cat(*rest.tail[index : rest.first + 1], rest.last)
        return cat(*rest.tail[index:stop], self._members_from(rest, stop))

    def _regions(self, record: Object, demand: Demand) -> list[Region]:
        self.meaning.begin_part()
        try:
            return unnamed_regions(record, self.alive, self.meaning)
        except LimitExceeded as error:
            self.live.leave_out(error, demand)
        return []

    def _member(self, key: str, demand: Demand, depth: int) -> tuple[Node, Node]:
        """``"key":`` and the value."""
        return self._key(key), self.value(demand, self.style.level(depth + 1))

    def _other(self, region: Region, depth: int) -> tuple[Node, Node]:
        """Any key of a region with its colon, and the value."""
        node = cat(string_node(region.keys, self.style.escapes), self._colon)
        return node, self.value(region.demand, self.style.level(depth + 1))

    # -------------------------------------------------------------- machines

    def _entry(self, entry: Entry, depth: int) -> Node:
        name, region = entry
        if name is None:
            return cat(*self._other(region, depth))
        return cat(*self._member(name, region.demand, depth))

    def _run(
        self,
        machine: Machine[Label],
        write: Callable[[Emission, Label, int], Node],
        name: str,
        brackets: str,
        depth: int,
    ) -> Node:
        """A machine's accepted member lists between brackets, one rule per state."""
        opening, closing, comma = self._brackets(brackets, depth)
        empty = literal(brackets) if 0 in machine.accepting else NOTHING
        states = _States(name, machine, write, comma, closing, depth)
        return alt(empty, *(self._step(states, edge, opening) for edge in machine.edges[0]))

    def state(self, states: _States, number: int) -> Node:
        """What may follow in a state of a machine."""
        machine = states.machine
        ends = states.closing if number in machine.accepting else NOTHING
        return alt(
            ends, *(self._step(states, edge, states.comma) for edge in machine.edges[number])
        )

    def _step(self, states: _States, edge: tuple[Any, int], before: Node) -> Node:
        label, to = edge
        follow = self.later(
            f"{states.name} state {to}", lambda emission: emission.state(states, to)
        )
        return cat(before, states.write(self, label, states.depth), follow)


@lru_cache(maxsize=256)
def _frame(style: JsonStyle, brackets: str, depth: int) -> tuple[Node, Node, Node]:
    """What opens, closes and separates members."""
    return (
        cat(literal(brackets[0]), style.opening(depth)),
        cat(style.closing(depth), literal(brackets[1])),
        style.between(depth),
    )


@lru_cache(maxsize=256)
def _colon(style: JsonStyle) -> Node:
    return style.after_key()


@lru_cache(maxsize=64)
def _keys(style: JsonStyle) -> Callable[[str], Node]:
    """Keys with the colon after them, which many documents share."""

    @lru_cache(maxsize=8192)
    def written(key: str) -> Node:
        return cat(text_node(key, style.escapes), _colon(style))

    return written


@lru_cache(maxsize=256)
def _anything(style: JsonStyle, depth: int) -> Node:
    """The rule of all values is the same in every document."""
    emission = Emission(Meaning(Document(True, DEFAULT_LIMITS), True), style)
    return emission.body(EVERYTHING, depth)
