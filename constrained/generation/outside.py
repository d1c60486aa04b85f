"""The probability that a mask leaves out, from what lies inside it."""

from __future__ import annotations

import numpy as np

__all__ = ["outside", "outside_of_log"]


def outside(inside: float) -> float:
    """``1 - inside``, from 0 to 1 whatever rounding adds; NaN when `inside` is.

    NaN is a model whose logits are no numbers somewhere outside the mask: then nothing is known of
    what the mask left out, and 0 would say that it left out nothing.

    >>> outside(0.75), outside(1.0000001), outside(float("nan"))
    (0.25, 0.0, nan)
    """
    return float(np.clip(1.0 - inside, 0.0, 1.0))


def outside_of_log(inside: float) -> float:
    """The same from a log-probability, exact for what is nearly all.

    >>> round(outside_of_log(-0.5), 3), outside_of_log(1e-9), outside_of_log(float("nan"))
    (0.393, 0.0, nan)
    """
    return float(np.clip(-np.expm1(inside), 0.0, 1.0))
