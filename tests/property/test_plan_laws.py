"""Laws of plans: shards partition the grid, JSON keeps all, selections mean what they say."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from constrained.consistency.plan import Plan, cell_key, cell_seed, content_hashes, parse_plan
from constrained.consistency.records import Address
from constrained.errors import ConstrainedError, InvalidSpec

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
WORDINGS = TEXTS.map(lambda text: text.replace("{", "{{").replace("}", "}}") + "{text}")


def levels(strategy: st.SearchStrategy[Any], most: int = 4) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=1, max_size=most, unique=True)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of every size, with names and texts of any characters, and partial grids."""
    items = draw(levels(NAMES, 6))
    prompts = draw(levels(NAMES))
    variants = draw(levels(NAMES, 3))
    kind = draw(st.sampled_from(["exact", "mode", "sampled"]))
    entry = st.fixed_dictionaries(
        {}, optional={"item": st.sampled_from(items), "prompt": levels(st.sampled_from(prompts))}
    )
    said: dict[str, Any] = {
        "name": draw(NAMES),
        "spec": draw(
            st.sampled_from(
                [
                    "{score:0..10}",
                    "range:1..6",
                    {"choice": {"good": 2, "bad": 0.5}},
                    {"template": "{s}!", "fields": {"s": {"likert": ["poor", "fair"]}}},
                ]
            )
        ),
        "items": [
            {"id": name, "text": draw(TEXTS), "gold": draw(st.none() | st.integers(0, 10))}
            for name in items
        ],
        "prompts": [{"name": name, "text": draw(WORDINGS)} for name in prompts],
        "formats": draw(levels(st.sampled_from(["plain", "chatml", "vicuna"]), 2)),
        "variants": [{"name": name} for name in variants],
        "temperatures": draw(levels(st.floats(0.1, 2), 1 if kind == "mode" else 4)),
        "scoring": {"kind": kind, "draws": 2 if kind == "sampled" else 0},
        "seed": draw(st.integers(0, 2**63 - 1)),
        "grid": {
            "include": draw(st.lists(entry, max_size=2)),
            "exclude": draw(st.lists(entry, max_size=2)),
            "share": draw(st.sampled_from([1.0, 0.5, 0.1])),
        },
    }
    try:
        return Plan(**said)
    except InvalidSpec as error:
        if "no cell is left" not in str(error):
            raise
        reject()


@settings(max_examples=60, deadline=None)
@given(plans(), st.integers(1, 7))
def test_shards_partition_the_cells(plan: Plan, n: int) -> None:
    whole = [cell.address for cell in plan.cells()]
    parts = [[cell.address for cell in plan.shard(i, n).cells()] for i in range(1, n + 1)]
    assert sorted(address for part in parts for address in part) == sorted(whole)
    order = {address: place for place, address in enumerate(whole)}
    assert all(sorted(part, key=order.__getitem__) == part for part in parts)
    assert {plan.shard(i, n).digest for i in range(1, n + 1)} == {plan.digest}


@settings(max_examples=60, deadline=None)
@given(plans())
def test_json_keeps_everything(plan: Plan) -> None:
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.digest == plan.digest
    assert [cell.text for cell in again.cells()] == [cell.text for cell in plan.cells()]
    hashes = content_hashes(plan)
    keys = [cell_key(plan, cell, hashes) for cell in plan.cells()]
    assert len(set(keys)) == len(keys)
    assert keys == [cell_key(again, cell, hashes) for cell in again.cells()]


@settings(max_examples=60, deadline=None)
@given(plans())
def test_the_json_of_a_plan_is_a_plan_file(plan: Plan) -> None:
    """JSON is YAML: what is stored can be edited and run again."""
    text = plan.model_dump_json(exclude={"part"}, ensure_ascii=True)
    assert parse_plan(text.replace("\x7f", "\\u007f")) == plan  # YAML wants DEL escaped


