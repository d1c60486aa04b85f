"""Data that say little: the right number, or none and the reason; never a sentence from nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from constrained.consistency.analysis import analyse_arrays, analyse_draws, compare
from constrained.consistency.statistics import (
    Estimate,
    alpha,
    bias,
    dependability,
    exact_alpha,
    exact_quadratic_kappa,
    flip_between_prompts,
    flip_within_prompt,
    gate_risk,
    gate_risks,
    intraclass,
    item_mean,
    item_spread,
    mean_gate_risk,
    paired_difference,
    quadratic_kappa,
    room_to_room,
    safe_gate,
    severity,
    standardised_bias,
    variance_components,
)
from constrained.errors import RecordError

NAN = math.nan
RNG = np.random.default_rng(7)
SCORES = RNG.integers(0, 6, (12, 4)).astype(float)
GOLD = np.clip(SCORES.mean(axis=1).round() + RNG.integers(-1, 2, 12), 0, 5)
SHARES = RNG.dirichlet([1.0] * 6, (12, 4))
TENTH = 0.1 + 0.2  # not 0.3


def close(one: Estimate, other: Estimate, unit: float = 1.0, rel: float = 1e-6) -> bool:
    """Whether two estimates are one, the second in a unit that is so much larger."""
    pairs = [(one.value, other.value), (one.low, other.low), (one.high, other.high)]
    return all(
        a == pytest.approx(b * unit, rel=rel, abs=1e-9 * unit, nan_ok=True) for a, b in pairs
    )


# What does not ask where scores lie, or in what unit, must not lose its digits there.

FREE_OF_UNIT: dict[str, Callable[[float, float], Estimate]] = {
    "kappa": lambda unit, shift: quadratic_kappa(
        SCORES[:, 0] * unit + shift, GOLD * unit + shift, replicates=200
    ),
    "exact kappa": lambda unit, shift: exact_quadratic_kappa(
        SHARES[:, 0], np.arange(6) * unit + shift, GOLD * unit + shift, replicates=200
    ),
    "alpha": lambda unit, shift: alpha(SCORES * unit + shift, replicates=200),
    "ordinal alpha": lambda unit, shift: alpha(SCORES * unit + shift, "ordinal", replicates=200),
    "exact alpha": lambda unit, shift: exact_alpha(
        SHARES, np.arange(6) * unit + shift, replicates=200
    ),
    "agreement": lambda unit, shift: intraclass(SCORES * unit + shift).agreement,
    "consistency": lambda unit, shift: intraclass(SCORES * unit + shift).consistency_mean,
    "standardised": lambda unit, shift: standardised_bias(
        SCORES[:, 0] * unit + shift, GOLD * unit + shift
    ),
    "phi": lambda unit, shift: Estimate(
        dependability(variance_components(SCORES * unit + shift)).phi
    ),
}


@pytest.mark.parametrize("name", FREE_OF_UNIT)
@pytest.mark.parametrize("shift", [1e3, 1e6, -1e6, 1e9])
def test_a_coefficient_is_the_same_far_from_zero(name: str, shift: float) -> None:
    assert FREE_OF_UNIT[name](1.0, 0.0).known
    assert close(FREE_OF_UNIT[name](1.0, shift), FREE_OF_UNIT[name](1.0, 0.0))


@pytest.mark.parametrize("name", FREE_OF_UNIT)
@pytest.mark.parametrize("unit", [1e-12, 1e-7, 1e7, 1e50])
def test_a_coefficient_is_the_same_in_any_unit(name: str, unit: float) -> None:
    assert close(FREE_OF_UNIT[name](unit, 0.0), FREE_OF_UNIT[name](1.0, 0.0))


IN_POINTS: dict[str, Callable[[np.ndarray, np.ndarray], Estimate]] = {
    "move": lambda y, _: room_to_room(y),
    "severity": lambda y, _: severity(y)[1],
    "bias": lambda y, gold: bias(y[:, 0], gold, replicates=200),
    "difference": lambda y, gold: paired_difference(gold, y[:, 0]),
}


@pytest.mark.parametrize("name", IN_POINTS)
@pytest.mark.parametrize(("unit", "shift"), [(1.0, 1e6), (1e-7, 0.0), (1e-7, 1.0), (1e40, 0.0)])
def test_points_keep_their_digits_far_from_zero_and_in_any_unit(
    name: str, unit: float, shift: float
) -> None:
    there = IN_POINTS[name](SCORES * unit + shift, GOLD * unit + shift)
    assert close(there, IN_POINTS[name](SCORES, GOLD), unit)


# 0 / 0 is not 1, and rounding is no difference.

IDENTICAL = "undefined: all scores are identical"
SAME = "undefined: both raters always give the same single score"


@pytest.mark.parametrize("value", [0.0, 0.3, 1e6, 1e-7])
def test_constant_scores_have_no_coefficient(value: float) -> None:
    y = np.full((4, 3), value)
    y[0, 0] = value * (1 + 2e-16)
    assert intraclass(y).agreement.reason == "all scores are identical"
    assert alpha(y).reason == IDENTICAL
    assert alpha(y, "ratio").reason == IDENTICAL
    assert quadratic_kappa(y[:, 0], y[:, 1]).reason == SAME
    assert standardised_bias(y[:, 0], y[:, 1]).reason == "neither score differs between items"
    assert variance_components(y)["item"].raw == 0.0
    assert math.isnan(dependability(variance_components(y)).phi)


@pytest.mark.parametrize("step", [1.0, 0.1, 1e-7])
@pytest.mark.parametrize("shift", [0.0, 1e5])
def test_items_that_do_not_differ_give_no_consistency(step: float, shift: float) -> None:
    """Each column is constant: 0 / 0 for consistency, 0 for agreement."""
    found = intraclass(np.tile([1.0, 2.0, 4.0], (5, 1)) * step + shift)
    assert found.consistency.reason == "items do not differ"
    assert found.consistency_mean.reason == "items do not differ"
    assert found.one_way_mean.reason == "items do not differ"
    assert (found.agreement.value, found.agreement_mean.value) == (0.0, 0.0)
    assert found.one_way.value == pytest.approx(-0.5)
    for one in (found.agreement, found.agreement_mean, found.one_way):
        assert one.reason == "no interval: items do not differ"
        assert not one.bounded


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    y = np.array([[TENTH, 0.3], [0.3, TENTH]])
    assert intraclass(y).agreement.reason == "all scores are identical"
    assert alpha(y).reason == IDENTICAL


@pytest.mark.parametrize("value", [1e61, math.inf, -math.inf])
@pytest.mark.parametrize(
    "call",
    [
        lambda y: variance_components(y),
        lambda y: intraclass(y),
        lambda y: alpha(y),
        lambda y: item_spread(y),
        lambda y: item_mean(y),
        lambda y: severity(y),
        lambda y: quadratic_kappa(y[:, 0], y[:, 1]),
        lambda y: bias(y[:, 0], y[:, 1]),
        lambda y: exact_alpha([[[1.0, 0.0]] * 2] * 2, y[0]),
        lambda y: analyse_draws(y[..., None]),
    ],
)
def test_a_score_without_measure_is_refused(call: Callable[[Any], object], value: float) -> None:
    with pytest.raises(RecordError, match="is too large to calculate with"):
        call(np.array([[value, 1.0], [2.0, 3.0]]))


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(RecordError, match="scores are no array of numbers"):
        intraclass([["seven", "5"], ["1", "2"]])


def test_prompts_that_share_no_item_have_no_severity() -> None:
    apart = severity([[1.0, NAN], [NAN, 2.0]])
    assert {one.reason for one in apart} == {"some prompts share no item, even through others"}
    linked = severity([[1.0, 2.0, NAN], [NAN, 3.0, 5.0]])
    assert [one.reason for one in linked][1] == "no interval: no more cells than effects"


# One definition of a flip and of a gate's risk, one interval for each.


def holes(seed: int, items: int = 9, rooms: int = 4) -> np.ndarray:
    p = np.random.default_rng(seed).dirichlet([1.0] * 5, (items, rooms))
    p[np.random.default_rng(seed + 1).random((items, rooms)) < 0.25] = NAN
    return p


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_report_shows_the_flips_and_risks_of_the_statistics(seed: int, fixed: bool) -> None:
    p = holes(seed)
    found = analyse_arrays(
        p, range(5), pass_mark=2, fixed_rooms=fixed, level=0.9,
        gates={"max_gate_risk": {"bound": 0.5, "at": 0.4}},
    )  # fmt: skip
    (judge,) = found.judges
    passing = judge.heat_maps[0].passing
    mark = judge.marks[2]
    between = flip_between_prompts(passing, level=0.9, these_prompts=fixed)
    within = flip_within_prompt(passing, level=0.9, these_prompts=fixed)
    for shown, one in ((judge.summary.flip, between), (judge.summary.flip_again, within)):
        assert close(shown, one, rel=1e-12)
        assert (shown.method, shown.universe) == (one.method, one.universe)
    assert (mark.flip, mark.flip_again) == (judge.summary.flip, judge.summary.flip_again)
    assert found.gates.results[0].estimate == mean_gate_risk(passing, 0.4, level=0.9)
    at = int(np.argmin(np.abs(mark.gate_rates - 0.4)))
    assert found.gates.results[0].estimate.value == pytest.approx(mark.gate_risk[at])
    assert mark.safe_gate == safe_gate(passing)
    alone = [gate_risk(passing[:, k], 0.4).risk for k in range(4)]
    assert gate_risks(passing, [0.4])[:, 0].tolist() == alone


@pytest.mark.parametrize("seed", range(4))
def test_the_safe_gate_over_prompts_is_the_highest_that_keeps_the_risk(seed: int) -> None:
    passing = np.random.default_rng(seed).random((11, 3))
    passing[np.random.default_rng(seed).random((11, 3)) < 0.2] = NAN
    rates = np.unique([k / n for n in range(1, 12) for k in range(n + 1)])
    risks = np.nanmean(gate_risks(passing, rates), axis=0)
    found = safe_gate(passing)
    assert np.nanmean(gate_risks(passing, [found])) <= 0.05
    assert found == pytest.approx(rates[risks <= 0.05].max())


# Intervals stay inside what the scale allows.


def within(found: Estimate, low: float, high: float) -> bool:
    numbers = [n for n in (found.value, found.low, found.high) if not math.isnan(n)]
    return all(low - 1e-9 <= n <= high + 1e-9 for n in numbers)


def draws_of(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = {
        "noise": rng.integers(0, 11, (3, 2, 2)),
        "extremes": 10 * rng.integers(0, 2, (4, 3, 2)),
        "rare": 10 * (rng.random((5, 3, 3)) < 0.1),
        "items": np.broadcast_to(10 * rng.integers(0, 2, (4, 1, 1)), (4, 3, 2)),
        "rooms": np.broadcast_to(10 * rng.integers(0, 2, (1, 3, 1)), (4, 3, 2)),
        "single": rng.integers(0, 11, (3, 3, 1)),
    }[kind].astype(float)
    if seed % 2:
        made[rng.random(made.shape) < 0.15] = NAN
    return made


@pytest.mark.parametrize("kind", ["noise", "extremes", "rare", "items", "rooms", "single"])
@pytest.mark.parametrize("seed", range(4))
def test_no_interval_leaves_the_scale(kind: str, seed: int) -> None:
    draws = draws_of(kind, seed)
    gold = np.random.default_rng(seed).integers(0, 11, draws.shape[0]).astype(float)
    found = analyse_draws(draws, range(11), pass_mark=6, gold=gold, replicates=100)
    (judge,) = found.judges
    for component in judge.components.components:
        assert within(component.estimate, 0, 25), component
    assert within(judge.components.mean, 0, 10)
    s, a = judge.summary, judge.agreement
    assert all(within(e, 0, 10) for e in (s.move, s.move_again, s.move_expected))
    assert all(within(e, 0, 1) for e in (s.flip, s.flip_again, a.phi, a.phi_expected))
    assert all(within(e, 0, 5) for e in (a.sem, a.sem_expected))
    assert all(math.isnan(point.sem) or 0 <= point.sem <= 5 for point in judge.study.points)
    for row in judge.prompts:
        assert within(row.mean, 0, 10)
        assert within(row.distance, 0, 10)
        assert within(row.pass_rate, 0, 1)
        assert within(row.severity, -10, 10)
        assert within(row.bias, -10, 10)
        assert within(row.kappa, -1, 1)
    (change,) = compare(found, found, replicates=50).judges
    assert all(within(e, -10, 10) for e in (change.mean, change.move, change.gold_error))
    assert all(within(e, -25, 25) for _, e in change.components)


def test_a_variance_above_what_the_scale_allows_says_so() -> None:
    table = variance_components([[0.0, 0.0], [10.0, 10.0]], scale=(0.0, 10.0))
    assert (table["item"].raw, table["item"].estimate.value) == (50.0, 25.0)
    assert "an estimate of 50 is shown as 25, the most that scores from 0 to 10 can vary" in (
        table["item"].estimate.reason
    )


# Sentences.

FEW = "Too little data to say what another room would do: "
MOVES = "A teacher in another room would move a typical item by "


@pytest.mark.parametrize(
    ("draws", "scale", "sentence"),
    [
        ([[[5], [5]], [[7], [NAN]]], None, FEW + "only 1 item was scored in two rooms."),
        ([[[5], [6]], [[7], [NAN]]], range(11), FEW + "only 1 item was scored in two rooms."),
        ([[[5, 6], [2, 3]]], range(11), FEW + "only 1 item was scored in two rooms."),
        ([[[5]], [[7]]], range(11), FEW + "no item has two rooms."),
        ([[[NAN]]], None, FEW + "no item has two rooms."),
        ([[[5], [NAN]], [[NAN], [7]]], range(11), FEW + "no item has two rooms."),
        ([[[5], [5]], [[5], [5]]], None, FEW + "only one score occurs (give the whole scale)."),
        ([[[5], [5]], [[5], [5]]], range(11), MOVES + "0.0 points (at most 8.4)."),
        (
            [[[5], [6]], [[7], [9]]],
            range(11),
            MOVES + "1.5 points (how much of that is the draw alone is not known: no cell has two "
            "draws).",
        ),
        (
            [[[5, 5], [6, 6]], [[7, 7], [9, 9]]],
            None,
            MOVES + "1.5 points, none of it by the draw alone.",
        ),
        ([[[5, 7], [5, 7]]] * 2, None, MOVES + "1.0 points, all of it by the draw alone."),
    ],
)
def test_no_sentence_comes_from_nothing(draws: Any, scale: Any, sentence: str) -> None:
    (judge,) = analyse_draws(draws, scale).judges
    assert judge.summary.sentence == sentence


def test_of_several_judges_the_headline_names_one() -> None:
    p = np.random.default_rng(0).dirichlet([1.0] * 4, (5, 3, 2))
    levels = {"variant": ["base", "tuned"]}
    found = analyse_arrays(p, range(4), ("item", "prompt", "variant"), levels=levels, pass_mark=2)
    sentences = [judge.summary.sentence for judge in found.judges]
    assert [text.split(" a teacher")[0] for text in sentences] == ["Judge base:", "Judge tuned:"]
    (alone,) = analyse_arrays(p[..., 0, :], range(4), pass_mark=2).judges
    assert sentences[0] == f"Judge base: a{alone.summary.sentence[1:]}"
    few = analyse_arrays(p[:1], range(4), ("item", "prompt", "variant"), levels=levels)
    said = few.judges[1].summary.sentence
    assert said == f"Judge tuned: t{FEW[1:]}only 1 item was scored in two rooms."


@pytest.mark.parametrize("again", [0.0, 3.8, 4.0, 3.96, 4.2])
def test_the_headline_says_how_much_the_draw_alone_does(again: float) -> None:
    from constrained.consistency.analysis.headline import headline
    from constrained.consistency.analysis.results import Summary
    from constrained.consistency.statistics import unknown

    none = unknown("no pass mark")
    summary = Summary("", Estimate(4.0), Estimate(again), none, none, none)
    said = {0.0: "none of it", 3.8: "of which 3.8", 4.0: "all of it", 3.96: "nearly all of it"}
    text = headline(summary, items=9, scores=11, pass_mark=None, noun="essay")
    assert text == (
        "A teacher in another room would move a typical essay by 4.0 points, "
        f"{said.get(again, 'all of it')} by the draw alone."
    )


def test_of_scores_of_one_value_nothing_is_bounded() -> None:
    (judge,) = analyse_draws(np.full((6, 4, 2), 5.0)).judges
    for found in (judge.summary.move, judge.summary.move_again, judge.agreement.sem):
        assert (found.value, found.bounded) == (0.0, False)
        assert found.reason.startswith("no interval: ")


def test_scores_too_near_to_each_other_and_no_cells_are_refused() -> None:
    with pytest.raises(RecordError, match="are too close to calculate with"):
        analyse_draws(np.array([[[1e-200], [2e-200]]]))
    with pytest.raises(RecordError, match="there is no cell to analyse"):
        analyse_draws(np.zeros((0, 3, 1)))


def test_advice_says_when_the_data_set_no_bound_to_it() -> None:
    draws = np.random.default_rng(0).integers(0, 5, (6, 4, 3)).astype(float)
    (judge,) = analyse_draws(draws, range(5)).judges
    assert math.isinf(judge.study.needed.high)
    assert judge.study.advice == (
        "Averaging 219 prompts, one draw each, gives a dependability of 0.90 for 219 scorings per "
        "item, but these data set no bound to how many it takes."
    )
