"""Makes the pictures of docs/how-to/read_a_report.md: ``python -m tests.browser.pictures``.

The scores are invented: 40 essays, 8 prompts; one judge that wording moves a lot, and
one that it moves less.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from constrained.consistency.analysis import Analysis, Settings, analyse_grid, grid_of_exact
from constrained.consistency.report import to_html
from tests.browser.conftest import NAMES, QUIET
from tests.browser.samples import SCALE

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PROMPTS = (
    "terse",
    "rubric",
    "strict teacher",
    "kind teacher",
    "step by step",
    "examiner",
    "one line",
    "as JSON",
)
ESSAY = (
    "School should start later, because pupils are tired in the morning and tired pupils do not "
    "learn. Some people say that buses would be a problem. I think that buses can be planned."
)


def invented() -> Analysis:
    """The analysis that the pictures show."""
    draw = np.random.default_rng(4)
    moved = np.array([1.3, 0.5])
    level = draw.normal(5.8, 1.9, (40, 1, 1))
    room = draw.normal(0, 0.45, (1, 8, 1))
    means = level + (room + draw.normal(0, 0.35, (40, 8, 1))) * moved
    bells = np.exp(-((SCALE - means[..., None]) ** 2) / (2 * (0.35 + 0.3 * moved[:, None]) ** 2))
    p = bells / bells.sum(axis=-1, keepdims=True)
    items = [f"essay {i + 1}" for i in range(40)]
    levels = {
        "item": items,
        "prompt": PROMPTS,
        "variant": ["base", "tuned"],
    }
    facets = ("item", "prompt", "variant")
    found = analyse_grid(
        grid_of_exact(p, SCALE, facets, levels=levels),
        gold=np.clip(np.round(level[:, 0, 0] + draw.normal(0, 0.5, 40)), 0, 10),
        gates={"max_flip_rate": 0.25, "min_phi": 0.6},
        title="Essay scorer, before and after fine-tuning",
        settings=Settings(pass_mark=6.0, noun="essay"),
        item_texts=dict.fromkeys(items, ESSAY),
        prompt_texts={p: f"You are the {p} reader.\n\n{{text}}\n\nScore: " for p in PROMPTS},
    )
    methods = replace(found.methods, command="constrained consistency run plan.yaml")
    return replace(found, methods=methods)


def main() -> None:
    """Open the report, photograph its top in light and an open cell in the dark."""
    path = PICTURES / "report.html"
    PICTURES.mkdir(exist_ok=True)
    path.write_text(to_html(invented()), encoding="utf-8")
    browser_path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1120, "height": 860})
        page.goto(path.as_uri())
        page.screenshot(path=PICTURES / "report_top.png")
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="dark")
        page.goto(path.as_uri())
        page.locator("#j0-heat h2").evaluate("h => h.scrollIntoView({behavior: 'instant'})")
        page.locator('tr[data-row="3"] td.c[data-column="4"]').first.click()
        page.locator("#j0-heat h2").evaluate("h => h.scrollIntoView({behavior: 'instant'})")
        page.wait_for_selector("#panel[data-ready='3 4']")
        page.screenshot(path=PICTURES / "report_cell.png")
        browser.close()
    path.unlink()


if __name__ == "__main__":
    main()
