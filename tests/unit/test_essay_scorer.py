"""The example's essays have the damage that their scores say, and its files fit together."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from constrained.consistency.plan import read_plan

EXAMPLE = Path(__file__).parents[2] / "examples" / "essay_scorer"


@pytest.fixture(scope="module")
def scripts():
    """The example's modules, as its scripts see them."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import make_essays
        import rubric

        yield rubric, make_essays
    finally:
        sys.path.remove(str(EXAMPLE))
        for name in ("rubric", "make_essays"):
            sys.modules.pop(name, None)


def held_out() -> list[dict]:
    return [json.loads(line) for line in (EXAMPLE / "essays.jsonl").read_text("utf-8").splitlines()]


def test_the_file_of_essays_is_what_the_script_writes(scripts):
    _, make_essays = scripts
    assert (EXAMPLE / "essays.jsonl").read_text("utf-8").splitlines() == make_essays.lines()


def test_gold_scores_follow_from_the_damage():
    for essay in held_out():
        d = essay["damage"]
        lost = 2 * d["missing"] + 2 * d["off_topic"] + d["repeated"] + d["misspelt"] / 2
        assert essay["gold"] == max(0, 10 - lost)
    scores = [essay["gold"] for essay in held_out()]
    assert len(scores) == 60
    assert all(5 <= scores.count(score) <= 6 for score in range(11))


def test_the_damage_is_in_the_text():
    """Counted with the sentences at hand; misspelt words are those that no sentence has."""
    topics = json.loads((EXAMPLE / "topics.json").read_text("utf-8"))
    strangers = topics["off_topic"]["held_out"]
    for essay in held_out():
        question, body = essay["text"].split("\n")
        (topic,) = [t for t in topics["held_out"] if t["question"] == question]
        own = [s for k in ("position", "reasons", "examples", "conclusions") for s in topic[k]]
        known = {word for sentence in [*own, *strangers] for word in sentence.split()}
        damage = essay["damage"]
        wrong = [word for word in body.split() if word not in known]
        assert len(wrong) <= damage["misspelt"]
        sentences = 5 - damage["missing"] + damage["off_topic"] + damage["repeated"]
        assert body.count(".") == sentences
        if not damage["misspelt"]:
            assert sum(body.count(s) for s in strangers) == damage["off_topic"]
            assert sum(body.count(s) > 1 for s in own + strangers) <= damage["repeated"]
            assert sum(s in body for s in topic["reasons"]) == 2 - damage["missing"]


@pytest.mark.parametrize("pair", [*combinations(("training", "validation", "held_out"), 2)])
def test_no_two_parts_share_a_topic_or_a_stranger(pair):
    topics = json.loads((EXAMPLE / "topics.json").read_text("utf-8"))
    for kind in ("question", "reasons"):
        one, other = ({str(topic[kind]) for topic in topics[part]} for part in pair)
        assert not one & other
    one, other = (set(topics["off_topic"][part]) for part in pair)
    assert not one & other


def test_the_same_seed_writes_the_same_essays(scripts):
    rubric, _ = scripts
    first, second = (list(rubric.essays(1, 30, "training")) for _ in range(2))
    assert first == second
    assert first != list(rubric.essays(2, 30, "training"))


def test_the_plan_has_the_wordings_of_the_prompts_file():
    plan = read_plan(EXAMPLE / "plan.yaml")
    wordings = yaml.safe_load((EXAMPLE / "prompts.yaml").read_text("utf-8"))
    assert sum(wording["training"] for wording in wordings) == 6
    texts = {cell.prompt.name: cell.prompt.text for cell in plan.cells()}
    assert texts == {wording["id"]: wording["text"] for wording in wordings}
    assert len(list(plan.cells())) == 60 * 8 * 3 * 2


def test_the_adapter_comes_with_the_log_of_its_training():
    record = json.loads((EXAMPLE / "adapter" / "training_log.json").read_text("utf-8"))
    log = record["log"]
    assert [entry["step"] for entry in log] == list(range(1, len(log) + 1))
    losses = [entry["loss"] for entry in log]
    assert sum(losses[-30:]) < 0.5 * sum(losses[:30])
    kappas = {entry["step"]: entry["kappa"] for entry in log if "kappa" in entry}
    best = max(kappas, key=kappas.__getitem__)
    assert kappas[best] > 0.8
    assert len(log) in (best + record["settings"]["patience"], record["settings"]["steps"])
