"""Analyses of arrays: against enumeration, simulation and published numbers."""

from __future__ import annotations

import math
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from constrained.consistency.analysis import (
    GATES,
    Analysis,
    Room,
    analyse_arrays,
    analyse_draws,
    analyse_grid,
    compare,
    grid_of_draws,
    grid_of_exact,
)
from constrained.consistency.analysis.marks import marks_shown
from constrained.consistency.report.json import to_json
from constrained.consistency.statistics import (
    Estimate,
    exact_cells,
    gate_risks,
    over_move,
    over_pairs,
    pair_flips,
    unknown,
)
from constrained.errors import RecordError
from tests.oracle_data.statistics import A_SCORES, F_PROBABILITIES, G_SCORES, N_SCORES

NAN = math.nan


def distributions(items: int, rooms: int, scores: int, seed: int = 0) -> np.ndarray:
    """Random distributions (items, rooms, scores)."""
    weights = np.random.default_rng(seed).gamma(0.5, size=(items, rooms, scores))
    result: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return result


def judged(seed: int, items: int = 30, rooms: int = 8) -> np.ndarray:
    """Distributions on 0..10 of a judge whose rooms differ."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(5, 2, (items, 1)) + rng.normal(0, 0.6, rooms)
    centre = centre + rng.normal(0, 0.6, (items, rooms))
    p = np.exp(-((np.arange(11) - centre[..., None]) ** 2) / 1.5)
    result: np.ndarray = p / p.sum(axis=-1, keepdims=True)
    return result


# -- another room, by enumeration


def another_room(p: np.ndarray, scores: np.ndarray, mark: float) -> tuple[float, float]:
    """(expected move, flip rate): every item, every two rooms, every two scores."""
    moves, flips = [], []
    for item in p:
        for a, b in permutations(item, 2):
            pairs = list(product(range(scores.size), repeat=2))
            moves.append(sum(a[x] * b[y] * abs(scores[x] - scores[y]) for x, y in pairs))
            flips.append(
                sum(a[x] * b[y] for x, y in pairs if (scores[x] >= mark) != (scores[y] >= mark))
            )
    return float(np.mean(moves)), float(np.mean(flips))


def the_same_room(p: np.ndarray, scores: np.ndarray, mark: float) -> tuple[float, float]:
    moves, flips = [], []
    for cell in p.reshape(-1, scores.size):
        pairs = list(product(range(scores.size), repeat=2))
        moves.append(sum(cell[x] * cell[y] * abs(scores[x] - scores[y]) for x, y in pairs))
        flips.append(
            sum(cell[x] * cell[y] for x, y in pairs if (scores[x] >= mark) != (scores[y] >= mark))
        )
    return float(np.mean(moves)), float(np.mean(flips))


@pytest.mark.parametrize("scores", [[0, 1, 2, 3], [1, 1.5, 4, 10]])
def test_another_room_is_what_enumerating_all_pairs_of_scores_gives(scores: list[float]) -> None:
    p, values = distributions(5, 3, 4), np.array(scores, dtype=float)
    for mark in scores[1:]:
        found = analyse_arrays(p, scores, pass_mark=mark).judges[0].summary
        move, flip = another_room(p, values, mark)
        assert (found.move.value, found.flip.value) == pytest.approx((move, flip))
        again, flip_again = the_same_room(p, values, mark)
        assert (found.move_again.value, found.flip_again.value) == pytest.approx(
            (again, flip_again)
        )
        means = p @ values
        apart = np.mean([abs(a - b) for row in means for a, b in permutations(row, 2)])
        assert found.move_expected.value == pytest.approx(apart)


def test_sampled_scores_estimate_the_same_moves_without_bias() -> None:
    p, scores = distributions(6, 3, 4), np.arange(4.0)
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        draws = (rng.random((6, 3, 4, 1)) > p.cumsum(axis=-1)[:, :, None, :]).sum(axis=-1)
        s = analyse_draws(draws, scores, pass_mark=2).judges[0].summary
        found.append((s.move.value, s.flip.value, s.move_again.value, s.flip_again.value))
    move, flip = another_room(p, scores, 2)
    again, flip_again = the_same_room(p, scores, 2)
    error = np.std(found, axis=0) / math.sqrt(len(found))
    away = (np.mean(found, axis=0) - (move, flip, again, flip_again)) / error
    assert np.abs(away).max() < 4


def test_every_pass_mark_has_its_own_flip_rate_and_straddle() -> None:
    p, scores = distributions(5, 3, 4), np.arange(4.0)
    marks = analyse_arrays(p, scores).judges[0].marks
    assert [m.mark for m in marks] == [0, 1, 2, 3]
    for m in marks:
        assert m.flip.value == pytest.approx(another_room(p, scores, m.mark)[1])
        assert m.pass_rate.value == pytest.approx(p[..., scores >= m.mark].sum(axis=-1).mean())
        passing = p[..., scores >= m.mark].sum(axis=-1)
        agree = passing.prod(axis=1) + (1 - passing).prod(axis=1)
        assert m.straddle.value == pytest.approx(float(1 - agree.mean()), abs=1e-12)
    first = marks[0]
    assert (first.flip.low, first.flip.high, first.pass_rate.low) == (0, 0, 1)


def test_the_move_is_the_sum_of_the_flips_over_the_marks() -> None:
    judge = analyse_arrays(judged(3), range(11)).judges[0]
    assert sum(m.flip.value for m in judge.marks) == pytest.approx(judge.summary.move.value)


def test_gate_risk_is_what_enumerating_all_outcomes_gives() -> None:
    passing = np.array([[0.2, 0.9], [0.5, 1.0], [0.7, NAN]])
    rates = np.array([0.0, 1 / 3, 0.5, 2 / 3, 0.7, 1.0])
    found = gate_risks(passing, rates)
    for room in range(2):
        p = passing[~np.isnan(passing[:, room]), room]
        for k, rate in enumerate(rates):
            risk = sum(
                math.prod(q if passed else 1 - q for q, passed in zip(p, outcome, strict=True))
                for outcome in product([0, 1], repeat=p.size)
                if sum(outcome) / p.size < rate
            )
            assert found[room, k] == pytest.approx(risk, abs=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_stricter_mark_passes_less_and_a_higher_gate_risks_more(seed: int) -> None:
    marks = analyse_arrays(distributions(4, 3, 5, seed), range(5)).judges[0].marks
    rates = [m.pass_rate.value for m in marks]
    assert rates == sorted(rates, reverse=True)
    for m, next_mark in pairwise(marks):
        assert (np.diff(m.gate_risk) >= -1e-12).all()
        assert (next_mark.gate_risk >= m.gate_risk - 1e-12).all()
        assert next_mark.safe_gate <= m.safe_gate
        assert (m.risk_low <= m.gate_risk).all()
        assert (m.gate_risk <= m.risk_high).all()


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_points_follow_the_unit_of_the_scale(seed: int, factor: float, shift: float) -> None:
    p = distributions(5, 4, 4, seed)
    one = analyse_arrays(p, np.arange(4.0)).judges[0]
    other = analyse_arrays(p, np.arange(4.0) * factor + shift).judges[0]
    for name in ("move", "move_again", "move_expected"):
        a, b = getattr(one.summary, name), getattr(other.summary, name)
        assert b.value == pytest.approx(factor * a.value, rel=1e-6)
        assert b.high == pytest.approx(factor * a.high, rel=1e-4)
    assert other.agreement.phi.value == pytest.approx(one.agreement.phi.value, rel=1e-6)


def test_rooms_that_agree_do_not_move_anything() -> None:
    p = np.repeat(distributions(6, 1, 4), 5, axis=1)
    judge = analyse_arrays(p, range(4), pass_mark=2).judges[0]
    assert judge.summary.move_expected.value == pytest.approx(0, abs=1e-12)
    assert judge.summary.move.value == pytest.approx(judge.summary.move_again.value)
    assert [row.severity.value for row in judge.prompts] == pytest.approx([0] * 5, abs=1e-12)
    assert [row.distance.value for row in judge.prompts] == pytest.approx([0] * 5, abs=1e-12)


def test_no_flip_in_few_items_is_no_proof() -> None:
    """Nothing seen in 5 items is compatible with 52 % of them: 1 - 0.025^(1/5)."""
    always = np.zeros((5, 4, 3))
    always[..., 2] = 1.0
    found = analyse_arrays(always, range(3), pass_mark=1).judges[0].summary.flip
    assert found.value == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 5))
    assert found.method == "exact binomial"


# -- intervals


def test_intervals_can_be_for_these_rooms_only() -> None:
    p = judged(0)
    these = analyse_arrays(p, range(11), pass_mark=6, fixed_rooms=True).judges[0].summary
    others = analyse_arrays(p, range(11), pass_mark=6).judges[0].summary
    assert these.flip.universe == "items like these, these prompts"
    assert others.flip.universe == "items and prompts like these"
    assert others.flip.high - others.flip.low > these.flip.high - these.flip.low
    assert others.move.high - others.move.low > these.move.high - these.move.low


def test_with_two_rooms_the_interval_is_for_these_and_says_so() -> None:
    found = over_pairs(np.array([[0.2, 0.2], [0.4, 0.4]]), level=0.95, most=1.0)
    assert found.universe == "items like these, these prompts"
    assert found.reason == "only 2 rooms: the interval is for these"


def test_without_an_error_of_measurement_the_move_is_for_these_rooms() -> None:
    found = over_move(np.array([[1.0, 1.0], [2.0, 2.0]]), unknown("x"), level=0.95, most=9.0)
    assert found.universe == "items like these, these prompts"


@pytest.mark.slow
def test_intervals_of_moves_and_flips_hold_what_other_rooms_do() -> None:
    many = [analyse_arrays(judged(s, 300, 40), range(11), pass_mark=6) for s in range(60)]
    move = float(np.mean([a.judges[0].summary.move.value for a in many]))
    expected = float(np.mean([a.judges[0].summary.move_expected.value for a in many]))
    flip = float(np.mean([a.judges[0].summary.flip.value for a in many]))
    hits = np.zeros(3)
    for run in range(200):
        s = analyse_arrays(judged(1000 + run), range(11), pass_mark=6).judges[0].summary
        pairs = ((s.move, move), (s.move_expected, expected), (s.flip, flip))
        hits += [found.low <= truth <= found.high for found, truth in pairs]
    assert hits.min() >= 0.9 * 200, hits


# -- published numbers


def test_oracle_n_one_room_of_the_published_reviews() -> None:
    scale = np.arange(1, 10.25, 0.5)
    judge = analyse_draws(N_SCORES[:, :, None], scale, pass_mark=8).judges[0]
    assert judge.agreement.phi.value == pytest.approx(0.7513, abs=5e-5)
    assert judge.agreement.generalizability.value == pytest.approx(0.8041, abs=5e-5)
    assert judge.agreement.alpha.value == pytest.approx(0.7453, abs=5e-5)
    assert judge.study.needed.value == 3
    at_eight = next(m for m in judge.marks if m.mark == 8)
    assert at_eight.straddle.value == pytest.approx(0.2125)
    apart = [abs(a - b) for row in N_SCORES for a, b in permutations(row, 2)]
    assert judge.summary.move.value == pytest.approx(np.mean(apart))
    assert judge.summary.move_again.reason == "no cell has two draws"
    assert judge.agreement.sem_expected.reason == (
        "one draw per cell: the effect of more draws cannot be told"
    )


def test_oracle_g_dependability_of_one_room_is_the_intraclass_correlation() -> None:
    found = analyse_draws(G_SCORES[:, :, None], range(1, 11)).judges[0].agreement
    assert found.phi.value == pytest.approx(0.29, abs=5e-3)
    assert found.generalizability.value == pytest.approx(0.71, abs=5e-3)


def test_oracle_a_formats_are_a_facet_of_their_own() -> None:
    judge = analyse_draws(A_SCORES[..., None], range(10), ("item", "prompt", "format")).judges[0]
    raw = {c.name: round(c.raw, 4) for c in judge.components.components[:-1]}
    assert raw == {
        "item": 0.5528,
        "prompt": 0.4417,
        "format": 0.0074,
        "item x prompt": 0.575,
        "item x format": 0.1009,
        "prompt x format": 0.1565,
        "item x prompt x format": 0.9352,
    }
    assert judge.agreement.phi.value == pytest.approx(0.1996, abs=5e-5)
    assert judge.agreement.generalizability.value == pytest.approx(0.2555, abs=5e-5)
    at = {p.prompts: p.phi for p in judge.study.points}
    one = 0.5528 / (0.5528 + 0.4417 / 8 + 0.0074 + 0.575 / 8 + 0.1009 + 0.1565 / 8 + 0.9352 / 8)
    assert at[8] == pytest.approx(one, abs=1e-3)
    assert len(judge.rooms) == 8
    assert len(judge.heat_maps) == 2


def test_oracle_f_distributions_by_hand() -> None:
    p = F_PROBABILITIES
    judge = analyse_arrays(p, [0, 1, 2], pass_mark=1).judges[0]
    assert judge.heat_maps[0].mean.tolist() == exact_cells(p, [0, 1, 2]).mean.tolist()
    assert judge.heat_maps[0].passing.ravel().tolist() == [0.5, 1, 1, 0.75]
    assert judge.summary.flip.value == pytest.approx((0.5 + 0.25) / 2)
    assert judge.summary.flip_again.value == pytest.approx((0.5 + 0 + 0 + 0.375) / 4)


# -- gold


def kappa_by_definition(a: np.ndarray, b: np.ndarray, scores: int) -> float:
    """Cohen's weighted kappa from the table of counts over the whole scale."""
    table = np.zeros((scores, scores))
    np.add.at(table, (a.astype(int), b.astype(int)), 1)
    weights = np.subtract.outer(np.arange(scores), np.arange(scores)) ** 2
    chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(1 - (weights * table).sum() / (weights * chance).sum())


