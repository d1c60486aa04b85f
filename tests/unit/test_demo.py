"""The demo's material, its arithmetic and its page, without a model."""

from __future__ import annotations

import io
import json
import math
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from constrained.demo.material import Essay, Wording, bundled, read_material
from constrained.demo.page import page, sparkline
from constrained.demo.report import Cell, Report, Seconds
from constrained.demo.scorer import ADAPTER, Comparison, scored
from constrained.errors import InvalidSpec


def cell(
    essay: str, prompt: str, score: int, *, follows: bool = False, free: str = "Well, ..."
) -> Cell:
    """A cell that is certain of its score."""
    pmf = tuple(float(k == score) for k in range(11))
    text = f"Essay score: {score} / 10"
    return Cell(essay, prompt, free, follows, follows, text, True, score, pmf, 0.5)


def report(scores: dict[tuple[str, str], int], *, follows: bool = False) -> Report:
    """A report in which every cell is certain of its score."""
    essays = tuple(dict.fromkeys(e for e, _ in scores))
    prompts = tuple(dict.fromkeys(p for _, p in scores))
    cells = tuple(cell(e, p, scores[e, p], follows=follows) for e in essays for p in prompts)
    seconds = Seconds(free=2.0, constrained=1.0, distribution=1.5)
    return Report("tiny", "Essay score: {score} / 10", "Why?", essays, prompts, cells, seconds)


WORDS_MATTER = {("a", "x"): 1, ("a", "y"): 9, ("b", "x"): 2, ("b", "y"): 8}
ESSAYS_MATTER = {("a", "x"): 1, ("a", "y"): 2, ("b", "x"): 9, ("b", "y"): 9}


