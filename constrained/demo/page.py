"""The demo's report as a page for the terminal, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import shorten

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from constrained.demo.report import Cell, Report, mean
from constrained.demo.scorer import Comparison

__all__ = ["page", "sparkline"]

BLOCKS = "▁▂▃▄▅▆▇█"
MARGIN = (0, 0, 0, 2)


def sparkline(pmf: Sequence[float]) -> str:
    """One column per value; the highest bar is the most probable value, a dot is under 1 %.

    >>> sparkline([0.0, 0.25, 0.5, 0.25])
    '·▄█▄'
    """
    top = max(pmf)
    return "".join(
        BLOCKS[max(0, round(p / top * len(BLOCKS)) - 1)] if p >= 0.01 else "·" for p in pmf
    )


def page(report: Report, comparison: Comparison | None = None) -> RenderableType:
    """The whole report: format, distributions, what the wording does, and what follows.

    With a `comparison`, a model before and after fine-tuning as well.
    """
    return Group(*sections(report, comparison))


def sections(report: Report, comparison: Comparison | None) -> Iterator[RenderableType]:
    """The parts of the page in order."""
    size = f"{len(report.essays)} essays x {len(report.prompts)} wordings of the same request"
    yield Rule("constrained demo", style="dim")
    yield Padding(Text(f"{report.model} grades {size}\n{report.question}", style="dim"), MARGIN)
    yield heading("1  Does the answer have the format", f"{report.template}")
    yield Padding(formats(report), MARGIN)
    if failures := [cell for cell in report.cells if not cell.follows][:: len(report.prompts) + 1]:
        yield Padding(Text("\nWhat the free answers say instead, for example:"), MARGIN)
        yield Padding(examples(failures[:3]), MARGIN)
    yield heading(
        "2  Every score's exact probability", "from 0 (left) to 10 (right); · is under 1 %"
    )
    yield Padding(distributions(report), MARGIN)
    yield heading("3  What follows")
    yield Padding(bullets(conclusions(report)), MARGIN)
    if comparison is not None:
        yield heading("4  The same model, fine-tuned", "on essays whose right score is known")
        yield Padding(side_by_side(comparison), MARGIN)
        yield Padding(Text(), MARGIN)
        yield Padding(bullets(lessons(comparison)), MARGIN)
    yield Rule(style="dim")


def heading(title: str, detail: str = "") -> RenderableType:
    """A section's title with the thing it is about in colour."""
    return Padding(Text.assemble((title, "bold"), "  ", (detail, "cyan")), (1, 0, 0, 0))


def formats(report: Report) -> Table:
    """How many answers follow the format, and what one costs."""
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("answers")
    for name in ("exactly", "some N / 10 in it", "seconds each"):
        table.add_column(name, justify="right")
    total = len(report.cells)
    follow, named = report.count(lambda c: c.follows), report.count(lambda c: c.names_score)
    valid = report.count(lambda c: c.valid)
    good, bad = "green", "red" if follow < total else "green"
    seconds = report.seconds
    table.add_row(
        "free (model.generate)",
        Text(f"{follow} of {total}", style=bad),
        f"{named} of {total}",
        f"{seconds.free:.2f}",
    )
    table.add_row(
        "constrained",
        Text(f"{valid} of {total}", style=good),
        f"{valid} of {total}",
        f"{seconds.constrained:.2f}",
    )
    table.add_row("exact distribution", "", "", f"{seconds.distribution:.2f}")
    return table


def examples(cells: Sequence[Cell]) -> Table:
    """Some free answers that do not follow the format, shortened to a line each."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for cell in cells:
        printable = "".join(c if c.isprintable() else " " for c in cell.free)
        said = shorten(printable, 52, placeholder=" ...") or "(nothing)"
        table.add_row(f"{cell.essay}, {cell.prompt}", f"“{said}”")
    return table


def distributions(report: Report) -> Table:
    """One row per essay, one small chart per wording, mean and standard deviation below it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("essay")
    for prompt in report.prompts:
        table.add_column(prompt, justify="center", no_wrap=True)
    table.add_column("moves by", justify="right")
    for essay in report.essays:
        cells = [report.cell(essay, prompt) for prompt in report.prompts]
        charts = [
            Text.assemble((sparkline(c.pmf), "cyan"), f"\n{c.mean:.1f} ± {c.sd:.1f}") for c in cells
        ]
        table.add_row(essay, *charts, f"{report.spread_between_prompts(essay):.1f}")
    spreads = [f"{report.spread_between_essays(prompt):.1f}" for prompt in report.prompts]
    table.add_row("differ by", *spreads, "", style="dim")
    return table