def test_agreement_with_gold_is_that_of_the_table_of_counts() -> None:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 6, 40).astype(float)
    scores = np.clip(gold[:, None] + rng.integers(-2, 3, (40, 3)), 0, 5)
    judge = analyse_draws(scores[..., None], range(6), gold=gold).judges[0]
    assert judge.gold is not None
    for column, row in enumerate(judge.prompts):
        assert row.kappa.value == pytest.approx(kappa_by_definition(scores[:, column], gold, 6))
        assert row.bias.value == pytest.approx(float((scores[:, column] - gold).mean()))
    single = kappa_by_definition(scores.T.ravel(), np.tile(gold, 3), 6)
    assert judge.gold.kappa_single.value == pytest.approx(single)
    whole = np.ceil(scores.mean(axis=1) - 0.5)  # the lower score in the middle
    assert judge.gold.kappa.value == pytest.approx(kappa_by_definition(whole, gold, 6))
    assert judge.gold.bias.value == pytest.approx(float((scores - gold[:, None]).mean()))


def test_items_without_gold_count_for_everything_else() -> None:
    gold = np.array([1.0, NAN, 2.0, NAN, 3.0])
    judge = analyse_arrays(distributions(5, 3, 4), range(4), gold=gold).judges[0]
    assert judge.gold is not None
    assert judge.gold.items == 3
    assert judge.quality.present == 15
    none = analyse_arrays(distributions(5, 3, 4), range(4)).judges[0]
    assert none.gold is None
    assert none.prompts[0].kappa.reason == "no gold scores"


