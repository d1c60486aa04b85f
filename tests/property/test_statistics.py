"""Laws of the statistics, against brute force and against each other."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from constrained.consistency.statistics import (
    Metric,
    alpha,
    between_prompts,
    dependability,
    entropy,
    exact_alpha,
    exact_cells,
    flip_between_prompts,
    gate_risk,
    intraclass,
    item_spread,
    jensen_shannon,
    joint_scores,
    pass_probability,
    poisson_binomial,
    quadratic_kappa,
    sampled_cells,
    straddle_rate,
    total_variation,
    variance_components,
    wasserstein,
    weighted_kappa,
)

SHAPES = st.tuples(st.integers(2, 7), st.integers(2, 6))
POINTS = st.integers(0, 10).map(float)
HOLES = st.one_of(POINTS, POINTS, POINTS, st.just(math.nan))
UNIT = st.floats(0.0, 1.0)


def matrices(elements: st.SearchStrategy[float] = POINTS) -> st.SearchStrategy[np.ndarray]:
    return SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=elements))


@st.composite
def grids_of_distributions(draw: st.DrawFn) -> np.ndarray:
    """Shape (items, prompts, scores); some cells certain, none missing."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(2, 4)), draw(st.integers(2, 5)))
    weights = draw(arrays(np.float64, shape, elements=st.integers(0, 5).map(float)))
    weights[..., 0] += weights.sum(axis=-1) == 0
    return weights / weights.sum(axis=-1, keepdims=True)


# The identities between generalizability theory and intraclass correlations.


@given(matrices())
def test_intraclass_correlations_are_coefficients_of_dependability(scores: np.ndarray) -> None:
    forms = intraclass(scores)
    assume(forms.agreement.known)
    table = variance_components(scores)
    one, all_prompts = dependability(table, {"prompt": 1}), dependability(table)
    if table.raw("item") + table.raw("prompt") + table.raw("item", "prompt") > 1e-9:
        assert forms.agreement.value == pytest.approx(one.phi, abs=1e-9)  # ICC(A,1) = Phi(1)
    if table.raw("item") + table.raw("item", "prompt") > 1e-9:
        assert forms.consistency.value == pytest.approx(one.generalizability, abs=1e-9)
    if all_prompts.item_variance + all_prompts.absolute_error > 1e-9:
        assert forms.agreement_mean.value == pytest.approx(all_prompts.phi, abs=1e-9)


@given(matrices())
def test_intervals_hold_their_value(scores: np.ndarray) -> None:
    forms = intraclass(scores)
    for form in (forms.agreement, forms.consistency, forms.one_way):
        if form.bounded:
            assert form.low - 1e-9 <= form.value <= form.high + 1e-9
    for component in variance_components(scores).components:
        if component.estimate.bounded:
            shown = component.estimate
            assert 0.0 <= shown.low <= shown.value + 1e-9
            assert component.raw <= shown.high + 1e-9 or component.raw < 0


# Variance components.


@given(matrices(HOLES), st.floats(-100, 100), st.floats(0.1, 10), st.sampled_from(["I", "III"]))
def test_components_ignore_a_shift_and_square_a_stretch(
    scores: np.ndarray, shift: float, stretch: float, method: str
) -> None:
    plain = variance_components(scores, method=method)
    moved = variance_components(stretch * scores + shift, method=method)
    for one, two in zip(plain.components, moved.components, strict=True):
        assert two.raw == pytest.approx(stretch**2 * one.raw, abs=1e-6, rel=1e-6, nan_ok=True)


@given(matrices(HOLES), st.randoms(use_true_random=False), st.sampled_from(["I", "III"]))
def test_components_ignore_the_order_of_items_and_prompts(
    scores: np.ndarray, random: object, method: str
) -> None:
    rows, columns = list(range(scores.shape[0])), list(range(scores.shape[1]))
    random.shuffle(rows)  # type: ignore[attr-defined]
    random.shuffle(columns)  # type: ignore[attr-defined]
    plain = variance_components(scores, method=method)
    mixed = variance_components(scores[np.ix_(rows, columns)], method=method)
    for one, two in zip(plain.components, mixed.components, strict=True):
        assert two.raw == pytest.approx(one.raw, abs=1e-8, nan_ok=True)


