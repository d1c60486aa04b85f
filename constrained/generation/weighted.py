"""`SampledDistribution`: weighted samples of P(text | the text is in the spec)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constrained.generation.distribution import Pmf, field_of
from constrained.generation.outside import outside
from constrained.generation.result import Result

__all__ = ["SampledDistribution", "WeightedSample"]


@dataclass(frozen=True, slots=True)
class WeightedSample:
    """One draw from a proposal.

    The exponential of `log_weight` is the draw's probability under the free model over that under
    the proposal; `accepted` marks a subset that is exactly distributed.
    """

    result: Result[Any]
    log_weight: float
    accepted: bool


@dataclass(frozen=True, eq=False, repr=False)
class SampledDistribution:
    """What weighted samples say of the free model's distribution over the outputs of a spec.

    An estimate of what `Distribution.global_` is for a finite spec. Averages are weighted;
    `effective_sample_size` says how many samples without weights would be as good.
    """

    samples: tuple[WeightedSample, ...]
    temperature: float

    @property
    def log_weights(self) -> NDArray[np.float64]:
        """Log-weight of each sample (nats): float64, shape (samples,)."""
        return np.array([sample.log_weight for sample in self.samples])

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """The weights, scaled to sum 1: float64, shape (samples,)."""
        shifted = np.exp(self.log_weights - self.log_weights.max())
        scaled: NDArray[np.float64] = shifted / shifted.sum()
        return scaled

    @property
    def effective_sample_size(self) -> float:
        """Between 1 (one sample has all the weight) and the number of samples (weights equal)."""
        return float(1 / (self.weights**2).sum())

    @property
    def accepted(self) -> tuple[Result[Any], ...]:
        """The results that rejection sampling keeps: exactly distributed and independent."""
        return tuple(sample.result for sample in self.samples if sample.accepted)

    @property
    def log_mass(self) -> float:
        """Estimated log-probability (nats) that the free model's text is in the spec."""
        most = self.log_weights.max()
        return float(most + np.log(np.exp(self.log_weights - most).mean()))

    @property
    def removed_mass(self) -> float:
        """Estimated probability that the free model's text is not in the spec, in [0, 1].

        The mean of the weights, on which it stands, is unbiased.
        """
        return outside(float(np.exp(self.log_mass)))

    @cached_property
    def weighted(self) -> Pmf[Any]:
        """The outputs seen, with their estimated probabilities."""
        return Pmf(
            [
                (sample.result.text, sample.result.value, float(weight))
                for sample, weight in zip(self.samples, self.weights, strict=True)
            ]
        )

    @property
    def pmf(self) -> dict[Any, float]:
        """Estimated probability of each value seen."""
        return self.weighted.pmf

    @property
    def mean(self) -> float:
        """The expected value; `GenerationError` when values are not numbers."""
        return self.weighted.mean

    @property
    def sd(self) -> float:
        """The standard deviation; `GenerationError` when values are not numbers."""
        return self.weighted.sd

    @property
    def standard_error(self) -> float:
        """Of `mean`, for self-normalised weights (delta method)."""
        mean = self.mean
        values = np.array([Pmf([("", s.result.value, 1.0)]).mean for s in self.samples])
        return float(np.sqrt((self.weights**2 * (values - mean) ** 2).sum()))

    def __getitem__(self, name: str | int) -> Pmf[Any]:
        """Estimated probabilities of one field; `GenerationError` when values have none."""
        return Pmf(
            [
                (sample.result.text, field_of(sample.result.value, name), float(weight))
                for sample, weight in zip(self.samples, self.weights, strict=True)
            ]
        )

    def __repr__(self) -> str:
        return (
            f"SampledDistribution({self.weighted!r}, {len(self.samples)} samples, "
            f"effective {self.effective_sample_size:.1f}, accepted {len(self.accepted)}, "
            f"removed_mass={self.removed_mass:.3f})"
        )