# -- items and prompts


def test_the_flakiest_item_is_the_one_that_moves_most() -> None:
    p = np.repeat(distributions(6, 1, 4), 3, axis=1)
    p[4] = np.eye(4)[[0, 3, 0]]
    found = analyse_arrays(
        p, range(4), pass_mark=2, levels={"item": list("abcdef"), "prompt": ["x", "y", "z"]}
    )
    worst = found.judges[0].flakiest[0]
    assert (worst.item, worst.row, worst.low, worst.high) == ("e", 4, 0, 3)
    assert (worst.low_room, worst.high_room) == (Room("x"), Room("y"))
    assert worst.move == pytest.approx(2.0)  # 3 points in two of three pairs
    assert worst.flip == pytest.approx(2 / 3)
    assert math.isnan(worst.gold)


def test_distance_to_the_pooled_distribution_is_that_of_another_library() -> None:
    p, scores = distributions(4, 3, 5), np.arange(5.0)
    rows = analyse_arrays(p, scores).judges[0].prompts
    for room, row in enumerate(rows):
        theirs = [
            wasserstein_distance(scores, scores, p[i, room], p[i].mean(axis=0)) for i in range(4)
        ]
        assert row.distance.value == pytest.approx(np.mean(theirs))


# -- designs


def test_the_d_study_names_the_fewest_prompts_that_reach_the_target() -> None:
    study = analyse_arrays(judged(0), range(11), target=0.95).judges[0].study
    assert study.cheapest is not None
    assert study.cheapest.phi >= 0.95
    phis = {(p.prompts, p.draws): p.phi for p in study.points}
    assert all(phi < 0.95 for (prompts, _), phi in phis.items() if prompts < study.cheapest.prompts)
    assert study.advice == (
        f"Averaging {study.cheapest.prompts} prompts, one exact scoring each, gives a "
        f"dependability of {study.cheapest.phi:.2f} for {study.cheapest.prompts} scorings per item."
    )


