"""The HTML report as text: well formed, self-contained, escaped, small, and saying the numbers."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained.consistency.analysis import (
    Analysis,
    analyse_arrays,
    analyse_draws,
    analyse_grid,
    compare,
    grid_of_exact,
)
from constrained.consistency.report import html as html_module
from constrained.consistency.report import to_html, write_html
from constrained.consistency.report.changes import change_words
from constrained.consistency.report.html_data import shown_rows
from constrained.consistency.report.palette import DARK, LIGHT, contrast, luminance, on_level
from constrained.consistency.report.svg import Bar, Frame, Line, component_bars, line_chart, ticks
from constrained.consistency.report.terms import percent
from constrained.consistency.statistics import Estimate
from constrained.errors import MissingPackage
from tests.browser.samples import (
    HOSTILE,
    PROMPTS,
    SCALE,
    distributions,
    hostile,
    many_rooms,
    pairs,
    sample,
)

VOID = {"meta", "link", "br", "input", "img", "hr"}


class Reader(HTMLParser):
    """Every element with its attributes and text; open elements are matched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.problems: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"{tag} ends at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def said(self) -> str:
        return "".join(self.texts)


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def texts_of(page: str) -> Any:
    found = re.search(r'<script type="text/plain" id="texts">(.*?)</script>', page, re.S)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def every_kind() -> list[tuple[str, Analysis]]:
    draw = np.random.default_rng(0)
    p = distributions(6, 4)
    whole = draw.integers(-9, 10, (5, 3, 2, 2)).astype(float)
    orders = {"order": ("ab", "ba")}
    return [
        ("everything", sample()),
        ("two judges", many_rooms()),
        ("hostile", hostile()),
        ("pairs", pairs()),
        ("no pass mark", analyse_arrays(p, SCALE)),
        ("one prompt", analyse_arrays(p[:, :1], SCALE, pass_mark=5)),
        ("one item", analyse_arrays(p[:1], SCALE, pass_mark=5)),
        ("one cell", analyse_arrays(p[:1, :1], SCALE, pass_mark=5)),
        ("no cell at all", analyse_arrays(np.full((4, 3, 11), np.nan), SCALE, pass_mark=5)),
        ("draws", analyse_draws(draw.integers(0, 11, (6, 4, 3)).astype(float), SCALE)),
        ("single draws", analyse_draws(draw.integers(0, 11, (6, 4, 1)).astype(float), pass_mark=5)),
        ("half points", analyse_draws(draw.integers(2, 20, (9, 4, 1)) / 2, pass_mark=8)),
        ("pass or fail", analyse_arrays(draw.dirichlet([1, 1], (5, 3)), [0, 1], pass_mark=1)),
        ("orders", analyse_draws(whole, facets=("item", "prompt", "order"), levels=orders)),
        ("no steps", analyse_draws(draw.normal(0, 1, (5, 4, 2)), pass_mark=0)),
        ("many prompts", analyse_draws(draw.integers(0, 10, (4, 40, 2)).astype(float))),
    ]


KINDS = every_kind()


@pytest.mark.parametrize("analysis", [a for _, a in KINDS], ids=[name for name, _ in KINDS])
def test_every_kind_of_analysis_becomes_a_well_formed_page(analysis: Analysis) -> None:
    page = Reader(to_html(analysis))
    assert page.problems == []
    assert page.open == []
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    links = [str(a["href"])[1:] for tag, a in page.elements if tag == "a"]
    assert set(links) <= set(names)


@pytest.mark.parametrize("analysis", [a for _, a in KINDS], ids=[name for name, _ in KINDS])
def test_a_page_never_shows_nan_or_none(analysis: Analysis) -> None:
    page = to_html(analysis)
    words = Reader(page.split('<script type="application/json"')[0].split("</style>")[1]).said
    assert re.findall(r"\b(nan|NaN|None|inf)\b", words) == []


def test_a_page_loads_nothing_from_anywhere() -> None:
    page = to_html(sample(), compare(sample(seed=1), sample()))
    for tag, attributes in Reader(page).elements:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    found = re.search(r"<script>(.*?)</script>", page, re.S)
    assert found
    for call in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "eval(", "innerHTML"):
        assert call not in found[1]


def test_the_policy_lets_only_the_pages_own_script_run() -> None:
    page = to_html(sample())
    policy = next(a["content"] for _, a in Reader(page).elements if "http-equiv" in a)
    found = re.search(r"<script>(.*?)</script>", page, re.S)
    assert found
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none'")


def test_markup_in_names_texts_and_values_is_shown_as_text() -> None:
    analysis = hostile()
    page = to_html(analysis, compare(analysis, analysis))
    read = Reader(page)
    assert [tag for tag, _ in read.elements].count("script") == 3
    assert [tag for tag, _ in read.elements if tag == "img"] == []
    assert not any(name.startswith("on") for _, a in read.elements for name in a)
    for text in HOSTILE:
        assert text in read.said
    for name in (*analysis.items, *analysis.prompts):
        assert name in read.said


