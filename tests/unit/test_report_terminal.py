"""The terminal report: what it says, 80 columns, no colour where none is wanted, no controls."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from constrained.consistency.analysis import Analysis, analyse_arrays, analyse_draws
from constrained.consistency.report import to_terminal
from constrained.consistency.report.terminal_text import BLOCKS, bar, clean, spark
from tests.browser.samples import SCALE, distributions, hostile, many_rooms, pairs, sample


def printed(analysis: Analysis, width: int = 80, **options: object) -> str:
    """The report as it is written to a terminal of `width` columns."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, **options)  # type: ignore[arg-type]
    console.print(to_terminal(analysis, width))
    return file.getvalue()


def small() -> Analysis:
    """Three essays, two prompts, scores from 0 to 2: every number can be checked by hand."""
    p = [
        [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]],
        [[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]],
        [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]],
    ]
    return analyse_arrays(
        p,
        [0, 1, 2],
        levels={"item": ["short", "middling", "a very long name"], "prompt": ["plain", "kind"]},
        pass_mark=1,
        title="Three essays",
        noun="essay",
        replicates=2,
    )


def lines_of(page: str, section: str) -> list[str]:
    """The lines of one section."""
    found = re.search(rf"^{section}\n(.*?)(?:\n\n|\Z)", page, re.S | re.M)
    assert found, page
    return [line.rstrip() for line in found[1].splitlines()]


def test_the_head_says_verdict_title_and_sentence() -> None:
    head = [line.rstrip() for line in printed(small()).splitlines()[:5]]
    assert head == [
        "· No gates were set  Three essays",
        "  3 items \N{MULTIPLICATION SIGN} 2 prompts",
        "",
        "A teacher in another room would move a typical essay by 0.3 points, of which 0.2",
        "by the draw alone; 17 % of essays cross the pass mark of 1.",
    ]


def test_the_heat_map_has_numbers_blocks_and_stars_at_the_mark() -> None:
    assert lines_of(printed(small()), "Items under prompts") == [
        "                    1      2",
        "  short         ▁ 0.0  ▂ 0.5*",
        "  middling      ▄ 1.0  ▆ 1.5",
        "  a very long … █ 2.0  █ 2.0",
        "  Prompts: 1 plain  2 kind",
        "  * straddles the pass mark 1: at least 10 % either side",
    ]


def test_the_flakiest_items_and_prompts_are_ranked() -> None:
    page = printed(small())
    assert lines_of(page, "Flakiest items")[:3] == [
        "  item             mean  moves by  flips  lowest in   highest in",
        "  short            0.25      0.50   50 %  0.00 plain  0.50 kind",
        "  middling         1.25      0.50    0 %  1.00 plain  1.50 kind",
    ]
    assert [line.split()[:2] for line in lines_of(page, "Prompts")[1:3]] == [
        ["plain", "1.00"],
        ["kind", "1.33"],
    ]


def test_the_pass_mark_is_said_in_words() -> None:
    first, second, third = lines_of(printed(small()), "Pass mark")
    assert first == "  flip rate by mark  ▁██  0 to 2, at most 17 %"
    assert second == "  mark 1: 75 % pass, another room flips 17 %, the same room 8.3 %"
    assert third.startswith("  a gate on the pass rate is safe up to ")


@pytest.mark.parametrize("between", [0.01, 0.5, 1.0])
def test_a_mark_between_two_scores_decides_as_the_higher_of_them(between: float) -> None:
    found = printed(replace(small(), pass_mark=between))
    assert lines_of(found, "Pass mark")[1] == (
        f"  mark {between:g}: 75 % pass, another room flips 17 %, the same room 8.3 %"
    )


def test_a_mark_above_every_score_has_no_numbers_of_another_mark() -> None:
    found = analyse_arrays([[[1.0, 0.0], [0.5, 0.5]]] * 2, [0, 1], pass_mark=7)
    page = printed(found)
    assert lines_of(page, "Pass mark")[1:] == ["  no score reaches the mark 7"]
    assert "  no score here reaches the pass mark 7: nothing can flip" in lines_of(page, "Methods")
    assert "straddles" not in page


def test_failures_are_counted_and_the_commonest_are_named() -> None:
    found = small()
    judge = found.judges[0]
    quality = replace(judge.quality, failures={"a": 1, "b": 3, "c": 2, "d": 1, "e": 1})
    page = printed(replace(found, judges=(replace(judge, quality=quality),)))
    assert "  draws without a score 8: b (3); c (2); a (1); 2 other reasons" in lines_of(
        page, "Methods"
    )
    assert "without a score" not in printed(found)


def test_where_nothing_is_known_no_number_is_shown() -> None:
    page = printed(analyse_draws(np.full((2, 2, 1), np.nan), pass_mark=1))
    dashes = ["\N{EN DASH}"] * 3
    assert [line.split()[2:] for line in lines_of(page, "Prompts")[1:]] == [dashes, dashes]
    assert "item: no cell has data" in page
    assert "only one" not in page
    assert "Pass mark" not in page
    assert "by prompts" not in page