@given(matrices(HOLES))
def test_method_i_totals_are_the_plain_sums(scores: np.ndarray) -> None:
    table = variance_components(scores, method="I")
    seen = ~np.isnan(scores)
    by_item = sum(
        row[s].sum() ** 2 / s.sum() for row, s in zip(scores, seen, strict=True) if s.any()
    )
    if not math.isnan(table["item"].total):
        assert table["item"].total == pytest.approx(by_item)
        if not math.isnan(table["item", "prompt"].total):
            assert table["item", "prompt"].total == pytest.approx((scores[seen] ** 2).sum())


@given(arrays(np.float64, (4, 3, 3), elements=POINTS))
def test_three_facet_components_are_moebius_sums_of_mean_squares(scores: np.ndarray) -> None:
    """The textbook formulas of the crossed three-way design, cyclically."""
    table = variance_components(scores, ("a", "b", "c"))
    ms = {frozenset(c.effect): c.mean_square for c in table.components if c.effect != ("draw",)}
    full = ms[frozenset("abc")]
    sizes = {"a": 4, "b": 3, "c": 3}
    for x, y, z in [("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")]:
        pair = (ms[frozenset({x, y})] - full) / sizes[z]
        assert table.raw(x, y) == pytest.approx(pair, abs=1e-9)
        single = ms[frozenset(x)] - ms[frozenset({x, y})] - ms[frozenset({x, z})] + full
        assert table.raw(x) == pytest.approx(single / (sizes[y] * sizes[z]), abs=1e-9)
    squares = sum(c.sum_of_squares for c in table.components if c.effect != ("draw",))
    assert squares == pytest.approx(((scores - scores.mean()) ** 2).sum(), abs=1e-8)


@given(grids_of_distributions())
def test_an_exact_grid_obeys_the_law_of_total_variance(p: np.ndarray) -> None:
    scores = np.arange(p.shape[-1], dtype=float)
    cells = exact_cells(p, scores)
    for i in range(p.shape[0]):
        mixture = p[i].mean(axis=0)
        total = mixture @ scores**2 - (mixture @ scores) ** 2
        parts = cells.variance[i].mean() + cells.mean[i].var()
        assert total == pytest.approx(parts, abs=1e-9)


@given(grids_of_distributions())
@settings(max_examples=25)
def test_many_draws_converge_to_the_exact_cells(p: np.ndarray) -> None:
    scores = np.arange(p.shape[-1], dtype=float)
    exact = exact_cells(p, scores)
    n = 400
    copies = np.round(p * n).astype(int)
    copies[..., 0] += n - copies.sum(axis=-1)
    assume((copies >= 0).all())
    draws = np.empty((*p.shape[:2], n))
    for i, j in np.ndindex(*p.shape[:2]):
        draws[i, j] = np.repeat(scores, copies[i, j])
    sampled = sampled_cells(draws)
    assert sampled.mean == pytest.approx(exact.mean, abs=0.05)
    assert sampled.variance == pytest.approx(exact.variance, abs=0.1)


# Krippendorff's alpha, by definition.


def _alpha_by_definition(scores: np.ndarray, metric: Metric) -> float:
    units = [[v for v in row if not math.isnan(v)] for row in scores]
    units = [unit for unit in units if len(unit) > 1]
    everything = [v for unit in units for v in unit]
    n = len(everything)
    counts = Counter(everything)

    def difference(c: float, k: float) -> float:
        if metric == "nominal":
            return float(c != k)
        if metric == "interval":
            return (c - k) ** 2
        if metric == "ratio":
            return ((c - k) / (c + k)) ** 2 if c + k else 0.0
        low, high = min(c, k), max(c, k)
        between = sum(counts[g] for g in counts if low <= g <= high)
        return (between - (counts[c] + counts[k]) / 2) ** 2 if c != k else 0.0

    observed = sum(
        difference(a, b) / (len(unit) - 1)
        for unit in units
        for a, b in itertools.permutations(unit, 2)
    )
    expected = sum(difference(a, b) for a, b in itertools.permutations(everything, 2))
    return 1 - (n - 1) * observed / expected if expected else math.nan


