"""Every published number that the statistics must reproduce, to the digits that were published."""

from __future__ import annotations

import math

import numpy as np
import pytest

from constrained.consistency.statistics import (
    Metric,
    alpha,
    components_from_mean_squares,
    cut_score_dependability,
    d_study,
    dependability,
    dependability_estimates,
    detectable_difference,
    entropy,
    exact_alpha,
    exact_cells,
    flip_between_prompts,
    flip_within_prompt,
    intraclass,
    item_flips,
    item_spread,
    items_for_difference,
    items_for_intraclass,
    jensen_shannon,
    known_components,
    mean_kappa,
    mean_of_ratios,
    pass_probability,
    prompts_needed,
    quadratic_kappa,
    ratio_of_means,
    straddle_rate,
    total_variation,
    variance_components,
    wasserstein,
    weighted_kappa,
)
from tests.oracle_data.statistics import (
    A_SCORES,
    B_SCORES,
    E_SCORES,
    F_PROBABILITIES,
    G_SCORES,
    H_SCORES,
    I_SCORES,
    J_TABLE,
    J_WEIGHTS,
    M_TOTALS,
    N_SCORES,
)

# (effect, degrees, sum of squares, mean square, component), Brennan 2001 as in generalizit's tests
A_TABLE = [
    (("p",), 9, 62.20, 6.9111, 0.5528),
    (("i",), 3, 37.45, 12.4833, 0.4417),
    (("o",), 1, 3.20, 3.2000, 0.0074),
    (("p", "i"), 27, 56.30, 2.0852, 0.5750),
    (("p", "o"), 9, 12.05, 1.3389, 0.1009),
    (("i", "o"), 3, 7.50, 2.5000, 0.1565),
    (("p", "i", "o"), 27, 25.25, 0.9352, 0.9352),
]


@pytest.mark.parametrize(("effect", "degrees", "squares", "mean_square", "component"), A_TABLE)
def test_a_brennan_three_facets(
    effect: tuple[str, ...], degrees: int, squares: float, mean_square: float, component: float
) -> None:
    found = variance_components(A_SCORES, ("p", "i", "o"))[effect]
    assert found.degrees == degrees
    assert round(found.sum_of_squares, 2) == squares
    assert round(found.mean_square, 4) == mean_square
    assert round(found.raw, 4) == component


@pytest.mark.parametrize(
    ("items", "occasions", "relative", "absolute"),
    [
        (4, 2, 0.6399, 0.5541),
        (1, 1, 0.2555, 0.1996),
        (4, 1, 0.5360, 0.4652),
        (8, 2, 0.7536, 0.6890),
        (16, 2, 0.8270, 0.7845),
    ],
)
def test_a_brennan_projections(
    items: int, occasions: int, relative: float, absolute: float
) -> None:
    table = variance_components(A_SCORES, ("p", "i", "o"))
    found = dependability(table, {"i": items, "o": occasions}, item="p")
    assert round(found.generalizability, 4) == relative
    assert round(found.phi, 4) == absolute


def test_a_brennan_grand_mean_and_fixed_items() -> None:
    table = variance_components(A_SCORES, ("p", "i", "o"))
    assert table.mean.value == pytest.approx(5.275, abs=1e-12)
    fixed = dependability(table, item="p", fixed=["i"])
    assert (round(fixed.generalizability, 2), round(fixed.phi, 2)) == (0.81, 0.79)


def test_b_brennan_right_or_wrong_items() -> None:
    table = variance_components(B_SCORES)
    assert [round(c.sum_of_squares, 4) for c in table.components[:3]] == [7.3417, 9.6917, 12.5583]
    assert [round(c.mean_square, 4) for c in table.components[:3]] == [0.8157, 0.8811, 0.1269]
    assert [round(c.raw, 4) for c in table.components[:3]] == [0.0574, 0.0754, 0.1269]
    assert round(dependability(table).generalizability, 3) == 0.844
    assert round(dependability(table).phi, 3) == 0.773


def test_b_brennan_d_study_within_his_rounding() -> None:
    points = d_study(variance_components(B_SCORES), (5, 10, 15, 20))
    published = [(0.693, 0.586), (0.819, 0.740), (0.871, 0.810), (0.901, 0.850)]
    for point, (relative, absolute) in zip(points, published, strict=True):
        assert point.generalizability == pytest.approx(relative, abs=0.001)
        assert point.phi == pytest.approx(absolute, abs=0.001)


