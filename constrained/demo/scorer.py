"""`Comparison`: a small model before and after it was fine-tuned to score essays.

The adapter that comes with the package (LoRA on SmolLM2-135M-Instruct) was trained on essays that
were damaged by known amounts, so their right scores are known; `examples/essay_scorer` holds the
training. The essays and one of the two wordings here were not part of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from constrained.demo.material import Essay, Material, Wording
from constrained.demo.report import Report, mean

__all__ = ["ADAPTER", "SCORER", "Comparison", "Scored", "scored"]

ADAPTER = Path(__file__).parent / "adapter"
"""The folder of the adapter."""

SCORER = "scorer"
"""The name of the adapter among variants."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Essays and wordings, and the score that each essay deserves by its id."""

    material: Material
    gold: Mapping[str, int]

    def first(self, essays: int, prompts: int) -> Scored:
        """The same with only so many essays and wordings."""
        return Scored(self.material.first(essays, prompts), self.gold)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same cells of base and adapter, and the scores that the essays deserve."""

    base: Report
    tuned: Report
    gold: Mapping[str, int]

    def error(self, report: Report) -> float:
        """How far the expected score is from the deserved one, in points, on average."""
        return mean([abs(cell.mean - self.gold[cell.essay]) for cell in report.cells])

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        sides = {"base": self.base, "tuned": self.tuned}
        found: dict[str, Any] = {
            name: report.to_json() | {"mean_error": self.error(report)}
            for name, report in sides.items()
        }
        return found | {"gold": {essay: self.gold[essay] for essay in self.base.essays}}


def scored() -> Scored:
    """Six essays with known scores and two wordings, shipped with the package.

    >>> list(scored().gold.values())
    [0, 2, 4, 6, 8, 10]
    """
    text = resources.files("constrained.demo").joinpath("scorer.json").read_text("utf-8")
    data = json.loads(text)
    essays = tuple(Essay(e["id"], e["text"], e["about"]) for e in data["essays"])
    prompts = tuple(Wording(p["id"], p["text"]) for p in data["prompts"])
    gold = {e["id"]: int(e["gold"]) for e in data["essays"]}
    return Scored(Material("", prompts, essays), gold)
