"""`Estimate`: a number with its interval and what it generalises to, or why it is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["BOTH", "ITEMS", "THESE", "Array", "Estimate", "unknown"]

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