def test_b_fewest_items_for_point_nine() -> None:
    table = variance_components(B_SCORES)
    assert prompts_needed(table, 0.9, absolute=False).value == 20
    assert prompts_needed(table, 0.9).value == 32


def test_b_cut_score_dependability_at_the_mean_is_kr21() -> None:
    total = B_SCORES.sum(axis=1)
    k, mean, variance = 12, total.mean(), total.var()  # Kuder and Richardson 1937, formula 21
    kr21 = k / (k - 1) * (1 - mean * (k - mean) / (k * variance))
    table = variance_components(B_SCORES)
    assert cut_score_dependability(table, table.mean.value) == pytest.approx(kr21, abs=1e-12)


def test_c_trec_3_from_mean_squares_alone() -> None:
    table = components_from_mean_squares(
        {("system",): 0.36926, ("topic",): 0.91661, ("system", "topic"): 0.01092},
        {"system": 40, "topic": 50},
    )
    assert f"{table.raw('system'):.5g}" == "0.0071668"
    assert f"{table.raw('topic'):.5g}" == "0.022642"
    assert f"{table.raw('system', 'topic'):.5g}" == "0.01092"


def test_d_projection_of_given_components() -> None:
    table = known_components(
        {
            ("p",): 12.0,
            ("i",): 6.0,
            ("r",): 4.0,
            ("p", "i"): 8.0,
            ("p", "r"): 10.0,
            ("i", "r"): 2.0,
            ("p", "i", "r"): 24.0,
        },
        {"p": 100, "i": 4, "r": 2},
    )
    found = dependability(table, item="p")
    assert round(found.generalizability, 7) == 0.5454545
    assert round(found.phi, 7) == 0.4660194


@pytest.mark.parametrize(
    ("components", "phi", "relative"),
    [((0.4167, 0.018, 0.294), 0.572, 0.586), ((1.1281, 0.0117, 0.0969), 0.912, 0.921)],
)
def test_d_new_york_teachers_as_a_human_baseline(
    components: tuple[float, float, float], phi: float, relative: float
) -> None:
    effects = [("student",), ("teacher",), ("student", "teacher")]
    table = known_components(
        dict(zip(effects, components, strict=True)), {"student": 60, "teacher": 1}
    )
    found = dependability(table, item="student")
    assert (round(found.phi, 3), round(found.generalizability, 3)) == (phi, relative)


def test_e_brennan_incomplete_by_method_i() -> None:
    table = variance_components(E_SCORES, method="I")
    item, prompt, both, _ = table.components
    assert [round(c.total, 4) for c in (item, prompt, both)] == [27.8, 24.7432, 37.0]
    assert round(59 * table.mean.value**2, 4) == 23.2034
    assert [round(c.raw, 4) for c in (item, prompt, both)] == [0.0473, 0.0117, 0.1840]
    assert round(table.sizes["prompt"], 3) == 4.768  # harmonic mean


def test_e_brennan_coefficients_follow_from_the_published_components() -> None:
    published = {("item",): 0.0473, ("prompt",): 0.0117, ("item", "prompt"): 0.1840}
    size = variance_components(E_SCORES).sizes["prompt"]
    found = dependability(known_components(published, {"item": 12, "prompt": size}))
    assert round(found.generalizability, 4) == 0.5507
    assert round(found.phi, 4) == 0.5354
    mine = dependability(variance_components(E_SCORES, method="I"))  # unrounded components
    assert mine.generalizability == pytest.approx(0.5507, abs=5e-4)
    assert mine.phi == pytest.approx(0.5354, abs=5e-4)


def test_negative_estimates_of_a_hand_case_stay_raw_and_show_as_zero() -> None:
    table = variance_components([[0.5, 1.5], [2.0, 1.0]])
    assert [c.mean_square for c in table.components[:3]] == pytest.approx([0.25, 0.0, 1.0])
    assert [c.raw for c in table.components[:3]] == pytest.approx([-0.375, -0.5, 1.0])
    assert [c.estimate.value for c in table.components[:3]] == pytest.approx([0.0, 0.0, 1.0])
    assert [c.truncated for c in table.components[:3]] == [True, True, False]
    assert "a negative estimate (-0.375) is shown as 0" in table["item"].estimate.reason


SCORES = [0, 1, 2]


