"""``constrained consistency report``: what a run found, on screen or in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constrained.cli import screen
from constrained.cli.consistency import options as o
from constrained.cli.consistency.places import find_run, save

if TYPE_CHECKING:
    from constrained.consistency.analysis import Analysis, Comparison

__all__ = ["note_left", "report", "save_html"]


def report(
    store: o.Source,
    html: o.Html = None,
    json: o.JsonFile = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write Markdown; - prints it.", rich_help_panel=o.FILES)
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="An earlier run; the HTML page then says what changed.", metavar="STORE"),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Instead of the plan's name.")] = None,
    pass_mark: o.PassMark = None,
    scale: o.Scale = None,
    where: o.Where = None,
    level: o.Level = None,
    replicates: o.Replicates = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="The dependability that averaging should reach: 0.9.", rich_help_panel=o.ANALYSIS
        ),
    ] = None,
    noun: o.Noun = None,
    fixed_rooms: o.FixedRooms = False,
) -> None:
    """Report a run: verdict, how far another prompt moves a score, which items are flaky.

    At the terminal, unless a file is asked for. Only the store is read, never a model; a run that
    is still going, or was stopped, is reported as far as it came.

    **Examples**

    ```sh
    constrained consistency report essays.db
    constrained consistency report essays.yaml --html report.html
    constrained consistency report essays.db --pass-mark 5 --noun essay
    constrained consistency report essays.db --where variant=tuned --json -
    ```

    Exit codes: 0 reported, 2 bad input or a damaged store.
    """
    settings = o.settings_of(
        pass_mark=pass_mark,
        scale=scale,
        where=where,
        level=level,
        replicates=replicates,
        target=target,
        noun=noun,
        fixed_rooms=fixed_rooms,
        title=title,
    )
    run = find_run(store)
    with screen.spinner(f"Reading {run.path}"):
        analysis = run.analysis(settings)
        left = run.left()
        changes = None
        if baseline is not None:
            from constrained.consistency.analysis import compare

            same = o.settings_of(scale=scale, where=where, level=level)
            before = find_run(baseline).analysis(same)
            changes = compare(before, analysis)
    note_left(left, run.path)
    from constrained.consistency.report import to_json, to_markdown, to_terminal

    if html is not None:
        save_html(html, analysis, changes)
    if json is not None:
        save(json, to_json(analysis))
    if markdown is not None:
        save(markdown, to_markdown(analysis))
    if html is None and json is None and markdown is None:
        screen.show(to_terminal(analysis, screen.width()))
        if changes is not None:
            from constrained.cli.consistency.pages import comparison_page

            screen.show(comparison_page(changes))


def note_left(left: int, path: Path) -> None:
    """Say on stderr that a run is not complete."""
    if left:
        screen.log(f"note: {left:,} cells of the plan are not in {path} yet")


def save_html(path: Path, analysis: Analysis, comparison: Comparison | None = None) -> None:
    """Write the page of a run."""
    from constrained.consistency.report import to_html

    save(path, to_html(analysis, comparison))