@given(matrices(HOLES), st.sampled_from(["nominal", "ordinal", "interval", "ratio"]))
def test_alpha_is_its_definition(scores: np.ndarray, metric: Metric) -> None:
    mine = alpha(scores, metric, replicates=0)
    theirs = math.nan
    if (np.sum(~np.isnan(scores), axis=1) > 1).any():
        theirs = _alpha_by_definition(scores, metric)
    assert mine.value == pytest.approx(theirs, abs=1e-9, nan_ok=True)


@given(grids_of_distributions(), st.sampled_from(["nominal", "interval", "ratio"]))
@settings(max_examples=40)
def test_exact_alpha_has_the_expected_coincidences(p: np.ndarray, metric: Metric) -> None:
    """Enumerates every way the cells of each item can come out."""
    items, prompts, size = p.shape
    values = np.arange(1.0, size + 1)
    coincidences = np.zeros((size, size))
    for i in range(items):
        for outcome in itertools.product(range(size), repeat=prompts):
            chance = math.prod(p[i, j, k] for j, k in enumerate(outcome))
            for a, b in itertools.permutations(outcome, 2):
                coincidences[a, b] += chance / (prompts - 1)
    counts = coincidences.sum(axis=1)
    d = values[:, None] - values[None, :]
    difference = {"nominal": (d != 0) * 1.0, "interval": d**2, "ratio": (d / (d + 2 * values)) ** 2}
    # (c - k) / (c + k) with c + k = (c - k) + 2 k
    expected = counts @ difference[metric] @ counts
    assume(expected > 1e-9)
    n = items * prompts
    direct = 1 - (n - 1) * (coincidences * difference[metric]).sum() / expected
    assert exact_alpha(p, values, metric, replicates=0).value == pytest.approx(direct, abs=1e-9)


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=30),
)
def test_quadratic_kappa_is_the_weighted_kappa_of_the_full_table(
    pairs: list[tuple[int, int]],
) -> None:
    table = np.zeros((7, 7))
    for a, b in pairs:
        table[a, b] += 1
    k = np.arange(7)
    by_table = weighted_kappa(table, (k[:, None] - k[None, :]) ** 2 / 36)
    a, b = zip(*pairs, strict=True)
    mine = quadratic_kappa(a, b, scale=range(7), replicates=0)
    assert mine.value == pytest.approx(by_table.value, abs=1e-9, nan_ok=True)


# Flips and gates, by enumeration.


@given(grids_of_distributions(), st.integers(0, 4))
def test_flip_rate_is_what_all_pairs_of_draws_do(p: np.ndarray, mark: int) -> None:
    items, prompts, size = p.shape
    passing = pass_probability(p, range(size), mark)
    rates = []
    for i in range(items):
        flips = [
            p[i, a, x] * p[i, b, y] * ((x >= mark) != (y >= mark))
            for a, b in itertools.combinations(range(prompts), 2)
            for x in range(size)
            for y in range(size)
        ]
        rates.append(sum(flips) / math.comb(prompts, 2))
    found = flip_between_prompts(passing).value
    assert found == pytest.approx(np.mean(rates), abs=1e-9)


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 5)), elements=UNIT))
def test_straddle_rate_enumerates_all_outcomes(passing: np.ndarray) -> None:
    rates = []
    for row in passing:
        rate = 0.0
        for outcome in itertools.product([True, False], repeat=row.size):
            if 0 < sum(outcome) < row.size:
                rate += math.prod(q if o else 1 - q for q, o in zip(row, outcome, strict=True))
        rates.append(rate)
    assert straddle_rate(passing).value == pytest.approx(np.mean(rates), abs=1e-9)


@given(st.lists(UNIT, max_size=9))
def test_poisson_binomial_enumerates_all_outcomes(passing: list[float]) -> None:
    table = np.zeros(len(passing) + 1)
    for outcome in itertools.product([0, 1], repeat=len(passing)):
        table[sum(outcome)] += math.prod(
            q if o else 1 - q for q, o in zip(passing, outcome, strict=True)
        )
    assert poisson_binomial(passing) == pytest.approx(table, abs=1e-12)


