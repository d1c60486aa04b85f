"""Names that hold controls: a page shows them, and they do nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from constrained.cli import run
from constrained.consistency.analysis import Analysis, analyse_arrays, compare
from constrained.consistency.report import comparison_to_markdown, to_html, to_markdown
from constrained.visible import visible

HIDDEN = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
NASTY = ["\0", "\x1b[31m", "\u202e7", "\u2066x", "\u200f", "\x85", "\x7f", "\r", "half \ud800"]


def named(name: str) -> Analysis:
    """An analysis in which everything that has a name has this one."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1] * 4, size=(5, 3, 2, 2))
    levels = {
        "item": [f"{name}{k}" for k in range(5)],
        "prompt": [f"p{name}{k}" for k in range(3)],
        "format": [f"f{name}{k}" for k in range(2)],
        "variant": [f"v{name}{k}" for k in range(2)],
    }
    return analyse_arrays(
        p,
        range(4),
        ("item", "prompt", "format", "variant"),
        levels=levels,
        pass_mark=2,
        gates={"max_sem": 1.0},
        title=name,
        noun=name,
    )


@pytest.mark.parametrize("name", NASTY)
def test_controls_in_names_are_marks_on_every_page(name: str) -> None:
    found = named(name)
    changes = compare(found, named(name))
    for page in (
        to_html(found, changes),
        to_markdown(found).replace("\n", ""),
        comparison_to_markdown(changes).replace("\n", ""),
    ):
        page.encode("utf-8")
        assert re.findall(HIDDEN, page) == []
        assert not re.search(r"\\\\u00[01][0-9a-f]", page)
    assert visible(name.replace("<", "&lt;")).split()[-1] in to_html(found)


def test_other_scripts_stay_as_they_are() -> None:
    for text in ("naïve café", "日本語", "עברית", "العربية", "👍🏽", "a\tb\nc", "e\u0301", "ไทย"):
        assert visible(text) == text


def test_controls_in_an_error_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["consistency", "run", "no\x1b[31m\u202eplan.yaml"]) == 2
    assert capsys.readouterr().err == (
        "error: at no\N{SYMBOL FOR ESCAPE}[31m[RLO]plan.yaml: cannot read the plan: No such file "
        "or directory\n"
    )