def test_sampled_runs_are_not_offered_the_exact_score() -> None:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 4, (10, 3, 5)) + rng.integers(0, 5, (10, 1, 1))
    study = analyse_draws(draws, range(9)).judges[0].study
    assert {p.draws for p in study.points} == {1, 3, 5, 10}
    assert [p.cost for p in study.points if p.prompts == 2] == [2, 6, 10, 20]
    assert study.cheapest is None or study.cheapest.draws == 1


# -- shapes of data


def test_one_prompt_says_what_cannot_be_known() -> None:
    judge = analyse_arrays(distributions(5, 1, 3), range(3), pass_mark=1).judges[0]
    assert judge.summary.sentence == (
        "Too little data to say what another room would do: no item has two rooms."
    )
    assert judge.summary.flip.reason == "no item has two rooms"
    assert judge.summary.flip_again.known
    assert judge.flakiest == ()
    assert math.isnan(judge.agreement.sem.value)
    assert judge.study.cheapest is None
    assert "only 1 room" in judge.quality.notes[-1]


def test_one_item_one_prompt_one_score_is_an_analysis_too() -> None:
    judge = analyse_arrays([[[1.0]]], [7]).judges[0]
    assert judge.heat_maps[0].mean.tolist() == [[7.0]]
    assert not judge.summary.move.known


