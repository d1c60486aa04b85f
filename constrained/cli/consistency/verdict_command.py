"""A command whose exit codes are verdicts: whatever keeps it from one has a code of its own."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from rich.console import RenderableType
from typer.core import TyperCommand

from constrained.cli import screen
from constrained.errors import ConstrainedError

__all__ = ["NO_VERDICT", "VerdictCommand", "show_page"]

NO_VERDICT = 3
"""Bad input, a missing package, too little memory, a fault of ours: nothing was decided."""


class VerdictCommand(TyperCommand):
    """A command that exits with `NO_VERDICT` for every error; 1 and 2 are left to its verdicts."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line; a wrong option is no verdict."""
        try:
            return super().make_context(*arguments, **options)
        except Exception as error:
            raise undecided(error) from error

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it raises is no verdict."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            raise undecided(error) from error


def undecided(error: Exception) -> Exception:
    """What to raise in the place of an error, so that the exit code says that nothing was decided.

    What the command line library shows itself (a wrong option) keeps its words.
    """
    if isinstance(error, typer.Exit | typer.Abort):
        return error
    if hasattr(error, "exit_code"):
        error.exit_code = NO_VERDICT
        return error
    if isinstance(error, ConstrainedError):
        screen.complain(str(error))
    elif isinstance(error, MemoryError):
        screen.complain("out of memory: analyse a part of the run, with --where")
    else:
        traceback.print_exception(error)
    return typer.Exit(NO_VERDICT)


def show_page(page: RenderableType) -> None:
    """Print a page; whoever reads it may close it early (``| head``), which decides nothing."""
    try:
        screen.show(page)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich makes the one of the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
