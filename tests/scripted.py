"""Scorers without weights for consistency runs: planted effects, counted calls, slow cells."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from constrained.consistency.plan import Plan, Variant, cell_seed
from constrained.consistency.records import Address, CellRecord, Draw
from constrained.consistency.scoring import ModelScorer, Scorers, Task
from constrained.testing import ByteTokenizer, ScriptedModel

if TYPE_CHECKING:
    from constrained.generation import Generator

SCALE = tuple(float(score) for score in range(41))


def grid_plan(items: int = 6, prompts: int = 3, **changes: Any) -> Plan:
    """A plan over a scale from 0 to 40."""
    said: dict[str, Any] = {
        "name": "essays",
        "spec": "Score: {score:0..40}",
        "items": [{"id": f"e{i:04}", "text": f"essay {i}"} for i in range(items)],
        "prompts": {f"p{p}": f"Prompt {p}: {{text}}\n" for p in range(prompts)},
    }
    return Plan(**{**said, **changes})


@dataclass(frozen=True)
class Effects:
    """Variances of the effects, in points squared, around `mean`."""

    item: float = 4.0
    prompt: float = 0.5
    both: float = 0.8
    draw: float = 0.8
    mean: float = 20.0
    seed: int = 0

    def of(self, address: Address) -> tuple[float, ...]:
        """The cell's distribution over `SCALE`: its mean and variance are the planted ones."""
        mean = self.mean
        for name, variance in (
            (address.item, self.item),
            (address.prompt, self.prompt),
            (f"{address.item}\0{address.prompt}", self.both),
        ):
            mean += math.sqrt(variance) * self._normal(name)
        below = math.floor(mean)
        part = mean - below
        step = (self.draw - part * (1 - part)) / 2
        p = [0.0] * len(SCALE)
        p[below - 1] = (1 - part) * step
        p[below] = (1 - part) * (1 - 2 * step) + part * step
        p[below + 1] = part * (1 - 2 * step) + (1 - part) * step
        p[below + 2] = part * step
        return tuple(p)

    def _normal(self, name: str) -> float:
        digest = blake2b(f"{self.seed}:{name}".encode(), digest_size=8).digest()
        return float(np.random.default_rng(int.from_bytes(digest)).normal())


class PlantedScorer:
    """Scores any cell by its `Effects`: exactly, or by draws with the runner's own seeds.

    Every key that is scored goes into `log`, if there is one, before its record is handed over;
    `seconds` is what a cell takes.
    """

    def __init__(
        self,
        plan: Plan,
        effects: Effects,
        *,
        log: Path | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.plan = plan
        self.effects = effects
        self.log = log
        self.seconds = seconds
        self.scored: list[str] = []

    def score(self, tasks: Iterable[Task]) -> Iterator[CellRecord]:
        for task in tasks:
            begin = time.perf_counter()
            time.sleep(self.seconds)
            self.scored.append(task.key)
            if self.log is not None:
                with self.log.open("a") as file:
                    file.write(f"{task.key}\n")
            address = task.cell.address
            p = self.effects.of(address)
            draws: tuple[Draw, ...] = ()
            if self.plan.scoring.kind == "sampled":
                seeds = [
                    cell_seed(self.plan.seed, address, i) for i in range(self.plan.scoring.draws)
                ]
                draws = tuple(Draw(i, drawn(p, s), seed=s) for i, s in enumerate(seeds))
            yield CellRecord(
                task.key,
                address,
                self.plan.scoring.kind,
                SCALE,
                None if draws else p,
                draws=draws,
                prompt_text=task.cell.text,
                prompt_tokens=len(task.cell.text),
                seconds=time.perf_counter() - begin,
            )

    def environment(self) -> dict[str, Any]:
        return {"device": "none"}


def drawn(p: tuple[float, ...], seed: int) -> float:
    """One score, by inversion."""
    return float(np.searchsorted(np.cumsum(p), np.random.default_rng(seed).random()))


def always(scorer: Any) -> Scorers:
    """The same scorer for every variant."""

    @contextmanager
    def scorers(_: Variant) -> Iterator[Any]:
        yield scorer

    return scorers


def without_times(records: Iterable[CellRecord]) -> dict[str, CellRecord]:
    """Records by key, with nothing that differs between two runs of one plan."""
    return {record.key: replace(record, seconds=0.0) for record in records}


def scripted_generator(rule: Any) -> Generator:
    """A generator over bytes whose model follows a rule; see `ScriptedModel`."""
    from constrained.generation import Generator

    return Generator(ScriptedModel(257, rule), ByteTokenizer())


def scripted_scorer(plan: Plan, rule: Any) -> ModelScorer:
    """The scorer of a plan on a scripted model."""
    return ModelScorer(plan, scripted_generator(rule))
