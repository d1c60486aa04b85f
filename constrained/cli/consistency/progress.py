"""How far a run is: a bar at a terminal, a line a minute in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from constrained.cli import screen

if TYPE_CHECKING:
    from constrained.consistency.run import RunProgress

__all__ = ["Watch", "progress_line", "watching"]

LOGGED = 60.0
"""Seconds between two lines of a log."""

LONGEST = 28
"""Characters of a variant's name, or of what is being done."""


class Watch:
    """Shows the progress of a run; call it with every `RunProgress`, `doing` with what is done.

    `last` is the latest progress, None before the first.
    """

    def __init__(self, bar: Progress | None = None) -> None:
        self.last: RunProgress | None = None
        self._bar = bar
        self._task: TaskID | None = None
        self._said = time.monotonic()

    def __call__(self, progress: RunProgress) -> None:
        """Take note of a cell."""
        self.last = progress
        if self._bar is not None:
            done = progress.cached + progress.scored
            self._bar.update(
                self._line(), completed=done, total=progress.cells, rest=rest(progress)
            )
        elif time.monotonic() - self._said >= LOGGED:
            self._said = time.monotonic()
            screen.log(progress_line(progress))

    def doing(self, what: str) -> None:
        """Say which variant is scored, or what is loaded."""
        if self._bar is not None:
            shown = what if len(what) <= LONGEST else f"{what[: LONGEST - 3]}..."
            self._bar.update(self._line(), description=escape(shown))

    def _line(self) -> TaskID:
        """The line of the bar; it appears with the first thing to say."""
        if self._task is None and self._bar is not None:
            self._task = self._bar.add_task("starting", total=None, rest="")
        return self._task or TaskID(0)


def rest(progress: RunProgress) -> str:
    """What stands beside the bar: cells from the store, failures, and the time that is left.

    >>> from constrained.consistency.run import RunProgress
    >>> rest(RunProgress(cells=100, cached=20, scored=40, failed=1, seconds=60.0))
    '20 stored before, 1 failed, 1.0 min left'
    """
    from constrained.consistency.report.terms import duration

    parts = [f"{progress.cached:,} stored before"] if progress.cached else []
    parts += [f"{progress.failed:,} failed"] if progress.failed else []
    parts += [f"{duration(progress.left)} left"] if progress.left else []
    return ", ".join(parts)


def progress_line(progress: RunProgress) -> str:
    """The same as one line of a log.

    >>> from constrained.consistency.run import RunProgress
    >>> progress_line(RunProgress(cells=100, cached=20, scored=0, failed=0, seconds=1.0))
    '20 of 100 cells, 20 stored before'
    """
    done = f"{progress.cached + progress.scored:,} of {progress.cells:,} cells"
    return ", ".join(filter(None, [done, rest(progress)]))


@contextmanager
def watching() -> Iterator[Watch]:
    """A `Watch` that draws on stderr while the block runs."""
    console = screen.messages()
    if not console.is_terminal:
        yield Watch()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rest]}", style="dim"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield Watch(bar)
