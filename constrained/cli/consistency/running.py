"""``constrained consistency run``: score what a plan still lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrained.cli import screen
from constrained.cli.consistency.options import two_numbers
from constrained.cli.consistency.places import command, prepare_folder, store_of
from constrained.cli.consistency.planning import limited, preview
from constrained.cli.consistency.progress import Watch, watching
from constrained.errors import InvalidSpec

if TYPE_CHECKING:
    from constrained.consistency.plan import Plan, Variant
    from constrained.consistency.records import CellRecord
    from constrained.consistency.run import Executor, RunSummary
    from constrained.consistency.scoring import Scorer, Scorers, Task

__all__ = ["run"]

FAILED = 1
INTERRUPTED = 130


def run(
    plan: Annotated[
        Path, typer.Argument(help="The plan, a YAML file.", metavar="PLAN", show_default=False)
    ],
    store: Annotated[
        Path | None,
        typer.Option(help="The store, or a folder for it; beside the plan when left out."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Only part i of n; each part gets a store of its own.", metavar="i/n"),
    ] = None,
    executor: Annotated[
        str, typer.Option(help="Where cells are scored: local or ray.", metavar="local|ray")
    ] = "local",
    limit: Annotated[
        str | None,
        typer.Option(help="Only the first so many items and prompts: 5x2.", metavar="IxP"),
    ] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(help="Take cells over from this store too; repeat it.", metavar="STORE"),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Instead of the variants' own: cpu, cuda, cuda:1, ...")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost, and score nothing.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="With --dry-run: load the first model and time it."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Score every cell of a plan that its store lacks.

    What is scored is stored within two seconds. The same command goes on where an earlier one was
    stopped, whatever stopped it, and scores nothing twice.

    **Examples**

    ```sh
    constrained consistency run essays.yaml --dry-run
    constrained consistency run essays.yaml
    constrained consistency run essays.yaml --limit 5x2
    constrained consistency run essays.yaml --shard 1/4
    ```

    What the report will need has to be installed too: nothing is scored before that is known.

    Exit codes: 0 all cells are stored, 1 every cell failed, 2 bad input, 130 interrupted.
    """
    from constrained.consistency.plan import read_plan
    from constrained.consistency.report.needs import check_needs

    if measure and not dry_run:
        raise InvalidSpec("--measure goes with --dry-run", hint="add --dry-run")
    asked, tag = read_plan(plan), []
    if device is not None:
        variants = [one.model_copy(update={"device": device}) for one in asked.variants]
        asked = asked.with_options(variants=variants)
    if limit is not None:
        items, prompts = two_numbers(limit, "x", "--limit", "items x prompts, for example 5x2")
        asked = limited(asked, items, prompts)
        tag.append(f"first-{items}x{prompts}")
    part = None
    if shard is not None:
        part = two_numbers(shard, "/", "--shard", "part/parts, for example 1/4")
        tag.append(f"{part[0]}-of-{part[1]}")
    place = store_of(plan, store, ".".join(tag))
    if dry_run:
        preview(asked if part is None else asked.shard(*part), place, measure=measure, json=json)
        return
    said = {"--store": store, "--limit": limit, "--device": device}
    said["--executor"] = None if executor == "local" else executor
    words = [str(word) for pair in said.items() if pair[1] is not None for word in pair]
    more = [str(word) for pair in (("--reuse", one) for one in reuse or ()) for word in pair]
    more += ["--shard", shard] if shard is not None else []
    again = command("run", plan, *words, *more)
    check_needs()  # before anything is paid for
    prepare_folder(place)
    summary = score(asked, place, part, executor, reuse or [], command("run", plan, *words), again)
    tell(summary, str(plan), part, again, json=json)


