"""Gate risk: how likely a pass-rate gate turns red with nothing changed; three-valued verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.estimate import Array, Estimate
from constrained.errors import RecordError

__all__ = [
    "GateRisk",
    "Verdict",
    "gate_curve",
    "gate_risk",
    "poisson_binomial",
    "safe_gate",
    "verdict",
]

Verdict: TypeAlias = Literal["pass", "fail", "not enough data"]

DIRECT = 64
"""Below this many items, polynomials are multiplied directly."""


def poisson_binomial(passing: npt.ArrayLike) -> Array:
    """The exact distribution of the number of passes; shape (n + 1,), sums to 1.

    Passes of n independent items with probabilities `passing` (n,), NaN left out: the coefficients
    of ``prod (1 - pi + pi z)``, multiplied in a tree (directly for short factors, by FFT for long
    ones), so n items cost n log^2 n. Absolute error about 1e-15. Source: Hong 2013. Proved against
    the binomial and against enumeration of all outcomes.

    >>> poisson_binomial([0.5, 0.5]).tolist()
    [0.25, 0.5, 0.25]
    """
    p = np.asarray(passing, dtype=np.float64).ravel()
    p = p[~np.isnan(p)]
    if bool(((p < 0) | (p > 1)).any()):
        raise RecordError("pass probabilities must lie between 0 and 1")
    # Certain items only shift the distribution.
    sure = int((p == 1.0).sum())
    open_items = p[(p > 0.0) & (p < 1.0)]
    table = np.ones((1, 1))
    if open_items.size:
        table = np.stack([1.0 - open_items, open_items], axis=1)
    while table.shape[0] > 1:
        if table.shape[0] % 2:
            padding = np.zeros((1, table.shape[1]))
            padding[0, 0] = 1.0
            table = np.concatenate([table, padding])
        table = _multiply(table[0::2], table[1::2])
    result = np.zeros(p.size + 1)
    body = table[0][: open_items.size + 1]
    result[sure : sure + body.size] = np.clip(body, 0.0, 1.0)
    normalised: Array = result / result.sum()
    return normalised


def _multiply(a: Array, b: Array) -> Array:
    """Row by row, the products of polynomials given by their coefficients."""
    length = 2 * a.shape[1] - 1
    if a.shape[1] <= DIRECT:
        product = np.zeros((a.shape[0], length))
        for shift in range(a.shape[1]):
            product[:, shift : shift + a.shape[1]] += a[:, shift : shift + 1] * b
        return product
    size = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(a, size, axis=1) * np.fft.rfft(b, size, axis=1)
    folded: Array = np.fft.irfft(spectrum, size, axis=1)[:, :length]
    return folded


@dataclass(frozen=True, slots=True)
class GateRisk:
    """What a gate does when nothing changes: `risk` is the probability that it turns red.

    `expected` is the expected pass rate, `low` and `high` the central `level` range of the pass
    rate over repeated runs, all 0 to 1. NaN with a `reason` when there are no items.
    """

    gate: float
    items: int
    risk: float
    expected: float
    low: float
    high: float
    level: float = 0.9
    reason: str = ""


def gate_risk(passing: npt.ArrayLike, gate: float, *, level: float = 0.9) -> GateRisk:
    """The exact probability that the pass rate of one more run falls below `gate`.

    `passing` (items,) are the pass probabilities of the items under one prompt; `gate` is the pass
    rate that must be reached, 0 to 1. Exact given these items: no sampling, no interval.

    >>> gate_risk([1.0, 0.5, 0.5], gate=0.6).risk
    0.25
    """
    p = np.asarray(passing, dtype=np.float64).ravel()
    p = p[~np.isnan(p)]
    if not p.size:
        return GateRisk(
            gate, 0, math.nan, math.nan, math.nan, math.nan, level, "no item has a pass probability"
        )
    distribution = poisson_binomial(p)
    below = np.cumsum(distribution)
    tail = (1.0 - level) / 2.0
    ends = np.searchsorted(below, [tail, 1.0 - tail])
    low, high = (float(min(end, p.size)) / p.size for end in ends)
    return GateRisk(gate, p.size, _red(distribution, gate), float(p.mean()), low, high, level)


def _red(distribution: Array, gate: float) -> float:
    """P(passes / n < gate); a pass rate equal to the gate is green."""
    n = distribution.size - 1
    needed = math.ceil(gate * n - 1e-9)
    return float(distribution[: max(needed, 0)].sum()) if needed <= n else 1.0


def gate_curve(passing: npt.ArrayLike) -> tuple[Array, Array]:
    """(pass rates k / n, probability to fall below each): the risk of every possible gate.

    >>> rates, risk = gate_curve([0.5, 0.5])
    >>> rates.tolist(), risk.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.25, 0.75])
    """
    distribution = poisson_binomial(passing)
    n = distribution.size - 1
    risk = np.concatenate([[0.0], np.cumsum(distribution)[:-1]])
    return np.arange(n + 1) / max(n, 1), np.clip(risk, 0.0, 1.0)


def safe_gate(passing: npt.ArrayLike, risk: float = 0.05) -> float:
    """The highest gate (a pass rate, 0 to 1) that turns red with probability at most `risk`.

    NaN when there are no items.

    >>> safe_gate([0.8] * 20)
    0.65
    """
    rates, risks = gate_curve(passing)
    return float(rates[risks <= risk].max()) if rates.size > 1 else math.nan


def verdict(
    estimate: Estimate, *, at_most: float = math.inf, at_least: float = -math.inf
) -> Verdict:
    """Whether an estimate clears a gate: only when its whole interval does.

    "fail" when the whole interval is on the wrong side, "not enough data" in between or when the
    value or its interval is unknown. An exact value with `reason` empty and no interval is judged
    by itself.

    >>> verdict(Estimate(0.5, 0.4, 0.6), at_most=0.7)
    'pass'
    >>> verdict(Estimate(0.5, 0.4, 0.6), at_most=0.55)
    'not enough data'
    """
    low, high = estimate.low, estimate.high
    if not estimate.bounded:
        if not estimate.known or estimate.reason:
            return "not enough data"
        low = high = estimate.value
    if high <= at_most and low >= at_least:
        return "pass"
    if low > at_most or high < at_least:
        return "fail"
    return "not enough data"
