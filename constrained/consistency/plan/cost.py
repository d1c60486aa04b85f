"""`estimate`: what a plan will cost before it runs: cells, tokens, passes of the model, minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any, NamedTuple

from constrained.consistency.plan.cell import Cell
from constrained.consistency.plan.checks import LISTED_SCORES
from constrained.consistency.plan.plan import Plan
from constrained.errors import ConstrainedError

__all__ = ["CostEstimate", "Speed", "estimate", "measure_speed"]

COUNTED_PROMPTS = 2_000
"""Prompts whose tokens are counted; of more, evenly spread ones, and the rest is their mean."""

CHARACTERS_PER_TOKEN = 4
"""Where there is no tokenizer: about what English text has."""


class Speed(NamedTuple):
    """How fast a model is: a pass over n tokens takes `per_pass` + n * `per_token` seconds.

    >>> Speed(per_token=0.001, per_pass=0.02).per_pass
    0.02
    """

    per_token: float
    per_pass: float = 0.0


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What a plan (or its part) costs when nothing of it is stored yet.

    `prompts` are read by a model once each: cells that differ by temperature alone share one where
    scoring is exact. `output_tokens` and `passes` are upper bounds (an answer may end early, and
    passes may be batched). `counted` is how many prompts were given to the tokenizer; 0: tokens are
    characters divided by four. `minutes` is None when no speed is known.
    """

    cells: int
    prompts: int
    prompt_tokens: int
    output_tokens: int
    passes: int
    counted: int
    minutes: float | None

    def __str__(self) -> str:
        about = "" if self.counted >= self.prompts else "about "
        lines = [
            f"{_counted(self.cells, 'cell')}, {_counted(self.prompts, 'prompt')} to read",
            f"{about}{self.prompt_tokens:,} tokens of prompts, at most {self.output_tokens:,} of "
            "answers",
            f"at most {_counted(self.passes, 'forward pass', 'es')}",
        ]
        if self.minutes is not None:
            lines.append(f"about {_duration(self.minutes)} on one device")
        return "\n".join(lines)


def estimate(
    plan: Plan, tokenizer: Any = None, per_token: float | None = None, per_pass: float = 0.0
) -> CostEstimate:
    """The cost of a plan's cells.

    `per_token` and `per_pass` are seconds, given or from `measure_speed` (one speed stands for all
    variants). With a `tokenizer` (of the first variant) tokens are counted, else guessed from the
    length of the texts.

    >>> from constrained.consistency.plan import Plan
    >>> items = [{"id": name, "text": "Cats purr."} for name in "abc"]
    >>> plan = Plan(name="d", spec="{s:0..9}", items=items, prompts=["1: {text}", "2: {text}"],
    ...             temperatures=[0.5, 1])
    >>> print(estimate(plan, per_token=0.1))
    12 cells, 6 prompts to read
    about 24 tokens of prompts, at most 60 of answers
    at most 6 forward passes
    about 8 seconds on one device
    """
    shares = plan.scoring.kind == "exact"
    cells = sum(1 for _ in plan.cells())
    prompts = sum(1 for _ in _readings(plan)) if shares else cells
    counted, prompt_tokens = _prompt_tokens(plan, tokenizer, shares, prompts)
    tree, longest = _outputs(plan, tokenizer)
    draws = max(plan.scoring.draws, 1)
    steps = {"exact": 0, "mode": longest, "sampled": longest, "reasoned": longest + draws}
    written = {
        "exact": tree,
        "mode": longest,
        "sampled": draws * longest,
        "reasoned": draws * (longest + len(plan.support or ())),
    }
    passes = prompts * (1 + steps[plan.scoring.kind])
    output_tokens = prompts * written[plan.scoring.kind]
    minutes = None
    if per_token is not None:
        minutes = ((prompt_tokens + output_tokens) * per_token + passes * per_pass) / 60
    return CostEstimate(
        cells, prompts, prompt_tokens, output_tokens, passes, min(counted, prompts), minutes
    )


def measure_speed(plan: Plan, model: Any, tokenizer: Any, passes: int = 3) -> Speed:
    """Time a model on a prompt of the plan and on a single token; takes a few passes.

    The best of `passes` timings each, so that a busy machine counts for less. Needs torch.

    >>> estimate(plan, tokenizer, *measure_speed(plan, model, tokenizer))  # doctest: +SKIP
    """
    import torch

    ids = next(plan.cells()).encode(tokenizer)
    device = next(model.parameters()).device

    def seconds(tokens: list[int]) -> float:
        begin = time.perf_counter()
        model(input_ids=torch.tensor([tokens], device=device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begin

    with torch.inference_mode():
        long = min(seconds(ids) for _ in range(passes + 1))
        short = min(seconds(ids[:1]) for _ in range(passes))
    per_token = max(long - short, 0.0) / max(len(ids) - 1, 1)
    return Speed(per_token or long / len(ids), max(short - per_token, 0.0))


def _readings(plan: Plan) -> Iterator[Cell]:
    """One cell for all that differ by temperature alone."""
    for _, alike in groupby(plan.cells(), key=_reading):
        yield next(alike)


def _reading(cell: Cell) -> tuple[str, ...]:
    address = cell.address
    return address.item, address.prompt, address.format, address.variant, address.order


def _prompt_tokens(plan: Plan, tokenizer: Any, shares: bool, prompts: int) -> tuple[int, int]:
    """(how many prompts were counted, tokens of all prompts)."""
    if not prompts:
        return 0, 0
    every = ceil(prompts / COUNTED_PROMPTS)
    cells = _readings(plan) if shares else plan.cells()
    lengths = [_length(cell, tokenizer) for place, cell in enumerate(cells) if place % every == 0]
    total = sum(lengths) if every == 1 else round(sum(lengths) / len(lengths) * prompts)
    return (len(lengths) if tokenizer is not None else 0), total


def _length(cell: Cell, tokenizer: Any) -> int:
    if tokenizer is not None:
        return len(cell.encode(tokenizer))
    try:
        text = cell.render()
    except ConstrainedError:  # the format "template" without a tokenizer
        text = f"{cell.system or ''}{cell.text}"
    return ceil(len(text) / CHARACTERS_PER_TOKEN)


def _outputs(plan: Plan, tokenizer: Any) -> tuple[int, int]:
    """(tokens of all outputs, shared beginnings once; tokens of the longest output)."""
    spec = plan.spec_of()
    summary = spec.summary()
    most = plan.scoring.max_new_tokens
    if summary.outputs is None or summary.outputs > LISTED_SCORES:
        longest = summary.longest_characters
        return most, most if longest is None else min(most, longest)
    beginnings: set[tuple[Any, ...]] = set()
    longest = 0
    for text in spec.enumerate():
        ids = _output_ids(text, tokenizer)
        longest = max(longest, len(ids))
        beginnings.update(tuple(ids[: end + 1]) for end in range(len(ids)))
    return len(beginnings), min(most, longest + 1)


def _output_ids(text: str, tokenizer: Any) -> list[Any]:
    if tokenizer is not None:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    return [
        text[at : at + CHARACTERS_PER_TOKEN] for at in range(0, len(text), CHARACTERS_PER_TOKEN)
    ]


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}{plural if number != 1 else ''}"


def _duration(minutes: float) -> str:
    if minutes < 1.5:
        seconds = max(round(minutes * 60), 1)
        return f"{seconds} second{'s' if seconds > 1 else ''}"
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"