def score(
    plan: Plan,
    place: Path,
    part: tuple[int, int] | None,
    executor: str,
    reuse: Sequence[Path],
    said: str,
    again: str,
) -> RunSummary:
    """Run with a bar; when it is interrupted, say what is stored and how to go on."""
    from constrained.consistency.run import run as run_plan

    with watching() as watch:
        try:
            make = local if executor == "local" else elsewhere(executor)
            where = Noted(make(plan, watch), {"command": said})
            return run_plan(plan, place, executor=where, shard=part, progress=watch, reuse=reuse)
        except KeyboardInterrupt:
            stopped = watch.last
    done = 0 if stopped is None else stopped.cached + stopped.scored
    of = "" if stopped is None else f" of {stopped.cells:,}"
    screen.log(f"stopped: {done:,}{of} cells are stored in {place}")
    screen.log(f"go on with: {again}")
    raise typer.Exit(INTERRUPTED)


def local(plan: Plan, watch: Watch) -> Executor:
    """The executor of this process, which tells the watch what it is doing."""
    from constrained.consistency.endpoint import EndpointScorers
    from constrained.consistency.run import LocalExecutor
    from constrained.consistency.scoring import LoadedModels

    scorers = EndpointScorers(plan, others=LoadedModels(plan, watch.doing))
    return LocalExecutor(plan, told(scorers, watch.doing))


def on_ray(plan: Plan, watch: Watch) -> Executor:
    """The executor of a Ray cluster: the one that RAY_ADDRESS names, else one started here."""
    from constrained.adapters.ray import RayExecutor

    watch.doing("on Ray")
    return RayExecutor(plan)


def elsewhere(executor: str) -> Callable[[Plan, Watch], Executor]:
    """What makes the executor of a name: ``ray``; `InvalidSpec` for others."""
    if executor != "ray":
        raise InvalidSpec(f"there is no executor {executor!r}", hint="write local or ray")
    return on_ray


def told(scorers: Scorers, doing: Callable[[str], None]) -> Scorers:
    """The same scorers; each variant's name is told when its turn comes."""

    @contextmanager
    def telling(variant: Variant) -> Iterator[Scorer]:
        doing(f"loading {variant.name}")
        with scorers(variant) as scorer:
            doing(variant.name)
            yield scorer

    return telling


class Noted:
    """An executor whose environments say more: the command that repeats the run."""

    def __init__(self, executor: Executor, notes: Mapping[str, Any]) -> None:
        self._executor = executor
        self._notes = dict(notes)

    def score(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        """The executor's records."""
        return self._executor.score(tasks)

    def environments(self) -> list[dict[str, Any]]:
        """The executor's environments with the notes."""
        return [{**found, **self._notes} for found in self._executor.environments()]


def tell(
    summary: RunSummary, plan: str, part: tuple[int, int] | None, again: str, *, json: bool
) -> None:
    """What was done, and what to type next; exits with 1 when every cell failed."""
    from constrained.consistency.report.terms import duration

    whole = part is None or part[1] == 1
    target = store_of(plan, summary.store.parent)
    named = summary.store.name.startswith(f"{target.stem}.")
    parts = store_of(plan, summary.store.parent, "*-of-*") if named else "STORE..."
    merging = f"{command('merge', target)} {parts}"  # a pattern is for the shell: not quoted
    next_ = command("report", summary.store) if whole else merging
    if json:
        screen.show_json({**asdict(summary), "command": again, "next": next_})
    else:
        failed = f", {summary.failed:,} of them failed" if summary.failed else ""
        took = f" in {duration(summary.seconds)}" if summary.scored else ""
        typer.echo(
            f"{summary.cells:,} cells: {summary.scored:,} scored{failed}{took}, "
            f"{summary.cached:,} stored before"
        )
        typer.echo(f"Store:  {summary.store}")
        typer.echo(f"{'Next:   ' if whole else 'When all parts are done: '}{next_}")
    if summary.failed:
        screen.log("note: failed cells are stored with the reason, which the report counts")
    if summary.scored and summary.failed == summary.scored == summary.cells:
        raise typer.Exit(FAILED)
