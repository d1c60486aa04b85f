"""Sampling that is faithful to the free model: P(text | the text is in the spec), for any spec.

Masks bend a distribution: a token that is likely, but whose continuations are mostly forbidden,
is drawn as often as before. How much of a token's probability leads into the spec is learnt here
while drawing, in a trie of the beginnings seen, and tokens are drawn by probability times that
share. A draw's weight is its probability under the model over that under the proposal, so weighted
averages are right from the first round on, and weights even out as the trie fills.

What is known of a share is two numbers, and draws take turns between them. Its upper *bound* is 1
where nothing was seen; a draw's weight is then at most the bound of the empty beginning, so to
accept it with the share of the two is rejection sampling, and what is accepted is exactly
distributed. Its *guess* is the average of its neighbours where nothing was seen, which does not
have to try everything once before it is any good.

Sources: Grammar-Aligned Decoding (Park et al. 2024, arXiv 2405.21047) for the bounds; adaptive
weighted rejection sampling (Lipkin et al. 2025, arXiv 2504.05410) for proper weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from constrained.chat import PromptIds
from constrained.generation.answer import result_of
from constrained.generation.outside import outside_of_log
from constrained.generation.progress import run_rows
from constrained.generation.result import FinishReason
from constrained.generation.row import Row
from constrained.generation.runtime import Runtime
from constrained.generation.sampling import Sampling, row_generator
from constrained.generation.scores import Scores
from constrained.generation.weighted import SampledDistribution, WeightedSample
from constrained.spec.spec import Spec

__all__ = ["Beginning", "FaithfulRow", "sample_faithfully"]

ROUND = 16
"""Draws between two updates of the bounds."""


@dataclass(eq=False, slots=True)
class Beginning:
    """A beginning of outputs, and how likely the free model is to end in the spec from here.

    `bound` and `guess` are logs of that. `rest` is the log of the probability of all allowed next
    tokens that were never drawn here, `usual` the guess for each of them; `ways` has for each
    token that was drawn its log-probability and where it leads.
    """

    bound: float = 0.0
    guess: float = 0.0
    rest: float = 0.0
    usual: float = 0.0
    ways: dict[int, tuple[float, Beginning]] = field(default_factory=dict)

    def follow(self, token: int, logprob: float) -> Beginning:
        """The beginning that is one token longer."""
        return self.ways.setdefault(token, (logprob, Beginning(guess=self.usual)))[1]

    def tighten(self) -> None:
        """Settle what is known from the longer beginnings; outputs that ended are certain."""
        logprobs = [logprob for logprob, _ in self.ways.values()]
        ways = [way for _, way in self.ways.values()]
        guessed = np.logaddexp.reduce([p + w.guess for p, w in zip(logprobs, ways, strict=True)])
        self.usual = float(guessed - np.logaddexp.reduce(logprobs))
        self.guess = float(np.logaddexp(guessed, self.rest + self.usual))
        bounded = [p + w.bound for p, w in zip(logprobs, ways, strict=True)]
        self.bound = float(np.logaddexp.reduce([self.rest, *bounded]))


@dataclass(eq=False)
class FaithfulRow(Row):
    """A row that draws by probability times bound or guess, and keeps the weight of its draw."""

    at: Beginning = field(default_factory=Beginning)
    guesses: bool = False
    log_weight: float = 0.0
    passed: list[Beginning] = field(default_factory=list)
    """The beginnings at which something was drawn or forced."""
    _ending: FinishReason | None = None
    """Why the row ends, once its forced tokens are scored."""

    def _take(self, scores: Scores) -> None:
        place = len(self.token_logprobs)
        if place < len(self.ids):
            token = self.ids[place]
            self._step(np.array([token], dtype=np.int32), self._free(scores)[[token]], 0)
        super()._take(scores)

    def _choose(self, scores: Scores) -> None:
        if self._ending is not None:
            self.finish_reason = self._ending
            return
        left = self.budget - len(self.ids)
        allowed = self._allowed(left if self.strict else None, len(scores.logits))
        free = self._free(scores)[allowed]
        steered = free + self._shares(allowed)
        weights = np.exp(steered - steered.max())
        at = self.sampling.draw(weights / weights.sum(), self.generator)
        self._step(allowed, free, at)
        inside = float(np.logaddexp.reduce(free))
        token = int(allowed[at])
        self.logprob += float(free[at]) - inside
        if token in self.vocabulary.end_ids:
            self.finish_reason = "stop"
        else:
            removed = outside_of_log(inside)
            self._append(token, scores.logprob(token), removed)

    def _allowed(self, budget: int | None, width: int) -> NDArray[np.int32]:
        if self.guide is None:
            return np.arange(width, dtype=np.int32)
        return self.guide.allowed(self.node, budget)

    def _free(self, scores: Scores) -> NDArray[np.float64]:
        """Log-probabilities of the free model at the temperature asked for."""
        scaled = scores.logits.astype(np.float64) / self.sampling.temperature
        best = scaled.max()
        found: NDArray[np.float64] = scaled - (best + np.log(np.exp(scaled - best).sum()))
        return found

    def _shares(self, allowed: NDArray[np.int32]) -> NDArray[np.float64]:
        """The logs of the bounds, or guesses, after each allowed token."""
        shares = np.full(len(allowed), self.at.usual if self.guesses else 0.0)
        for token, (_, way) in self.at.ways.items():
            shares[allowed == token] = way.guess if self.guesses else way.bound
        return shares

    def _step(self, allowed: NDArray[np.int32], free: NDArray[np.float64], at: int) -> None:
        """Take one of the allowed tokens: its weight, and the beginning after it."""
        shares = self._shares(allowed)
        self.log_weight += float(np.logaddexp.reduce(free + shares) - shares[at])
        here = self.at
        self.at = here.follow(int(allowed[at]), float(free[at]))
        fresh = ~np.isin(allowed, list(here.ways))
        here.rest = float(np.logaddexp.reduce(free[fresh], initial=-np.inf))
        self.passed.append(here)

    def _jump(self) -> None:
        super()._jump()
        if self.finish_reason is not None and len(self.token_logprobs) < len(self.ids):
            self._ending, self.finish_reason = self.finish_reason, None


def sample_faithfully(
    runtime: Runtime,
    prompt: PromptIds,
    spec: Spec[object],
    sampling: Sampling,
    *,
    samples: int,
    seed: int,
    max_new_tokens: int,
    apart: bool,
    at_once: int | None,
) -> SampledDistribution:
    """Weighted draws from P(text | the text is in the spec, within the budget)."""
    guide = runtime.guide(spec, prompt)
    budget = runtime.budget(guide, len(prompt.ids), max_new_tokens, 0)
    root, drawn = Beginning(), []
    step = min(ROUND, at_once or ROUND)
    for first in range(0, samples, step):
        rows = [
            FaithfulRow(
                prompt.ids,
                guide,
                runtime.vocabulary,
                sampling,
                row_generator(seed, prompt.ids, copy),
                budget,
                at=root,
                guesses=bool(copy % 2),
            )
            for copy in range(first, min(first + step, samples))
        ]
        run_rows(runtime.model, rows, apart=apart)
        most = root.bound
        for row in rows:
            chance = row.log_weight - most
            accepted = not row.guesses and np.log(row.generator.random()) < chance
            drawn.append(WeightedSample(result_of(row, spec), row.log_weight, bool(accepted)))
            row.at.guess = 0.0
        for row in rows:
            for beginning in reversed(row.passed):
                beginning.tighten()
    return SampledDistribution(tuple(drawn), sampling.temperature)