def test_a_grid_without_any_cell_is_an_analysis_too() -> None:
    judges = analyse_arrays(np.full((3, 2, 4), NAN), range(4), pass_mark=1).judges
    assert judges[0].quality.present == 0
    assert judges[0].summary.move.reason == "no item has two rooms"


def test_missing_cells_are_named_and_counted() -> None:
    p = distributions(4, 3, 3)
    p[1, 2] = NAN
    found = analyse_arrays(p, range(3), levels={"item": list("abcd"), "prompt": ["x", "y", "z"]})
    quality = found.judges[0].quality
    assert (quality.present, quality.planned) == (11, 12)
    assert quality.missing_cells == ("b, z",)
    assert quality.kinds == {"exact": 11}


def test_with_holes_and_formats_one_room_is_a_facet_of_its_own() -> None:
    """Rooms as one facet are fitted by Method III, which holes do not bias."""
    rng = np.random.default_rng(0)
    y = rng.normal(0, 2, (60, 1, 1)) + rng.normal(0, 1, (60, 4, 3))
    y[rng.random(y.shape) < 0.2] = NAN
    draws = np.round(y * 4)[..., None]
    found = analyse_draws(draws, facets=("item", "prompt", "format")).judges[0].agreement
    assert found.sem.value == pytest.approx(4.0, rel=0.15)


