"""What a plan would do: its first part for a try, and its cost before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from constrained.cli import screen
from constrained.errors import InvalidSpec

if TYPE_CHECKING:
    from constrained.consistency.plan import Cell, CostEstimate, Plan

__all__ = ["limited", "preview"]

SHOWN = 600
"""Characters of the first prompt."""


def limited(plan: Plan, items: int, prompts: int) -> Plan:
    """The plan with its first items and prompts alone; what its grid says of the others is dropped.

    >>> from constrained.consistency.plan import Plan
    >>> plan = Plan(name="d", spec="{s:0..9}", items=[{"id": "a"}, {"id": "b"}],
    ...             prompts={"p": "Grade.", "q": "Rate."}, grid={"exclude": [{"item": "b"}]})
    >>> [str(cell.address.prompt) for cell in limited(plan, 1, 2).cells()]
    ['p', 'q']
    """
    left = {
        "item": {item.id for item in plan.items[:items]},
        "prompt": {prompt.name for prompt in plan.prompts[:prompts]},
    }

    def fitting(entries: tuple[Mapping[str, tuple[Any, ...]], ...]) -> list[dict[str, list[Any]]]:
        kept = [
            {facet: [n for n in names if n in left.get(facet, {n})] for facet, names in one.items()}
            for one in entries
        ]
        return [one for one in kept if all(one.values())]

    include = fitting(plan.grid.include)
    if plan.grid.include and not include:
        raise InvalidSpec(
            f"the plan has no cell among its first {items} items and {prompts} prompts",
            where="--limit",
            hint="allow more of them",
        )
    grid = {
        "include": include,
        "exclude": fitting(plan.grid.exclude),
        "share": plan.grid.share,
    }
    return plan.with_options(items=plan.items[:items], prompts=plan.prompts[:prompts], grid=grid)


def preview(plan: Plan, place: Path, *, measure: bool, json: bool) -> None:
    """Show what a run would cost, how much of it is stored, and the first prompt as it is asked.

    Tokens are guessed from the length of the texts; with `measure` the first variant's model is
    loaded, tokens are counted, and minutes are told.
    """
    cost, tokenizer = measured(plan) if measure else guessed(plan)
    stored = count_stored(plan, place)
    first = next(plan.cells(), None)
    text = "" if first is None else first_prompt(first, tokenizer)
    levels = {name: len(found) for name, found in plan.levels.items() if name != "order"}
    if json:
        screen.show_json(
            {**asdict(cost), "stored": stored, "levels": levels, "store": place, "prompt": text}
        )
        return
    if levels["numerics"] == 1:
        del levels["numerics"]
    counted = {"numerical room" if name == "numerics" else name: n for name, n in levels.items()}
    times = " x ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counted.items())
    typer.echo(f"{plan.name}: {times}, {plan.scoring.kind} scoring")
    typer.echo(str(cost))
    typer.echo(f"{stored:,} of the cells are stored already in {place}")
    if cost.minutes is None:
        typer.echo("How long? --measure loads the first model and times it.")
    if text:
        typer.echo(f"The first prompt:\n\n{text if len(text) <= SHOWN else text[:SHOWN] + ' ...'}")


def guessed(plan: Plan) -> tuple[CostEstimate, Any]:
    """The cost without a model."""
    from constrained.consistency.plan import estimate

    return estimate(plan), None


def measured(plan: Plan) -> tuple[CostEstimate, Any]:
    """The cost with tokens counted and time measured on the first variant's model; its tokenizer.

    Raises `InvalidSpec` when that variant is a server's.
    """
    from constrained.consistency.plan import estimate, measure_speed
    from constrained.models import load_model

    variant = plan.variants[0]
    if variant.endpoint is not None:
        raise InvalidSpec(
            f"variant {variant.name!r} is scored by a server, which cannot be timed from here",
            where="--measure",
            hint="leave it out",
        )
    with screen.spinner(f"Loading {variant.model}") as notify:
        model, tokenizer = load_model(
            variant.model,
            adapter=variant.adapter,
            device=variant.device,
            dtype=variant.dtype,
            quantize=variant.quantisation,
            trust_remote_code=variant.trust_remote_code,
            notify=notify,
        )
        notify("Timing a pass")
        return estimate(plan, tokenizer, *measure_speed(plan, model, tokenizer)), tokenizer


def count_stored(plan: Plan, place: Path) -> int:
    """How many cells of a plan a store has."""
    if not place.exists():
        return 0
    from constrained.consistency.plan import content_hashes
    from constrained.consistency.scoring import tasks_of
    from constrained.consistency.store import Store

    with Store(place, create=False) as store:
        known = store.keys()
    return sum(task.key in known for task in tasks_of(plan, content_hashes(plan)))


def first_prompt(cell: Cell, tokenizer: Any) -> str:
    """The prompt of a cell as the model sees it; without a tokenizer, where that is possible."""
    if tokenizer is None and cell.format.name == "template":
        return cell.text
    return cell.render(tokenizer)
