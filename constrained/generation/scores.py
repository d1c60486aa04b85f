"""What a pass says of the next token of a row, and how it is drawn: on the CPU.

`constrained.generation.device_scores` answers the same questions where the logits are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.generation.guide import Guide
from constrained.generation.outside import outside_of_log
from constrained.generation.sampling import Sampling

__all__ = ["Choice", "Drawn", "HostScores", "Scores", "host_scores"]


@dataclass(frozen=True)
class Choice:
    """A token to be drawn: from what the guide allows at a node (None: from all tokens).

    `generator` is used once, and only by sampling that needs it.
    """

    guide: Guide | None
    node: int
    budget: int | None
    sampling: Sampling
    generator: np.random.Generator


class Drawn(NamedTuple):
    """A token that was drawn."""

    token: int
    logprob: float
    """Under the model."""
    removed: float
    """The probability that the mask removed."""
    local: float
    """The log-probability among the tokens it was drawn from."""


class Scores(Protocol):
    """The logits after one token of a row."""

    @property
    def logits(self) -> NDArray[np.float32]:
        """Shape (width,)."""

    @property
    def total(self) -> float:
        """The log of the sum of their exponentials."""

    def logprob(self, token: int) -> float:
        """The log-probability of a token under the model."""

    def draw(self, choice: Choice) -> Drawn:
        """Draw the next token."""


@dataclass(frozen=True, eq=False)
class HostScores:
    """Logits on the CPU, and their total."""

    logits: NDArray[np.float32]
    total: float

    def logprob(self, token: int) -> float:
        """The log-probability of a token under the model."""
        return min(float(self.logits[token]) - self.total, 0.0)

    def draw(self, choice: Choice) -> Drawn:
        """Draw the next token."""
        if choice.guide is None:
            allowed = np.arange(len(self.logits), dtype=np.int32)
        else:
            allowed = choice.guide.allowed(choice.node, choice.budget)
        sampling = choice.sampling
        logits = self.logits[allowed].astype(np.float64)
        probabilities = sampling.probabilities(logits)
        at = sampling.draw(probabilities, choice.generator)
        best = logits.max()
        inside = best + float(np.log(np.exp(logits - best).sum()))
        removed = outside_of_log(inside - self.total)
        greedy = sampling.temperature == 0
        local = float(logits[at]) - inside if greedy else float(np.log(probabilities[at]))
        token = int(allowed[at])
        return Drawn(token, self.logprob(token), removed, local)


def host_scores(logits: Sequence[torch.Tensor]) -> list[list[HostScores]]:
    """The logits of every row, shape (n, width), on the CPU in float32: one transfer for all."""
    scores = torch.cat(list(logits)).detach().to("cpu", torch.float32)
    each = iter(zip(scores.numpy(), torch.logsumexp(scores, dim=-1).tolist(), strict=True))
    return [[HostScores(*next(each)) for _ in range(len(row))] for row in logits]