def test_embedded_data_survive_hostile_texts() -> None:
    analysis = hostile()
    page = to_html(analysis)
    assert data_of(page)["items"] == list(analysis.items)
    assert data_of(page)["prompts"] == list(analysis.prompts)
    texts = texts_of(page)
    assert texts["items"] == dict(analysis.item_texts)
    assert texts["prompts"] == dict(analysis.prompt_texts)
    assert texts["written"] == {"0 0 0 0": list(HOSTILE), "0 0 1 2": ["\x1b[31m"]}


def test_embedded_cells_are_those_of_the_analysis() -> None:
    found = data_of(to_html(sample()))
    p = distributions(12, 5).reshape(-1, 11)
    cells = found["judges"][0]["maps"][0]
    for line, shares, mean in zip(p, cells["p"], cells["mean"], strict=True):
        if math.isnan(line.sum()):
            assert shares is None
            assert mean is None
        else:
            assert np.array(shares) / 100_000 == pytest.approx(line, abs=5e-6)
            assert mean == pytest.approx(line @ SCALE, abs=5e-5)


def test_the_page_says_the_sentence_the_verdict_and_the_gates_first() -> None:
    analysis = sample()
    said = Reader(to_html(analysis)).said
    sentence = analysis.judges[0].summary.sentence
    assert "not enough data" in said or "Fail" in said
    order = [said.index(words) for words in ("max_flip_rate", "Where scores vary", "Every item")]
    assert [said.index(sentence), *order] == sorted([said.index(sentence), *order])


def test_200_items_with_10_prompts_and_long_texts_stay_below_2_megabytes() -> None:
    draw = np.random.default_rng(1)
    words = np.array([f"{''.join(draw.choice(list('abcdefghij'), 6))}" for _ in range(3_000)])
    levels = {"item": [f"essay {i}" for i in range(200)], "prompt": [f"p {k}" for k in range(10)]}
    analysis = analyse_grid(
        grid_of_exact(distributions(200, 10), SCALE, levels=levels),
        item_texts={name: " ".join(draw.choice(words, 500)) for name in levels["item"]},
        prompt_texts={name: " ".join(draw.choice(words, 300)) for name in levels["prompt"]},
    )
    assert len(to_html(analysis).encode()) < 2_000_000


def test_of_very_many_items_those_that_rooms_move_most_are_shown() -> None:
    p = np.zeros((4_000, 4, 3))
    p[:, :, 1] = 1.0
    moved = np.arange(5, 4_000, 11)
    p[moved, 2] = [0.0, 0.0, 1.0]
    analysis = analyse_arrays(p, [0, 1, 2], replicates=2)
    rows = shown_rows(analysis)
    assert len(rows) == 3_000
    assert set(moved) <= set(rows)
    page = to_html(analysis)
    assert data_of(page)["items"] == [analysis.items[row] for row in rows]
    assert "1000 more are in the numbers" in Reader(page).said


def test_pairs_show_who_wins_and_the_joint_distribution() -> None:
    page = to_html(pairs())
    found = pairs().judges[0].pairwise
    assert found is not None
    assert found.preferences is not None
    section = page.split('id="j0-pairs"')[1].split("</section>")[0]
    for value in (found.preferences.win, found.preferences.loss, found.preferences.order_flip):
        assert f'<span class="big">{percent(value.value)}</span>' in section
    shown = re.findall(r'<td class="s\d+">(.*?)</td>', section)
    expected = [percent(p) if p >= 0.0005 else "" for p in found.joint.ravel()]
    assert shown == [words.replace("<", "&lt;") for words in expected]


def test_a_comparison_names_changes_and_how_to_read_them() -> None:
    comparison = compare(sample(seed=1), sample())
    said = Reader(to_html(sample(), comparison)).said
    judge = comparison.judges[0]
    assert change_words(judge.mean, "") in said
    for verdict in judge.verdicts:
        assert verdict.item in said


@pytest.mark.parametrize(
    ("estimate", "good", "words"),
    [
        (Estimate(0.2, 0.1, 0.3), "less", "worse"),
        (Estimate(0.2, 0.1, 0.3), "more", "better"),
        (Estimate(0.2, 0.1, 0.3), "", "higher"),
        (Estimate(0.2, -0.1, 0.3), "more", "no clear change: the interval includes 0"),
        (Estimate(0.0, 0.0, 0.0), "less", "the same"),
        (Estimate(math.nan, reason="no gold scores"), "less", "not known"),
        (Estimate(0.2, reason="only 1 item"), "less", "only 1 item"),
    ],
)
def test_a_change_is_better_or_worse_only_when_its_interval_leaves_out_zero(
    estimate: Estimate, good: Any, words: str
) -> None:
    assert change_words(estimate, good) == words


def test_a_report_is_written_as_utf8(tmp_path: Path) -> None:
    path = write_html(tmp_path / "report.html", sample())
    assert path.read_text(encoding="utf-8") == to_html(sample())


