"""Options that several commands of ``constrained consistency`` share, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from constrained.errors import InvalidSpec

__all__ = [
    "FixedRooms",
    "Html",
    "JsonFile",
    "Level",
    "Noun",
    "PassMark",
    "Replicates",
    "Scale",
    "Source",
    "Where",
    "pairs",
    "scale_of",
    "settings_of",
    "two_numbers",
]

ANALYSIS = "Analysis"
FILES = "Files"

Source = Annotated[
    str,
    typer.Argument(
        help="A store, a folder with one store, the plan (its own store is meant), or an analysis "
        "in JSON.",
        metavar="STORE",
        show_default=False,
    ),
]
PassMark = Annotated[
    float | None,
    typer.Option(
        help="The least score that passes; the plan's when left out.", rich_help_panel=ANALYSIS
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(help="All scores of the rubric: 0..10, or 1,2,3.", rich_help_panel=ANALYSIS),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        help="Only this part, for example variant=tuned; repeat it for more levels.",
        metavar="FACET=LEVEL",
        rich_help_panel=ANALYSIS,
    ),
]
Level = Annotated[
    float | None, typer.Option(help="Of all intervals: 0.95.", rich_help_panel=ANALYSIS)
]
Replicates = Annotated[
    int | None,
    typer.Option(min=0, help="Of the bootstrap: 1000 at most.", rich_help_panel=ANALYSIS),
]
Noun = Annotated[
    str | None,
    typer.Option(help="What an item is called in sentences: essay.", rich_help_panel=ANALYSIS),
]
FixedRooms = Annotated[
    bool,
    typer.Option(
        "--fixed-rooms",
        help="Intervals for these prompts, not for prompts like these.",
        rich_help_panel=ANALYSIS,
    ),
]
Html = Annotated[
    Path | None,
    typer.Option(help="Write one self-contained HTML page.", rich_help_panel=FILES),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write JSON; - prints it.", rich_help_panel=FILES),
]


def settings_of(
    *,
    pass_mark: float | None = None,
    scale: str | None = None,
    where: Sequence[str] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """What was asked for, as arguments of `analyse`; what was left out is left out.

    >>> settings_of(pass_mark=6, scale="0..2", where=["variant=tuned"], level=None)
    {'pass_mark': 6, 'scale': (0.0, 1.0, 2.0), 'where': {'variant': ['tuned']}}
    """
    kept: dict[str, list[str]] = {}
    for facet, name in pairs(where or (), "--where", "variant=tuned"):
        kept.setdefault(facet, []).append(name)
    given = {
        "pass_mark": pass_mark,
        "scale": None if scale is None else scale_of(scale),
        "where": kept or None,
        **others,
    }
    return {
        name: value for name, value in given.items() if value is not None and value is not False
    }


def pairs(texts: Iterable[str], option: str, example: str) -> list[tuple[str, str]]:
    """Texts such as ``variant=tuned`` in two parts; `InvalidSpec` for a text without ``=``.

    >>> pairs(["variant=tuned"], "--where", "")
    [('variant', 'tuned')]
    """
    found = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise InvalidSpec(
                f"{text!r} is not NAME=VALUE", where=option, hint=f"write {option} {example}"
            )
        found.append((name.strip(), value))
    return found


def scale_of(text: str) -> tuple[float, ...]:
    """The scores of a scale: a range as plans write it, or a list with commas.

    >>> scale_of("0..1 step 0.5"), scale_of("1,3,5")
    ((0.0, 0.5, 1.0), (1.0, 3.0, 5.0))
    """
    from constrained.consistency.plan import Plan

    said: Any = text
    if ".." not in text:
        try:
            said = sorted({float(part) for part in text.split(",")})
        except ValueError as error:
            raise InvalidSpec(
                f"{text!r} is no scale", where="--scale", hint="write 0..10, or 1,2,3"
            ) from error
    # A plan knows how a scale is written; nothing else of this one is used.
    plan = Plan(name="scale", spec="{score:0..1}", items=[{"id": "a"}], prompts=["a"], scale=said)
    return plan.scale or ()


def two_numbers(text: str, sign: str, option: str, example: str) -> tuple[int, int]:
    """Two whole numbers from 1 on with a sign between them.

    >>> two_numbers("2/4", "/", "--shard", "1/4")
    (2, 4)
    """
    parts = text.lower().split(sign)
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InvalidSpec(
            f"{text!r} is not two whole numbers from 1 on", where=option, hint=f"write {example}"
        )
    return int(parts[0]), int(parts[1])