def test_f_moments_and_entropy_by_hand() -> None:
    cells = exact_cells(F_PROBABILITIES, SCORES)
    assert cells.mean.tolist() == [[0.5, 1.5], [2.0, 1.0]]
    assert cells.variance.tolist() == [[0.25, 0.25], [0.0, 0.5]]
    assert entropy(F_PROBABILITIES).tolist() == [[1.0, 1.0], [0.0, 1.5]]


def test_f_total_variance_of_an_item_is_within_plus_between() -> None:
    cells = exact_cells(F_PROBABILITIES, SCORES)
    within, between = cells.variance.mean(axis=1), cells.mean.var(axis=1)
    mixture = F_PROBABILITIES.mean(axis=1)
    values = np.array(SCORES)
    total = mixture @ values**2 - (mixture @ values) ** 2
    assert within.tolist() == between.tolist() == [0.25, 0.25]
    assert total.tolist() == [0.5, 0.5]


def test_f_components_spend_no_degrees_on_exact_cells() -> None:
    table = variance_components(exact_cells(F_PROBABILITIES, SCORES))
    assert [c.raw for c in table.components] == pytest.approx([-0.375, -0.5, 1.0, 0.25])
    assert math.isinf(table.sizes["draw"])


def test_f_distances_by_hand() -> None:
    p, q = F_PROBABILITIES[:, 0], F_PROBABILITIES[:, 1]
    assert total_variation(p, q).tolist() == [0.5, 0.75]
    assert wasserstein(p, q, SCORES).tolist() == [1.0, 1.0]
    assert jensen_shannon(p, q).round(4).tolist() == [0.5, 0.5488]


def test_f_flips_by_hand() -> None:
    passing = pass_probability(F_PROBABILITIES, SCORES, 1)
    assert passing.tolist() == [[0.5, 1.0], [1.0, 0.75]]
    assert item_flips(passing).tolist() == [0.5, 0.25]
    assert flip_between_prompts(passing).value == 0.375
    for row, column, rate in [(0, 0, 0.5), (0, 1, 0.0), (1, 0, 0.0), (1, 1, 0.375)]:
        assert flip_within_prompt(passing[row : row + 1, column : column + 1]).value == rate


def test_g_shrout_and_fleiss() -> None:
    found = intraclass(G_SCORES)
    published = [0.289764, 0.714841, 0.165742, 0.620051, 0.909316, 0.442797]
    forms = [
        found.agreement,
        found.consistency,
        found.one_way,
        found.agreement_mean,
        found.consistency_mean,
        found.one_way_mean,
    ]
    assert [round(form.value, 6) for form in forms] == published
    assert (round(found.agreement.low, 4), round(found.agreement.high, 4)) == (0.0188, 0.7611)


def test_g_components_and_mean_squares() -> None:
    table = variance_components(G_SCORES)
    assert [round(c.mean_square, 4) for c in table.components[:3]] == [11.2417, 32.4861, 1.0194]
    assert [round(c.raw, 4) for c in table.components[:3]] == [2.5556, 5.2444, 1.0194]


def test_g_medcalc_pairs() -> None:
    found = intraclass([[2, 4], [4, 6], [6, 8]])
    assert found.consistency.value == 1.0
    assert round(found.agreement.value, 4) == 0.6667


@pytest.mark.parametrize(
    ("metric", "published"),
    [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)],
)
def test_h_krippendorff_four_coders(metric: Metric, published: float) -> None:
    assert round(alpha(H_SCORES, metric).value, 6) == published


@pytest.mark.parametrize(
    ("metric", "published"),
    [("nominal", 0.691358), ("ordinal", 0.806721), ("interval", 0.810845)],
)
def test_i_krippendorff_three_coders(metric: Metric, published: float) -> None:
    assert round(alpha(I_SCORES, metric).value, 6) == published


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval", "ratio"])
def test_h_exact_alpha_of_certain_cells_is_alpha(metric: Metric) -> None:
    scale = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    certain = (H_SCORES[..., None] == scale).astype(float)
    certain[np.isnan(H_SCORES)] = np.nan
    mine = exact_alpha(certain, scale, metric, replicates=0).value
    assert mine == pytest.approx(alpha(H_SCORES, metric, replicates=0).value, abs=1e-12)


def test_j_cohen_weighted_kappa() -> None:
    equal = 1.0 - np.eye(3)
    places = np.arange(3)
    quadratic = (places[:, None] - places[None, :]) ** 2
    assert round(weighted_kappa(J_TABLE, equal).value, 6) == 0.491525
    assert round(weighted_kappa(J_TABLE, J_WEIGHTS).value, 6) == 0.347826
    assert round(weighted_kappa(200 * J_TABLE, quadratic).value, 6) == 0.454545


