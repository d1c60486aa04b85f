"""``constrained consistency merge``: the stores of several machines into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from constrained.cli import screen
from constrained.cli.consistency.places import Run, command, prepare_folder
from constrained.errors import InvalidSpec

__all__ = ["merge"]


def merge(
    target: Annotated[
        Path,
        typer.Argument(
            help="The store that gets the cells; made when it is not there.", metavar="TARGET"
        ),
    ],
    sources: Annotated[
        list[Path], typer.Argument(help="The stores of the parts.", metavar="SOURCES")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Put the stores of shards together: the result is that of a run in one piece.

    All or nothing. Stores of different plans are refused, and so is a cell that two stores have
    with different contents.

    **Examples**

    ```sh
    constrained consistency merge essays.db essays.*-of-4.db
    ```

    Exit codes: 0 merged, 2 bad input, nothing was changed.
    """
    from constrained.consistency import store as stores

    if target.resolve() in {source.resolve() for source in sources}:
        raise InvalidSpec(
            "the target is one of the sources",
            where=str(target),
            hint="name the new store first, then the stores of the parts",
        )
    prepare_folder(target)
    with screen.spinner("Merging"):
        new = stores.merge(target, sources)
        with stores.Store(target, create=False, check=False) as merged:
            cells = len(merged)
        left = Run(target).left()
    next_ = command("report", target)
    if json:
        found = {"store": target, "new": new, "cells": cells, "left": left, "next": next_}
        screen.show_json(found)
        return
    rest = f"; {left:,} of the plan are not there yet" if left else ", which is all of the plan"
    typer.echo(f"{new:,} new cells, {cells:,} now{rest}")
    typer.echo(f"Store:  {target}")
    typer.echo(f"Next:   {next_}")
