"""Pairwise judging: exact joint distributions in both orders, against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from constrained import Generator
from constrained.consistency.importing import read_csv
from constrained.consistency.pairwise import (
    JUDGE_WORDING,
    joint_tables,
    judgement_line,
    read_judgement,
    relative_score,
)
from constrained.consistency.plan import Plan
from constrained.consistency.records import Address, CellRecord, Draw
from constrained.consistency.scoring import ModelScorer, tasks_of
from constrained.consistency.statistics import order_effect, preferences
from constrained.errors import RecordError
from tests import tiny

LINE = "{first:1..10} {second:1..10}\n"
SCORES = range(1, 11)
WORDING = "Q: {question}\n1: {first}\n2: {second}\n"
ITEMS = [
    {"id": "q1", "question": "Why?", "answer_a": "It is good.", "answer_b": "no"},
    {"id": "q2", "question": "How?", "answer_a": "yes", "answer_b": "The ending is weak."},
]


@pytest.fixture(scope="module")
def generator() -> Generator:
    tokenizer = tiny.byte_level()
    return Generator(tiny.model("llama", len(tokenizer)), tokenizer)


@pytest.fixture(scope="module")
def records(generator) -> list[CellRecord]:
    plan = Plan(
        name="pairs",
        spec=LINE,
        items=ITEMS,
        prompts={"plain": WORDING},
        scoring="pairwise",
        temperatures=[0.7],
    )
    return list(ModelScorer(plan, generator).score(tasks_of(plan, {"smollm2": "a test"})))


def brute_force(prompt: str, temperature: float) -> dict[tuple[int, int], float]:
    """The probability of every line under masked sampling, one line and one token at a time."""
    tokenizer = tiny.byte_level()
    model = tiny.model("llama", len(tokenizer))
    end = tokenizer.eos_token_id
    prompt_ids = tokenizer(prompt)["input_ids"]
    lines = {(a, b): (*tokenizer(f"{a} {b}\n")["input_ids"], end) for a in SCORES for b in SCORES}
    prefixes = {line[:n] for line in lines.values() for n in range(len(line))}
    following: dict[tuple[int, ...], dict[int, float]] = {}
    for prefix in prefixes:
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt_ids, *prefix]])).logits[0, -1].double()
        allowed = sorted(
            {line[len(prefix)] for line in lines.values() if line[: len(prefix)] == prefix}
        )
        kept = torch.softmax(logits[allowed] / temperature, dim=0).tolist()
        following[prefix] = dict(zip(allowed, kept, strict=True))
    return {
        pair: math.prod(following[line[:n]][line[n]] for n in range(len(line)))
        for pair, line in lines.items()
    }


def test_the_joint_distribution_is_the_product_over_all_lines_in_both_orders(records):
    tables = joint_tables(records)
    assert tables.items == ("q1", "q2")
    assert tables.scores == tuple(map(float, SCORES))
    for row, item in enumerate(ITEMS):
        for table, (one, other) in (
            (tables.straight, ("answer_a", "answer_b")),
            (tables.swapped, ("answer_b", "answer_a")),
        ):
            prompt = f"Q: {item['question']}\n1: {item[one]}\n2: {item[other]}\n"
            expected = brute_force(prompt, 0.7)
            wanted = np.array([[expected[a, b] for b in SCORES] for a in SCORES])
            assert wanted.sum() == pytest.approx(1)
            np.testing.assert_allclose(table[row], wanted, atol=1e-6)


def test_cells_carry_their_order_and_pairs_of_scores(records):
    assert [(r.address.item, r.address.order) for r in records] == [
        ("q1", "ab"),
        ("q1", "ba"),
        ("q2", "ab"),
        ("q2", "ba"),
    ]
    assert all(len(r.support) == 100 and r.support[0] == (1.0, 1.0) for r in records)
    assert "1: It is good.\n2: no" in records[0].prompt_text
    assert "1: no\n2: It is good." in records[1].prompt_text


def test_the_statistics_take_the_tables(records):
    tables = joint_tables(records)
    found = preferences(tables.straight, tables.swapped, tables.scores)
    wins = []
    for ab, ba in zip(tables.straight, tables.swapped, strict=True):
        wins.append((np.tril(ab, -1).sum() + np.triu(ba, 1).sum()) / 2)
    assert found.win.value == pytest.approx(np.mean(wins))
    a, b = tables.expected
    gain = order_effect(
        np.column_stack([a[:, 0], b[:, 1]]), np.column_stack([a[:, 1], b[:, 0]])
    ).value
    points = np.array(tables.scores)
    by_hand = [
        (points @ ab.sum(1) - points @ ba.sum(0) + points @ ba.sum(1) - points @ ab.sum(0)) / 2
        for ab, ba in zip(tables.straight, tables.swapped, strict=True)
    ]
    assert gain == pytest.approx(np.mean(by_hand))
    assert relative_score(tables).value == pytest.approx(100 * b.mean() / a.mean())


def test_the_line_of_a_judgement_and_nothing_else():
    line = judgement_line()
    assert line.summary().outputs == 100
    assert line.parse("10 1\n") == {"first": 10, "second": 1}
    refused = ("0 5\n", "8.5 7\n", "8, 7\n", "8 7", "11 1\n", "-1 -1\n")
    assert not any(line.matches(text) for text in refused)
    assert judgement_line(half_points=True).parse("8.5 7\n") == {"first": 8.5, "second": 7.0}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("8 7\nAnswer 1 is better.\nIt says 9 9.", (8.0, 7.0)),
        ("8 7", (8.0, 7.0)),
        ("8.5 7\nfine", None),
        ("Answer 1 is better. 8 7", None),
        ("", None),
    ],
)
def test_a_finished_judgement_is_read_by_its_first_line(text, score):
    found, failure = read_judgement(text)
    assert found == score
    assert bool(failure) == (score is None)


def test_half_points_are_read_when_they_are_allowed():
    line = judgement_line(half_points=True)
    assert read_judgement("8.5 7\n", line) == ((8.5, 7.0), "")
    assert read_judgement("8.5 7\n", line, scale=range(1, 11)) == (
        None,
        "(8.5, 7.0) is not on the scale",
    )


def test_imported_judgements_become_shares_and_failures_are_left_out(tmp_path):
    path = tmp_path / "judgements.csv"
    path.write_text(
        "item,order,score,second\nq1,ab,8,7\nq1,ab,8,6\nq1,ab,,\nq1,ba,7,8\nq2,ab,5,5\n"
    )
    tables = joint_tables(read_csv(path).records)
    assert tables.scores == (5.0, 6.0, 7.0, 8.0)
    assert tables.straight[0, 3].tolist() == [0.0, 0.5, 0.5, 0.0]
    assert np.isnan(tables.swapped[1]).all()
    assert relative_score(tables).reason == "only 1 item with both scores"


def test_what_is_no_pairwise_judgement_is_refused():
    single = CellRecord("k", Address("q1", "p", order="ab"), "sampled", draws=(Draw(0, 7.0),))
    with pytest.raises(RecordError, match="holds single scores, not pairs of them"):
        joint_tables([single])
    unordered = CellRecord("k", Address("q1", "p"), "sampled", draws=(Draw(0, (7.0, 8.0)),))
    with pytest.raises(RecordError, match="a pairwise judgement has the order ab or ba"):
        joint_tables([unordered])
    twice = [
        CellRecord("k", Address("q1", p, order="ab"), "sampled", draws=(Draw(0, (7.0, 8.0)),))
        for p in ("p1", "p2")
    ]
    with pytest.raises(RecordError, match="are one table; choose one with prompt="):
        joint_tables(twice)
    assert joint_tables(twice, prompt="p2").items == ("q1",)


def test_the_wording_fits_a_plan():
    plan = Plan(
        name="pairs", spec=LINE, items=ITEMS, prompts={"judge": JUDGE_WORDING}, scoring="pairwise"
    )
    first = next(plan.cells())
    assert "[Answer 1]\nIt is good.\n\n[Answer 2]\nno\n" in first.render()
