"""A scripted judge with planted variance components: 95 % intervals must hold them in 95 %.

Each run plants item, prompt and interaction effects and a draw variance in exact distributions
over whole scores, then asks for components and Phi from the exact cells, from three draws each,
and with a tenth of the cells missing. 1000 runs; 95 % intervals that are right hold the truth in
93 % of them or more with probability 0.998.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from constrained.consistency.statistics import (
    Cells,
    crossed_mean,
    dependability_estimates,
    exact_cells,
    sampled_cells,
    variance_components,
)

ITEM, PROMPT, BOTH, DRAW = 4.0, 0.5, 0.8, 0.8
MEAN = 20.0
SCORES = np.arange(41.0)
SHAPE = (30, 8)
RUNS = 1000
DRAWS = 3


def scripted_judge(rng: np.random.Generator) -> np.ndarray:
    """Exact distributions (items, prompts, scores) whose mean and variance are the planted ones.

    A whole score below or above the planted mean, then up or down by one with the probability
    that fills the variance up; draws of some items are noisier than those of others.
    """
    mean = MEAN + rng.normal(0, ITEM**0.5, (SHAPE[0], 1)) + rng.normal(0, PROMPT**0.5, SHAPE[1])
    mean = mean + rng.normal(0, BOTH**0.5, SHAPE)
    variance = DRAW + rng.uniform(-0.12, 0.12, (SHAPE[0], 1)) + rng.uniform(-0.06, 0.06, SHAPE[1])
    below = np.floor(mean)
    part = mean - below
    step = (variance - part * (1 - part)) / 2
    p = np.zeros((*SHAPE, SCORES.size))
    rows, columns = np.indices(SHAPE)
    place = below.astype(int)
    for offset, weight in (
        (-1, (1 - part) * step),
        (0, (1 - part) * (1 - 2 * step) + part * step),
        (1, part * (1 - 2 * step) + (1 - part) * step),
        (2, part * step),
    ):
        p[rows, columns, place + offset] = weight
    return p


def test_the_scripted_judge_has_the_planted_moments() -> None:
    cells = exact_cells(scripted_judge(np.random.default_rng(0)), SCORES)
    assert cells.variance.mean() == pytest.approx(DRAW, abs=0.05)
    many = [exact_cells(scripted_judge(np.random.default_rng(s)), SCORES).mean for s in range(200)]
    assert np.mean(many) == pytest.approx(MEAN, abs=0.1)
    expected = ITEM * 29 / 30 + PROMPT * 7 / 8 + BOTH * 239 / 240  # of a grid about its own mean
    assert np.mean([m.var() for m in many]) == pytest.approx(expected, rel=0.05)


def _cells(kind: str, rng: np.random.Generator) -> Cells:
    p = scripted_judge(rng)
    missing = rng.random(SHAPE) < (0.1 if "holes" in kind else 0.0)
    if "exact" in kind:
        p[missing] = np.nan
        return exact_cells(p, SCORES)
    u = rng.random((*SHAPE, DRAWS, 1))
    draws = (u > p.cumsum(axis=-1)[:, :, None, :]).sum(axis=-1).astype(float)
    draws[missing] = np.nan
    return sampled_cells(draws)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["exact", "sampled", "exact with holes", "sampled with holes"])
def test_planted_components_lie_in_their_intervals(kind: str) -> None:
    noise = 0.0 if "exact" in kind else DRAW / DRAWS
    truth = {
        "item": ITEM,
        "prompt": PROMPT,
        "item x prompt": BOTH,
        "draw": DRAW,
        "mean": MEAN,
        "phi": ITEM / (ITEM + PROMPT + BOTH + noise),
        "sem": math.sqrt(PROMPT + BOTH + noise),
    }
    hits = dict.fromkeys(truth, 0)
    for run in range(RUNS):
        cells = _cells(kind, np.random.default_rng([2026, run]))
        table = variance_components(cells)
        one = dependability_estimates(table, {"prompt": 1}, draws=1000)
        found = {c.name: c.estimate for c in table.components}
        found |= {"mean": table.mean, "phi": one.phi, "sem": one.sem}
        for name, value in truth.items():
            hits[name] += found[name].low <= value <= found[name].high
    assert min(hits.values()) >= 0.93 * RUNS, hits


def test_intervals_of_a_crossed_mean_hold_with_few_prompts() -> None:
    hits = 0
    for run in range(600):
        rng = np.random.default_rng([7, run])
        y = rng.normal(0, 1, (25, 1)) + rng.normal(0, 0.7, 5) + rng.normal(0, 1, (25, 5))
        found = crossed_mean(y)
        hits += found.low <= 0.0 <= found.high
    assert hits >= 0.93 * 600
