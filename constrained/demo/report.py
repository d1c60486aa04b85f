"""`Report`: what the demo found, as plain values that turn into JSON or into a page for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Cell", "Report", "Seconds", "mean"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One essay under one wording: a free answer, a constrained one, and all scores at once.

    `pmf[k]` is the exact probability that masked sampling at temperature 1 gives the score k.
    `removed_mass` is the probability that a free answer, sampled at temperature 1, does not begin
    in the format.
    """

    essay: str
    prompt: str
    free: str
    follows: bool
    names_score: bool
    text: str
    valid: bool
    score: int
    pmf: tuple[float, ...]
    removed_mass: float

    @property
    def mean(self) -> float:
        """The expected score."""
        return math.fsum(score * p for score, p in enumerate(self.pmf))

    @property
    def sd(self) -> float:
        """The standard deviation of the score, in points."""
        mean = self.mean
        return math.sqrt(math.fsum(p * (score - mean) ** 2 for score, p in enumerate(self.pmf)))


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall-clock seconds per answer (one essay under one wording)."""

    free: float
    constrained: float
    distribution: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the demo measured. Cells are ordered by essay, then by wording."""

    model: str
    template: str
    question: str
    essays: tuple[str, ...]
    prompts: tuple[str, ...]
    cells: tuple[Cell, ...]
    seconds: Seconds

    def cell(self, essay: str, prompt: str) -> Cell:
        """The cell of one essay under one wording."""
        return next(c for c in self.cells if (c.essay, c.prompt) == (essay, prompt))

    def count(self, test: Callable[[Cell], bool]) -> int:
        """How many cells pass a test."""
        return sum(map(test, self.cells))

    def spread_between_prompts(self, essay: str) -> float:
        """Highest minus lowest expected score of one essay over the wordings, in points."""
        return spread([c.mean for c in self.cells if c.essay == essay])

    def spread_between_essays(self, prompt: str) -> float:
        """Highest minus lowest expected score under one wording over the essays, in points."""
        return spread([c.mean for c in self.cells if c.prompt == prompt])

    @property
    def between_prompts(self) -> float:
        """The mean over essays of `spread_between_prompts`."""
        return mean([self.spread_between_prompts(essay) for essay in self.essays])

    @property
    def between_essays(self) -> float:
        """The mean over wordings of `spread_between_essays`."""
        return mean([self.spread_between_essays(prompt) for prompt in self.prompts])

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; the keys are part of the interface."""
        return {
            "model": self.model,
            "template": self.template,
            "question": self.question,
            "answers": len(self.cells),
            "free_following_format": self.count(lambda c: c.follows),
            "free_naming_a_score": self.count(lambda c: c.names_score),
            "constrained_following_format": self.count(lambda c: c.valid),
            "seconds_per_answer": asdict(self.seconds),
            "spread_between_prompts": {e: self.spread_between_prompts(e) for e in self.essays},
            "spread_between_essays": {p: self.spread_between_essays(p) for p in self.prompts},
            "cells": [asdict(c) | {"mean": c.mean, "sd": c.sd} for c in self.cells],
        }


def spread(values: Sequence[float]) -> float:
    """Highest minus lowest."""
    return max(values) - min(values)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return math.fsum(values) / len(values)
