"""`Limits`: the bounds that keep a hostile or careless spec from eating the machine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from constrained.arguments import whole_number
from constrained.errors import InvalidSpec

__all__ = ["DEFAULT_LIMITS", "Limits", "check_limits", "widest"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one call may use; reaching one raises `LimitExceeded` with its name.

    Counts are of one call, or of one rule that is built later, never of all that an engine has
    done: what a mask has promised can be written. They are counts and not seconds, so that the same
    spec fails the same way on every machine. The defaults keep any single call under about a second
    and 1 GiB on one core. Raises `InvalidSpec` for what is no count.

    >>> Limits(max_terms=10_000).max_terms
    10000
    """

    max_nodes: int = 250_000
    """Grammar nodes (each option of a choice counts as one) that a spec may compile to.

    Of a JSON Schema: what its subschemas stand for, and each rule on its own.
    """

    max_terms: int = 3_000_000
    """Terms (the engine's states and their parts) that one call may create."""

    max_steps: int = 1_000_000
    """Units of derivation work inside one call (`fill_mask`, `advance`, `distance`, ...).

    `fill_mask_within` may do four times as much: it measures every state that a token leads to.
    """

    max_depth: int = 4_000
    """Nesting of derivations inside one call: how deep rules may open without consuming a byte."""

    max_mask_bytes: int = 256 * 2**20
    """Memory for memoised masks; the oldest are dropped beyond it (never an error)."""

    max_outputs: int = 100_000
    """Outputs that `Spec.enumerate` and exact distributions may list."""

    max_states: int = 20_000
    """Byte states that `Spec.summary` and `Spec.enumerate` may explore."""

    def __post_init__(self) -> None:
        for one in fields(self):
            whole_number(getattr(self, one.name), one.name, InvalidSpec, least=0)


def widest(*all_limits: Limits) -> Limits:
    """The greatest of each bound: what a spec that is put together from others keeps to.

    >>> widest(Limits(max_steps=5), Limits(max_steps=7, max_nodes=1)).max_steps
    7
    """
    if all(limits is DEFAULT_LIMITS for limits in all_limits):
        return DEFAULT_LIMITS
    return Limits(
        **{
            one.name: max(getattr(limits, one.name) for limits in all_limits)
            for one in fields(Limits)
        }
    )


def check_limits(limits: Any) -> None:
    """Raise `InvalidSpec` for what is no `Limits`."""
    if not isinstance(limits, Limits):
        raise InvalidSpec(f"limits must be a Limits object, got {limits!r:.60}")


DEFAULT_LIMITS = Limits()