def shown(found: Report, comparison: Comparison | None = None, width: int = 80) -> str:
    """The page as plain text."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(page(found, comparison))
    return stream.getvalue()


def test_the_bundled_essays_are_essays_of_one_topic_in_several_qualities():
    material = bundled()
    assert len(material.essays) == 6
    assert len(material.prompts) == 4
    assert all(120 <= len(essay.text.split()) <= 220 for essay in material.essays)
    assert all(
        {"{question}", "{essay}"} <= set(re.findall(r"{\w+}", w.text)) for w in material.prompts
    )


def test_the_wordings_ask_for_the_format_that_is_enforced():
    assert all("Essay score: " in wording.text for wording in bundled().prompts)


@given(st.text(), st.text())
def test_essays_with_braces_go_into_a_prompt_as_they_are(question, text):
    prompt = Wording("w", "A {question} B {essay} C").ask(question, Essay("e", text))
    assert prompt == "A " + question + " B " + text + " C"


def test_fewer_essays_and_wordings_can_be_taken():
    material = bundled().first(2, 3)
    assert [essay.id for essay in material.essays] == ["excellent", "good"]
    assert [wording.id for wording in material.prompts] == ["short", "strict", "kind"]


def test_a_users_file_may_leave_the_wordings_out(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"question": "Q?", "essays": [{"id": "1", "text": "T"}]}))
    material = read_material(path)
    assert material.question == "Q?"
    assert material.essays == (Essay("1", "T"),)
    assert material.prompts == bundled().prompts


ESSAY = {"id": "1", "text": "T"}
BAD_FILES = [
    ("[]", "#: not a JSON object"),
    ("{", ":1:2: not JSON: Expecting property name enclosed in double quotes"),
    ({}, "#/question: a text is wanted here"),
    ({"question": "Q"}, "#/essays: a list with at least one entry is wanted here"),
    ({"question": "Q", "essays": []}, "#/essays: a list with at least one entry is wanted here"),
    ({"question": "Q", "essays": [3]}, "#/essays/0/id: a text is wanted here"),
    ({"question": "Q", "essays": [ESSAY, ESSAY]}, "#/essays: two of them have the same id"),
    (
        {"question": "Q", "essays": [ESSAY], "prompts": [{"id": "p", "text": "Grade it!"}]},
        "#/prompts/0/text: the place {essay} is missing",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES)
def test_a_bad_file_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InvalidSpec) as caught:
        read_material(path)
    assert str(caught.value).split(" (write")[0] == f"at {path}{message}"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidSpec) as caught:
        read_material(tmp_path / "none.json")
    assert (
        str(caught.value) == f"at {tmp_path}/none.json: cannot read it: No such file or directory"
    )
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InvalidSpec, match="it is not UTF-8 text"):
        read_material(tmp_path / "bytes.json")


@given(st.lists(st.floats(0, 1), min_size=11, max_size=11).filter(lambda w: sum(w) > 0))
def test_moments_of_a_cell_are_those_of_its_probabilities(weights):
    pmf = tuple(weight / sum(weights) for weight in weights)
    found = Cell("e", "p", "", False, False, "", True, 0, pmf, 0.0)
    mean = sum(k * p for k, p in enumerate(pmf))
    variance = sum(k * k * p for k, p in enumerate(pmf)) - mean**2
    assert found.mean == pytest.approx(mean)
    assert found.sd**2 == pytest.approx(max(variance, 0.0), abs=1e-9)


def test_spreads_are_highest_minus_lowest_expected_score():
    found = report(WORDS_MATTER)
    assert found.spread_between_prompts("a") == 8
    assert found.spread_between_prompts("b") == 6
    assert found.between_prompts == statistics.mean([8, 6])
    assert found.spread_between_essays("x") == 1
    assert found.between_essays == 1


def test_the_json_of_a_report_can_be_written_and_has_stable_keys():
    data = json.loads(json.dumps(report(WORDS_MATTER).to_json(), allow_nan=False))
    assert list(data) == [
        "model",
        "template",
        "question",
        "answers",
        "free_following_format",
        "free_naming_a_score",
        "constrained_following_format",
        "seconds_per_answer",
        "spread_between_prompts",
        "spread_between_essays",
        "cells",
    ]
    assert data["constrained_following_format"] == data["answers"] == 4
    assert data["seconds_per_answer"] == {"free": 2.0, "constrained": 1.0, "distribution": 1.5}
    assert list(data["cells"][0]) == [
        *("essay", "prompt", "free", "follows", "names_score", "text", "valid", "score", "pmf"),
        *("removed_mass", "mean", "sd"),
    ]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=11).filter(lambda w: max(w) > 0.02))
def test_a_sparkline_is_highest_where_the_probability_is(weights):
    pmf = [weight / math.fsum(weights) for weight in weights]
    line = sparkline(pmf)
    assert len(line) == len(pmf)
    assert line[pmf.index(max(pmf))] == "█"
    assert all((bar == "·") == (p < 0.01) for bar, p in zip(line, pmf, strict=True))


def test_the_page_fits_80_columns_and_shows_every_essay_and_wording():
    material = bundled()
    scores = {(e.id, p.id): 5 for e in material.essays for p in material.prompts}
    text = shown(report(scores))
    assert max(map(len, text.splitlines())) <= 80
    assert all(essay.id in text for essay in material.essays)
    assert all(wording.id in text for wording in material.prompts)
    assert "5.0 ± 0.0" in text


def test_the_conclusion_says_what_the_numbers_say():
    text = " ".join(shown(report(WORDS_MATTER)).split())
    assert (
        "would have failed on 4 of 4 free answers, one that searches for N / 10 on 4, and neither"
        in text
    )
    assert "with a probability of 50.0% on average" in text
    assert "by 7.0 points on average" in text
    assert "more about the wording than about the essays" in text
    text = " ".join(shown(report(ESSAYS_MATTER, follows=True)).split())
    assert "all 4 free answers followed it too" in text
    assert "the essays matter more than the wording" in text


def test_control_characters_of_a_free_answer_do_not_reach_the_terminal():
    found = report({("a", "x"): 3})
    cells = tuple(replace(c, free="bell\a, escape\x1b[2J, and\x1dmore") for c in found.cells)
    text = shown(replace(found, cells=cells))
    assert "bell , escape [2J, and more" in text


def test_one_essay_under_one_wording_is_shown_without_comparisons():
    text = shown(report({("a", "x"): 3}))
    assert "points apart" not in text


EXAMPLE = Path(__file__).parents[2] / "examples" / "essay_scorer"


def test_the_scored_essays_are_held_out_ones_of_the_example():
    chosen = scored()
    lines = (EXAMPLE / "essays.jsonl").read_text("utf-8").splitlines()
    held_out = {essay["id"]: essay for essay in map(json.loads, lines)}
    assert {e.id: e.text for e in chosen.material.essays} == {
        e.id: held_out[e.id]["text"] for e in chosen.material.essays
    }
    assert dict(chosen.gold) == {e.id: held_out[e.id]["gold"] for e in chosen.material.essays}
    assert sorted(chosen.gold.values()) == [0, 2, 4, 6, 8, 10]
    assert all("{essay}" in wording.text for wording in chosen.material.prompts)


def test_the_adapter_that_is_shipped_is_small_and_names_no_path():
    assert sum(path.stat().st_size for path in ADAPTER.iterdir()) < 4_000_000
    config = json.loads((ADAPTER / "adapter_config.json").read_text("utf-8"))
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (EXAMPLE / "adapter").resolve() == ADAPTER.resolve()


def test_before_and_after_stand_side_by_side():
    right = {("a", "x"): 3, ("b", "x"): 9}
    wrong = {("a", "x"): 7, ("b", "x"): 7}
    comparison = Comparison(
        replace(report(wrong), model="before"),
        replace(report(right, follows=True), model="after"),
        {"a": 3, "b": 8},
    )
    assert comparison.error(comparison.base) == 2.5
    assert comparison.error(comparison.tuned) == 0.5
    text = shown(report(WORDS_MATTER), comparison)
    assert max(map(len, text.splitlines())) <= 80
    (row,) = [line for line in text.splitlines() if line.split()[:3] == ["a", "x", "3"]]
    assert row.split()[3:] == ["·······█···", "7.0", "···█·······", "3.0"]
    joined = " ".join(text.split())
    assert "in 0 of 2 cases before and 2 of 2 after" in joined
    assert "2.5 points from the right one on average before, and 0.5 after" in joined
    data = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert list(data) == ["base", "tuned", "gold"]
    assert (data["base"]["mean_error"], data["tuned"]["mean_error"]) == (2.5, 0.5)
    assert data["gold"] == {"a": 3, "b": 8}
