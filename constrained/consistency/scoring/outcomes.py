"""From a distribution over texts to one over scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from constrained.consistency.records import Score

__all__ = ["ScoreDistribution", "score_distribution"]


@dataclass(frozen=True, slots=True)
class ScoreDistribution:
    """Probabilities of the scores in `support`; `free` None where they are unknown or underflow."""

    support: tuple[Score, ...]
    local: tuple[float, ...]
    free: tuple[float, ...] | None
    removed_mass: float | None


def score_distribution(
    outcomes: Iterable[Any],
    score_of: Callable[[str, Any], Score],
    support: tuple[Score, ...] | None,
) -> ScoreDistribution:
    """Add up the outcomes (`constrained.generation.Outcome`) that have the same score.

    `score_of` gets text and value. Without a `support`, the scores that occur are it.
    """
    local: dict[Score, float] = dict.fromkeys(support or (), 0.0)
    free: dict[Score, float] = dict(local)
    known = True
    for outcome in outcomes:
        score = score_of(outcome.text, outcome.value)
        local[score] = local.get(score, 0.0) + outcome.local
        known = known and outcome.free is not None
        free[score] = free.get(score, 0.0) + (outcome.free or 0.0)
    scores = support if support is not None else tuple(sorted(local))
    total, said = sum(local.values()), sum(free.values())
    return ScoreDistribution(
        scores,
        tuple(local[score] / total for score in scores),
        tuple(free[score] / said for score in scores) if known and said > 0 else None,
        max(0.0, 1.0 - said) if known else None,
    )