def every_kind() -> list[tuple[str, Analysis]]:
    draw = np.random.default_rng(0)
    p = distributions(6, 4)
    return [
        ("everything", sample()),
        ("two judges", many_rooms()),
        ("hostile", hostile()),
        ("pairs", pairs()),
        ("no pass mark", analyse_arrays(p, SCALE)),
        ("one cell", analyse_arrays(p[:1, :1], SCALE, pass_mark=5)),
        ("no cell at all", analyse_arrays(np.full((4, 3, 11), np.nan), SCALE, pass_mark=5)),
        ("single draws", analyse_draws(draw.integers(0, 11, (6, 4, 1)).astype(float), pass_mark=5)),
        ("many prompts", analyse_draws(draw.integers(0, 10, (40, 40, 2)).astype(float))),
        ("large scores", analyse_draws(draw.integers(-900, 900, (5, 4, 2)).astype(float))),
    ]


KINDS = every_kind()


@pytest.mark.parametrize("analysis", [a for _, a in KINDS], ids=[name for name, _ in KINDS])
def test_no_line_is_longer_than_80_columns_and_nothing_is_nan(analysis: Analysis) -> None:
    page = printed(analysis)
    assert max(len(line) for line in page.splitlines()) <= 80
    assert re.findall(r"\b(nan|None|inf)\b", page) == []


@pytest.mark.parametrize("width", [40, 50, 64, 72])
@pytest.mark.parametrize("analysis", [a for _, a in KINDS], ids=[name for name, _ in KINDS])
def test_a_narrow_page_keeps_names_and_numbers(analysis: Analysis, width: int) -> None:
    page = printed(analysis, width)
    assert max(cell_len(line) for line in page.splitlines()) <= width
    rooms = lines_of(page, "Prompts")
    judge = analysis.judges[0]
    assert rooms[0].split()[:2] == ["prompt", "mean"]
    assert len([line for line in rooms[1:] if "nearer" not in line]) >= min(len(judge.prompts), 12)
    heat = lines_of(page, "Items under prompts")
    shown = heat[0].split()
    assert shown == [str(n + 1) for n in range(len(shown))]
    assert heat[1 + min(len(analysis.items), 12)].startswith("  Prompts:")  # no line is folded


def test_the_d_study_shows_the_draws_of_its_advice() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(5, 2, (14, 1, 1)) + rng.normal(0, 0.6, (1, 5, 1)) + rng.normal(0, 1, (14, 5, 4))
    found = analyse_draws(np.clip(np.round(y), 0, 10), range(11))
    study = found.judges[0].study
    assert study.cheapest
    page = " ".join(lines_of(printed(found), "Averaging"))
    assert "Φ by prompts, 1 draw each" in page
    first = next(p for p in study.points if (p.prompts, p.draws) == (1, 1.0))
    assert f" 1: {first.phi:.2f} " in page
    reached = [p.prompts for p in study.points if p.draws == 1.0 and p.phi >= 0.9]
    assert min(reached) >= study.cheapest.prompts


def test_without_colour_there_is_no_escape_and_the_same_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    plain = printed(sample(), force_terminal=True)
    assert re.findall(r"\x1b\[[0-9;]*(?:3|4)[0-9;]*m", plain.replace("\x1b[3m", "")) == []
    monkeypatch.delenv("NO_COLOR")
    coloured = printed(sample(), force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;" in coloured
    strip = re.compile(r"\x1b\[[0-9;]*m")
    assert strip.sub("", coloured) == strip.sub("", plain)


def test_control_characters_and_markup_in_names_do_nothing() -> None:
    nasty = "\x1b[2J\r\x07[bold]x[/bold]\u202e"
    p = distributions(3, 2)
    analysis = analyse_arrays(
        p,
        SCALE,
        levels={"item": [f"{i}{nasty}" for i in range(3)], "prompt": [f"{nasty}{i}" for i in "ab"]},
        title=nasty,
        noun=nasty,
        pass_mark=5,
    )
    page = printed(analysis)
    assert not set(page) & set("\x1b\r\x07\u202e")
    assert "[bold]x[/bold]" in page


def test_of_many_items_the_flakiest_are_shown_and_the_rest_is_counted() -> None:
    p = np.zeros((30, 3, 3))
    p[:, :, 1] = 1.0
    p[[7, 21], 2] = [0.0, 0.0, 1.0]
    page = printed(analyse_arrays(p, [0, 1, 2], replicates=2))
    shown = lines_of(page, "Items under prompts")
    assert sum(line.startswith("  item ") for line in shown) == 12
    assert {"item 8", "item 22"} <= {" ".join(line.split()[:2]) for line in shown}
    assert "Shown: the 12 flakiest of 30 items; the HTML report has all." in page


def test_wide_characters_keep_the_columns_in_line() -> None:
    levels = {"item": ["作文を書きましょう", "essay", "論"]}
    page = printed(analyse_arrays(distributions(3, 2), SCALE, levels=levels, replicates=2))
    rows = lines_of(page, "Items under prompts")[1:4]
    starts = [cell_len(re.split("[▁-█]", row)[0]) for row in rows]
    assert starts == [16, 16, 16]


def test_bars_and_sparks_are_to_scale() -> None:
    assert [bar(share, 4) for share in (0.0, 0.125, 0.5, 1.0, 2.0)] == [
        "    ",
        "▌   ",
        "██  ",
        "████",
        "████",
    ]
    assert bar(float("nan"), 3) == "···"
    assert spark([0.0, 1.0, float("nan")]) == f"{BLOCKS[0]}{BLOCKS[-1]}·"


def test_printable_text_is_left_alone() -> None:
    assert clean("Größe 3 \u2014 ok 漢字") == "Größe 3 \u2014 ok 漢字"
