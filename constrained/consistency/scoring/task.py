"""`Task`: a cell with its key, and what makes records from tasks (`Scorer`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from constrained.consistency.plan import Cell, Plan, Variant, cell_key
from constrained.consistency.records import CellRecord

__all__ = ["Scorer", "Scorers", "Task", "environment_name", "tasks_of"]


@dataclass(frozen=True, slots=True)
class Task:
    """One cell to score, with the key that its record gets."""

    key: str
    cell: Cell


class Scorer(Protocol):
    """What scores the cells of one variant; see `ModelScorer`."""

    def score(self, tasks: Iterable[Task]) -> Iterator[CellRecord]:
        """One record per task, in the order of the tasks, each as soon as it is known.

        What goes wrong with one cell is written into its record; what goes wrong with all of them
        is raised.
        """

    def environment(self) -> dict[str, Any]:
        """Where the cells are scored: device, dtype, versions, ..."""


Scorers: TypeAlias = Callable[[Variant], AbstractContextManager[Scorer]]
"""Gives the scorer of a variant for the length of a ``with`` block."""


def tasks_of(plan: Plan, hashes: Mapping[str, str]) -> Iterator[Task]:
    """The cells of a plan (of its part, for a shard) with their keys, in the plan's order.

    `hashes` come from `constrained.consistency.plan.content_hashes`.

    >>> plan = Plan(name="d", spec="{s:0..1}", items=[{"id": "a"}], prompts=["Grade."])
    >>> [task.cell.address.prompt for task in tasks_of(plan, {"smollm2": "name:smollm2"})]
    ['p1']
    """
    for cell in plan.cells():
        yield Task(cell_key(plan, cell, hashes), cell)


def environment_name(cell: Cell) -> str:
    """Under which name it is stored where a cell was scored: its variant, in its numerical room."""
    room = cell.address.numerics
    return f"{cell.variant.name} ({room})" if room else cell.variant.name