def test_judges_are_variants_at_temperatures_and_compared_by_components() -> None:
    p = np.stack([np.stack([judged(s), judged(s + 5)]) for s in (0, 1)])
    found = analyse_arrays(
        p,
        range(11),
        ("variant", "temperature", "item", "prompt"),
        levels={"variant": ["base", "tuned"], "temperature": ["0.5", "1"]},
    )
    assert [j.name for j in found.judges] == [
        "base, T=0.5", "base, T=1", "tuned, T=0.5", "tuned, T=1",
    ]  # fmt: skip
    assert found.judges[2].temperature == 0.5
    assert found.judges[3].heat_maps[0].probabilities == pytest.approx(p[1, 1])
    assert found.across is not None
    assert found.across.facets == ("item", "prompt", "variant", "temperature")
    assert found.judge("base, T=1").variant == "base"
    with pytest.raises(RecordError) as caught:
        found.judge("nobody")
    assert str(caught.value) == (
        "no judge 'nobody' in this analysis (there are: base, T=0.5, base, T=1, tuned, T=0.5, "
        "tuned, T=1)"
    )


def test_the_order_of_scores_and_axes_does_not_matter() -> None:
    p = distributions(5, 3, 4)
    one = analyse_arrays(p, [0, 1, 2, 3], pass_mark=2).judges[0]
    turned = analyse_arrays(
        p.swapaxes(0, 1)[..., ::-1], [3, 2, 1, 0], ("prompt", "item"), pass_mark=2
    ).judges[0]
    assert turned.summary.move.value == pytest.approx(one.summary.move.value)
    assert turned.heat_maps[0].probabilities == pytest.approx(one.heat_maps[0].probabilities)


def test_long_scales_show_a_hundred_marks_and_always_the_pass_mark() -> None:
    scale = np.arange(1000.0)
    places = marks_shown(scale, 123.5)
    assert len(places) <= 102
    assert {0, 124, 999} <= set(places.tolist())


def test_reused_seeds_are_noticed() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(0, 3, 6)  # one random number per draw, in every cell
    draws = np.round(rng.normal(20, 2, (20, 4, 1)) + same)
    quality = analyse_draws(draws, range(-20, 60)).judges[0].quality
    assert quality.seed_share.value > 0.5
    assert "draws with the same index agree across cells: were seeds reused?" in quality.notes


# -- pairs


def test_pairs_are_told_from_both_orders() -> None:
    """A judge who adds a point to what is shown first, and likes B better by two."""
    joint = np.zeros((4, 1, 2, 8, 8))
    for item in range(4):
        a, b = item + 1, item + 3
        joint[item, 0, 0, a + 1, b] = 1.0  # A first
        joint[item, 0, 1, b + 1, a] = 1.0  # B first
    difference = np.zeros((4, 1, 2, 15))
    difference[:, 0, 0, 7 - 1] = 1.0
    difference[:, 0, 1, 7 - 3] = 1.0
    grid = grid_of_exact(
        difference, range(-7, 8), ("item", "prompt", "order"), levels={"order": ["ab", "ba"]}
    )
    grid = type(grid)(
        **{
            **{name: getattr(grid, name) for name in grid.__dataclass_fields__},
            "joint": joint.reshape(4, 1, 1, 2, 1, 1, 1, 8, 8),
            "joint_scale": tuple(map(float, range(8))),
        }
    )
    judge = analyse_grid(grid).judges[0]
    found = judge.pairwise
    assert found is not None
    assert found.order_effect.value == pytest.approx(1.0)
    means = np.array([[item + 1.5, item + 3.5] for item in range(4)])
    assert found.ratio.value == pytest.approx(100 * means[:, 1].mean() / means[:, 0].mean())
    assert found.mean_ratio.value == pytest.approx(100 * (means[:, 1] / means[:, 0]).mean())
    assert found.preferences is not None
    assert (found.preferences.win.value, found.preferences.loss.value) == (0, 1)
    assert found.joint.sum() == pytest.approx(1.0)
    assert found.joint[2, 3] == pytest.approx(1 / 8)  # item 0 in the order ab: A 2, B 3
    assert judge.summary.move.value == pytest.approx(2.0)
    assert judge.rooms == (Room("prompt 1", "plain", "ab"), Room("prompt 1", "plain", "ba"))


