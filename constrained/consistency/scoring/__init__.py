"""Cells to records: exact distributions, draws, the likeliest answer, reasons and then a score."""

from constrained.consistency.scoring.model_scorer import ModelScorer
from constrained.consistency.scoring.models import LoadedModels, shared_base
from constrained.consistency.scoring.task import (
    Scorer,
    Scorers,
    Task,
    environment_name,
    tasks_of,
)

__all__ = [
    "LoadedModels",
    "ModelScorer",
    "Scorer",
    "Scorers",
    "Task",
    "environment_name",
    "shared_base",
    "tasks_of",
]
