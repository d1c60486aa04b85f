"""Gate risk: how likely a pass-rate gate turns red with nothing changed; three-valued verdicts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.comparison import item_mean
from constrained.consistency.statistics.estimate import Array, Estimate, unknown
from constrained.errors import RecordError

__all__ = [
    "GateCurves",
    "GateRisk",
    "Verdict",
    "gate_curve",
    "gate_risk",
    "gate_risks",
    "mean_gate_risk",
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
    below = _reached(p)[1:]
    tail = (1.0 - level) / 2.0
    ends = np.searchsorted(below, [tail, 1.0 - tail])
    low, high = (float(min(end, p.size)) / p.size for end in ends)
    risk = float(gate_risks(p[:, None], np.array([gate]))[0, 0])
    return GateRisk(gate, p.size, risk, float(p.mean()), low, high, level)


@dataclass(frozen=True, slots=True, eq=False)
class GateCurves:
    """The distribution of the number of passes of one more run under each prompt.

    `below` holds, for every prompt, P(fewer than k passes) for k = 0 to items + 1; None for a
    prompt without items. Every risk of a gate comes from here.

    >>> GateCurves.of([[0.5, 1.0], [0.5, 1.0]]).risks([0.5, 1.0]).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """

    below: tuple[Array | None, ...]

    @classmethod
    def of(cls, passing: npt.ArrayLike) -> GateCurves:
        """From pass probabilities (items, prompts), NaN where missing."""
        p = np.asarray(passing, dtype=np.float64)
        if p.ndim != 2:
            raise RecordError(f"pass probabilities of shape {p.shape} need the axes (item, prompt)")
        columns = (column[~np.isnan(column)] for column in p.T)
        return cls(tuple(_reached(known) if known.size else None for known in columns))

    def risks(self, gates: npt.ArrayLike) -> Array:
        """P(pass rate < gate) of every prompt and gate; (prompts, gates), NaN without items."""
        rates = np.asarray(gates, dtype=np.float64)
        none = np.full(rates.size, np.nan)
        rows = [none if below is None else _missed(below, rates) for below in self.below]
        return np.array(rows).reshape(len(rows), rates.size)

    def safe(self, risk: float = 0.05) -> float:
        """The highest gate that a run under a random prompt misses with probability `risk` at most.

        NaN when there are no items.
        """
        curves = [below for below in self.below if below is not None]
        best = math.nan
        for curve in curves:  # the mean risk rises with the gate, in steps at k / n of each prompt
            n = curve.size - 2
            low, high = 0, n
            while low < high:
                middle = (low + high + 1) // 2
                rate = np.array([middle / n])
                red = float(np.mean([_missed(other, rate)[0] for other in curves]))
                low, high = (middle, high) if red <= risk else (low, middle - 1)
            best = low / n if math.isnan(best) else max(best, low / n)
        return best


def gate_risks(passing: npt.ArrayLike, gates: npt.ArrayLike) -> Array:
    """The exact probability that one more run under each prompt passes less often than each gate.

    `passing` (items, prompts), NaN where missing; `gates` (gates,) are pass rates, 0 to 1; the
    result is (prompts, gates), NaN for a prompt without items.

    >>> gate_risks([[0.5, 1.0], [0.5, 1.0]], [0.5, 1.0]).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    return GateCurves.of(passing).risks(gates)


def _reached(passing: Array) -> Array:
    """P(fewer than k passes) for k = 0 to n + 1."""
    return np.concatenate([[0.0], np.clip(np.cumsum(poisson_binomial(passing)), 0.0, 1.0)])


def _missed(below: Array, rates: Array) -> Array:
    """P(passes / n < rate) for every rate, from `_reached`; a pass rate equal to it is green."""
    n = below.size - 2
    # What is needed is a whole number, whatever rate * n looks like in binary.
    needed = np.ceil(rates * n - 1e-9 * max(1.0, 1e-6 * n))
    missed: Array = below[np.clip(needed, 0, n + 1).astype(np.intp)]
    return missed


def mean_gate_risk(passing: npt.ArrayLike, gate: float, *, level: float = 0.95) -> Estimate:
    """The mean over prompts of `gate_risks`, 0 to 1: one more run under a random prompt.

    `passing` (items, prompts), NaN where missing. Exact for these prompts; the interval, from the
    spread of the risk over prompts with t, is for prompts like these and needs two.

    >>> mean_gate_risk([[0.5, 1.0], [0.5, 1.0]], gate=1.0).value
    0.375
    """
    risks = gate_risks(passing, [gate])[:, 0]
    if np.isnan(risks).all():
        return unknown("no item has a pass probability")
    found = item_mean(risks, level=level).truncated(0.0, 1.0)
    reason = "" if found.bounded else "no interval: only 1 room"
    return replace(found, universe="these items, prompts like these", reason=reason)


def gate_curve(passing: npt.ArrayLike) -> tuple[Array, Array]:
    """(pass rates k / n, probability to fall below each): the risk of every possible gate.

    >>> rates, risk = gate_curve([0.5, 0.5])
    >>> rates.tolist(), risk.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.25, 0.75])
    """
    below = _reached(np.asarray(passing, dtype=np.float64).ravel())
    n = below.size - 2
    return np.arange(n + 1) / max(n, 1), below[:-1]


def safe_gate(passing: npt.ArrayLike, risk: float = 0.05) -> float:
    """The highest gate (a pass rate, 0 to 1) that turns red with probability at most `risk`.

    `passing` (items,) under one prompt, or (items, prompts): then one more run under a random
    prompt. NaN when there are no items.

    >>> safe_gate([0.8] * 20)
    0.65
    """
    p = np.asarray(passing, dtype=np.float64)
    return GateCurves.of(p[:, None] if p.ndim == 1 else p).safe(risk)


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
