"""The local distribution that masked sampling draws from, and the draws.

One definition for the sampler and for exact distributions, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from constrained.arguments import real_number, whole_number
from constrained.errors import GenerationError

__all__ = ["Sampling", "no_finite_logit", "row_generator"]

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is picked from those that the mask allows.

    `temperature` divides the logits; 0 is greedy (the likeliest token, the lowest id among
    equals). `top_k` keeps the k likeliest tokens and `top_p` the fewest that hold that much
    probability; both act inside the mask, after the temperature.

    >>> Sampling(temperature=1.0, top_k=2).probabilities(np.log([1.0, 3.0, 1e-9])).round(2).tolist()
    [0.25, 0.75, 0.0]
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        temperature = real_number(self.temperature, "temperature", GenerationError)
        if not 0 <= temperature < float("inf"):
            raise GenerationError(f"temperature must be 0 (greedy) or more, got {self.temperature}")
        if self.top_k is not None:
            whole_number(self.top_k, "top_k", GenerationError, least=1)
        if (
            self.top_p is not None
            and not 0 < real_number(self.top_p, "top_p", GenerationError) <= 1
        ):
            raise GenerationError(f"top_p must be above 0 and at most 1, got {self.top_p}")

    def probabilities(self, logits: NDArray[np.floating]) -> Probabilities:
        """The distribution over the allowed tokens: float64, the shape of `logits`, sum 1."""
        logits = np.asarray(logits, dtype=np.float64)
        best = int(np.argmax(logits))
        if not np.isfinite(logits[best]):
            raise no_finite_logit(float(logits[best]))
        if self.temperature == 0:
            chosen = np.zeros_like(logits)
            chosen[best] = 1.0
            return chosen
        weights = np.exp((logits - logits[best]) / self.temperature)
        if self.top_k is not None or self.top_p is not None:
            weights = self._cut(weights)
        probabilities: Probabilities = weights / weights.sum()
        return probabilities

    def _cut(self, weights: Probabilities) -> Probabilities:
        order = np.argsort(-weights, kind="stable")
        keep = len(order) if self.top_k is None else min(self.top_k, len(order))
        if self.top_p is not None:
            shares = np.cumsum(weights[order[:keep]]) / weights[order[:keep]].sum()
            keep = min(keep, int(np.searchsorted(shares, self.top_p - 1e-12)) + 1)
        cut = np.zeros_like(weights)
        cut[order[:keep]] = weights[order[:keep]]
        return cut

    def draw(self, probabilities: Probabilities, generator: np.random.Generator) -> int:
        """The position of one token, drawn by inversion (greedy needs no randomness)."""
        if self.temperature == 0:
            return int(np.argmax(probabilities))
        cumulated = np.cumsum(probabilities)
        at = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))
        return min(at, int(np.flatnonzero(probabilities)[-1]))


def no_finite_logit(best: float) -> GenerationError:
    """What to say of a row in which every allowed token has an infinite logit, or none at all."""
    return GenerationError(
        f"the model gives no finite logit to any allowed token (best: {best}); its weights or the "
        "precision are at fault"
    )


def row_generator(seed: int, prompt: Sequence[int], copy: int) -> np.random.Generator:
    """A generator for one row, from the seed and the row itself, never from its neighbours.

    `copy` counts the rows of one call that have the same prompt.
    """
    digest = blake2b(digest_size=32)
    digest.update(f"{seed}:{copy}:".encode())
    digest.update(np.asarray(prompt, dtype=np.int64).tobytes())
    return np.random.default_rng(int.from_bytes(digest.digest(), "little"))
