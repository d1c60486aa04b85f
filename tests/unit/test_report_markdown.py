"""Analyses as Markdown: one page as it should be, and names that cannot change it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from constrained.consistency.analysis import Analysis, analyse_arrays, compare
from constrained.consistency.report import comparison_to_markdown, to_markdown
from constrained.consistency.report.markdown import escaped


def small(title: str = "Essays", **options: object) -> Analysis:
    p = np.zeros((3, 3, 3))
    for i, row in enumerate([(0, 0, 1), (1, 1, 1), (1, 2, 2)]):
        for j, score in enumerate(row):
            p[i, j, score] = 1.0
    said: dict = {
        "levels": {"item": ["e1", "e2", "e3"], "prompt": ["strict", "kind", "plain"]},
        "pass_mark": 1,
        "noun": "essay",
        "gates": {"max_move": 2.5, "max_flip_rate": 0.01},
    } | options
    return analyse_arrays(p, range(3), title=title, **said)


START = """\
# Essays

**? not enough data**

| verdict | gate | judge | why |
| --- | --- | --- | --- |
| ✓ pass | max\\_move 2.5 | model | how far another room moves a typical item, points: 0.4444, between \
0.3117 and 1.975; the gate asks for at most 2.5 |
| ? not enough data | max\\_flip\\_rate 0.01 | model | probability that another room crosses the pass \
mark: 0.2222, between 0 and 1; the gate asks for at most 0.01 |

**A teacher in another room would move a typical essay by 0.4 points, none of it by the draw alone; 22 % of essays cross the pass \
mark of 1.**
"""  # noqa: E501

HEAT_MAP = """\
### Expected scores

|  | strict | kind | plain |
| --- | --- | --- | --- |
| e1 | 0.00 | 0.00 | 1.00 |
| e2 | 1.00 | 1.00 | 1.00 |
| e3 | 1.00 | 2.00 | 2.00 |

### Flakiest items

| item | moves by | flips | lowest | highest | gold |
| --- | --- | --- | --- | --- | --- |
| e1 | 0.67 | 67 % | 0.00 (strict) | 1.00 (plain) | – |
| e3 | 0.67 | 0 % | 1.00 (strict) | 2.00 (kind) | – |
| e2 | 0.00 | 0 % | 1.00 (strict) | 1.00 (strict) | – |
"""  # noqa: RUF001


def test_the_page_begins_with_verdict_gates_and_sentence() -> None:
    assert to_markdown(small()).startswith(START)


def test_scores_and_flaky_items_are_tables() -> None:
    assert HEAT_MAP in to_markdown(small())


def test_the_parts_come_in_the_order_of_the_report() -> None:
    heads = re.findall(r"^#+ (.*)$", to_markdown(small()), flags=re.MULTILINE)
    assert heads == [
        "Essays",
        "Where scores vary",
        "Expected scores",
        "Flakiest items",
        "Prompts",
        "Pass marks",
        "What averaging would buy",
        "Data",
        "Methods",
    ]


def test_every_table_has_as_many_cells_in_each_row() -> None:
    page = to_markdown(small(gold=[0, 1, 2]))
    tables = re.findall(r"(?:^\|.*\|$\n?)+", page, flags=re.MULTILINE)
    assert len(tables) >= 8
    for table in tables:
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("a|b\nc", r"a\|b c"),
        ("[x](http://y)", r"\[x\](http://y)"),
        ("`*_~", r"\`\*\_\~"),
        ("# title", r"\# title"),
        ("- list", r"\- list"),
        ("1. list", r"1\. list"),
        ("&amp;", r"\&amp;"),
        ("3.5 points", r"3\.5 points"),
        ("well-known", "well-known"),
    ],
)
def test_names_are_shown_as_they_are(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_hostile_names_stay_in_their_cells() -> None:
    bad = "<script>|\n\n# x"
    page = to_markdown(small(bad, levels={"item": [bad, "b", "c"], "prompt": [bad, "y", "z"]}))
    assert "<script>" not in page
    assert "\n# x" not in page
    assert page.count(r"\<script\>\| # x") >= 4


def test_large_grids_leave_the_heat_map_out() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (50, 3))
    page = to_markdown(analyse_arrays(p, range(3)))
    assert "### Expected scores" not in page
    assert page.startswith("# Consistency\n\nNo gates were set.\n")


def test_two_judges_have_parts_of_their_own_and_all_facets_together() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), (2, 5, 3))
    found = analyse_arrays(
        p, range(3), ("variant", "item", "prompt"), levels={"variant": ["base", "tuned"]}
    )
    page = to_markdown(found)
    heads = re.findall(r"^## (.*)$", page, flags=re.MULTILINE)
    assert heads == ["base", "tuned", "All facets together", "Methods"]
    assert "| item \N{MULTIPLICATION SIGN} prompt \N{MULTIPLICATION SIGN} variant |" in page


def test_a_comparison_lists_what_changed_sides() -> None:
    p = np.zeros((3, 2, 3))
    p[..., 2] = 1.0
    after = analyse_arrays(
        p, range(3), levels={"item": ["e1", "e2", "e4"], "prompt": ["strict", "kind"]}, title="new"
    )
    page = comparison_to_markdown(compare(small(), after, pass_mark=1))
    assert page.startswith(
        "# Essays and new\n\n2 items in both runs, paired; the second run minus the first.\n\n"
        "1 items only in the first run.\n\n1 items only in the second run.\n\n"
    )
    assert "* rooms in the first run only: plain\n" in page
    assert "* e1: 0.00 before, 2.00 now (passes)\n" in page
