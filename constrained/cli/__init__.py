"""The command line: ``demo``, ``generate``, ``distribution``, ``explain``, ``check`` and more.

>>> from constrained.cli import run
>>> run(["explain", "integer:0..10", "--json"])  # doctest: +ELLIPSIS
{
  "spec": ...
0
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from constrained.cli.commands import app
from constrained.cli.consistency import app as consistency
from constrained.cli.screen import complain
from constrained.errors import ConstrainedError

__all__ = ["main", "run"]

FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130
OUT_OF_MEMORY = {"MemoryError", "OutOfMemoryError"}  # torch has one of its own

app.add_typer(consistency)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0: done. 1: the work failed (stdout closed, out of memory). 2: bad input, with one line on
    stderr that says what and where. 130: interrupted from the keyboard. Those of ``consistency
    gate`` are verdicts: 0 pass, 1 fail, 2 not enough data, 3 none.
    """
    try:
        app(list(arguments), prog_name="constrained")
        sys.stdout.flush()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except ConstrainedError as error:
        complain(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads the output has seen enough (| head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (MemoryError, RuntimeError) as error:
        if type(error).__name__ not in OUT_OF_MEMORY:
            raise
        complain("out of memory: try a smaller model, --dtype bfloat16, or fewer --samples")
        return FAILED
    return 0


def main() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without these characters shows "?"
    # Read when torch is imported: its threads sleep while they wait for each other. By default they
    # spin, and beside any other busy program a pass of the model then takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    sys.exit(run(sys.argv[1:]))
