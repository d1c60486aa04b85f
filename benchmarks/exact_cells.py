"""What does a cell of a consistency run cost: scored exactly, against its prefill and 20 draws?

    python benchmarks/exact_cells.py [--cells 12] [--rounds 3] [--draws 20] [--plan PLAN]

Cells of the essay scorer's plan (11 scores) are scored as a run scores them: prompt, encoding,
distribution and record. Against that stand

* the prefill alone: one forward pass over the same tokens, with a cache and the last logits;
* the scores alone (``free: false``): the same cells without the free model's distribution;
* as many draws by Outlines, with its own regex processor in `model.generate` (temperature 1): all
  draws of a cell in one batch, and one after the other (one draw times their number); the faster
  way counts;
* the same draws by this library (``scoring: sampled``), which share one prefill.

All in one process, in turns, the best of `rounds` for each cell; ratios are medians over cells.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from answering import best_of
from peers import PROCESSORS, Format, Target
from transformers import LogitsProcessorList

from constrained import Generator
from constrained.consistency.plan import Plan, content_hashes, read_plan
from constrained.consistency.scoring import ModelScorer, Task, tasks_of
from constrained.models import load_model

PLAN = Path(__file__).parents[1] / "examples/essay_scorer/plan.yaml"
PATTERN = r"Essay score: ([0-9]|10) / 10"
ONE = "Outlines, one by one"
TOKENS = 16
"""More than the longest text of the pattern."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", default=str(PLAN))
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--threads", type=int, help="of torch; its own choice when left out")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    plan = read_plan(arguments.plan)
    variant = plan.variants[0].model_copy(update={"adapter": None})
    plan = plan.with_options(variants=[variant])
    sampled = plan.with_options(
        scoring={"kind": "sampled", "draws": arguments.draws, "max_new_tokens": TOKENS}
    )
    model, tokenizer = load_model(variant.model, dtype=variant.dtype)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    generator = Generator(model, tokenizer, batch_size=64)
    alone = ModelScorer(plan.with_options(scoring={"kind": "exact", "free": False}), generator)
    scorers = {one.scoring.kind: ModelScorer(one, generator) for one in (plan, sampled)}
    outlines = outlines_of(model, tokenizer)
    seconds: dict[str, list[float]] = {}
    chosen = every(plan, arguments.cells)
    for place, (task, other) in enumerate(
        zip(chosen, every(sampled, arguments.cells), strict=True)
    ):
        ids = torch.tensor([task.cell.encode(tokenizer)])
        ways: dict[str, Callable[[], Any]] = {
            "prefill": lambda i=ids: prefill(model, i),
            "exact": lambda t=task: list(scorers["exact"].score([t])),
            "scores alone": lambda t=task: list(alone.score([t])),
            "our draws": lambda t=other: list(scorers["sampled"].score([t])),
            "Outlines, one batch": lambda i=ids: outlines(i, arguments.draws),
            ONE: lambda i=ids: outlines(i, 1),
        }
        if place == 0:  # compiling and first calls are no part of a cell
            for work in ways.values():
                work()
        for name, work in ways.items():
            took, _ = best_of(arguments.rounds, work)
            seconds.setdefault(name, []).append(took * (arguments.draws if name == ONE else 1))
        print(f"cell {place + 1}: {ids.shape[1]} tokens", flush=True)
    report(seconds, arguments.draws)


def every(plan: Plan, count: int) -> list[Task]:
    """Cells from all over the plan."""
    tasks = list(tasks_of(plan, content_hashes(plan)))
    return tasks[:: max(len(tasks) // count, 1)][:count]


def prefill(model: Any, ids: torch.Tensor) -> None:
    """One pass over a prompt."""
    with torch.inference_mode():
        model(input_ids=ids, use_cache=True, logits_to_keep=1)


def outlines_of(model: Any, tokenizer: Any) -> Callable[[torch.Tensor, int], Any]:
    """Draws by Outlines: its processor in `generate`."""
    target = Target(model, tokenizer, model.get_output_embeddings().weight.shape[0])

    def draw(ids: torch.Tensor, draws: int) -> Any:
        processor = PROCESSORS["outlines"](target, Format("regex", PATTERN), draws)
        return model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=TOKENS,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=draws,
            logits_processor=LogitsProcessorList([processor]),
        )

    return draw


def report(seconds: dict[str, list[float]], draws: int) -> None:
    """Medians over cells, and the two ratios in question."""
    exact = seconds["exact"]
    for name, found in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(found, exact, strict=True))
        print(f"{name:<21} {statistics.median(found):8.3f} s per cell, {ratio:6.2f}x exact")
    for name in ("exact", "scores alone"):
        over = [a / b for a, b in zip(seconds[name], seconds["prefill"], strict=True)]
        print(f"{name} / prefill: median {statistics.median(over):.2f}, at most {max(over):.2f}")
    both = zip(seconds["Outlines, one batch"], seconds[ONE], strict=True)
    cheaper = [min(pair) / one for pair, one in zip(both, exact, strict=True)]
    print(
        f"{draws} draws by Outlines / exact: median {statistics.median(cheaper):.1f}, "
        f"at least {min(cheaper):.1f}"
    )


if __name__ == "__main__":
    main()
