"""`grade`, `compare`: every essay under every wording, answered freely, in the format, exactly."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from constrained.chat import takes_chats
from constrained.demo.material import Material
from constrained.demo.report import Cell, Report, Seconds
from constrained.demo.scorer import SCORER, Comparison, Scored
from constrained.generation.generator import Generator
from constrained.generation.inputs import Prompt, prompt_ids
from constrained.models.variants import BASE, Variants
from constrained.prompts import prompt_format
from constrained.spec import template

__all__ = ["FREE_TOKENS", "TEMPLATE", "compare", "grade"]

TEMPLATE = "Essay score: {score} / 10"
FREE_TOKENS = 16
"""Longest free answer. The format takes ten tokens where every digit is one."""

ROWS = 8
"""Prompts in one batch, for free and constrained answers alike."""

NAMES_A_SCORE = re.compile(r"(?<![\d.])(10|\d) ?(?:/|out of) ?10(?![\d.]*\d)")


def _nothing(_text: str, _steps: int) -> None:
    """Show no progress."""


def grade(
    model: Any,
    tokenizer: Any,
    material: Material,
    *,
    name: str,
    render: Callable[[str], str] | None = None,
    progress: Callable[[str, int], None] = _nothing,
) -> Report:
    """Grade all essays under all wordings with one model.

    `render` writes a prompt in the format that the model was trained with; without it, prompts go
    through the tokenizer's chat template where it has one. Free and constrained answers
    get the same prompts in the same batches; free ones are cut after `FREE_TOKENS` tokens.
    `progress` is told what is being done and how many of the 3 x essays x wordings steps that was.
    """
    generator = Generator(model, tokenizer)
    spec = template(TEMPLATE, score=range(11))
    questions = asked(tokenizer, material, render)
    free_answers(model, tokenizer, [questions[0][2]], tokens=1)  # warms up
    seconds = {"free": 0.0, "constrained": 0.0, "distribution": 0.0}
    cells: dict[tuple[str, str], Cell] = {}
    for keys, prompts in batches(questions):
        start = time.perf_counter()
        progress("Free answers", 0)
        free = free_answers(model, tokenizer, prompts, tokens=FREE_TOKENS)
        seconds["free"] += time.perf_counter() - start
        progress("Constrained answers", len(keys))
        start = time.perf_counter()
        results = generator(prompts, spec)
        seconds["constrained"] += time.perf_counter() - start
        progress("Exact distributions", len(keys))
        for key, prompt, text, result in zip(keys, prompts, free, results, strict=True):
            start = time.perf_counter()
            exact = generator.distribution(prompt, spec)
            seconds["distribution"] += time.perf_counter() - start
            progress("Exact distributions", 1)
            cells[key] = Cell(
                essay=key[0],
                prompt=key[1],
                free=text,
                follows=spec.matches(text.strip()),
                names_score=NAMES_A_SCORE.search(text) is not None,
                text=result.text,
                valid=spec.matches(result.text),
                score=result.value["score"],
                pmf=tuple(exact.pmf.get(score, 0.0) for score in range(11)),
                removed_mass=exact.removed_mass,
            )
    essays = tuple(essay.id for essay in material.essays)
    wordings = tuple(wording.id for wording in material.prompts)
    return Report(
        model=name,
        template=TEMPLATE,
        question=material.question,
        essays=essays,
        prompts=wordings,
        cells=tuple(cells[essay, wording] for essay in essays for wording in wordings),
        seconds=Seconds(**{key: value / len(cells) for key, value in seconds.items()}),
    )


def compare(
    variants: Variants, chosen: Scored, *, progress: Callable[[str, int], None] = _nothing
) -> Comparison:
    """Grade essays of known scores with the base and with its adapter `SCORER`.

    `progress` is told what is being done and how many of the 6 x essays x wordings steps that was.
    """
    render = prompt_format("chatml").render  # one of those that the adapter was trained with

    def graded(name: str, label: str) -> Report:
        with variants.use(name) as model:
            return grade(
                model,
                variants.tokenizer,
                chosen.material,
                name=label,
                render=render,
                progress=progress,
            )

    return Comparison(graded(BASE, "before"), graded(SCORER, "after"), chosen.gold)


def asked(
    tokenizer: Any, material: Material, render: Callable[[str], str] | None
) -> list[tuple[str, str, Prompt]]:
    """Essay, wording and prompt of every cell; one wording after the other."""
    chat = takes_chats(tokenizer)
    plain = render or "{}\n\n".format
    found: list[tuple[str, str, Prompt]] = []
    for wording in material.prompts:
        for essay in material.essays:
            text = wording.ask(material.question, essay)
            messages = [{"role": "user", "content": text}]
            found.append((essay.id, wording.id, messages if chat and not render else plain(text)))
    return found


def batches(
    cells: Sequence[tuple[str, str, Prompt]],
) -> list[tuple[list[tuple[str, str]], list[Prompt]]]:
    """Cells in groups of `ROWS`: their keys, their prompts."""
    groups = [cells[first : first + ROWS] for first in range(0, len(cells), ROWS)]
    return [([(e, w) for e, w, _ in group], [prompt for *_, prompt in group]) for group in groups]


def free_answers(model: Any, tokenizer: Any, prompts: Sequence[Prompt], tokens: int) -> list[str]:
    """What the model says when nothing holds it to the format (greedy, `model.generate`)."""
    encoder = bool(model.config.is_encoder_decoder)
    ids = [list(prompt_ids(tokenizer, prompt, encoder=encoder).ids) for prompt in prompts]
    width = max(map(len, ids))
    pad = next((i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id) if i is not None), 0)
    padded = torch.tensor([[pad] * (width - len(row)) + row for row in ids], device=model.device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
    with torch.inference_mode():
        output = model.generate(
            input_ids=padded,
            attention_mask=mask.to(model.device),
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=pad,
        )
    answers = output if encoder else output[:, width:]
    return [tokenizer.decode(row, skip_special_tokens=True) for row in answers]
