"""`Estimate`: a number with its interval and what it generalises to, or why it is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.errors import RecordError

__all__ = [
    "BOTH",
    "ITEMS",
    "LARGEST",
    "ROUNDING",
    "SMALLEST",
    "THESE",
    "Array",
    "Estimate",
    "as_scores",
    "item_means",
    "rounding",
    "unknown",
]

Array: TypeAlias = npt.NDArray[np.float64]

THESE = "these items, these prompts"
"""Nothing is generalised: the number describes the cells at hand."""

ITEMS = "items like these, these prompts"
"""Other items, the same prompts."""

BOTH = "items and prompts like these"
"""Other items and other prompts: other rooms."""


@dataclass(frozen=True, slots=True, repr=False)
class Estimate:
    """A number, its interval, and what the interval generalises to.

    `value` is NaN when the data cannot say, and `reason` then tells why; it may also hold a caution
    about a known value. `low` and `high` are NaN when only the interval is out of reach.
    `monte_carlo` is the standard error that a bootstrap adds to the interval's ends (0 for closed
    forms). Units are those of the quantity itself.

    >>> Estimate(0.75134, 0.62, 0.84, universe=BOTH, method="F")
    Estimate(0.7513 [0.62, 0.84] at 95 % for items and prompts like these, by F)
    >>> unknown("only one prompt")
    Estimate(nan: only one prompt)
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    level: float = 0.95
    universe: str = THESE
    method: str = ""
    reason: str = ""
    monte_carlo: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is a number at all."""
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))

    def truncated(self, low: float = 0.0, high: float = math.inf) -> Estimate:
        """The same estimate with the value and the interval kept inside [low, high]."""

        def keep(number: float) -> float:
            return number if math.isnan(number) else min(max(number, low), high)

        return replace(self, value=keep(self.value), low=keep(self.low), high=keep(self.high))

    def __str__(self) -> str:
        if not self.known:
            return f"nan: {self.reason}"
        if not self.bounded:
            return f"{self.value:.4g} ({self.reason})" if self.reason else f"{self.value:.4g}"
        ends = f"[{self.low:.4g}, {self.high:.4g}] at {100 * self.level:g} % for {self.universe}"
        text = f"{self.value:.4g} {ends}" + (f", by {self.method}" if self.method else "")
        return f"{text} ({self.reason})" if self.reason else text

    def __repr__(self) -> str:
        return f"Estimate({self})"


def unknown(reason: str) -> Estimate:
    """The estimate of what the data cannot tell: NaN, with the reason."""
    return Estimate(math.nan, reason=reason)


LARGEST = 1e60
"""The largest score: its fourth power is a double."""

SMALLEST = 1e-60
"""Scores that are nearer to each other than this count as equal."""

ROUNDING = 16.0 * float(np.finfo(np.float64).eps)
"""Differences below this part of the largest number are rounding, and count as none."""


def as_scores(values: npt.ArrayLike) -> Array:
    """`values` as an array of float64, NaN where one is missing.

    Raises `RecordError` for what is no array of numbers, and for a score beyond `LARGEST`.

    >>> as_scores([[7, 5]]).tolist()
    [[7.0, 5.0]]
    """
    try:
        array: Array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"scores are no array of numbers: {error}") from error
    largest = float(np.fmax.reduce(np.abs(array), axis=None, initial=0.0))
    if largest > LARGEST:
        raise RecordError(
            f"a score of {largest:g} is too large to calculate with (at most {LARGEST:g}; is it "
            "one? a scale on import leaves others out)"
        )
    return array


def rounding(values: Array) -> float:
    """The size below which differences between `values` are rounding.

    At least `SMALLEST`, below which squares and their products are no doubles any more.

    >>> 0.1 + 0.2 - 0.3 < rounding(np.array([0.3]))
    True
    """
    return max(ROUNDING * float(np.fmax.reduce(np.abs(values), axis=None, initial=0.0)), SMALLEST)


def item_means(values: Array) -> Array:
    """Each item's mean over all further axes, those that are not NaN; (items,), NaN without any.

    >>> item_means(np.array([[1.0, 2.0], [3.0, np.nan]])).tolist()
    [1.5, 3.0]
    """
    if values.ndim == 1:
        return values
    flat = values.reshape(values.shape[0], math.prod(values.shape[1:]))
    seen = ~np.isnan(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Array = np.where(seen, flat, 0.0).sum(axis=1) / seen.sum(axis=1)
    return means
