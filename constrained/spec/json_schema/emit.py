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
from constrained.spec.json_schema.least_bytes import least_bytes
from constrained.spec.json_schema.liveness import Liveness, is_simple
from constrained.spec.json_schema.machine import EDGE_COST, Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.object_machine import Entry
from constrained.spec.json_schema.records import ANY_NUMBER, EVERYTHING, Array, Demand, Object
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
from constrained.spec.numbers_json import EVERY_NUMBER

__all__ = ["Emission", "Rules"]

Label = TypeVar("Label")

SHARED_TAIL = 12
"""At every so manieth optional property a rule begins, so that nodes do not nest without end."""

RULES_AHEAD, STATES_AHEAD = 2_000, 200
"""Rules, and rules of states of machines, that are built before the first mask at the most."""

SHARED_ITEMS = 8
"""Optional items of a tuple are nested up to so many deep, then a rule begins."""

NUMBER = "number"
"""The name of the rule of all numbers; other rules are named by pointers, or "any"."""

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

    def least(self, name: str) -> int:
        """A number that no text of the rule has fewer bytes than."""
        return self._emission.least(name)

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
    demand: Demand


class Emission:
    """The grammar of one schema document in one whitespace style."""

    def __init__(self, meaning: Meaning, style: JsonStyle) -> None:
        self.meaning = meaning
        self.document = meaning.document
        self.live = Liveness(meaning, style)
        self.alive = self.live.alive
        self.style = style
        self._built: dict[str, Node] = {}
        # Functions of an emission, none of which holds this one: a cycle would keep grammars that
        # are no longer used until the collector comes.
        self._pending: dict[str, Callable[[Emission], Node]] = {}
        self._promised: set[str] = set()
        self._failed: dict[str, ConstrainedError] = {}
        self._slow: set[str] = set()
        self._states: dict[str, tuple[_States, int]] = {}
        """Rules of states of machines."""
        self._waiting: dict[str, None] = {}
        """Those of them that are yet to be built."""
        self._edges = 0
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
                if name in self._waiting:
                    body = self.state(*self._states[name])
                else:
                    body = self._pending[name](self)
            except ConstrainedError as error:
                self._failed[name] = error.with_traceback(None)
                raise
            self._built[name] = body
            self._pending.pop(name, None)
            self._waiting.pop(name, None)
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
        while self._pending or self._waiting:
            self.rule(next(iter(self._pending or self._waiting)))
            if max(len(self._built), self._edges * EDGE_COST) > limit:
                raise LimitExceeded("max_nodes", limit, "writing the rules of a JSON Schema")
        return self._built

    def build_ahead(self) -> None:
        """Build rules while what cannot be kept is refused: all there are, up to a bound."""
        for _ in range(RULES_AHEAD):
            if not self._pending:
                break
            self.rule(next(iter(self._pending)))
        for _ in range(STATES_AHEAD):
            if self._waiting:
                self.rule(next(iter(self._waiting)))
            while self._pending and len(self._built) < RULES_AHEAD:
                self.rule(next(iter(self._pending)))

    def least(self, name: str) -> int:
        """A number that no text of a rule has fewer bytes than."""
        known = self._states.get(name)
        if known is None:
            return 1
        states, number = known
        need, choices = states.machine.wanted(number)
        sizes = sorted(self._size(states, choice) for choice in choices) or [1] * need
        comma, closing = least_bytes(states.comma), least_bytes(states.closing)
        return sum(sizes[:need]) + need * comma + closing

    def _size(self, states: _States, choice: Any) -> int:
        """As `least`, of one member."""
        if isinstance(choice, frozenset) and len(choice) == 1:
            schema = self.document.schemas[max(next(iter(choice)), 0)]
            if isinstance(schema, dict) and "const" in schema:
                return self._least_of(schema["const"], self.style.level(states.depth + 1))
        return least_bytes(states.write(self, choice, states.depth))

    def _least_of(self, value: Any, depth: int) -> int:
        """Bytes that a value written at a depth has at the least."""
        if isinstance(value, str):
            return least_bytes(text_node(value, self.style.escapes))
        if isinstance(value, (dict, list)) and value:
            brackets = "{}" if isinstance(value, dict) else "[]"
            opening, closing, comma = map(least_bytes, self._brackets(brackets, depth))
            size = opening + closing + (len(value) - 1) * comma
            if isinstance(value, dict):
                size += sum(least_bytes(self._key(key)) for key in value)
            inner = self.style.level(depth + 1)
            members = value.values() if isinstance(value, dict) else value
            return size + sum(self._least_of(member, inner) for member in members)
        if isinstance(value, (dict, list)):
            return 2
        if value is None or isinstance(value, bool):
            return 5 if value is False else 4
        texts = self.document.spellings.get(value)
        if texts:
            return min(map(len, texts))
        return len(str(value)) if isinstance(value, int) else 1

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
            self._array(record, demand, depth, f"{name} array {index}")
            for index, record in enumerate(self.live.alive_arrays(demand))
        ]
        return alt(*parts)

    def anything(self, depth: int) -> Node:
        """The body of the rule of all values."""
        self.value(EVERYTHING, self.style.level(depth + 1))  # which the body refers to, and
        self._any_number()
        return _anything(self.style, depth)

    def scalars(self, shape: Shape) -> Node:
        """The texts of the numbers, strings, booleans and null of a shape."""
        parts = []
        if shape.atoms:
            parts.append(literals([text for bit, text in ATOMS if shape.atoms & bit]))
        for number in shape.numbers:
            if number == ANY_NUMBER:
                parts.append(self._any_number())
                continue
            grammar = number_grammar(
                number, self.document.spellings, self.style.integers, self.document.limits
            )
            self._built.update(grammar.rules)
            parts.append(grammar.start)
        escapes = self.style.escapes
        parts += [string_node(record, escapes) for record in shape.strings if live_string(record)]
        return parts[0] if len(parts) == 1 else alt(*parts)

    def _any_number(self) -> Node:
        """Any number: a rule that is lowered when one is written, which is seldom and not short."""
        self._slow.add(NUMBER)
        return self.later(NUMBER, lambda _: EVERY_NUMBER.start)

    # -------------------------------------------------------------- arrays

    def _array(self, record: Array, demand: Demand, depth: int, name: str) -> Node:
        if is_counted(record):
            return self._run(
                self.live.array_machine(record), Emission._item, name, "[]", depth, demand
            )
        opening, closing, comma = self._brackets("[]", depth)
        inner = self.style.level(depth + 1)
        most = record.most
        items = []
        for index, item in enumerate(record.prefix[:most]):
            if not self.alive(item):
                most = index
                break
            items.append(self.value(item, inner))
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
            return self._run(
                self.live.object_machine(record), Emission._entry, name, "{}", depth, demand
            )
        opening, closing, comma = self._brackets("{}", depth)
        required, inner = record.required, self.style.level(depth + 1)
        members = [
            (key in required, self._key(key), self.value(demand, inner))
            for key, demand in record.named.items()
            if self.alive(demand)
        ]
        others = alt(
            *(cat(*self._other(region, depth)) for region in self._regions(record, demand))
        )
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
        demand: Demand,
    ) -> Node:
        """A machine's accepted member lists between brackets, one rule per state."""
        opening, closing, comma = self._brackets(brackets, depth)
        empty = literal(brackets) if machine.accepts(0, self.alive) else NOTHING
        states = _States(name, machine, write, comma, closing, depth, demand)
        return alt(empty, *self._steps(states, 0, opening))

    def state(self, states: _States, number: int) -> Node:
        """What may follow in a state of a machine."""
        ends = states.closing if states.machine.accepts(number, self.alive) else NOTHING
        return alt(ends, *self._steps(states, number, states.comma))

    def _steps(self, states: _States, number: int, before: Node) -> list[Node]:
        edges = states.machine.edges(number, self.alive)
        self._edges += len(edges)
        return [
            self._step(states, edge, before) for edge in edges if self._goes_on(states, edge[1])
        ]

    def _goes_on(self, states: _States, to: int) -> bool:
        """Whether a state is no dead end; a way to the end that is known is never left out."""
        try:
            return states.machine.live(to, self.alive)
        except LimitExceeded as error:
            self.live.leave_out(error, states.demand)
        return False

    def _step(self, states: _States, edge: tuple[Any, int], before: Node) -> Node:
        label, to = edge
        name = f"{states.name} state {to}"
        if name not in self._promised:
            self._promised.add(name)
            self._states[name] = states, to
            self._waiting[name] = None
        return cat(before, states.write(self, label, states.depth), Ref(name))


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