def side_by_side(comparison: Comparison) -> Table:
    """One row per essay and wording: what it deserves, and both models' scores."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("essay")
    table.add_column("wording")
    table.add_column("right", justify="right")
    for report in (comparison.base, comparison.tuned):
        table.add_column(report.model, justify="center", no_wrap=True)
    for before, after in zip(comparison.base.cells, comparison.tuned.cells, strict=True):
        charts = [
            Text.assemble((sparkline(c.pmf), "cyan"), f" {c.mean:4.1f}") for c in (before, after)
        ]
        right = str(comparison.gold[before.essay])
        table.add_row(before.essay, before.prompt, right, *charts)
    return table


def lessons(comparison: Comparison) -> Iterator[str]:
    """What fine-tuning changed, in plain words and measured numbers."""
    base, tuned = comparison.base, comparison.tuned
    total = len(base.cells)
    removed = [mean([cell.removed_mass for cell in report.cells]) for report in (base, tuned)]
    yield (
        f"Format: free answers follow it in {base.count(lambda c: c.follows)} of {total} cases "
        f"before and {tuned.count(lambda c: c.follows)} of {total} after; the constraint removes "
        f"{removed[0]:.1%} of the probability before and {removed[1]:.1%} after."
    )
    before, after = comparison.error(base), comparison.error(tuned)
    lesson = (
        "Masks make a format certain; training makes a score mean something."
        if after < before
        else "So this training taught the format and not the scores: a mask cannot tell you that."
    )
    yield (
        f"Meaning: the expected score is {before:.1f} points from the right one on average before, "
        f"and {after:.1f} after. {lesson}"
    )


def bullets(texts: Iterator[str]) -> Table:
    """A list with hanging indents."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for text in texts:
        table.add_row("•", text)
    return table


def conclusions(report: Report) -> Iterator[str]:
    """What the numbers mean, in plain words; every number in it was measured in this run."""
    total, follow = len(report.cells), report.count(lambda c: c.follows)
    faster = report.seconds.free / report.seconds.constrained
    if follow < total:
        named = report.count(lambda c: c.names_score)
        yield (
            f"Format: a program that expects it would have failed on {total - follow} of {total} "
            f"free answers, one that searches for N / 10 on {total - named}, and neither on a "
            "constrained one."
        )
    else:
        yield f"Format: all {total} free answers followed it too; now that is guaranteed."
    begins = 1 - mean([cell.removed_mass for cell in report.cells])
    yield (
        f"Computed exactly, the free model begins its answer in this format with a probability of "
        f"{begins:.1%} on average."
    )
    yield (
        f"Time: a constrained answer took {1 / faster:.2f} times the seconds of a free one; only "
        "the score is left to choose, the rest of the format is filled in."
    )
    if len(report.prompts) > 1 and len(report.essays) > 1:
        yield from judgements(report)


def judgements(report: Report) -> Iterator[str]:
    """Whether the scores say more about the essays or about the wording."""
    prompts, essays = report.between_prompts, report.between_essays
    yield (
        f"Meaning: asking in other words moves the expected score of the same essay by "
        f"{prompts:.1f} points on average. Under one wording, the highest and the lowest "
        f"essay are {essays:.1f} points apart."
    )
    if prompts > essays:
        yield (
            "So this model's scores say more about the wording than about the essays. A "
            "guaranteed format makes a score readable, not right: measure before you trust it."
        )
    else:
        yield (
            "So the essays matter more than the wording here. Look at both numbers again "
            "before you trust scores from another prompt."
        )
