"""The HTML report in Chromium: keyboard, panel, slider, filter, dark, print, and hostile texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from constrained.consistency.analysis import Analysis, compare
from constrained.consistency.report import to_html
from constrained.consistency.statistics import (
    flip_between_prompts,
    gate_risk,
    pass_probability,
    straddle_rate,
)
from tests.browser.samples import (
    HOSTILE,
    PROMPTS,
    SCALE,
    distributions,
    hostile,
    many_rooms,
    sample,
)

Opener = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Opens an analysis as a file; at the end: no console message, no error, nothing requested."""
    messages: list[str] = []
    requests: list[str] = []
    contexts: list[Any] = []

    def open_page(analysis: Analysis, comparison: Any = None, **options: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(to_html(analysis, comparison), encoding="utf-8")
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)  # a busy machine is no broken page
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert messages == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def cell(page: Page, row: int, column: int) -> Any:
    return page.locator(f'tr[data-row="{row}"] td.c[data-column="{column}"]').first


def focused(page: Page) -> tuple[int, int]:
    at = page.evaluate(
        "[document.activeElement.parentElement.dataset.row, document.activeElement.dataset.column]"
    )
    return int(at[0]), int(at[1])


def as_share(words: str) -> float:
    """Reads what the page shows as a percentage."""
    return float(re.sub(r"[^0-9.]", "", words)) / 100


def test_a_click_opens_the_cell_with_its_distribution_prompt_and_text(opened: Opener) -> None:
    analysis = sample()
    page = opened(analysis)
    cell(page, 3, 2).click()
    page.wait_for_selector("#panel[data-ready='3 2']")
    p = distributions(12, 5)[3, 2]
    assert page.text_content("#panel-title") == "essay 4"
    assert PROMPTS[2] in str(page.text_content("#panel-of"))
    body = str(page.text_content("#panel-body"))
    assert f"{p @ SCALE:.2f}" in body
    assert "The text of essay 4." in body
    assert "Be strict teacher. Score: {text}" in body
    assert "the exact distribution" in body
    titles = page.locator("#panel rect title").all_text_contents()
    assert len(titles) == len(SCALE)
    likeliest = int(np.argmax(p))
    assert titles[likeliest].startswith(f"{likeliest}: {100 * p[likeliest]:.0f}")


def test_the_bars_of_a_distribution_are_as_high_as_its_probabilities(opened: Opener) -> None:
    page = opened(sample())
    cell(page, 0, 0).click()
    heights = np.array(
        page.eval_on_selector_all("#panel rect", "all => all.map(r => +r.getAttribute('height'))")
    )
    p = distributions(12, 5)[0, 0]
    assert heights / heights.max() == pytest.approx(p / p.max(), abs=2e-4)


def test_a_cell_without_scores_says_so(opened: Opener) -> None:
    page = opened(sample())
    cell(page, 6, 1).click()
    assert "no scores" in str(page.text_content("#panel-body"))


def test_the_heat_map_is_one_tab_stop_and_moves_by_keys(opened: Opener) -> None:
    page = opened(sample())
    assert page.locator('td.c[tabindex="0"]').count() == 1
    cell(page, 0, 0).focus()
    for key, place in [
        ("ArrowRight", (0, 1)),
        ("ArrowDown", (1, 1)),
        ("End", (1, 4)),
        ("ArrowRight", (1, 4)),
        ("PageDown", (11, 4)),
        ("Home", (11, 0)),
        ("ArrowUp", (10, 0)),
        ("Control+End", (11, 4)),
        ("Control+Home", (0, 0)),
        ("ArrowLeft", (0, 0)),
    ]:
        page.keyboard.press(key)
        assert focused(page) == place, key
    assert page.locator('td.c[tabindex="0"]').count() == 1


