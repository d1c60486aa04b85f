"""Intervals for sums and differences of mean squares: the modified large-sample method."""

from __future__ import annotations

import math
from collections.abc import Sequence

from constrained.consistency.statistics import quantiles

__all__ = ["combination_interval", "satterthwaite_degrees", "variance_interval"]


def satterthwaite_degrees(terms: Sequence[float], degrees: Sequence[float]) -> float:
    """Degrees of freedom of ``sum of terms``, each a coefficient times a mean square.

    ``nu = (sum t)^2 / sum(t^2 / df)``. Source: Satterthwaite 1946. NaN when all terms are 0.

    >>> satterthwaite_degrees([2.0, 2.0], [5, 5])
    10.0
    """
    below = sum(t * t / d for t, d in zip(terms, degrees, strict=True))
    return sum(terms) ** 2 / below if below > 0 else math.nan


def variance_interval(variance: float, degrees: float, level: float = 0.95) -> tuple[float, float]:
    """The chi-square interval of a variance: ``nu s^2 / chi2_{1-a/2}`` to ``nu s^2 / chi2_{a/2}``.

    Units as `variance`. Exact for independent normal data.

    >>> [round(end, 3) for end in variance_interval(1.0, 4)]
    [0.359, 8.257]
    """
    tail = (1.0 - level) / 2.0
    return (
        degrees * variance / quantiles.chi_square(1.0 - tail, degrees),
        degrees * variance / quantiles.chi_square(tail, degrees),
    )


def combination_interval(
    coefficients: Sequence[float],
    mean_squares: Sequence[float],
    degrees: Sequence[float],
    level: float = 0.95,
) -> tuple[float, float]:
    """The interval of ``sum c_j MS_j`` for independent mean squares; ends may be negative.

    One mean square gives the chi-square interval exactly, and for a difference the interval
    excludes 0 exactly when the F test rejects. Source: Graybill and Wang 1980 (sums); Ting,
    Burdick, Graybill, Jeyaratnam and Lu 1990 (differences). Proved by the coverage of planted
    components, and by oracle A's one-mean-square effect.
    """
    tail = (1.0 - level) / 2.0
    terms = [
        (c * max(ms, 0.0), d)
        for c, ms, d in zip(coefficients, mean_squares, degrees, strict=True)
        if c != 0.0
    ]
    value = sum(t for t, _ in terms)
    plus = [(t, d) for t, d in terms if t > 0]
    minus = [(-t, d) for t, d in terms if t < 0]
    low = value - math.sqrt(max(_spread(plus, minus, tail), 0.0))
    high = value + math.sqrt(max(_spread(minus, plus, tail), 0.0))
    return low, high


def _shrink(degrees: float, tail: float) -> float:
    return 1.0 - degrees / quantiles.chi_square(1.0 - tail, degrees)


def _stretch(degrees: float, tail: float) -> float:
    return degrees / quantiles.chi_square(tail, degrees) - 1.0


def _spread(
    down: Sequence[tuple[float, float]], up: Sequence[tuple[float, float]], tail: float
) -> float:
    """The squared distance to the bound at which the `down` terms are small, the `up` ones large.

    The upper bound of a combination is the lower bound of its negative, so both bounds use this.
    """
    total = sum((_shrink(d, tail) * t) ** 2 for t, d in down)
    total += sum((_stretch(d, tail) * t) ** 2 for t, d in up)
    for t, d in down:
        for u, e in up:
            ratio = quantiles.f(1.0 - tail, d, e)
            cross = (ratio - 1.0) ** 2 - (_shrink(d, tail) * ratio) ** 2 - _stretch(e, tail) ** 2
            total += cross / ratio * t * u
    if up and len(down) > 1:
        for index, (t, d) in enumerate(down):
            for u, e in down[index + 1 :]:
                both = (_shrink(d + e, tail) * (d + e)) ** 2 / (d * e)
                both -= _shrink(d, tail) ** 2 * d / e + _shrink(e, tail) ** 2 * e / d
                total += both / (len(down) - 1) * t * u
    return total
