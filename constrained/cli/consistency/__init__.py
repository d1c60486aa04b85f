"""``constrained consistency``: run a plan, report, compare, gate, import, merge, start a plan."""

from __future__ import annotations

import typer

from constrained.cli.consistency.comparing import compare
from constrained.cli.consistency.gating import gate
from constrained.cli.consistency.importing import import_
from constrained.cli.consistency.merging import merge
from constrained.cli.consistency.reporting import report
from constrained.cli.consistency.running import run
from constrained.cli.consistency.starting import init
from constrained.cli.consistency.verdict_command import VerdictCommand

__all__ = ["VerdictCommand", "app", "compare", "gate", "import_", "init", "merge", "report", "run"]

app = typer.Typer(
    name="consistency",
    help="Would another room give the same score? Run a plan, report, compare, gate.",
    epilog="Start with: constrained consistency init",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("init")(init)
app.command("run")(run)
app.command("report")(report)
app.command("compare")(compare)
app.command("gate", cls=VerdictCommand)(gate)
app.command("import")(import_)
app.command("merge")(merge)
