"""Compare base and adapter on the held-out essays, free and constrained.

    python examples/essay_scorer/evaluate.py

Each of the 60 essays is asked for under one wording and one prompt format (they take turns, so
every wording meets every format). Free answers are greedy ones of ``model.generate``. Constrained
ones come from the exact distribution: the likeliest score, the expected score and the removed mass
are all in it. Prints a table in Markdown; ``--json FILE`` keeps every answer.
"""

# ruff: noqa: T201 - a script prints what it does

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from rubric import FOLDER

from constrained import Generator, template
from constrained.consistency.statistics import quadratic_kappa
from constrained.models import load_variants
from constrained.prompts import prompt_format

SPEC = template("Essay score: {score} / 10", score=range(11))
FORMATS = ("plain", "alpaca", "chatml")
FREE_TOKENS = 14
"""Longest free answer; the format takes 10 tokens and the end token."""

ROWS = 10
"""Prompts in one batch."""


@dataclass(frozen=True)
class Answer:
    """What one variant said about one essay; scores are NaN where there is none to be read."""

    essay: str
    wording: str
    format: str
    gold: int
    free: str
    free_score: float
    score: int
    mean: float
    removed_mass: float


def main() -> None:
    """Ask both variants, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--adapter", default=str(FOLDER / "adapter"))
    parser.add_argument("--essays", type=int, default=60, help="fewer for a trial")
    parser.add_argument("--json", type=Path, help="write every answer here")
    arguments = parser.parse_args()
    variants = load_variants("smollm2", {"adapter": arguments.adapter}, dtype="float32")
    generator = Generator(variants.model, variants.tokenizer)
    asked = questions(arguments.essays)
    found: dict[str, list[Answer]] = {}
    for name in variants.names:
        with variants.use(name):
            found[name] = answers(generator, asked)
    print(table(found))
    if arguments.json:
        record = {name: [asdict(answer) for answer in rows] for name, rows in found.items()}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def questions(number: int) -> list[tuple[dict[str, Any], str, str, str]]:
    """Essay, wording, format and prompt; wordings and formats take turns."""
    lines = (FOLDER / "essays.jsonl").read_text("utf-8").splitlines()[:number]
    wordings = yaml.safe_load((FOLDER / "prompts.yaml").read_text("utf-8"))
    found = []
    for place, line in enumerate(lines):
        essay, wording = json.loads(line), wordings[place % len(wordings)]
        name = FORMATS[place % len(FORMATS)]
        prompt = prompt_format(name).render(wording["text"].replace("{text}", essay["text"]))
        found.append((essay, wording["id"], name, prompt))
    return found


def answers(
    generator: Generator, asked: Sequence[tuple[dict[str, Any], str, str, str]]
) -> list[Answer]:
    """What the variant that is switched on says."""
    found = []
    for first in range(0, len(asked), ROWS):
        batch = asked[first : first + ROWS]
        prompts = [prompt for *_, prompt in batch]
        free = free_answers(generator.model, generator.tokenizer, prompts)
        exact = generator.distribution(prompts, SPEC)
        for (essay, wording, name, _), text, one in zip(batch, free, exact, strict=True):
            found.append(
                Answer(
                    essay=essay["id"],
                    wording=wording,
                    format=name,
                    gold=essay["gold"],
                    free=text,
                    free_score=SPEC.parse(text)["score"] if SPEC.matches(text) else math.nan,
                    score=one.mode,
                    mean=one.mean,
                    removed_mass=one.removed_mass,
                )
            )
    return found


def free_answers(model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[str]:
    """Greedy answers without any constraint, without space around them."""
    inputs = tokenizer(list(prompts), return_tensors="pt", padding=True, padding_side="left")
    with torch.inference_mode():
        output = model.generate(
            **inputs,
            max_new_tokens=FREE_TOKENS,
            do_sample=False,
            pad_token_id=tokenizer.eos_token_id,
        )
    start = inputs["input_ids"].shape[1]
    return [t.strip() for t in tokenizer.batch_decode(output[:, start:], skip_special_tokens=True)]


def table(found: dict[str, list[Answer]]) -> str:
    """The comparison in Markdown."""
    lines = [
        "| variant | answers | in the format | quadratic weighted kappa | of expected scores | "
        "removed mass |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, rows in found.items():
        gold = [row.gold for row in rows]
        free = [row.free_score for row in rows]
        readable = sum(not math.isnan(score) for score in free)
        removed = sum(row.removed_mass for row in rows) / len(rows)
        kappa = kappa_of(free, gold) if readable else "none to compare"
        lines += [
            f"| {name} | free | {readable} of {len(rows)} | {kappa} | | |",
            f"| {name} | constrained | {len(rows)} of {len(rows)} | "
            f"{kappa_of([row.score for row in rows], gold)} | "
            f"{kappa_of([row.mean for row in rows], gold)} | {removed:.4f} |",
        ]
    return "\n".join(lines)


def kappa_of(scores: Sequence[float], gold: Sequence[float]) -> str:
    """Kappa with its interval."""
    found = quadratic_kappa(scores, gold)
    if not found.known:
        return found.reason
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


if __name__ == "__main__":
    main()
