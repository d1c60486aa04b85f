"""Quantiles of the normal, t, chi-square and F distributions; the one place that needs scipy."""

from __future__ import annotations

import math
from types import ModuleType

from constrained.errors import MissingPackage
from constrained.packages import remedy

__all__ = ["chi_square", "f", "normal", "t"]


def _special() -> ModuleType:
    """`scipy.special`, imported on first use (importing the package needs numpy only)."""
    try:
        from scipy import special  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise MissingPackage("scipy", "an interval", install=remedy("consistency")) from error
    module: ModuleType = special
    return module


def normal(probability: float) -> float:
    """The standard normal quantile.

    >>> round(normal(0.975), 6)
    1.959964
    """
    return float(_special().ndtri(probability))


def t(probability: float, degrees: float) -> float:
    """The quantile of Student's t; infinite degrees give the normal one.

    >>> round(t(0.975, 4), 4)
    2.7764
    """
    if math.isinf(degrees):
        return normal(probability)
    return float(_special().stdtrit(degrees, probability))


def chi_square(probability: float, degrees: float) -> float:
    """The quantile of chi-square; degrees need not be whole.

    >>> round(chi_square(0.95, 1), 4)
    3.8415
    """
    return float(2.0 * _special().gammaincinv(degrees / 2.0, probability))


def f(probability: float, numerator: float, denominator: float) -> float:
    """The quantile of F; infinite denominator degrees give chi-square / degrees.

    >>> round(f(0.95, 5, 15), 4)
    2.9013
    """
    if math.isinf(denominator):
        return chi_square(probability, numerator) / numerator
    return float(_special().fdtri(numerator, denominator, probability))