@pytest.mark.parametrize(
    ("scores", "gold", "published"),
    [
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 1], [1, 2, 2], 0.4),
        ([1, 2, 3, 1, 2, 2, 3], [1, 2, 3, 1, 2, 3, 2], 0.75),
    ],
)
def test_k_assessment_prize_kappas(
    scores: list[float], gold: list[float], published: float
) -> None:
    assert quadratic_kappa(scores, gold).value == pytest.approx(published, abs=1e-12)


def test_k_assessment_prize_mean_of_kappas() -> None:
    assert round(mean_kappa([0.5, 0.8], [1.0, 0.5]).value, 6) == 0.624536


def test_l_bonett_items_for_an_intraclass_correlation() -> None:
    assert items_for_intraclass(0.8, 2, 0.2).value == 51
    assert items_for_intraclass(0.8, 2, 0.2, adjusted=True).value == 55


@pytest.mark.parametrize(("draws", "items"), [(1, 3876), (10, 1260), (math.inf, 969)])
def test_l_miller_items_for_a_difference(draws: float, items: int) -> None:
    found = items_for_difference(
        0.03,
        difference_variance=1 / 9,
        first_draw_variance=1 / 6,
        second_draw_variance=1 / 6,
        first_draws=draws,
        second_draws=draws,
    )
    assert found.value == items
    back = detectable_difference(
        items,
        difference_variance=1 / 9,
        first_draw_variance=1 / 6,
        second_draw_variance=1 / 6,
        first_draws=draws,
        second_draws=draws,
    )
    assert round(back.value, 4) == 0.03


@pytest.mark.parametrize(
    ("other", "published"), [("llama", 135.3), ("alpaca", 120.8), ("bard", 98.7), ("gpt35", 92.1)]
)
def test_m_llava_ratio_of_means(other: str, published: float) -> None:
    column = ["bard", "gpt35", "alpaca", "llama"].index(other)
    theirs, vicuna = M_TOTALS[other]
    scores = N_SCORES[:, column]
    assert scores.sum() == vicuna
    # The ratio of means knows the other side only by its total.
    reference = np.full(80, theirs / 80)
    assert round(ratio_of_means(scores, reference).value, 1) == published


def test_m_the_mean_of_ratios_can_name_another_winner() -> None:
    scores, reference = [1.0, 9.0], [0.5, 10.0]
    assert ratio_of_means(scores, reference).value == pytest.approx(1000 / 10.5)
    assert mean_of_ratios(scores, reference).value == pytest.approx((200 + 90) / 2)


def test_n_the_same_answers_in_four_rooms() -> None:
    assert N_SCORES.mean(axis=0).tolist() == [8.19375, 7.975, 8.8, 8.675]
    table = variance_components(N_SCORES)
    item, room, both, _ = table.components
    assert [round(item.mean_square, 4), round(room.mean_square, 4)] == [7.1601, 12.2216]
    assert round(both.mean_square, 5) == 0.41096
    assert [round(c.raw, 4) for c in (item, room, both)] == [1.6873, 0.1476, 0.4110]
    found = intraclass(N_SCORES)
    assert round(found.agreement.value, 4) == 0.7513
    assert (round(found.agreement.low, 2), round(found.agreement.high, 2)) == (0.62, 0.84)
    assert round(found.consistency.value, 4) == 0.8041
    assert round(found.one_way.value, 4) == 0.7471
    assert round(found.agreement_mean.value, 4) == 0.9236
    assert prompts_needed(table, 0.9).value == 3


def test_n_alpha_range_identical_and_straddling_answers() -> None:
    assert round(alpha(N_SCORES, "interval").value, 4) == 0.7453
    assert round(alpha(N_SCORES, "ordinal").value, 4) == 0.5267
    spread = item_spread(N_SCORES)
    assert round(float(spread.span.mean()), 2) == 1.18
    assert int((spread.span == 0).sum()) == 14
    assert straddle_rate(N_SCORES >= 8).value == 0.2125


def test_n_dependability_of_one_room_has_the_value_of_phi() -> None:
    found = dependability_estimates(variance_components(N_SCORES), {"prompt": 1})
    assert round(found.phi.value, 4) == 0.7513
    assert round(found.generalizability.value, 4) == 0.8041
    assert round(found.sem.value, 3) == round(math.sqrt(0.1476 + 0.4110), 3)