@given(st.integers(1, 3000), st.floats(0.01, 0.99))
@settings(max_examples=30)
def test_poisson_binomial_of_equal_items_is_binomial(n: int, chance: float) -> None:
    expected = scipy.stats.binom.pmf(np.arange(n + 1), n, chance)
    assert poisson_binomial(np.full(n, chance)) == pytest.approx(expected, abs=1e-12)


@given(st.lists(UNIT, min_size=1, max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_gate_risk_rises_with_the_gate(passing: list[float], one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert gate_risk(passing, low).risk <= gate_risk(passing, high).risk + 1e-12


# Distances.


@given(grids_of_distributions())
def test_distances_agree_with_scipy(p: np.ndarray) -> None:
    scores = np.cumsum(np.arange(1.0, p.shape[-1] + 1))  # uneven steps
    a, b = p[0, 0], p[0, 1]
    assert wasserstein(a, b, scores) == pytest.approx(
        scipy.stats.wasserstein_distance(scores, scores, a, b), abs=1e-9
    )
    assert entropy(a) == pytest.approx(scipy.stats.entropy(a, base=2), abs=1e-9)
    mean = (a + b) / 2
    divergence = (scipy.stats.entropy(a, mean, base=2) + scipy.stats.entropy(b, mean, base=2)) / 2
    assert jensen_shannon(a, b) == pytest.approx(divergence, abs=1e-9)


@given(grids_of_distributions())
def test_distances_obey_their_inequalities(p: np.ndarray) -> None:
    scores = np.arange(p.shape[-1], dtype=float)
    a, b = p[0, 0], p[0, 1]
    moved, apart = wasserstein(a, b, scores), total_variation(a, b)
    assert moved >= abs(float((a - b) @ scores)) - 1e-9
    assert apart - 1e-9 <= moved <= apart * (p.shape[-1] - 1) + 1e-9
    assert jensen_shannon(a, b) <= apart + 1e-9


@given(grids_of_distributions())
def test_mean_distance_between_prompts_is_the_mean_over_pairs(p: np.ndarray) -> None:
    scores = np.array([3.0, 0.0, 1.0, 7.0, 5.0])[: p.shape[-1]]
    for i, mine in enumerate(between_prompts(p, scores)):
        pairs = itertools.combinations(range(p.shape[1]), 2)
        each = [float(wasserstein(p[i, a], p[i, b], scores)) for a, b in pairs]
        assert mine == pytest.approx(np.mean(each), abs=1e-9)


@given(matrices(HOLES))
def test_spread_of_an_item_is_over_the_prompts_it_has(scores: np.ndarray) -> None:
    found = item_spread(scores)
    for i, row in enumerate(scores):
        known = row[~np.isnan(row)]
        assert found.prompts[i] == known.size
        if known.size < 2:
            assert math.isnan(found.move[i])
            continue
        pairs = [abs(a - b) for a, b in itertools.combinations(known, 2)]
        assert found.move[i] == pytest.approx(np.mean(pairs), abs=1e-9)
        assert found.span[i] == max(pairs)
        assert found.variance[i] == pytest.approx(known.var(ddof=1), abs=1e-9)


@given(arrays(np.float64, (3, 4, 4), elements=st.integers(1, 9).map(float)))
def test_outcomes_of_a_pair_sum_to_one_and_means_are_marginal(weights: np.ndarray) -> None:
    joint = weights / weights.sum(axis=(1, 2), keepdims=True)
    found = joint_scores(joint, [1, 2, 3, 4])
    assert found.win + found.tie + found.loss == pytest.approx(np.ones(3))
    for i in range(3):
        first = sum(joint[i, a, b] * (a + 1) for a in range(4) for b in range(4))
        loss = sum(joint[i, a, b] for a in range(4) for b in range(4) if a < b)
        assert found.first[i] == pytest.approx(first)
        assert found.loss[i] == pytest.approx(loss)
