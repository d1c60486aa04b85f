"""Gates by name: what can be bounded, and between which ends a bound makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches

from constrained.errors import InvalidSpec

__all__ = ["GATE_RANGES", "check_bound"]

POINTS = (0.0, math.inf)
SHARE = (0.0, 1.0)
COEFFICIENT = (-1.0, 1.0)

GATE_RANGES: Mapping[str, tuple[float, float]] = {
    "max_sem": POINTS,
    "max_expected_sem": POINTS,
    "max_move": POINTS,
    "max_expected_move": POINTS,
    "max_flip_rate": SHARE,
    "max_gate_risk": SHARE,
    "max_bias": POINTS,
    "max_removed_mass": SHARE,
    "max_missing": SHARE,
    "min_phi": SHARE,
    "min_expected_phi": SHARE,
    "min_alpha": COEFFICIENT,
    "min_kappa": COEFFICIENT,
}
"""Every gate with the lowest and the highest bound; `constrained.consistency.analysis.GATES` says
what each is."""


def check_bound(name: str, bound: float, at: float | None = None, *, where: str = "") -> None:
    """Raise `InvalidSpec` for a name that is no gate, and for a bound that decides nothing.

    `at` is the pass rate, 0 to 1, which ``max_gate_risk`` needs and no other gate takes; `where`
    is the place that the error names. A share above 1, such as 5 for 5 %, would let everything
    pass, so it is refused.

    >>> check_bound("max_flip_rate", 0.05)
    >>> check_bound("max_flip_rate", 5)
    Traceback (most recent call last):
        ...
    constrained.errors.InvalidSpec: the bound of max_flip_rate is 5 (0 to 1; 5 % is 0.05)
    """
    if name not in GATE_RANGES:
        near = get_close_matches(name, GATE_RANGES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(GATE_RANGES)}"
        raise InvalidSpec(f"there is no gate {name!r}", where=where, hint=hint)
    ends = GATE_RANGES[name]
    if not math.isfinite(bound) or not ends[0] <= bound <= ends[1]:
        raise InvalidSpec(f"the bound of {name} is {bound:g}", where=where, hint=_ends(ends))
    if (name == "max_gate_risk") != (at is not None):
        raise InvalidSpec(
            f"{name} {'needs' if at is None else 'does not take'} a pass rate",
            where=where,
            hint="max_gate_risk is the chance to fall below a pass rate: give it as `at`",
        )
    if at is not None and not 0.0 <= at <= 1.0:
        raise InvalidSpec(
            f"a pass rate of {at:g} cannot be reached", where=where, hint=_ends(SHARE)
        )


def _ends(ends: tuple[float, float]) -> str:
    if ends == POINTS:
        return "points, 0 or more"
    return f"{ends[0]:g} to {ends[1]:g}" + ("; 5 % is 0.05" if ends == SHARE else "")
