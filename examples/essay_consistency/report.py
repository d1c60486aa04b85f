"""Report the essay scorer's run: HTML with the difference that fine-tuning made, Markdown, figures.

    constrained consistency run examples/essay_scorer/plan.yaml --store essays.db
    python examples/essay_consistency/report.py essays.db [folder]

Writes ``example_report.html`` and ``example_report.md`` into the folder and prints the figures that
docs/explanation/worked_example.md quotes. With ``--picture FILE`` it also photographs the top of
the page, for which Playwright and Chromium have to be installed.
"""

# ruff: noqa: T201 - a script prints what it does

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from constrained.consistency.analysis import Analysis, Judge, analyse, compare
from constrained.consistency.report import comparison_to_markdown, to_html, to_markdown

NAME = "example_report"
JUDGES = ("base", "tuned")


def main() -> None:
    """Analyse a store and write what it says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path())
    parser.add_argument("--picture", type=Path, help="a PNG of the top of the page")
    arguments = parser.parse_args()
    analysis = analyse(arguments.store, noun="essay")
    named = (replace(analysis, title=name) for name in JUDGES)
    change = compare(*named, judges=[JUDGES])
    page = arguments.folder / f"{NAME}.html"
    page.write_text(to_html(analysis, change), encoding="utf-8")
    text = f"{to_markdown(analysis)}\n{comparison_to_markdown(change)}"
    (arguments.folder / f"{NAME}.md").write_text(text, encoding="utf-8")
    print(figures(analysis))
    if arguments.picture is not None:
        photograph(page, arguments.picture)


def figures(analysis: Analysis) -> str:
    """The figures of the page about this example, as a table in Markdown."""
    rows = [
        ("another room moves a score by (points)", "summary.move"),
        ("the same room asked again", "summary.move_again"),
        ("expected scores of two rooms differ by", "summary.move_expected"),
        ("dependability of one draw (Phi)", "agreement.phi"),
        ("dependability of one exact cell (Phi)", "agreement.phi_expected"),
        ("kappa of one score with gold", "gold.kappa_single"),
        ("kappa of the average of all rooms with gold", "gold.kappa"),
        ("bias against gold (points)", "gold.bias"),
    ]
    names = [judge.name for judge in analysis.judges]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for title, path in rows:
        cells = []
        for judge in analysis.judges:
            found = attrgetter(path)(judge)
            cells.append(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    for effect in ("item", "prompt", "format", "draw"):
        found = [variance(judge, effect) for judge in analysis.judges]
        lines.append(f"| variance of {effect} (points squared) | {' | '.join(found)} |")
    removed = [f"{judge.quality.removed_mass:.4f}" for judge in analysis.judges]
    seconds = [f"{judge.quality.seconds:.0f}" for judge in analysis.judges]
    lines.append(f"| probability that the mask removed | {' | '.join(removed)} |")
    lines.append(f"| seconds | {' | '.join(seconds)} |")
    return "\n".join(lines)


def variance(judge: Judge, effect: str) -> str:
    """A component and its part of the whole."""
    value = judge.components[effect].estimate.value
    return f"{value:.3f} ({judge.components.share(effect):.1%})"


def photograph(page: Path, picture: Path) -> None:
    """The top of the report as a reader sees it."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1120, "height": 900})
        tab.goto(page.resolve().as_uri(), timeout=120_000)
        tab.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main()
