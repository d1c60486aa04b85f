"""`ModelScorer`: cells scored by a model that is loaded here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from constrained.chat import PromptIds
from constrained.consistency.plan import Batch, Cell, Plan, Wording, cell_seed
from constrained.consistency.records import Address, CellRecord, Draw, Score
from constrained.consistency.scores import read_score
from constrained.consistency.scoring.arithmetic import arithmetic_of, device_name, dtype_name
from constrained.consistency.scoring.outcomes import score_distribution
from constrained.consistency.scoring.reasoned import ReasonedScores
from constrained.consistency.scoring.task import Task
from constrained.errors import GenerationError, ModelError
from constrained.prompts import PromptFormat

__all__ = ["ModelScorer"]

FLOOR_OF_EPSILON = 8
"""Probabilities are taken to be within this many epsilons of the weights' dtype: 1e-6 in float32,
0.008 in float16, 0.06 in bfloat16."""


class ModelScorer:
    """Scores cells of one plan with a `constrained.Generator`, in the way the plan says.

    * ``exact``: the distribution over all scores; temperatures of one prompt share its pass.
    * ``sampled``: `draws` texts, each with a seed of its own from `cell_seed`.
    * ``mode``: the one text that temperature 0 gives.
    * ``reasoned``: `draws` texts, and the exact distribution of the score after each one's text
      before the score. The scores that were drawn are kept as well.

    Passes never mix prompts of different cells, so a cell's value does not depend on which cells
    are missing: a run that was interrupted ends like one that was not, to the last bit. The pass
    over what a wording says before the item is made once for all items (`Generator.remember`), so
    long instructions cost little.

    Cells with a `Batch` are the exception that is asked for: all its prompts are padded into one
    pass, those included whose records nobody asks for, so that here, too, a cell's value does not
    depend on what is missing. They remember nothing. A prompt that fails by itself is left out.

    Raises `InvalidSpec` for reasoned scoring of a format that does not say where the score begins.
    """

    def __init__(self, plan: Plan, generator: Any) -> None:
        self.plan = plan
        self.generator = generator
        self.spec = plan.spec_of()
        self._scores: dict[str, Score] = {}
        self._floor = _numerics_floor(generator.model)
        self._room: tuple[Wording, PromptFormat, dict[str, Any] | None] | None = None
        self._reasoned: ReasonedScores | None = None
        if plan.scoring.kind == "reasoned":
            self._reasoned = ReasonedScores(self.spec, plan.score, plan.support, generator)

    def score(self, tasks: Iterable[Task]) -> Iterator[CellRecord]:
        """One record per task, in order; see `Scorer`."""
        exact = self.plan.scoring.kind == "exact"
        for _, group in groupby(tasks, key=_pass_of if exact else lambda task: task.key):
            alike = list(group)
            begin = time.perf_counter()
            batch = alike[0].cell.batch
            records = self._records(alike) if batch is None else self._batched(alike, batch)
            each = (time.perf_counter() - begin) / len(alike)
            yield from (replace(record, seconds=each) for record in records)

    def environment(self) -> dict[str, Any]:
        """Device, dtype and class of the model."""
        model = self.generator.model
        return {
            "device": device_name(model),
            "dtype": dtype_name(model),
            "model_class": type(model).__name__,
        }

    def _records(self, tasks: Sequence[Task]) -> list[CellRecord]:
        """The records of tasks that have one prompt."""
        cell = tasks[0].cell
        text, length, problem = "", 0, ""
        try:
            with _enough_memory(cell):
                text = cell.render(self.generator.tokenizer)
                prompt = cell.prompt_ids(self.generator.tokenizer)
                length = len(prompt.ids)
                self._remember(cell)
                parts = self._parts([task.cell for task in tasks], prompt)
        except GenerationError as error:
            problem = str(error)
            parts = [{"draws": self._failed(task.cell, problem)} for task in tasks]
        return [
            self._record(task, found, text=text, length=length, problem=problem)
            for task, found in zip(tasks, parts, strict=True)
        ]

    def _record(
        self,
        task: Task,
        found: Mapping[str, Any],
        *,
        text: str = "",
        length: int = 0,
        problem: str = "",
        batch: int = 1,
    ) -> CellRecord:
        return CellRecord(
            key=task.key,
            address=task.cell.address,
            kind=self.plan.scoring.kind,
            **{"support": self.plan.support or (), **found},
            numerics_floor=self._floor,
            prompt_text=text,
            prompt_tokens=length,
            notes=(problem,) if problem else (),
            arithmetic=arithmetic_of(self.generator.model, task.cell.variant, batch),
        )

    def _batched(self, tasks: Sequence[Task], batch: Batch) -> list[CellRecord]:
        """The records of tasks whose prompts share one pass with the others of their batch."""
        self._room = None
        self.generator.forget()
        temperatures = sorted({task.cell.temperature for task in tasks})
        asked: dict[Address, _Asked] = {}
        for cell in batch.cells:
            asked[cell.prompt_address] = self._asked(cell)
        whole = [one for one in asked.values() if one.prompt is not None]
        try:
            with _enough_memory(batch.cells[0]):
                self._together(whole, temperatures)
        except GenerationError:
            # Perhaps one of them fails alone as well, and the others do not.
            for one in whole:
                self._alone(one)
            whole = [one for one in whole if not one.problem]
            try:
                with _enough_memory(batch.cells[0]):
                    self._together(whole, temperatures)
            except GenerationError as error:
                for one in whole:
                    one.problem = str(error)
        records = []
        for task in tasks:
            one = asked[task.cell.prompt_address]
            found = one.found.get(task.cell.temperature, {"draws": ()})
            size = 1 if one.problem else len(whole)
            records.append(
                self._record(
                    task, found, text=one.text, length=one.length, problem=one.problem, batch=size
                )
            )
        return records

    def _asked(self, cell: Cell) -> _Asked:
        one = _Asked()
        try:
            one.text = cell.render(self.generator.tokenizer)
            one.prompt = cell.prompt_ids(self.generator.tokenizer)
            one.length = len(one.prompt.ids)
        except GenerationError as error:
            one.prompt, one.problem = None, str(error)
        return one

    def _alone(self, one: _Asked) -> None:
        """Note what is wrong with a prompt by itself."""
        try:
            self.generator.distribution(one.prompt, self.spec, tails=self.plan.scoring.free)
        except GenerationError as error:
            one.problem = str(error)

    def _together(self, asked: Sequence[_Asked], temperatures: list[float]) -> None:
        if not asked:
            return
        found = self.generator.distribution(
            [one.prompt for one in asked],
            self.spec,
            temperature=temperatures,
            tails=self.plan.scoring.free,
            together=True,
            **self._cuts,
        )
        for one, distributions in zip(asked, found, strict=True):
            one.found = dict(zip(temperatures, map(self._scored, distributions), strict=True))

    def _remember(self, cell: Cell) -> None:
        """Keep the beginning of this wording's prompts, and no other.

        With other beginnings beside it, what a cell shares could depend on the rest of the run.
        """
        room = (cell.prompt, cell.format, cell.chat_template_kwargs)
        if room != self._room:
            self._room = room
            self.generator.forget()
            if head := cell.head(self.generator.tokenizer):
                self.generator.remember(head)

    def _parts(self, cells: Sequence[Cell], prompt: PromptIds) -> list[dict[str, Any]]:
        if self.plan.scoring.kind == "exact":
            return self._exact(prompt, [cell.temperature for cell in cells])
        if self.plan.scoring.kind == "mode":
            return [self._mode(prompt) for _ in cells]
        return [self._drawn(cell, prompt) for cell in cells]

    def _exact(self, prompt: PromptIds, temperatures: list[float]) -> list[dict[str, Any]]:
        distributions = self.generator.distribution(
            prompt, self.spec, temperature=temperatures, tails=self.plan.scoring.free, **self._cuts
        )
        return [self._scored(distribution) for distribution in distributions]

    def _scored(self, distribution: Any) -> dict[str, Any]:
        found = score_distribution(distribution.outcomes, self._score_of, self.plan.support)
        return {name: getattr(found, name) for name in type(found).__slots__}

    def _mode(self, prompt: PromptIds) -> dict[str, Any]:
        budget = self.plan.scoring.max_new_tokens
        result = self.generator(prompt, self.spec, temperature=0.0, max_new_tokens=budget)
        return {"draws": (self._draw(0, None, result.text),)}

    def _drawn(self, cell: Cell, prompt: PromptIds) -> dict[str, Any]:
        scoring = self.plan.scoring
        seeds = self._seeds(cell)
        results = self.generator(
            [prompt] * len(seeds),
            self.spec,
            max_new_tokens=scoring.max_new_tokens,
            temperature=cell.temperature,
            seed=seeds,
            **self._cuts,
        )
        draws = tuple(
            self._draw(i, seed, result.text)
            for i, (seed, result) in enumerate(zip(seeds, results, strict=True))
        )
        if self._reasoned is None:
            return {"draws": draws}
        return self._reasoned.parts(
            prompt.ids, draws, results, cell.temperature, tails=scoring.free, **self._cuts
        )

    @property
    def _cuts(self) -> dict[str, Any]:
        return {"top_k": self.plan.scoring.top_k, "top_p": self.plan.scoring.top_p}

    def _seeds(self, cell: Cell) -> list[int]:
        count = self.plan.scoring.draws
        return [cell_seed(self.plan.seed, cell.address, index) for index in range(count)]

    def _score_of(self, text: str, value: Any) -> Score:
        score = self._scores.get(text)
        if score is None:
            score = self._scores[text] = self.plan.score_of(value)
        return score

    def _draw(self, index: int, seed: int | None, text: str) -> Draw:
        score, failure = read_score(self.spec, text, field=self.plan.score)
        return Draw(index, score, text, seed, failure=failure)

    def _failed(self, cell: Cell, problem: str) -> tuple[Draw, ...]:
        """Draws without a score: a cell that failed is not a cell without draws."""
        if self.plan.scoring.kind == "exact":
            return ()
        seeds: list[int | None] = [*self._seeds(cell)] or [None]
        return tuple(Draw(i, None, seed=seed, failure=problem) for i, seed in enumerate(seeds))


@dataclass(slots=True)
class _Asked:
    """One prompt of a batch, and what became of it."""

    text: str = ""
    prompt: PromptIds | None = None
    length: int = 0
    problem: str = ""
    found: dict[float, dict[str, Any]] = field(default_factory=dict)


def _pass_of(task: Task) -> Any:
    """What cells share whose values come from one pass of the model: a prompt, or a batch."""
    if task.cell.batch is not None:
        return task.cell.batch.cells[0].prompt_address
    return task.cell.prompt_address


@contextmanager
def _enough_memory(cell: Cell) -> Iterator[None]:
    """Say what to do when the memory is not enough; unlike other failures it ends the run."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != "OutOfMemoryError":
            raise
        raise ModelError(
            cell.variant.model,
            f"the memory is not enough for {cell.address}",
            hint="what was scored before it is stored: take a smaller dtype or another device, "
            "and run again",
        ) from error


def _numerics_floor(model: Any) -> float | None:
    """How far probabilities may be off for reasons of arithmetic; None without a dtype."""
    dtype = getattr(model, "dtype", None)
    if dtype is None:
        return None
    import torch

    return FLOOR_OF_EPSILON * float(torch.finfo(dtype).eps)
