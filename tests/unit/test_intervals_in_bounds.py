"""What scores between two ends can be: no number and no interval of a report goes beyond it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from constrained.consistency.analysis import analyse_draws, compare
from constrained.consistency.statistics import Estimate

SHARES = {"flip", "flip_again", "phi", "phi_expected", "generalizability", "pass_rate", "straddle"}
"""From 0 to 1, whatever the scale."""

HALVES = {"sem", "sem_expected"}
"""At most half the scale."""

OTHERS = {"needed", "seed_share", "alpha", "kappa"}
"""Counts and coefficients with bounds of their own."""


def estimates(value: Any, name: str = "") -> Iterator[tuple[str, Estimate]]:
    """All estimates in a result, with the name of the field that each is in or below."""
    if isinstance(value, Estimate):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            inner = name if field.name == "estimate" else field.name
            yield from estimates(getattr(value, field.name), inner)
    elif isinstance(value, tuple):
        for one in value:
            yield from estimates(one, name)


def range_of(name: str, low: float, high: float) -> tuple[float, float]:
    """What a number of this name can be, of scores from `low` to `high`."""
    width = high - low
    if name in SHARES:
        return 0.0, 1.0
    if name in HALVES:
        return 0.0, width / 2
    if name == "components":
        return 0.0, width**2 / 4
    if name == "mean":
        return low, high
    return (-width, width) if name in ("severity", "bias") else (0.0, width)


SCORES = np.arange(11.0)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
PLACES = SHAPES.flatmap(lambda shape: arrays(np.int8, shape, elements=st.integers(-1, 10)))
"""Places on a scale of eleven scores; -1 is a hole."""

ENDS = [(0.0, 10.0), (-5.0, 5.0), (1e6, 1e6 + 10), (0.0, 1e-7)]


def draws(places: Any, scale: Any) -> Any:
    return np.where(places < 0, np.nan, scale[places])


def inside(found: Estimate, low: float, high: float, slack: float) -> bool:
    numbers = [found.value, found.low, found.high]
    return all(math.isnan(one) or low - slack <= one <= high + slack for one in numbers)


@settings(max_examples=60, deadline=None)
@given(PLACES, st.sampled_from(ENDS))
def test_an_analysis_stays_within_what_bounded_scores_can_be(places, ends):
    assume(bool((places >= 0).any()))
    scale = np.linspace(*ends, 11)
    found = analyse_draws(draws(places, scale), scale, pass_mark=float(scale[5]), replicates=20)
    seen = set()
    for name, one in estimates(found.judges):
        if name not in OTHERS:
            low, high = range_of(name, *ends)
            assert inside(one, low, high, 1e-9 * (high - low)), (name, one)
            seen.add(name)
    assert {"move", "move_again", "move_expected", "sem", "severity", "distance"} <= seen


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_comparison_stays_within_what_bounded_scores_can_differ_by(data):
    shape = data.draw(SHAPES)
    places = [data.draw(arrays(np.int8, shape, elements=st.integers(-1, 10))) for _ in range(2)]
    assume(bool(((places[0] >= 0).any(axis=(1, 2)) & (places[1] >= 0).any(axis=(1, 2))).any()))
    runs = [analyse_draws(draws(one, SCORES), SCORES, pass_mark=5, replicates=20) for one in places]
    found = compare(*runs, replicates=20)
    for judge in found.judges:
        for name in ("mean", "move", "flip", "sem", "phi"):
            most = {"flip": 1.0, "phi": 1.0, "sem": 5.0}.get(name, 10.0)
            assert inside(getattr(judge, name), -most, most, 1e-9), (name, getattr(judge, name))