def test_the_same_analysis_gives_the_same_page() -> None:
    assert to_html(sample()) == to_html(replace(sample()))


def test_without_jinja2_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    html_module._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingPackage) as caught:
        to_html(sample())
    html_module._environment.cache_clear()
    assert str(caught.value) == (
        "an HTML report needs the package jinja2 (run: pip install scipy pyyaml jinja2; in a "
        "clone: scripts/install consistency)"
    )


# ---- charts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ramp", [LIGHT, DARK])
def test_words_stand_out_on_every_step_and_lightness_orders_the_steps(ramp: Any) -> None:
    assert min(contrast(on_level(ramp, k), colour) for k, colour in enumerate(ramp)) >= 4.5
    steps = [luminance(colour) for colour in ramp]
    rising = ramp is DARK
    assert all((after > before) == rising for before, after in pairwise(steps))


def test_contrast_has_its_published_ends() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's known example


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 8
    assert all(low - 1e-6 * span <= tick <= low + span + 1e-6 * span for tick in found)
    gaps = np.diff(found)
    assert gaps == pytest.approx(gaps[:1].repeat(len(gaps)), rel=1e-3, abs=1e-9)


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6))
def test_the_parts_of_the_bar_are_as_wide_as_their_shares(shares: list[float]) -> None:
    bars = [Bar(f"part {i}", "item", share, 1.0) for i, share in enumerate(shares)]
    root = ElementTree.fromstring(component_bars(bars, "points", "bars", width=1000))
    wide = [float(rect.attrib["width"]) for rect in root.iter("rect")]
    for width, share in zip(wide, shares, strict=True):
        assert width == pytest.approx(max(1000 * share / sum(shares) - 2, 0.5), abs=0.01)


def test_intervals_are_drawn_to_scale_and_an_endless_one_ends_in_an_arrow() -> None:
    bars = [Bar("a", "item", 0.5, 2.0, 1.0, 3.0), Bar("b", "prompt", 0.5, 1.0, 0.5, 90.0)]
    root = ElementTree.fromstring(component_bars(bars, "points", "bars"))
    first, second = (e for e in root.iter("line") if "whisker" in e.attrib["class"])
    dots = [float(e.attrib["cx"]) for e in root.iter("circle")]
    assert dots[0] - float(first.attrib["x1"]) == pytest.approx(
        float(first.attrib["x2"]) - dots[0], abs=0.02
    )
    assert float(second.attrib["x2"]) > float(first.attrib["x2"])
    assert len(list(root.iter("path"))) == 1


def test_a_curve_passes_through_its_points_and_breaks_at_nan() -> None:
    frame = Frame(0.0, 10.0, 0.0, 1.0)
    line = Line("c", "item", [0.0, 5.0, 6.0, 10.0], [0.0, 1.0, math.nan, 0.5])
    root = ElementTree.fromstring(line_chart([line], frame, "x", x_name="x", y_name="y"))
    drawn = next(e.attrib["d"] for e in root.iter("path"))
    left, right, top, floor = map(float, root.attrib["data-frame"].split())
    middle = (left + right) / 2
    assert drawn == (f"M{left:g} {floor:g}L{middle:g} {top:g}M{right:g} {(top + floor) / 2:g}")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0004, "<0.1 %"),
        (0.99996, ">99.9 %"),
        (0.0812, "8.1 %"),
        (0.0996, "10 %"),
        (0.994, "99.4 %"),
        (0.5, "50 %"),
        (math.nan, "\N{EN DASH}"),
    ],
)
def test_percentages_never_round_to_certainty(value: float, words: str) -> None:
    assert percent(value) == words


def test_prompt_names_head_the_columns_of_the_heat_map() -> None:
    page = to_html(sample())
    head = re.search(r"<thead><tr><th scope=\"col\">Item.*?</thead>", page, re.S)
    assert head
    assert re.findall(r'<th scope="col">(.*?)</th>', head[0])[1:] == list(PROMPTS[:5])


def test_the_environment_is_words_and_not_code() -> None:
    found = sample()
    told = {"python": "3.11", "variants": {"base": {"device": "cpu", "model_class": "Llama"}}}
    page = to_html(replace(found, methods=replace(found.methods, environment=told)))
    assert "base: device cpu, model class Llama" in page
    assert "{&#39;" not in page


@pytest.mark.parametrize(("mark", "place"), [(5.5, "6"), (6.0, "6"), (99.0, "10")])
def test_the_slider_starts_at_the_mark_that_decides(mark: float, place: str) -> None:
    page = to_html(analyse_arrays(distributions(6, 4), SCALE, pass_mark=mark))
    assert re.findall(r'<output class="mark"[^>]*>([^<]*)<', page) == [place]


def test_a_share_just_below_1_is_not_rounded_to_it() -> None:
    p = distributions(3, 2)
    page = to_html(analyse_arrays(p, SCALE, removed_mass=np.full((3, 2), 0.9999998)))
    assert '"removed":[0.9999998,' in page