# -- misuse


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: analyse_arrays([[[0.5, 0.4]]], [0, 1]),
            "the probabilities of cell (0, 0) are not a distribution: they sum to 0.9 "
            "(renormalise them and record the removed mass)",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], gold=[1, 2]),
            "gold scores of shape (2,) do not fit 1 items (NaN: no gold score)",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], ("item", "wording")),
            "an array of shape (1, 1, 2) does not have the axes item, wording and one for the "
            "scores or draws (facets are item, prompt, format, order, numerics, variant, "
            "temperature)",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], levels={"prompt": ["a", "b"]}),
            "2 different names for 1 levels of prompt (every level needs its own)",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], level=95),
            "level=95 is not between 0 and 1",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], replicates=-1),
            "replicates=-1 is below 0",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], pass_mark=math.inf),
            "a pass mark of inf is no score (leave it out for none)",
        ),
        (
            lambda: analyse_draws([[[3.0]]], [0, 1]),
            "score 3 is not on the scale 0 to 1 (pass the whole scale, or drop such scores)",
        ),
        (
            lambda: analyse_arrays([[[0.5, 0.5]]], [0, 1], ("item", "temperature")),
            "an axis of temperatures needs levels={'temperature': [...]}",
        ),
    ],
)
def test_misuse_says_what_and_what_to_do(call: object, message: str) -> None:
    with pytest.raises(RecordError) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == message


def test_the_sentence_speaks_of_the_noun_and_rounds_for_people() -> None:
    def sentence(**options: object) -> str:
        found: Analysis = analyse_arrays(judged(0), range(11), **options)  # type: ignore[arg-type]
        return found.judges[0].summary.sentence

    assert sentence() == (
        "A teacher in another room would move a typical item by 1.2 points, of which 0.9 by the "
        "draw alone."
    )
    assert sentence(pass_mark=10, noun="essay").startswith(
        "A teacher in another room would move a typical essay by 1.2 points, of which 0.9 by the "
        "draw alone; "
    )


def test_room_pairs_average_to_the_flip_rate_of_the_item() -> None:
    passing = np.array([[0.1, 0.8, NAN], [0.5, NAN, NAN]])
    found = pair_flips(passing)
    assert found[0, :2].tolist() == pytest.approx([0.1 * 0.2 + 0.9 * 0.8] * 2)
    assert np.isnan(found[0, 2])
    assert np.isnan(found[1]).all()
    assert isinstance(over_pairs(found, level=0.95), Estimate)


def test_a_grid_of_draws_has_shares_where_there_are_draws() -> None:
    grid = grid_of_draws([[[1, 1, 2], [2, NAN, NAN]]], [0, 1, 2])
    assert grid.probabilities[0, :, 0, 0, 0, 0, 0].tolist() == [[0, 2 / 3, 1 / 3], [0, 0, 1]]
    assert grid.cells.draws.ravel().tolist() == [3, 1]


def test_the_same_data_and_seed_give_the_same_analysis_to_the_last_digit() -> None:
    options = {"pass_mark": 6, "gold": np.arange(30.0) % 11}
    one, again = (to_json(analyse_arrays(judged(0), range(11), **options)) for _ in range(2))
    assert one == again
    other = analyse_arrays(judged(0), range(11), seed=1, **options).judges[0].gold
    first = analyse_arrays(judged(0), range(11), **options).judges[0].gold
    assert first is not None
    assert other is not None
    assert first.kappa.value == other.kappa.value
    assert first.kappa.low != other.kappa.low


def test_without_replicates_there_are_values_and_no_bootstrap_intervals() -> None:
    judge = analyse_arrays(judged(0), range(11), gold=np.arange(30.0) % 11, replicates=0).judges[0]
    assert judge.gold is not None
    assert judge.gold.kappa.known
    assert judge.gold.kappa.reason == "no interval: replicates=0"
    assert judge.summary.move.bounded


