"""The statistics at their edges: too little data, misuse, known answers, traps others fall in."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.stats

from constrained.consistency.statistics import (
    BOTH,
    ITEMS,
    Cells,
    Estimate,
    alpha,
    any_flip,
    between_prompts,
    bias,
    changed_verdicts,
    cheapest,
    component_difference,
    components_from_mean_squares,
    crossed_mean,
    d_study,
    dependability,
    dependability_estimates,
    detectable_difference,
    draw_index_share,
    exact_alpha,
    exact_cells,
    exact_quadratic_kappa,
    flip_between_prompts,
    flip_within_prompt,
    gate_curve,
    gate_risk,
    intraclass,
    item_mean,
    item_spread,
    items_for_difference,
    items_for_intraclass,
    joint_scores,
    known_components,
    many_draws_ceiling,
    mean_kappa,
    mean_of_ratios,
    mode_cells,
    order_effect,
    paired_difference,
    pass_curve,
    pass_probability,
    poisson_binomial,
    pooled,
    preferences,
    prompt_spread,
    prompts_needed,
    quadratic_kappa,
    quantiles,
    ratio_of_means,
    reasoned_cells,
    resample_components,
    resample_items,
    room_to_room,
    safe_gate,
    sampled_cells,
    sampled_pass_probability,
    severity,
    single_cells,
    standardised_bias,
    straddle_rate,
    to_pooled,
    unknown,
    variance_components,
    verdict,
    weighted_kappa,
)
from constrained.consistency.statistics.bootstrap import percentile
from constrained.errors import MissingPackage, RecordError
from constrained.packages import remedy
from tests.oracle_data.statistics import E_SCORES, G_SCORES, N_SCORES

NAN = math.nan


# Too little data is NaN with a reason, never an exception and never 0.


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (np.full((3, 2), NAN), "no cell has data"),
        ([[1.0, NAN], [NAN, NAN]], "only one item (use at least 2)"),
        ([[1.0, 2.0]], "only one item (use at least 2)"),
    ],
)
def test_no_item_component_without_two_items(scores: object, reason: str) -> None:
    table = variance_components(scores)  # type: ignore[arg-type]
    assert math.isnan(table["item"].raw)
    assert math.isnan(table["item", "prompt"].raw)
    if reason != "no cell has data":
        assert table["item"].estimate.reason == reason
    else:
        assert table.mean == unknown(reason)


def test_one_prompt_leaves_the_item_component_and_says_what_is_missing() -> None:
    table = variance_components([[1.0], [2.0], [4.0]])
    assert table["item"].raw == pytest.approx(np.var([1, 2, 4], ddof=1))
    assert table["prompt"].estimate == unknown("only one prompt (use at least 2)")
    assert dependability(table).reason == (
        "no component of prompt: only one prompt (use at least 2)"
    )
    fixed = dependability_estimates(table, fixed=["prompt"]).phi
    assert fixed.universe == "items like these, these prompts"


def test_cells_that_share_nothing_cannot_be_taken_apart() -> None:
    table = variance_components([[1.0, NAN, NAN], [NAN, 2.0, NAN], [NAN, NAN, 3.0]])
    reason = "too few cells to tell the facets apart (fill cells, so that items share prompts)"
    assert [c.estimate.reason for c in table.components[:3]] == [reason] * 3
    assert table.mean.value == 2.0
    assert not table.mean.bounded


def test_single_draws_cannot_separate_the_draw_variance() -> None:
    table = variance_components(G_SCORES)
    reason = "one draw per cell: its variance is part of the highest interaction"
    assert table["draw"].estimate == unknown(reason)
    assert table["item", "prompt"].includes_draw
    more = dependability(table, {"draw": 5})
    assert math.isnan(more.phi)
    assert more.reason == "one draw per cell: the effect of more draws cannot be told"
    assert math.isnan(many_draws_ceiling(table))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (intraclass([[1.0, 2.0]]).agreement, "only 1 item (use at least 2)"),
        (intraclass([[1.0], [2.0]]).agreement, "only 1 prompt (use at least 2)"),
        (intraclass([[3.0, 3.0], [3.0, 3.0]]).agreement, "all scores are identical"),
        (
            intraclass(E_SCORES).agreement,
            "cells are missing: use variance_components and dependability, which allow it",
        ),
        (alpha([[1.0, NAN], [NAN, 2.0]]), "no item has two scores"),
        (alpha([[2.0, 2.0], [2.0, 2.0]]), "undefined: all scores are identical"),
        (exact_alpha([[[1.0, 0.0], [1.0, 0.0]]], [0, 1]), "undefined: all scores are identical"),
        (exact_alpha([[[1.0, 0.0]]], [0, 1]), "no item has two scores"),
        (
            quadratic_kappa([5, 5, 5], [5, 5, 5]),
            "undefined: both raters always give the same single score",
        ),
        (quadratic_kappa([5, NAN], [5, 5]), "only 1 item with both scores"),
        (weighted_kappa([[0, 0], [0, 0]], [[0, 1], [1, 0]]), "the table is empty"),
        (
            weighted_kappa([[3, 0], [0, 0]], [[0, 1], [1, 0]]),
            "undefined: both raters always give the same single score",
        ),
        (mean_kappa([NAN]), "no kappa to average"),
        (bias([1.0], [2.0]), "only 1 item with both scores"),
        (standardised_bias([1.0, 1.0], [2.0, 2.0]), "neither score differs between items"),
        (flip_between_prompts([[0.5], [0.5]]), "no item has two prompts"),
        (flip_within_prompt([[0.5]], draws=1), "no cell has two draws"),
        (any_flip([[0.5]], 1), "only one draw cannot flip"),
        (any_flip([[NAN]], 2), "no cell has data"),
        (straddle_rate([[1.0], [0.0]]), "no item has two prompts"),
        (room_to_room([[1.0], [2.0]]), "no item has two prompts"),
        (prompt_spread([[1.0], [2.0]]), "only one prompt has scores (use at least 2)"),
        (severity([[1.0, NAN], [2.0, NAN]])[1], "this prompt has no scores"),
        (item_mean([NAN, NAN]), "no item has a score"),
        (paired_difference([1.0, NAN], [NAN, 2.0]), "no item has a score in both runs"),
        (ratio_of_means([1.0, NAN], [1.0, 1.0]), "only 1 item with both scores"),
        (ratio_of_means([1.0, 2.0], [1.0, -1.0]), "the reference's mean score is 0"),
        (mean_of_ratios([1.0], [0.0]), "no item with both scores and a reference above 0"),
        (
            items_for_difference(0.0, difference_variance=1.0),
            "a difference of 0 needs endless items",
        ),
        (detectable_difference(1, difference_variance=1.0), "only 1 item (use at least 2)"),
        (items_for_intraclass(0.8, 1, 0.2), "only one prompt (use at least 2)"),
        (
            items_for_intraclass(1.0, 2, 0.2),
            "the expected value must lie in [0, 1) and the width above 0",
        ),
        (draw_index_share(np.ones((3, 2, 2))), "all draws of a cell are equal"),
        (draw_index_share(np.ones((3, 2, 1))), "only one draw per cell (use at least 2)"),
        (resample_items([[1.0, 2.0]], lambda t: t[:, 0]), "only 1 item with data (use at least 2)"),
        (prompts_needed(variance_components([[1.0], [2.0]])), None),
    ],
)
def test_too_little_data_is_nan_with_a_reason(found: Estimate, reason: str | None) -> None:
    assert math.isnan(found.value)
    assert not found.bounded
    assert not found.known
    assert found.reason == reason if reason is not None else found.reason


def test_empty_inputs_are_nan_too() -> None:
    assert math.isnan(gate_risk([], 0.5).risk)
    assert gate_risk([NAN], 0.5).reason == "no item has a pass probability"
    assert math.isnan(safe_gate([]))
    assert poisson_binomial([]).tolist() == [1.0]
    assert math.isnan(item_spread([[1.0, NAN]]).move[0])


def test_one_item_or_cluster_has_a_value_but_no_interval() -> None:
    one = item_mean([3.0])
    assert (one.value, one.reason) == (3.0, "no interval: only 1 item")
    cluster = item_mean([3.0, 5.0], clusters=["a", "a"])
    assert (cluster.value, cluster.reason) == (4.0, "no interval: only 1 cluster")
    assert alpha([[1.0, 2.0, 2.0]]).reason == "only 1 item"


# Misuse names the place and the remedy.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: exact_cells([[[0.5, 0.4]]], [0, 1]),
            "the probabilities of cell (0, 0) are not a distribution: they sum to 0.9 "
            "(renormalise them and record the removed mass)",
        ),
        (
            lambda: exact_cells([[[0.5, 0.5], [1.5, -0.5]]], [0, 1]),
            "the probabilities of cell (0, 1) are not a distribution: one is negative "
            "(renormalise them and record the removed mass)",
        ),
        (
            lambda: exact_cells([[[0.5, 0.5]]], [0, 1, 2]),
            "probabilities of shape (1, 1, 2) do not fit 3 scores (the last axis runs over the "
            "scores)",
        ),
        (
            lambda: variance_components([[1.0, 2.0]], ("item",)),
            "a grid of shape (1, 2) needs 2 different facet names other than 'draw', not ('item',)",
        ),
        (
            lambda: variance_components(np.zeros((2,) * 7), tuple("abcdefg")),
            "a grid of 7 facets is more than 6 (average over facets that the question does not "
            "need)",
        ),
        (
            lambda: dependability(variance_components(G_SCORES), {"format": 2}),
            "no facet 'format' to average over (this grid has prompt, draw beside the item)",
        ),
        (
            lambda: dependability(variance_components(G_SCORES), {"prompt": 0}),
            "sizes must be above 0, not {'prompt': 0.0, 'draw': 1.0}",
        ),
        (
            lambda: quadratic_kappa([1, 11], [1, 2], scale=range(11)),
            "score 11 is not on the scale 0 to 10 (1 such scores; widen the scale or drop them)",
        ),
        (
            lambda: prompts_needed(variance_components(G_SCORES), 1.0),
            "a target of 1 cannot be asked for (choose between 0 and 1)",
        ),
        (
            lambda: Cells(np.zeros(2), np.zeros(2), np.zeros(3), np.zeros(2)),
            "the arrays of a grid of cells differ in shape: [(2,), (3,)] (pass one value per cell, "
            "NaN where a cell is missing)",
        ),
        (
            lambda: paired_difference([1.0], [1.0, 2.0]),
            "runs of 1 and 2 items are not paired (align by item)",
        ),
        (
            lambda: known_components({("item",): 1.0}, {"item": 3, "prompt": 2}),
            "the effects do not fit the facets item, prompt: item x prompt, prompt missing or "
            "unknown (give one number for every combination of facets)",
        ),
        (
            lambda: components_from_mean_squares({("item",): 1.0}, {"item": 1}),
            "every facet needs at least 2 levels, not {'item': 1}",
        ),
        (lambda: poisson_binomial([1.5]), "pass probabilities must lie between 0 and 1"),
        (lambda: item_spread([1.0, 2.0]), "scores of shape (2,) need the axes (item, prompt)"),
    ],
)
def test_misuse_says_what_and_where(call: object, message: str) -> None:
    with pytest.raises(RecordError, match=f"^{re.escape(message)}$"):
        call()  # type: ignore[operator]


# Cells.


def test_a_score_far_from_zero_keeps_its_small_variance() -> None:
    cells = exact_cells([[[0.5, 0.5]]], [1e9, 1e9 + 1])
    assert cells.variance.tolist() == [[0.25]]


def test_a_missing_cell_is_missing_in_every_array() -> None:
    cells = exact_cells([[[0.5, 0.5], [NAN, NAN]]], [0, 1])
    assert np.isnan([cells.mean[0, 1], cells.variance[0, 1], cells.error[0, 1]]).all()
    assert cells.draws.tolist() == [[math.inf, 0.0]]
    assert repr(cells) == "Cells(1 x 2: 1 exact, 1 missing)"


def test_the_mode_is_another_score_with_no_draw_variance() -> None:
    cells = mode_cells([[[0.4, 0.0, 0.6]]], [0, 5, 10])
    assert (cells.mean.item(), cells.variance.item()) == (10.0, 0.0)


def test_reasoned_cells_split_the_variance_by_the_law_of_total_variance() -> None:
    # Two texts; given each, the score is exact: means 1 and 3, variances .5 and 1.5.
    cells = reasoned_cells([[[1.0, 3.0]]], [[[0.5, 1.5]]])
    assert cells.mean.item() == 2.0
    assert cells.variance.item() == 2.0 + 1.0  # between texts (n - 1) plus within
    assert cells.error.item() == 1.0  # only the texts were sampled
    table = variance_components(reasoned_cells([[[1.0, 3.0]] * 2] * 2, [[[0.5, 1.5]] * 2] * 2))
    assert table.sizes["draw"] == pytest.approx(3.0)  # two texts are worth three plain draws


def test_a_single_draw_borrows_its_error_from_the_other_cells() -> None:
    cells = sampled_cells([[[1.0, 3.0], [2.0, NAN]]])
    assert cells.error.tolist()[0][0] == 1.0
    assert math.isnan(cells.error[0, 1])
    filled = cells.filled_error()
    assert filled is not None
    assert filled.tolist() == [[1.0, 2.0]]
    assert single_cells([[1.0]]).filled_error() is None


def test_exact_and_sampled_cells_may_stand_in_one_grid() -> None:
    rng = np.random.default_rng(3)
    exact = rng.normal(5.0, 1.0, (40, 6))
    draws = exact[..., None] + rng.normal(0.0, 1.0, (40, 6, 4))
    sampled = sampled_cells(draws)
    half = np.arange(6) < 3
    mixed = Cells(
        np.where(half, exact, sampled.mean),
        np.where(half, 1.0, sampled.variance),
        np.where(half, 0.0, sampled.error),
        np.where(half, np.inf, sampled.draws),
    )
    found = variance_components(mixed)
    assert found.error == pytest.approx(sampled.error[:, ~half].sum() / 240)
    assert found["item", "prompt"].raw == pytest.approx(1.0, abs=0.3)  # all variance is here
    assert found["draw"].raw == pytest.approx(1.0, abs=0.2)


# Variance components: independent formulas and known traps.


def test_nested_draws_follow_the_textbook_analysis_of_variance() -> None:
    y = np.random.default_rng(1).normal(size=(7, 4, 5)) + np.arange(7)[:, None, None]
    n_i, n_p, n_s = y.shape
    cell, row, column, grand = y.mean(2), y.mean((1, 2)), y.mean((0, 2)), y.mean()
    ms_e = ((y - cell[..., None]) ** 2).sum() / (n_i * n_p * (n_s - 1))
    rest = cell - row[:, None] - column + grand
    ms_ip = n_s * (rest**2).sum() / ((n_i - 1) * (n_p - 1))
    ms_p = n_i * n_s * ((column - grand) ** 2).sum() / (n_p - 1)
    ms_i = n_p * n_s * ((row - grand) ** 2).sum() / (n_i - 1)
    found = variance_components(sampled_cells(y))
    assert [c.raw for c in found.components] == pytest.approx(
        [
            (ms_i - ms_ip) / (n_p * n_s),
            (ms_p - ms_ip) / (n_i * n_s),
            (ms_ip - ms_e) / n_s,
            ms_e,
        ]
    )
    assert found.sizes == {"item": 7.0, "prompt": 4.0, "draw": pytest.approx(5.0)}


def test_the_last_interval_of_an_analysis_of_variance_is_chi_square() -> None:
    found = variance_components(G_SCORES)["item", "prompt"]
    ends = [15 * found.raw / scipy.stats.chi2.ppf(q, 15) for q in (0.975, 0.025)]
    assert [found.estimate.low, found.estimate.high] == pytest.approx(ends)


def test_a_component_interval_reaches_zero_exactly_when_the_f_test_is_not_significant() -> None:
    threshold = scipy.stats.f.ppf(0.975, 9, 27)
    for factor, significant in [(0.999, False), (1.001, True)]:
        table = components_from_mean_squares(
            {("item",): threshold * factor, ("prompt",): 1.0, ("item", "prompt"): 1.0},
            {"item": 10, "prompt": 4},
        )
        assert (table["item"].estimate.low > 0) is significant


def test_methods_one_and_three_agree_without_holes_and_differ_with_them() -> None:
    same = [variance_components(G_SCORES, method=m) for m in ("I", "III")]
    assert repr(same[0]) == repr(same[1])
    one, three = (variance_components(E_SCORES, method=m) for m in ("I", "III"))
    assert one.raw("item", "prompt") != pytest.approx(three.raw("item", "prompt"), abs=1e-3)


def test_fitted_constants_take_item_and_prompt_effects_out_of_the_interaction() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(0, 1, (12, 5))
    scores[rng.random((12, 5)) < 0.25] = NAN
    shifted = scores + 100.0 * rng.normal(size=(12, 1)) + 50.0 * rng.normal(size=5)
    plain, moved = (variance_components(s).raw("item", "prompt") for s in (scores, shifted))
    assert plain == pytest.approx(moved)
    # and equal the residual mean square of a least-squares fit on dummies
    i, p = np.nonzero(~np.isnan(scores))
    design = np.column_stack([np.eye(12)[i], np.eye(5)[p]])
    _, _, rank, _ = np.linalg.lstsq(design, scores[i, p], rcond=None)
    fitted = design @ np.linalg.lstsq(design, scores[i, p], rcond=None)[0]
    assert plain == pytest.approx(((scores[i, p] - fitted) ** 2).sum() / (i.size - rank))


def test_a_grid_and_its_transpose_have_the_same_components() -> None:
    by_item = variance_components(E_SCORES)
    by_prompt = variance_components(E_SCORES.T, ("prompt", "item"))
    for effect in (("item",), ("prompt",), ("item", "prompt")):
        assert by_item[effect].raw == pytest.approx(by_prompt[effect].raw)


def test_more_facets_with_holes_are_unbiased() -> None:
    truth = {("i",): 2.0, ("p",): 0.5, ("f",): 0.3, ("i", "p"): 0.4}
    found = []
    for run in range(150):
        rng = np.random.default_rng([2, run])
        y = rng.normal(0, 2.0**0.5, (12, 1, 1)) + rng.normal(0, 0.5**0.5, (1, 6, 1))
        y = y + rng.normal(0, 0.3**0.5, (1, 1, 5)) + rng.normal(0, 0.4**0.5, (12, 6, 1))
        y = y + rng.normal(0, 1.0, (12, 6, 5))
        y[rng.random(y.shape) < 0.2] = NAN
        table = variance_components(y, ("i", "p", "f"))
        found.append([table.raw(*effect) for effect in truth])
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(means - list(truth.values())) < 3.5 * errors).all()


def test_reused_seeds_show_as_a_draw_index_effect() -> None:
    """`manual_seed(s)` before every generation gives all cells the same random number."""
    rng = np.random.default_rng(0)
    mean = rng.normal(5, 1, (40, 6, 1))
    independent = mean + rng.normal(0, 1, (40, 6, 8))
    reused = mean + rng.normal(0, 1, (1, 1, 8)) + rng.normal(0, 0.3, (40, 6, 8))
    assert draw_index_share(independent).value < 0.02
    assert draw_index_share(reused).value > 0.8
    # The usual decomposition cannot see it: the draw variance looks harmless.
    crossed = variance_components(reused, ("item", "prompt", "seed"))
    assert crossed.raw("seed") > 10 * crossed.raw("item", "prompt", "seed")


def test_exact_cells_estimate_the_interaction_several_times_more_precisely() -> None:
    exact, sampled = [], []
    for run in range(100):
        rng = np.random.default_rng([9, run])
        mean = 5 + rng.normal(0, 1.5, (30, 1)) + 0.5 * rng.normal(size=6)
        mean = mean + rng.normal(0, 0.3, (30, 6))
        draws = mean[..., None] + rng.normal(0, 1.0, (30, 6, 3))
        known = Cells(mean, np.ones((30, 6)), np.zeros((30, 6)), np.full((30, 6), np.inf))
        exact.append(variance_components(known).raw("item", "prompt"))
        sampled.append(variance_components(sampled_cells(draws)).raw("item", "prompt"))
    assert np.mean(exact) == pytest.approx(0.09, abs=0.01)
    assert np.mean(sampled) == pytest.approx(0.09, abs=0.03)
    assert np.std(sampled) > 4 * np.std(exact)
    assert min(exact) > 0 > min(sampled)


def test_few_levels_are_named_as_the_cause_of_a_wide_interval() -> None:
    found = variance_components(N_SCORES)["prompt"].estimate
    assert found.reason == "fewer than 5 levels of prompt: expect a very wide interval"
    assert found.high > 10 * found.value


def test_table_prints_one_line_per_component_with_interval_and_universe() -> None:
    lines = str(variance_components(N_SCORES)).splitlines()
    assert lines[0] == (
        "item           1.687 [1.237, 2.408] at 95 % for items and prompts like these, "
        "by modified large sample"
    )
    assert lines[3].startswith("draw           nan: one draw per cell")


def test_shares_sum_to_one_and_ignore_what_is_unknown() -> None:
    table = variance_components(N_SCORES)
    shares = [table.share(*c.effect) for c in table.components[:3]]
    assert sum(shares) == pytest.approx(1.0)
    assert math.isnan(table.share("draw"))


# Dependability.


def test_more_draws_cannot_pass_the_ceiling_of_one_prompt() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(0, 1, (50, 1, 1)) + rng.normal(0, 0.7, (50, 5, 1))
    table = variance_components(sampled_cells(y + rng.normal(0, 1, (50, 5, 6))))
    ceiling = many_draws_ceiling(table)
    reached = [dependability(table, {"prompt": 1, "draw": n}).phi for n in (1, 10, 1000)]
    assert reached == sorted(reached)
    assert reached[-1] < ceiling < reached[-1] + 0.001


def test_cheapest_plan_is_the_best_of_all_plans() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(0, 1, (50, 1, 1)) + rng.normal(0, 0.5, (50, 5, 1))
    table = variance_components(sampled_cells(y + rng.normal(0, 1, (50, 5, 6))))
    found = cheapest(table, 0.8, prompt_cost=5.0, draw_cost=1.0)
    assert found is not None
    every = d_study(table, range(1, 60), range(1, 40), prompt_cost=5.0, draw_cost=1.0)
    assert found.cost == min(point.cost for point in every if point.phi >= 0.8)
    assert found.phi >= 0.8
    assert cheapest(variance_components(np.ones((3, 3))), 0.8) is None


def test_items_that_do_not_differ_have_no_dependability() -> None:
    table = variance_components([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    assert "items do not differ" in dependability(table).reason
    assert not prompts_needed(table).known


def test_a_number_of_prompts_can_be_out_of_reach_when_formats_disagree() -> None:
    effects = [("item",), ("prompt",), ("format",), ("item", "prompt"), ("item", "format")]
    values = dict.fromkeys([*effects, ("prompt", "format")], 1.0)
    values |= {("item", "prompt", "format"): 1.0}
    table = known_components(values, {"item": 9, "prompt": 3, "format": 1})
    found = prompts_needed(table, 0.9)
    assert found == unknown("no number of levels of prompt alone reaches 0.9")


def test_given_components_have_no_intervals() -> None:
    table = known_components(
        {("item",): 2.0, ("prompt",): 1.0, ("item", "prompt"): 1.0, ("draw",): 2.0},
        {"item": 9, "prompt": 4, "draw": 2},
    )
    assert dependability(table, {"prompt": 2, "draw": 1}).phi == pytest.approx(2 / (2 + 2))
    found = dependability_estimates(table).phi
    assert found.reason == "no interval: components without degrees of freedom"


def test_intervals_of_the_coefficients_agree_with_the_bootstrap() -> None:
    rng = np.random.default_rng(8)
    y = rng.normal(0, 1, (60, 1)) + rng.normal(0, 0.3, 12) + rng.normal(0, 0.6, (60, 12))
    table = variance_components(y)
    mine = dependability_estimates(table, {"prompt": 1}).phi
    drawn = resample_components(single_cells(y), replicates=500).phi(1)
    other = percentile(drawn, mine.value)
    assert mine.low == pytest.approx(other.low, abs=0.07)
    assert mine.high == pytest.approx(other.high, abs=0.07)


def test_the_grand_mean_knows_whether_prompts_are_a_sample() -> None:
    rng = np.random.default_rng(6)
    y = 5 + rng.normal(0, 0.2, (60, 1)) + rng.normal(0, 1.0, 6) + rng.normal(0, 0.2, (60, 6))
    these, like_these = item_mean(y), crossed_mean(y)
    assert these.value == pytest.approx(like_these.value)
    assert (these.universe, like_these.universe) == (ITEMS, BOTH)
    assert like_these.high - like_these.low > 5 * (these.high - these.low)


# Bootstrap.


def test_replicates_of_the_pigeonhole_bootstrap_average_to_the_estimates() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(0, 1.5, (15, 1, 1)) + rng.normal(0, 1, (1, 6, 1)) + rng.normal(0, 1, (15, 6, 3))
    for prompts in (True, False):
        cells = sampled_cells(y)
        estimates = [c.raw for c in variance_components(cells).components]
        drawn = resample_components(cells, prompts=prompts, replicates=4000)
        parts = (drawn.item, drawn.prompt, drawn.interaction, drawn.draw)
        for estimate, part in zip(estimates, parts, strict=True):
            assert part.mean() == pytest.approx(estimate, abs=4 * part.std() / 4000**0.5)


def test_pigeonhole_replicates_with_holes_match_a_plain_resampling() -> None:
    rng = np.random.default_rng(7)
    y = rng.normal(0, 1.5, (10, 1)) + rng.normal(0, 1, 5) + rng.normal(0, 1, (10, 5))
    y[rng.random(y.shape) < 0.15] = NAN
    drawn = resample_components(single_cells(y), replicates=600, seed=1)
    plain = []
    for run in range(600):
        pick = np.random.default_rng([3, run])
        rows, columns = pick.integers(10, size=10), pick.integers(5, size=5)
        plain.append(variance_components(y[np.ix_(rows, columns)], method="I").raw("item"))
    usable = np.array(plain)[~np.isnan(plain)] * 10 / 9
    mine = drawn.item + (drawn.interaction / 5)  # undo the second correction
    assert np.nanmean(mine) == pytest.approx(usable.mean(), rel=0.1)
    assert np.nanstd(mine) == pytest.approx(usable.std(), rel=0.15)


def test_item_bootstrap_repeats_itself_and_reports_its_own_error() -> None:
    sums = np.column_stack([np.ones(50), np.arange(50.0)])
    one, two, other = (
        resample_items(sums, lambda t: t[:, 1] / t[:, 0], replicates=500, seed=s) for s in (0, 0, 1)
    )
    assert one == two
    assert one != other
    assert 0 < one.monte_carlo < (one.high - one.low) / 5
    half = 1.96 * np.arange(50).std() / 50**0.5
    assert (one.low, one.high) == (
        pytest.approx(24.5 - half, abs=1),
        pytest.approx(24.5 + half, abs=1),
    )


def test_the_normal_limit_of_the_item_bootstrap_is_the_t_interval() -> None:
    y = np.random.default_rng(0).exponential(size=(30_000, 1))
    found = resample_items(
        np.column_stack([np.ones(30_000), y]), lambda t: t[:, 1] / t[:, 0], replicates=4000
    )
    assert found.method == "item bootstrap in the normal limit, 4000 replicates, seed 0"
    direct = item_mean(y)
    assert (found.low, found.high) == pytest.approx((direct.low, direct.high), abs=1e-3)


def test_too_many_undefined_replicates_leave_no_interval() -> None:
    found = percentile(np.array([1.0] * 50 + [NAN] * 50), 1.0)
    assert found.reason == "no interval: 50 of 100 replicates are undefined"
    few = percentile(np.ones(5), 1.0)
    assert few.reason == "no interval: 5 replicates are too few"


# Flips, gates, distances.


def test_pass_curve_has_the_pass_probability_at_every_mark() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(5), size=(3, 2))
    scores = [4, 0, 1, 3, 2]
    marks, reached = pass_curve(p, scores)
    assert marks.tolist() == [0, 1, 2, 3, 4]
    for place, mark in enumerate(marks):
        assert reached[..., place] == pytest.approx(pass_probability(p, scores, mark))


def test_sampled_flip_rate_within_a_prompt_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    draws = (rng.random((4000, 2, 3)) < 0.3).astype(float)
    share, n = sampled_pass_probability(draws, 1.0)
    assert flip_within_prompt(share, n).value == pytest.approx(0.42, abs=0.015)
    assert flip_within_prompt(share).value < 0.35  # what no correction would give


def test_any_flip_grows_with_draws_and_the_flip_rate_does_not() -> None:
    passing = [[0.9, 0.9], [0.5, 0.5]]
    assert any_flip(passing, 2).value == pytest.approx(flip_between_prompts(passing).value)
    assert any_flip(passing, 10).value > 2 * any_flip(passing, 2).value


def test_a_pass_rate_equal_to_the_gate_is_green() -> None:
    assert gate_risk([1.0, 1.0, 0.0], 2 / 3).risk == 0.0
    assert gate_risk([0.5] * 10, 0.3).risk == pytest.approx(scipy.stats.binom.cdf(2, 10, 0.5))
    assert gate_risk([0.5], 1.5).risk == 1.0


def test_gate_risk_of_a_gate_at_the_expected_rate_is_near_a_half() -> None:
    found = gate_risk([0.9] * 200, 0.9)
    assert found.risk == pytest.approx(scipy.stats.binom.cdf(179, 200, 0.9))
    assert found.expected == pytest.approx(0.9)
    assert (found.low, found.high) == (
        scipy.stats.binom.ppf(0.05, 200, 0.9) / 200,
        scipy.stats.binom.ppf(0.95, 200, 0.9) / 200,
    )


def test_the_safe_gate_is_the_highest_that_stays_green() -> None:
    passing = np.random.default_rng(1).random(40)
    gate = safe_gate(passing, 0.05)
    assert gate_risk(passing, gate).risk <= 0.05 < gate_risk(passing, gate + 1 / 40).risk
    rates, risks = gate_curve(passing)
    assert risks[rates.tolist().index(gate)] == pytest.approx(gate_risk(passing, gate).risk)


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (Estimate(0.5, 0.4, 0.6), "pass"),
        (Estimate(0.9, 0.8, 1.0), "fail"),
        (Estimate(0.7, 0.6, 0.8), "not enough data"),
        (Estimate(0.5), "pass"),
        (Estimate(0.5, reason="no interval: only 1 item"), "not enough data"),
        (unknown("only one prompt"), "not enough data"),
    ],
)
def test_a_gate_passes_only_when_the_whole_interval_clears_it(
    estimate: Estimate, expected: str
) -> None:
    assert verdict(estimate, at_most=0.7) == expected


def test_distance_to_the_pooled_distribution_is_zero_for_prompts_that_agree() -> None:
    p = np.array([[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]]])
    assert pooled(p).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert to_pooled(p, [0, 1]).tolist() == [[0.0, 0.0], [0.5, 0.5]]
    assert between_prompts(p, [0, 1]).tolist() == [0.0, 1.0]
    p[0, 1] = NAN
    assert math.isnan(between_prompts(p, [0, 1])[0])


# Agreement with gold.


def test_kappa_keeps_the_place_of_scores_that_nobody_gave() -> None:
    """By value, not by rank among the scores seen: 10 is far from 1, not next to it."""
    scores, gold = [0, 0, 1, 1, 10, 10, 1], [0, 0, 1, 1, 10, 1, 0]
    table = np.zeros((11, 11))
    for a, b in zip(scores, gold, strict=True):
        table[a, b] += 1
    k = np.arange(11)
    full = weighted_kappa(table, (k[:, None] - k[None, :]) ** 2 / 100).value
    sparse = table[np.ix_([0, 1, 10], [0, 1, 10])]
    ranked = weighted_kappa(sparse, (k[:3, None] - k[None, :3]) ** 2).value
    assert quadratic_kappa(scores, gold, scale=range(11)).value == pytest.approx(full)
    assert abs(full - ranked) > 0.1


def test_exact_kappa_of_certain_scores_is_kappa() -> None:
    rng = np.random.default_rng(2)
    scores, gold = rng.integers(0, 11, 60), rng.integers(0, 11, 60)
    certain = np.eye(11)[scores]
    one = exact_quadratic_kappa(certain, range(11), gold, replicates=200)
    two = quadratic_kappa(scores, gold, replicates=200)
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high))


def test_a_consistent_judge_can_be_consistently_lenient() -> None:
    gold = np.arange(20.0)
    found = bias(gold + 2.0, gold)
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert standardised_bias(gold + 2.0, gold).value == pytest.approx(2.0 / gold.std(ddof=1))


# Two runs, two answers.


def test_clusters_widen_the_interval_as_the_formula_says() -> None:
    y = np.array([1.0, 1.2, 3.0, 3.4, 5.0, 5.2])
    found = item_mean(y, clusters=["a", "a", "b", "b", "c", "c"])
    deviations = y - y.mean()
    sums = deviations.reshape(3, 2).sum(axis=1)
    error = math.sqrt((sums**2).sum() * 3 / 2) / 6
    assert found.high - found.value == pytest.approx(scipy.stats.t.ppf(0.975, 2) * error)


def test_pairing_removes_what_both_runs_share() -> None:
    rng = np.random.default_rng(0)
    item = rng.normal(0, 5, (40, 1))
    first, second = (item + shift + rng.normal(0, 0.3, (40, 4)) for shift in (0.0, 0.5))
    found = paired_difference(first, second)
    assert found.low > 0.3
    assert found.high < 0.7
    reference = scipy.stats.ttest_rel(second.mean(axis=1), first.mean(axis=1))
    interval = reference.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_changed_verdicts_lists_items_and_tests_the_balance() -> None:
    first = [4.0, 6.0, 6.0, 7.0, NAN, 9.0]
    second = [6.0, 4.0, 4.0, 3.0, 9.0, 9.0]
    found = changed_verdicts(first, second, pass_mark=5)
    assert found.now_pass.tolist() == [0]
    assert found.now_fail.tolist() == [1, 2, 3]
    assert found.chance == pytest.approx(scipy.stats.binomtest(1, 4).pvalue)


def test_equal_runs_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(0)
    cells = sampled_cells(rng.normal(size=(20, 5, 3)) + rng.normal(size=(20, 1, 1)))
    found = component_difference(cells, cells, lambda c: c.phi(1), replicates=100)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_noisier_prompt_set_shows_in_the_difference_of_components() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(0, 1, (60, 1)) + rng.normal(0, 0.2, (60, 12))
    steady, shaky = base + rng.normal(0, 0.1, 12), base + rng.normal(0, 1.0, 12)
    steady[0, 0] = NAN
    found = component_difference(
        single_cells(steady), single_cells(shaky), lambda c: c.prompt, replicates=300
    )
    assert found.low > 0


def test_unreadable_replies_are_left_out_and_not_averaged_in() -> None:
    clean = ratio_of_means([9.0, 8.0, 7.0], [8.0, 8.0, 8.0])
    assert ratio_of_means([9.0, 8.0, 7.0, NAN], [8.0, 8.0, 8.0, 1.0]) == clean


def test_delta_method_and_bootstrap_agree_on_the_ratio_of_means() -> None:
    a, b = N_SCORES[:, 0], N_SCORES[:, 2]
    one, two = ratio_of_means(a, b), ratio_of_means(a, b, replicates=1000)
    assert one.value == pytest.approx(two.value)
    assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=0.7)


def test_a_judge_that_prefers_the_first_place_is_found_out() -> None:
    first_wins = np.zeros((5, 3, 3))
    first_wins[:, 2, 0] = 1.0  # 3 to 1, whoever is shown first
    found = preferences(first_wins, first_wins, scores=[1, 2, 3])
    assert (found.win.value, found.loss.value, found.order_flip.value) == (0.5, 0.5, 1.0)
    straight = joint_scores(first_wins, [1, 2, 3])
    shown_first = np.column_stack([straight.first, straight.first])
    shown_second = np.column_stack([straight.second, straight.second])
    assert order_effect(shown_first, shown_second).value == 2.0


def test_a_fair_judge_has_no_order_flips() -> None:
    a_wins = np.zeros((5, 3, 3))
    a_wins[:, 2, 0] = 1.0
    found = preferences(a_wins, a_wins.swapaxes(1, 2), scores=[1, 2, 3])
    assert (found.win.value, found.tie.value, found.order_flip.value) == (1.0, 0.0, 0.0)


# Prompts.


def test_severity_does_not_blame_a_prompt_for_the_items_it_met() -> None:
    item, prompt = np.array([1.0, 5.0, 9.0, 3.0]), np.array([-0.5, 0.5, 0.0])
    y = item[:, None] + prompt
    y[2, 0] = y[3, 1] = y[0, 2] = NAN
    assert [e.value for e in severity(y)] == pytest.approx(prompt.tolist(), abs=1e-9)
    assert prompt_spread(y).value == pytest.approx(1.0)
    raw = np.nanmean(y, axis=0)
    assert raw[2] > raw[1]  # the plain means get the order wrong


def test_flakiest_items_come_first_and_unknown_ones_do_not_come() -> None:
    found = item_spread([[1.0, 1.0], [1.0, 5.0], [2.0, NAN], [1.0, 3.0]])
    assert found.flakiest(3).tolist() == [1, 3, 0]
    assert found.flakiest(9).tolist() == [1, 3, 0]


# The package around it.


@pytest.mark.parametrize("probability", [0.001, 0.025, 0.5, 0.975, 0.9999])
@pytest.mark.parametrize(("first", "second"), [(1, 1), (4, 27), (7, 1e6), (2.5, 0.7), (300, 1e9)])
def test_quantiles_agree_with_another_implementation(
    probability: float, first: float, second: float
) -> None:
    mine = quantiles.f(probability, first, second)
    assert mine == pytest.approx(scipy.stats.f.ppf(probability, first, second), rel=1e-7)
    assert quantiles.t(probability, first) == pytest.approx(scipy.stats.t.ppf(probability, first))
    assert quantiles.chi_square(probability, first) == pytest.approx(
        scipy.stats.chi2.ppf(probability, first)
    )


def test_without_scipy_an_interval_names_the_package_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    message = f"an interval needs the package scipy (run: {remedy('consistency')})"
    with pytest.raises(MissingPackage, match=f"^{re.escape(message)}$"):
        item_mean([1.0, 2.0])


def test_importing_the_statistics_needs_numpy_only() -> None:
    code = (
        "import sys, constrained.consistency.statistics; "
        "sys.exit(any(n in sys.modules for n in ('scipy', 'torch', 'pydantic', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_million_cells_take_seconds() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, (1000, 1)) + rng.normal(0, 0.5, 1000) + rng.normal(0, 1, (1000, 1000))
    y[rng.random(y.shape) < 0.05] = NAN
    start = time.process_time()
    table = variance_components(y)
    item_spread(y)
    alpha(np.round(y), replicates=0)
    poisson_binomial(rng.random(100_000))
    flip_between_prompts(np.clip(np.abs(y), 0, 1))
    assert time.process_time() - start < 20
    assert table["item"].raw == pytest.approx(1.0, abs=0.15)
