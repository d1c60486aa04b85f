"""Where the command line writes: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from constrained.visible import visible

__all__ = [
    "complain",
    "json_text",
    "log",
    "progress",
    "remark",
    "show",
    "show_json",
    "spinner",
    "width",
]


def messages() -> Console:
    """The console for messages. Bound to the present stderr, which may be redirected meanwhile."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def show(page: RenderableType) -> None:
    """Print a page for people to stdout, at most 80 columns wide."""
    Console(highlight=False).print(page, width=width())


def width() -> int:
    """How wide a page for people is: as the terminal, 80 columns at most."""
    return min(Console().width, 80)


def show_json(value: Any) -> None:
    """Print JSON to stdout; a float that JSON cannot write becomes null."""
    print(json_text(value))  # noqa: T201


def json_text(value: Any) -> str:
    """A value as JSON; a float that JSON cannot write becomes null."""
    return json.dumps(finite(value), ensure_ascii=False, indent=2, default=str)


def finite(value: Any) -> Any:
    """`value` with null for NaN and infinities, which are not JSON."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def remark(text: str) -> None:
    """A line that helps a person at a terminal; nothing when stderr is a file or a pipe."""
    console = messages()
    if console.is_terminal:
        console.print(escape(text), style="dim")


def log(text: str) -> None:
    """A line on stderr that a log should have too."""
    messages().print(escape(visible(text)))


def complain(text: str) -> None:
    """An error as one line on stderr."""
    messages().print(f"[red]error:[/red] {escape(visible(' '.join(text.split())))}")


@contextmanager
def spinner(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr while something takes time; yields a function that changes its text."""
    console = messages()
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status(escape(text)) as status:
        yield lambda text: status.update(escape(text))


@contextmanager
def progress(total: int) -> Iterator[Callable[[str, int], None]]:
    """A progress bar on stderr; yields a function of (what is being done, steps done since)."""
    console = messages()
    if not console.is_terminal:
        yield lambda _text, _steps: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda text, steps: bar.update(task, description=escape(text), advance=steps)
