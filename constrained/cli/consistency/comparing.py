"""``constrained consistency compare``: what changed from one run to another."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from constrained.cli import screen
from constrained.cli.consistency import options as o
from constrained.cli.consistency.places import find_run, save
from constrained.cli.consistency.reporting import note_left, save_html
from constrained.errors import InvalidSpec

__all__ = ["compare"]


def compare(
    first: Annotated[
        str, typer.Argument(help="The earlier run.", metavar="FIRST", show_default=False)
    ],
    second: Annotated[
        str | None,
        typer.Argument(
            help="The later run; the first one again when left out.",
            metavar="SECOND",
            show_default=False,
        ),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="Which judges to compare: base=tuned; judges of one name when left out.",
            metavar="FIRST=SECOND",
        ),
    ] = None,
    html: o.Html = None,
    json: o.JsonFile = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write Markdown; - prints it.", rich_help_panel=o.FILES)
    ] = None,
    pass_mark: o.PassMark = None,
    scale: o.Scale = None,
    where: o.Where = None,
    level: o.Level = None,
    replicates: o.Replicates = None,
) -> None:
    """Compare two runs, or two judges of one run, item by item.

    Every difference is the second minus the first and has an interval; one that includes 0 says
    that nothing is known to have changed. Items and rooms that only one run has are left out.

    **Examples**

    ```sh
    constrained consistency compare before.db after.db
    constrained consistency compare before.db after.db --html changes.html
    constrained consistency compare essays.db --judge base=tuned
    ```

    Exit codes: 0 compared, 2 bad input or a damaged store.
    """
    if second is None and not judge:
        raise InvalidSpec(
            "one run alone has nothing to be compared with",
            hint="name a second run, or two judges of this one: --judge base=tuned",
        )
    from constrained.consistency import analysis as a

    shared = o.settings_of(scale=scale, where=where, level=level)
    settings = {**shared, **o.settings_of(pass_mark=pass_mark, replicates=replicates)}
    runs = [find_run(name) for name in ((first,) if second is None else (first, second))]
    with screen.spinner("Comparing"):
        analyses = [run.analysis(settings) for run in runs]
        for run in runs:
            note_left(run.left(), run.path)
        resampling: dict[str, Any] = {"level": level, "replicates": replicates}
        found = a.compare(
            analyses[0],
            analyses[-1],
            judges=o.pairs(judge, "--judge", "base=tuned") if judge else None,
            pass_mark=pass_mark,
            **{name: value for name, value in resampling.items() if value is not None},
        )
    if len(runs) == 2 and found.first == found.second:  # two runs of plans of one name
        found = replace(found, first=str(first), second=str(second))
    if html is not None:
        save_html(html, analyses[-1], found)
    if json is not None:
        save(json, screen.json_text({"schema": SCHEMA, **asdict(found)}))
    if markdown is not None:
        from constrained.consistency.report import comparison_to_markdown

        save(markdown, comparison_to_markdown(found))
    if html is None and json is None and markdown is None:
        from constrained.cli.consistency.pages import comparison_page

        screen.show(comparison_page(found))


SCHEMA = "constrained.consistency/comparison/1"