@pytest.mark.parametrize(
    ("items", "rooms", "scores", "holes"),
    [(1, 5, 3, 0), (2, 2, 2, 0), (5, 1, 3, 0), (3, 3, 3, 0.6), (2, 3, 1, 0), (10, 4, 5, 0.3)],
)
def test_every_shape_of_data_is_analysed_gated_and_compared_without_a_warning(
    items: int, rooms: int, scores: int, holes: float
) -> None:
    """Warnings are errors here: dividing by nothing would show."""
    rng = np.random.default_rng(0)
    gates = {name: 0.5 for name in GATES if name != "max_gate_risk"}
    gates["max_gate_risk"] = {"bound": 0.1, "at": 0.5}  # type: ignore[assignment]
    p = rng.dirichlet(np.ones(scores), (2, items, rooms, 2))
    p[rng.random(p.shape[:-1]) < holes] = NAN
    draws = rng.integers(0, scores, (items, rooms, 2)).astype(float)
    draws[rng.random(draws.shape) < holes] = NAN
    gold = rng.integers(0, scores, items).astype(float)
    for mark in (None, 0, 1, 99):
        for found in (
            analyse_arrays(
                p,
                range(scores),
                ("variant", "item", "prompt", "format"),
                pass_mark=mark,
                gates=gates,
                gold=gold,
            ),
            analyse_draws(draws, range(scores), pass_mark=mark, gates=gates),
        ):
            assert len(found.gates.results) == len(GATES) * len(found.judges)
            assert len(compare(found, found).judges) == len(found.judges)


def test_levels_that_no_cell_uses_change_nothing() -> None:
    p = judged(0, 8, 4)
    p[1, 2] = NAN
    unused = np.full((8, 4, 2, 11), NAN)
    unused[:, :, 1] = p
    one = analyse_arrays(p, range(11)).judges[0]
    other = analyse_arrays(unused, range(11), ("item", "prompt", "format")).judges[0]
    for effect in (("item",), ("prompt",), ("item", "prompt")):
        assert other.components[effect].raw == pytest.approx(one.components[effect].raw)
    assert other.agreement.phi.value == pytest.approx(one.agreement.phi.value)


@pytest.mark.parametrize("score", [1e61, -1e300])
def test_scores_whose_squares_overflow_are_refused(score: float) -> None:
    with pytest.raises(RecordError) as caught:
        analyse_draws([[[score], [1.0]], [[2.0], [3.0]]])
    assert str(caught.value) == (
        f"a score of {abs(score):g} is too large to calculate with (at most 1e+60; is it one? "
        "a scale on import leaves others out)"
    )


def test_scores_of_1e60_keep_their_variances() -> None:
    small, large = (
        analyse_draws(np.array([[[1.0], [2.0]], [[4.0], [7.0]], [[9.0], [8.0]]]) * factor)
        for factor in (1.0, 1e59)
    )
    one, other = small.judges[0].agreement, large.judges[0].agreement
    assert other.sem.value == pytest.approx(1e59 * one.sem.value)
    assert (other.phi.value, other.phi.low) == pytest.approx((one.phi.value, one.phi.low))


def test_a_coefficient_of_the_d_study_is_never_below_0() -> None:
    rng = np.random.default_rng(2)
    alike = analyse_draws(np.round(rng.normal(5, 2, (1, 4, 1)) + rng.normal(0, 1, (6, 4, 3))))
    judge = alike.judges[0]
    assert judge.components.raw("item") < 0
    known = [point for point in judge.study.points if not math.isnan(point.phi)]
    assert len(known) >= 8
    assert {point.phi for point in known} == {0.0}
    assert not any(point.generalizability < 0 for point in known)
    assert not judge.study.needed.known


def test_a_distance_without_data_is_not_known() -> None:
    found = analyse_draws(np.full((2, 2, 1), np.nan)).judges[0]
    assert all(not room.distance.known for room in found.prompts)
    assert {c.estimate.reason for c in found.components.components} == {"no cell has data"}