def test_enter_opens_the_panel_and_escape_gives_the_focus_back(opened: Opener) -> None:
    page = opened(sample())
    cell(page, 2, 1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "panel-close"
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#panel[data-ready='2 2']")
    page.keyboard.press("Escape")
    assert page.is_hidden("#panel")
    assert focused(page) == (2, 2)


def test_arrows_move_an_open_panel_along(opened: Opener) -> None:
    page = opened(sample())
    cell(page, 1, 1).click()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#panel[data-ready='2 1']")
    assert page.text_content("#panel-title") == "essay 3"


def test_the_slider_shows_what_the_statistics_compute(opened: Opener) -> None:
    page = opened(sample())
    p = distributions(12, 5)
    for mark in (6, 3, 8, 10):
        page.locator("input.mark").fill(str(mark))
        passing = pass_probability(p, SCALE, mark)
        expected = {
            "pass": np.nanmean(passing),
            "flip": flip_between_prompts(passing).value,
            "again": np.nanmean(2 * passing * (1 - passing)),
            "straddle": straddle_rate(passing).value,
        }
        for name, value in expected.items():
            shown = as_share(str(page.text_content(f"[data-shows={name}]")))
            assert shown == pytest.approx(value, abs=0.0051), (mark, name)
        assert page.text_content("output.mark") == str(mark)
        for rate in (20, 55, 90):
            page.locator("input.gate").fill(str(rate))
            risks = [gate_risk(passing[:, k], rate / 100).risk for k in range(5)]
            shown = float(str(page.get_attribute("[data-shows=risk]", "data-value")))
            assert shown == pytest.approx(np.mean(risks), abs=2e-6), (mark, rate)
            words = str(page.text_content("[data-shows=risk-range]"))
            low, high = (as_share(part) for part in words.removeprefix("rooms: ").split(" to "))
            assert low == pytest.approx(min(risks), abs=0.0051)
            assert high == pytest.approx(max(risks), abs=0.0051)


def test_the_slider_moves_the_marker_and_the_straddling_borders(opened: Opener) -> None:
    page = opened(sample())
    p = distributions(12, 5)
    marker = page.locator(".flips line.marker")
    before = float(str(marker.get_attribute("x1")))
    for mark in (4, 7):
        page.locator("input.mark").fill(str(mark))
        passing = pass_probability(p, SCALE, mark)
        with np.errstate(invalid="ignore"):
            expected = int((np.minimum(passing, 1 - passing) >= 0.1).sum())
        assert page.locator("td.c.straddle").count() == expected
    assert float(str(marker.get_attribute("x1"))) > before


def test_the_straddling_borders_are_there_before_any_script(opened: Opener) -> None:
    static = opened(sample(), java_script_enabled=False)
    live = opened(sample())
    assert static.locator("td.c.straddle").count() == live.locator("td.c.straddle").count() > 0


def test_rows_are_sorted_found_and_filtered(opened: Opener) -> None:
    page = opened(sample())
    means = distributions(12, 5) @ SCALE
    spread = np.nanmax(means, axis=1) - np.nanmin(means, axis=1)
    page.select_option(".order", "flaky")
    rows = page.eval_on_selector_all("tbody tr[data-row]", "all => all.map(r => +r.dataset.row)")
    assert rows == np.argsort(-spread, kind="stable").tolist()
    page.fill(".find", "ESSAY 1")
    visible = page.eval_on_selector_all(
        "tbody tr[data-row]", "all => all.filter(r => !r.hidden).map(r => +r.dataset.row)"
    )
    assert sorted(visible) == [0, 9, 10, 11]
    assert page.text_content(".shown") == "4 of 12 items"
    page.fill(".find", "")
    page.check(".only")
    passing = pass_probability(distributions(12, 5), SCALE, 6)
    expected = (np.nanmax(passing, axis=1) >= 0.1) & (np.nanmin(passing, axis=1) <= 0.9)
    visible = page.eval_on_selector_all(
        "tbody tr[data-row]", "all => all.filter(r => !r.hidden).map(r => +r.dataset.row)"
    )
    assert sorted(visible) == np.nonzero(expected)[0].tolist()


def test_the_prompt_table_sorts_by_the_numbers(opened: Opener) -> None:
    analysis = sample()
    page = opened(analysis)
    button = page.locator("#j0-prompts th button", has_text="Severity")
    severity = [row.severity.value for row in analysis.judges[0].prompts]
    names = [row.room.prompt for row in analysis.judges[0].prompts]
    for order, says in ((-1, "descending"), (1, "ascending")):
        button.press("Enter")
        shown = page.locator("#j0-prompts tbody td.name").all_text_contents()
        assert shown == [names[k] for k in np.argsort(order * np.array(severity))]
        heading = page.locator("#j0-prompts th", has_text="Severity")
        assert heading.get_attribute("aria-sort") == says


def test_one_judge_and_one_format_are_shown_at_a_time(opened: Opener) -> None:
    page = opened(many_rooms())
    assert page.is_visible("#j0")
    assert page.is_hidden("#j1")
    assert page.locator("#j0 .map:visible").count() == 1
    page.locator("#j0 .choose-map").select_option("2")
    cell_there = page.locator('#j0 .map:visible tr[data-row="0"] td.c[data-column="0"]')
    cell_there.click()
    assert "alpaca" in str(page.text_content("#panel-of"))
    page.locator("#j0 .choose-judge").first.select_option("1")
    assert page.is_visible("#j1")
    assert page.is_hidden("#j0")
    assert page.is_hidden("#panel")
    page.locator("nav a", has_text="Pass mark").click()
    assert page.evaluate("location.hash") == "#j1-mark"


def test_without_scripts_every_table_can_be_read(opened: Opener) -> None:
    page = opened(many_rooms(), java_script_enabled=False)
    assert page.locator(".judge:visible").count() == 2
    assert page.locator(".map:visible").count() == 6
    assert page.is_hidden(".slider >> nth=0")
    assert page.locator("svg.chart:visible").count() > 5


def test_scripts_in_names_texts_and_values_stay_text(opened: Opener) -> None:
    page = opened(hostile())
    cell(page, 0, 0).click()
    page.wait_for_selector("#panel[data-ready='0 0']")
    body = str(page.text_content("#panel-body"))
    for text in HOSTILE:
        assert text in body
    assert page.evaluate("window.broken") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3
    assert page.text_content("h1") == HOSTILE[0]


def test_the_dark_scheme_and_print_change_the_page(opened: Opener) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(sample()), opened(sample(), color_scheme="dark")

    def lightness(page: Page) -> int:
        return sum(map(int, re.findall(r"\d+", page.evaluate(colour))[:3]))

    assert lightness(light) > 600
    assert lightness(dark) < 150
    dark.emulate_media(media="print", color_scheme="dark")
    assert lightness(dark) == 3 * 255
    assert dark.is_visible("output.mark")  # what the numbers below are for
    assert dark.is_visible("output.gate")
    for gone in ("nav", ".slider input", ".heat-tools"):
        assert dark.is_hidden(gone)
    assert dark.evaluate("document.documentElement.scrollHeight") > 0
    assert dark.evaluate("getComputedStyle(document.querySelector('.heat')).overflow") == "visible"


@pytest.mark.parametrize("width", [360, 820, 1280])
def test_the_page_never_scrolls_sideways(opened: Opener, width: int) -> None:
    page = opened(
        sample(), compare(sample(seed=1), sample()), viewport={"width": width, "height": 800}
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_comparison_is_a_section_of_its_own(opened: Opener) -> None:
    comparison = compare(sample(seed=1), sample())
    page = opened(sample(), comparison)
    shown = str(page.text_content("#difference"))
    assert "12 common items" in shown
    verdicts = comparison.judges[0].verdicts
    assert verdicts
    for verdict in verdicts:
        assert f"{verdict.before:.2f}" in shown
        assert f"{verdict.after:.2f}" in shown


def test_every_control_has_a_name(opened: Opener) -> None:
    page = opened(many_rooms())
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [role=img]")]
          .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim()
            || (node.labels && node.labels.length)))
          .map((node) => node.outerHTML)"""
    )
    assert nameless == []
