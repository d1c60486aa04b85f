"""The machine of an object whose members are counted or wanted.

Objects with `minProperties`, `maxProperties`, wanted members, or choices between facts. The states
hold counts up to where they stop mattering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from constrained.errors import LimitExceeded, UnsupportedSpec
from constrained.spec.json_schema.key_sets import met_keys, other_keys
from constrained.spec.json_schema.machine import Ask, Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.object_records import demand_for
from constrained.spec.json_schema.records import (
    ANY_STRING,
    NOTHING,
    Demand,
    Member,
    Object,
    conjoin,
)
from constrained.spec.json_schema.regions import Region, unnamed_regions
from constrained.spec.json_schema.scalars import few_texts
from constrained.spec.json_schema.shapes import Shape
from constrained.spec.json_schema.string_records import holds

__all__ = ["Entry", "object_machine"]

FEW_KEYS = 8
"""Key sets of at most so many texts are followed key by key."""

FEW_LATER = 8
"""So many keys that matter without being in `properties` may stand anywhere among the others."""

MOST_IN_ANY_ORDER = 10
"""Properties that may come in any order: the states are the sets of those written."""

FEW_TOGETHER = 3
"""Wanted members of one wish that are kept in mind together."""

MOST_WAYS = 512
"""Ways to write one key, by which wishes its value fulfils."""


class Entry(NamedTuple):
    """One member written: under a name, or under any key of a region."""

    name: str | None
    region: Region


def object_machine(meaning: Meaning, record: Object, ask: Ask) -> Machine[Entry]:
    """The member lists of a record.

    Properties come in the schema's order, or any; other keys follow in any order, with required
    ones and the keys of small finite sets among them.

    A JSON text may repeat a key, and the last value counts. Named keys are never repeated, and
    neither are those of a small finite key set. Of all other keys only one is sure to be a new
    one, so only one counts for `minProperties`, and a wanted member must be the last with a key
    that could repeat it.
    """
    builder = _ObjectMachine(meaning, record, ask)
    return Machine(_State(), builder.following, builder.limit)


_Way = tuple[int, int, Region]
"""Wanted members that a key fulfils, and those it may replace, as bits; its keys and demand."""


class _State(NamedTuple):
    """How far a member list has come."""

    position: int = 0
    """The next name that may be written, in order."""
    distinct: int = 0
    """Keys that are certainly different, up to where `minProperties` is reached."""
    written: int = 0
    """Members, up to `maxProperties` (up to 1 when there is no limit)."""
    met: int = 0
    """Wishes fulfilled for good, as bits."""
    last: int = 0
    """Wanted members that are there unless a later member has the same key, as bits."""
    used: int = 0
    """Keys of finite sets written, as bits; the lowest bit: any other key."""


class _Wish:
    """One choice: facts about names, and wanted members; each wanted member has its own bit."""

    def __init__(self, choice: tuple[Object, ...], first_bit: int) -> None:
        self.names: dict[str, None] = {}
        self.absent: set[str] = set()
        self.present: dict[str, list[Demand]] = {}
        self.members: list[Member] = []
        for option in choice:
            if option.some:
                self.members += option.some
                continue
            name = next(iter(option.required or option.named))
            self.names[name] = None
            if not option.required:
                self.absent.add(name)
            demand = demand_for(option, name)
            if demand != NOTHING:
                self.present.setdefault(name, []).append(demand)
        self.first_bit = first_bit
        self.bits = ((1 << len(self.members)) - 1) << first_bit

    def demands(self, name: str) -> list[Demand]:
        """The demands of which one, holding under `name`, fulfils the wish."""
        found = [member.demand for member in self.members if holds(member.keys, name)]
        return list(dict.fromkeys(self.present.get(name, []) + found))


class _Loose(NamedTuple):
    """A key outside `properties` that is followed on its own: it may stand among other members."""

    bit: int
    needed: bool
    absent: int
    """The wishes that leaving it out fulfils, as bits."""
    entries: list[tuple[int, Entry]]


class _ObjectMachine:
    def __init__(self, meaning: Meaning, record: Object, ask: Ask) -> None:
        self.meaning = meaning
        self.limit = meaning.document.limits.max_nodes
        self.wishes: list[_Wish] = []
        bit = 0
        for choice in (*((Object(some=(member,)),) for member in record.some), *record.either):
            self.wishes.append(_Wish(choice, bit))
            bit += len(self.wishes[-1].members)
        self.every = (1 << len(self.wishes)) - 1
        named = dict(record.named)
        later = dict.fromkeys(name for name in record.required if name not in named)
        for wish in self.wishes:
            later |= dict.fromkeys(name for name in wish.names if name not in named)
        if meaning.any_order:
            named, later = {}, dict.fromkeys((*named, *later))
        elif len(later) + len(self.wishes) > FEW_LATER:
            named |= {name: demand_for(record, name) for name in later}
            later = {}
        known = {**named, **{name: demand_for(record, name) for name in later}}
        if meaning.any_order:
            self._check_count(known)
        self.record = record = record._replace(named=known)
        self.needed = [name in record.required for name in named]
        self.named = [self._named(name, demand) for name, demand in named.items()]
        self.skipped = [self._absent(name) for name in named]
        self.loose: list[_Loose] = []
        for name in later:
            self._add_loose(name, known[name], name in record.required)
        most_loose = FEW_KEYS + (len(later) if meaning.any_order else 0)
        self.others: list[tuple[int, int, Entry]] = []
        for region in unnamed_regions(record, ask, meaning):
            texts = few_texts(region.keys, FEW_KEYS)
            if texts is None or len(texts) + len(self.loose) > most_loose:
                self.others += self._unnamed(region)
                continue
            for text in texts:
                self._add_loose(text, region.demand, False)
        if self.others and record.least > max(1, len(record.required) + 1):
            raise UnsupportedSpec(
                "minProperties",
                f"at least {record.least} members cannot be kept apart when their keys are open, "
                "since a JSON text may repeat a key",
                hint="name the properties, or limit the keys with propertyNames and an enum",
            )
        self.hopes = self._hopes()

    def _check_count(self, names: Mapping[str, Demand]) -> None:
        """Refuse more members in any order than states can be made for."""
        count = sum(not self.meaning.dead(demand) for demand in names.values())
        if count > MOST_IN_ANY_ORDER:
            raise UnsupportedSpec(
                "order",
                f"{count} properties in any order, and the most that can be kept is "
                f"{MOST_IN_ANY_ORDER}",
                hint="use order='schema', or nest some of the properties in an object",
            )

    def _add_loose(self, name: str, demand: Demand, needed: bool) -> None:
        bit = 2 << len(self.loose)
        self.loose.append(_Loose(bit, needed, self._absent(name), self._named(name, demand)))

    def _hopes(self) -> list[int]:
        """For each position, the wishes that may still be fulfilled from there on, as bits."""
        hope = 0
        for index, wish in enumerate(self.wishes):
            if wish.members:
                hope |= 1 << index
        for loose in self.loose:
            hope |= loose.absent
            for gain, _ in loose.entries:
                hope |= gain
        hopes = [hope]
        for skipped, entries in zip(reversed(self.skipped), reversed(self.named), strict=True):
            hope |= skipped
            for gain, _ in entries:
                hope |= gain
            hopes.append(hope)
        return hopes[::-1]

    def following(self, state: Any, ask: Ask) -> tuple[bool, list[tuple[Entry, _State]]]:
        """Whether the members may end in a state, and what may come next."""
        record = self.record
        edges: list[tuple[Entry, _State]] = []
        if self.every & ~state.met & ~self.hopes[state.position]:
            return False, edges
        open_ = record.most is None or state.written < record.most
        for position in range(state.position, len(self.named)):
            if open_:
                self._add(edges, state, self.named[position], position + 1, 0, ask)
            if self.needed[position]:
                return False, edges
            state = state._replace(met=state.met | self.skipped[position])
        end = len(self.named)
        if open_:
            for loose in self.loose:
                if not loose.bit & state.used:
                    self._add(edges, state, loose.entries, end, loose.bit, ask)
            for gain, loss, entry in self.others:
                if ask(entry.region.demand):
                    edges += [
                        (entry, self._after(state, end, state.met, last, 1))
                        for last in self._told((state.last & ~loss) | gain, state.met)
                    ]
        met = state.met
        for loose in self.loose:
            if not loose.bit & state.used:
                if loose.needed:
                    return False, edges
                met |= loose.absent
        for index, wish in enumerate(self.wishes):
            if state.last & wish.bits:
                met |= 1 << index
        return met == self.every and state.distinct >= record.least, edges

    def _told(self, last: int, met: int) -> list[int]:
        """The wanted members that may be relied on, one of each wish that has many.

        One that stays is enough, so which one is a guess: sets of them would be too many states.
        """
        found = [last]
        for index, wish in enumerate(self.wishes):
            bits = last & wish.bits
            if len(wish.members) > FEW_TOGETHER and bits & (bits - 1) and not met >> index & 1:
                single = [1 << bit for bit in range(bits.bit_length()) if bits >> bit & 1]
                found = [(one & ~wish.bits) | bit for one in found for bit in single]
        return found

    def _add(
        self,
        edges: list[tuple[Entry, _State]],
        state: _State,
        entries: list[tuple[int, Entry]],
        index: int,
        bit: int,
        ask: Ask,
    ) -> None:
        for gain, entry in entries:
            if ask(entry.region.demand):
                edges.append((entry, self._after(state, index, state.met | gain, state.last, bit)))

    def _after(self, state: _State, index: int, met: int, last: int, used: int) -> _State:
        most = self.record.most
        new = not (used == 1 and state.used & 1)
        for number, wish in enumerate(self.wishes):
            if met >> number & 1:
                last &= ~wish.bits
        return _State(
            index,
            min(state.distinct + new, self.record.least),
            min(state.written + 1, 1 if most is None else most),
            met,
            last,
            state.used | used,
        )

    def _absent(self, name: str) -> int:
        """The wishes that leaving a name out fulfils, as bits."""
        return sum(1 << index for index, wish in enumerate(self.wishes) if name in wish.absent)

    def _named(self, name: str, demand: Demand) -> list[tuple[int, Entry]]:
        """The ways to write a key that is never repeated: wishes it fulfils, and its demand."""
        ways = [(0, demand)]
        for index, wish in enumerate(self.wishes):
            for wanted in wish.demands(name):
                ways = list(self._told_apart(ways, 1 << index, wanted))
            if len(ways) > MOST_WAYS:
                raise LimitExceeded("max_nodes", self.limit, "telling branches of a schema apart")
        return [(gain, Entry(name, Region(ANY_STRING, demand))) for gain, demand in ways]

    def _told_apart(
        self, ways: list[tuple[int, Demand]], bit: int, wanted: Demand
    ) -> Iterator[tuple[int, Demand]]:
        """Each way, fulfilling the wish and not.

        Scalars are told apart exactly, so that many wishes about one key (which branch does its
        value belong to?) leave few ways; for arrays and objects, not counting is always allowed.
        """
        meaning = self.meaning
        for gain, demand in ways:
            if gain & bit:
                yield gain, demand
                continue
            both = conjoin(demand, wanted)
            if meaning.dead(both):
                yield gain, demand
                continue
            yield gain | bit, both
            rest = conjoin(demand, meaning.negation(wanted))
            if meaning.dead(rest):
                continue
            exact = _is_scalar(meaning.shape(rest)) or _is_scalar(meaning.shape(both))
            yield gain, rest if exact else demand

    def _unnamed(self, region: Region) -> list[tuple[int, int, Entry]]:
        """The ways to write any key of a region: wanted members it is, and those it may replace."""
        ways: list[_Way] = [(0, 0, region)]
        for wish in self.wishes:
            for index, member in enumerate(wish.members):
                split = self._split(ways, member, 1 << wish.first_bit + index)
                ways = list(dict.fromkeys(split))
                self.meaning.charge(len(ways))
        return [(gain, loss, Entry(None, part)) for gain, loss, part in ways]

    def _split(self, ways: list[_Way], wanted: Member, bit: int) -> Iterator[_Way]:
        for gain, loss, (keys, demand) in ways:
            inside = met_keys(keys, wanted.keys, self.meaning)
            if inside is None:
                yield gain, loss, Region(keys, demand)
                continue
            both = conjoin(demand, wanted.demand)
            if not self.meaning.dead(both):
                yield gain | bit, loss, Region(inside, both)
            yield gain, loss | bit, Region(inside, demand)
            for outside in other_keys(keys, wanted.keys, self.meaning):
                yield gain, loss, Region(outside, demand)


def _is_scalar(shape: Shape) -> bool:
    return not (shape.arrays or shape.objects)
