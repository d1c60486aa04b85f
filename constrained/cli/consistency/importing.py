"""``constrained consistency import``: scores from tables and other tools' logs into a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrained.cli import screen
from constrained.cli.consistency.options import pairs, scale_of
from constrained.cli.consistency.places import command, prepare_folder
from constrained.errors import InvalidSpec

if TYPE_CHECKING:
    from constrained.consistency.importing import Imported

__all__ = ["import_"]

TABLES = {"csv", "jsonl", "parquet"}
COLUMNS = "Where things stand"
REPORT = "For the report"


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            help="csv, jsonl, parquet, inspect, promptfoo, lm-eval, deepeval or lighteval (found "
            "out when left out), then the files.",
            metavar="[KIND] FILE",
            show_default=False,
        ),
    ],
    store: Annotated[Path, typer.Option(help="Where the scores go.", show_default=False)],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Which column holds what: item=essay; also prompt, format, variant, temperature, "
            "draw, score, second, order, gold, text.",
            metavar="FIELD=COLUMN",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    room: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of scores that is a prompt of its own; repeat it.",
            metavar="COLUMN",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    item: Annotated[
        str | None, typer.Option(help="The field of the item's name.", rich_help_panel=COLUMNS)
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(help="The field of the score; a metric.", rich_help_panel=COLUMNS),
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(help="The field of the score that people gave.", rich_help_panel=COLUMNS),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(help="Name of each log's prompt, in order.", rich_help_panel=COLUMNS),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="Name of the model; of each log's, in order.", rich_help_panel=COLUMNS),
    ] = None,
    scorer: Annotated[
        str | None, typer.Option(help="Inspect: which scorer.", rich_help_panel=COLUMNS)
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="lm-eval, DeepEval, lighteval: which metric.", rich_help_panel=COLUMNS),
    ] = None,
    filter_name: Annotated[
        str | None,
        typer.Option("--filter", help="lm-eval: which filter.", rich_help_panel=COLUMNS),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="What a letter or choice counts; repeat it.",
            metavar="A=4",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            help="What may differ between draws: a setting, a column.",
            metavar="NAME",
            rich_help_panel=COLUMNS,
        ),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(
            help='Read the score out of the text: "Score: {score:0..10}".', rich_help_panel=COLUMNS
        ),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(help="The field of the --spec that is the score.", rich_help_panel=COLUMNS),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="Between the columns of a CSV file.", rich_help_panel=COLUMNS),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            help="All possible scores: 0..10; others are failures.", rich_help_panel=REPORT
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="The report's title.", rich_help_panel=REPORT)] = "",
    pass_mark: Annotated[
        float | None, typer.Option(help="The least score that passes.", rich_help_panel=REPORT)
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="A bound, kept in the store: max_sem=0.5.",
            metavar="GATE=BOUND",
            rich_help_panel=REPORT,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    r"""Import scores from elsewhere, so that they can be reported, compared and gated.

    What is no score is never turned into one: it is counted as a failure, with its text.

    **Examples**

    ```sh
    constrained consistency import grades.csv --store grades.db \
        --item essay --column prompt=wording --score grade --gold teacher
    constrained consistency import csv rooms.csv --store rooms.db \
        --item question --room bard --room gpt35
    constrained consistency import inspect logs/*.eval --store logs.db
    ```

    Exit codes: 0 imported, 2 bad input; stderr names file and line.
    """
    from constrained.consistency.importing import KINDS, import_scores, kind_of, read_scores

    kind, paths = (files[0], files[1:]) if files[0] in KINDS else ("", files)
    if not paths:
        raise InvalidSpec("there is no file to import", hint="name the files after the kind")
    kind = kind or kind_of(paths[0])
    columns = dict(pairs(column or (), "--column", "item=essay"))
    own = {"item": item, "score": score, "gold": gold}
    if kind in TABLES:
        columns |= {name: value for name, value in own.items() if value is not None}
        own = {}
    elif columns or room:
        raise InvalidSpec(
            f"files of the kind {kind} have no columns",
            where="--column" if columns else "--room",
            hint="use --item, --score and --gold",
        )
    asked: dict[str, Any] = {
        **own,
        "columns": columns,
        "rooms": room,
        "prompts": prompt,
        **variants(kind, variant or []),
        "scorer": scorer,
        "metric": metric,
        "filter_name": filter_name,
        "options": {
            name: number(value, "--option")
            for name, value in pairs(option or (), "--option", "A=4")
        },
        "spec": spec,
        "field": field,
        "ignore": ignore,
        "delimiter": delimiter,
        "scale": None if scale is None else scale_of(scale),
    }
    gates = {n: number(v, "--gate") for n, v in pairs(gate or (), "--gate", "max_sem=0.5")}
    prepare_folder(store)
    with screen.spinner("Importing"):
        imported = read_scores(*paths, kind=kind, **{n: v for n, v in asked.items() if v})
        new = import_scores(store, imported, name=name, pass_mark=pass_mark, gates=gates)
    tell(imported, store, new, json=json)


def variants(kind: str, names: list[str]) -> dict[str, Any]:
    """The option that names models: lm-eval has one for all files, other logs one for each."""
    if kind != "lm-eval":
        return {"variants": names}
    if len(names) > 1:
        raise InvalidSpec(
            "files of the kind lm-eval are of one model",
            where="--variant",
            hint="import the files of each model alone",
        )
    return {"variant": "".join(names)}


def number(text: str, option: str) -> float:
    """A number that was given to an option."""
    try:
        return float(text)
    except ValueError as error:
        raise InvalidSpec(f"{text!r} is not a number", where=option) from error


def tell(imported: Imported, store: Path, new: int, *, json: bool) -> None:
    """What was imported, and what to type next."""
    levels = {name: len(found) for name, found in imported.levels.items()}
    next_ = command("report", store)
    if json:
        found = {
            "store": store,
            "cells": len(imported.records),
            "new": new,
            "judgements": imported.draws,
            "failures": imported.failures,
            "levels": levels,
            "notes": imported.notes,
            "next": next_,
        }
        screen.show_json(found)
        return
    times = " x ".join(
        f"{n:,} {name}{'' if n == 1 else 's'}" for name, n in levels.items() if n > 1
    )
    typer.echo(f"{len(imported.records):,} cells ({times or 'one'}), {new:,} of them new")
    typer.echo(f"{imported.draws:,} judgements, {imported.failures:,} without a score")
    for note in imported.notes:
        typer.echo(f"  {note}")
    typer.echo(f"Store:  {store}")
    typer.echo(f"Next:   {next_}")
