"""Intraclass correlations: how far prompts agree on items, and on the scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.estimate import (
    BOTH,
    ITEMS,
    Estimate,
    as_scores,
    rounding,
    unknown,
)
from constrained.errors import RecordError

__all__ = ["Intraclass", "intraclass"]


@dataclass(frozen=True, slots=True)
class Intraclass:
    """The six forms, each an `Estimate` at most 1; names as McGraw and Wong 1996.

    `agreement` is ICC(A,1) = ICC(2,1), the one to report: a lenient prompt counts as error.
    `consistency` is ICC(C,1) = ICC(3,1): it does not. `one_way` is ICC(1,1), for items that met
    different prompts. The `_mean` forms are for the mean over all prompts: (A,k), (C,k), (1,k).
    """

    agreement: Estimate
    consistency: Estimate
    one_way: Estimate
    agreement_mean: Estimate
    consistency_mean: Estimate
    one_way_mean: Estimate


def intraclass(scores: npt.ArrayLike, *, level: float = 0.95) -> Intraclass:
    """Intraclass correlations of a complete matrix (items, prompts) of scores in points.

    With BMS, JMS, EMS the mean squares of items, prompts and rest, WMS within items, k prompts
    and n items::

        ICC(1,1) = (BMS - WMS) / (BMS + (k - 1) WMS)
        ICC(A,1) = (BMS - EMS) / (BMS + (k - 1) EMS + k (JMS - EMS) / n)
        ICC(C,1) = (BMS - EMS) / (BMS + (k - 1) EMS)
        ICC(A,k) = (BMS - EMS) / (BMS + (JMS - EMS) / n)      ICC(C,k) = (BMS - EMS) / BMS

    with F intervals at `level` (Satterthwaite's degrees for the agreement forms). A ratio of 0 to 0
    is NaN with the reason: items that do not differ, under prompts that do not disagree either. A
    grid with
    missing cells gives NaN: use `variance_components` and `dependability`, which allow them, as
    ICC(A,1) = Phi(1), ICC(C,1) = E-rho^2(1) and ICC(A,k) = Phi(k). Source: Shrout and Fleiss 1979;
    McGraw and Wong 1996. Oracles G (.17 .29 .71 .44 .62 .91) and N.

    >>> intraclass([[2, 4], [4, 6], [6, 8]]).agreement
    Estimate(0.6667 [0.002495, 0.9872] at 95 % for items and prompts like these, by F)
    """
    matrix = as_scores(scores)
    if matrix.ndim != 2:
        raise RecordError(f"scores of shape {matrix.shape} need the axes (item, prompt)")
    n, k = matrix.shape
    if n < 2 or k < 2:
        few = "item" if n < 2 else "prompt"
        return _all_unknown(f"only {n if n < 2 else k} {few} (use at least 2)")
    if np.isnan(matrix).any():
        return _all_unknown(
            "cells are missing: use variance_components and dependability, which allow it"
        )
    centred = matrix - matrix.mean()
    rows, columns = centred.mean(axis=1), centred.mean(axis=0)
    least = rounding(matrix) ** 2  # what is left of a mean square of equal numbers

    def square(total: float, degrees: int) -> float:
        return total / degrees if total / degrees > least else 0.0

    between = square(k * float(rows @ rows), n - 1)
    judges = square(n * float(columns @ columns), k - 1)
    rest = centred - rows[:, None] - columns[None, :]
    error = square(float((rest * rest).sum()), (n - 1) * (k - 1))
    inner = centred - rows[:, None]
    within = square(float((inner * inner).sum()), n * (k - 1))
    if between == within == 0.0:
        return _all_unknown("all scores are identical")

    tail = (1.0 - level) / 2.0
    one, one_ends = _one_way_form(between, within, k, (n - 1, n * (k - 1)), tail)
    same, same_ends = _one_way_form(between, error, k, (n - 1, (n - 1) * (k - 1)), tail)
    spread = between + (k - 1) * error + k * (judges - error) / n
    agree = (between - error) / spread if spread > 0 else math.nan
    agree_ends = _agreement_ends(agree, between, judges, error, n, k, tail)

    def estimate(value: float, ends: tuple[float, float], universe: str) -> Estimate:
        if not math.isfinite(value):
            return unknown("items do not differ")
        if between == 0.0:
            return Estimate(value, reason="no interval: items do not differ")
        return Estimate(value, *ends, level=level, universe=universe, method="F")

    def averaged(value: float, ends: tuple[float, float], universe: str) -> Estimate:
        low, high = (_step_up(end, k) for end in ends)
        return estimate(_step_up(value, k), (low, high), universe)

    return Intraclass(
        estimate(agree, agree_ends, BOTH),
        estimate(same, same_ends, ITEMS),
        estimate(one, one_ends, BOTH),
        averaged(agree, agree_ends, BOTH),
        averaged(same, same_ends, ITEMS),
        averaged(one, one_ends, BOTH),
    )


def _step_up(single: float, k: int) -> float:
    """Spearman and Brown: the coefficient of a mean of k from that of one."""
    below = 1.0 + (k - 1) * single
    return k * single / below if below > 0 or math.isnan(single) else -math.inf


def _one_way_form(
    between: float, noise: float, k: int, degrees: tuple[int, int], tail: float
) -> tuple[float, tuple[float, float]]:
    """``(BMS - MS) / (BMS + (k - 1) MS)`` and its exact F interval."""
    if noise == 0.0:
        return (math.nan, (math.nan, math.nan)) if between == 0.0 else (1.0, (1.0, 1.0))
    ratio = between / noise
    low = ratio / quantiles.f(1.0 - tail, *degrees)
    high = ratio * quantiles.f(1.0 - tail, degrees[1], degrees[0])
    value, start, end = ((x - 1.0) / (x + k - 1.0) for x in (ratio, low, high))
    return value, (start, end)


def _agreement_ends(
    value: float, between: float, judges: float, error: float, n: int, k: int, tail: float
) -> tuple[float, float]:
    """McGraw and Wong's interval of ICC(A,1), with Satterthwaite's degrees for JMS and EMS."""
    if math.isnan(value):
        return math.nan, math.nan
    if judges == 0.0 and error == 0.0:
        return 1.0, 1.0
    # The published weights have a pole at rho = 1; both are multiplied by n (1 - rho), which
    # leaves the degrees unchanged. Below 0 they make no sense: those at 0 are used.
    rho = max(value, 0.0)
    a = k * rho
    b = n * (1.0 - rho) + k * rho * (n - 1)
    terms = (a * judges, b * error)
    below = terms[0] ** 2 / (k - 1) + terms[1] ** 2 / ((n - 1) * (k - 1))
    degrees = sum(terms) ** 2 / below if below > 0 else 1.0
    degrees = max(degrees, 1e-3)
    first = quantiles.f(1.0 - tail, n - 1, degrees)
    second = quantiles.f(1.0 - tail, degrees, n - 1)
    rest = k * judges + (k * n - k - n) * error
    low = n * (between - first * error) / (first * rest + n * between)
    high = n * (second * between - error) / (rest + n * second * between)
    return low, high


def _all_unknown(reason: str) -> Intraclass:
    return Intraclass(*[unknown(reason)] * 6)