@settings(max_examples=60, deadline=None)
@given(plans())
def test_a_selection_keeps_exactly_what_its_entries_say(plan: Plan) -> None:
    def fits(address: Address, entry: dict[str, tuple[Any, ...]]) -> bool:
        return all(getattr(address, facet) in names for facet, names in entry.items())

    grid = plan.grid
    full = plan.with_options(grid={})
    wanted = {
        cell.address
        for cell in full.cells()
        if (not grid.include or any(fits(cell.address, entry) for entry in grid.include))
        and not any(fits(cell.address, entry) for entry in grid.exclude)
    }
    cells = {cell.address for cell in plan.cells()}
    assert cells <= wanted
    if grid.share == 1:
        assert cells == wanted


VALID: dict[str, Any] = {
    "spec": {"template": "{s}: {label:a|b}", "fields": {"s": {"range": "0..3"}}},
    "score": "s",
    "items": [{"id": "e1", "text": "x", "gold": 2}, {"id": "e2", "text": "y"}],
    "prompts": {"p": "Grade: {text}", "q": {"text": "{text}", "system": "Be fair."}},
    "formats": ["plain", "vicuna"],
    "variants": {"base": "smollm2", "tuned": {"adapter": "./lora", "dtype": "float32"}},
    "temperatures": [0.5, 1],
    "scoring": {"kind": "sampled", "draws": 2, "top_p": 0.9},
    "pass_mark": 2,
    "scale": "0..3",
    "gates": {"max_sem": 1, "max_gate_risk": {"bound": 0.1, "at": 0.5}},
    "grid": {"include": [{"prompt": ["p"]}], "exclude": [{"item": "e2"}], "share": 0.5},
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.floats()
    | st.sampled_from(["", "x", "{text}", "{", "range:0..1", "0..3", "3..0", "..", "exact", "p"])
    | st.sampled_from(["pairwise", "reasoned", "template", "{s:0..1}", "no.jsonl", "./x", "1e999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*VALID, "name", "file", "text", "kind", "x"]), inner)
    ),
    max_leaves=6,
)


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested values."""
    if not isinstance(value, (dict, list)):
        return [place]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    return [place, *(found for key, one in inside for found in places(one, (*place, key)))]


def with_other(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    """A copy of nested values with another value at a place."""
    if not place:
        return other
    key, *rest = place
    made = dict(value) if isinstance(value, dict) else list(value)
    made[key] = with_other(value[key], tuple(rest), other)
    return made


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(VALID)), ANYTHING, st.booleans())
def test_whatever_stands_in_a_plan_it_is_read_or_refused_by_name(
    place: tuple[Any, ...], other: Any, in_python: bool
) -> None:
    said = with_other(VALID, place, other)
    try:
        if in_python and isinstance(said, dict):
            Plan(**{"name": "demo", **said})
        else:
            parse_plan(json.dumps(said))
    except ConstrainedError:
        pass  # refused by name; anything else that is raised fails the test


ADDRESSES = st.builds(
    Address, NAMES, NAMES, NAMES, NAMES, st.floats(0.1, 2), st.sampled_from(["", "ab", "ba"])
)
STREAMS = st.tuples(st.integers(0, 2**63 - 1), ADDRESSES, st.integers(0, 10**6))


@given(st.lists(STREAMS, min_size=2, max_size=30, unique=True))
def test_different_streams_have_different_seeds(streams: list[tuple[int, Address, int]]) -> None:
    seeds = [cell_seed(*stream) for stream in streams]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [cell_seed(*stream) for stream in streams]


@given(st.integers(1, 40).map(lambda n: Fraction(1, n)))
def test_names_cannot_be_shifted_into_each_other(step: Fraction) -> None:
    """Hashes cover where a name ends: ("ab", "c") is another cell than ("a", "bc")."""
    text = "x" * step.denominator
    assert cell_seed(0, Address(text + "a", "b"), 0) != cell_seed(0, Address(text, "ab"), 0)
