"""Train the essay scorer: a LoRA adapter on SmolLM2-135M-Instruct, on the CPU, from one seed.

    python examples/essay_scorer/train.py --output my-adapter

Every example is one damaged essay under one of the six training wordings in one of four prompt
formats, and the answer ``Essay score: N / 10`` with the end token. Only the answer counts for the
loss. Examples are made as they are needed; none is seen twice.
"""

# ruff: noqa: T201 - a script prints what it does

from __future__ import annotations

import argparse
import json
import platform
import random
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
import yaml
from rubric import FOLDER, essays

from constrained.models import load_model
from constrained.prompts import prompt_format

SETTINGS: dict[str, Any] = {
    "seed": 4,
    "steps": 400,
    "batch": 8,
    "learning_rate": 1e-3,
    "warmup": 20,
    "rank": 8,
    "alpha": 16,
    "modules": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "first_layer": 8,
    "formats": {"plain": 3, "alpaca": 3, "chatml": 3, "template": 2},
}
"""What decides the adapter. The layers below `first_layer` stay as they are, which saves their
backward pass; `formats` are the shares of the prompt formats."""

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The name that the adapter gives to its base, which `load_model("smollm2")` loads."""

CHUNK = 8
"""Batches are sorted by length inside so many batches, so that little of them is padding."""

Example = tuple[list[int], list[int]]
"""The ids of a prompt and of its answer."""


def main() -> None:
    """Train, and write the adapter and its log."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER / "adapter")
    parser.add_argument("--steps", type=int, default=SETTINGS["steps"], help="fewer for a trial")
    arguments = parser.parse_args()
    settings = SETTINGS | {"steps": arguments.steps}
    torch.manual_seed(settings["seed"])
    base, tokenizer = load_model("smollm2", device="cpu", dtype="float32")
    model = with_lora(base, settings)
    start = time.perf_counter()
    log = []
    for entry in train(model, tokenizer, settings):
        log.append(entry | {"seconds": round(time.perf_counter() - start, 1)})
        print(json.dumps(log[-1]), flush=True)
    write(model, arguments.output, settings, log)


def examples(tokenizer: Any, settings: dict[str, Any]) -> Iterator[Example]:
    """Training examples, as many as the settings need."""
    rng = random.Random(settings["seed"])
    wordings = [
        w["text"]
        for w in yaml.safe_load((FOLDER / "prompts.yaml").read_text("utf-8"))
        if w["training"]
    ]
    formats, shares = zip(*settings["formats"].items(), strict=True)
    for essay in essays(settings["seed"], settings["steps"] * settings["batch"], "training"):
        (name,) = rng.choices(formats, shares)
        text = rng.choice(wordings).replace("{text}", essay.text)
        prompt = prompt_format(name).encode(text, tokenizer)
        answer = tokenizer(f"Essay score: {essay.damage.score} / 10")["input_ids"]
        yield prompt, [*answer, tokenizer.eos_token_id]


def batches(tokenizer: Any, settings: dict[str, Any]) -> Iterator[list[Example]]:
    """Examples of similar length together, in random order."""
    rng = random.Random(settings["seed"])
    found, size = list(examples(tokenizer, settings)), settings["batch"]
    rng.shuffle(found)
    for first in range(0, len(found), size * CHUNK):
        chunk = sorted(found[first : first + size * CHUNK], key=lambda e: len(e[0]))
        groups = [chunk[i : i + size] for i in range(0, len(chunk), size)]
        rng.shuffle(groups)
        yield from groups


def with_lora(base: Any, settings: dict[str, Any]) -> Any:
    """The base with an untrained adapter."""
    layers = list(range(settings["first_layer"], base.config.num_hidden_layers))
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        target_modules=settings["modules"],
        layers_to_transform=layers,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about a name inside transformers
        return peft.get_peft_model(base, config).train()


def train(model: Any, tokenizer: Any, settings: dict[str, Any]) -> Iterator[dict[str, float]]:
    """One optimiser step per batch; yields the losses (nats): per answer, and of the score only."""
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings["learning_rate"], weight_decay=0.0)
    schedule = transformers.get_cosine_schedule_with_warmup(
        optimizer, settings["warmup"], settings["steps"]
    )
    digits = {i for n in range(11) for i in tokenizer(str(n))["input_ids"]}
    for step, batch in enumerate(batches(tokenizer, settings), start=1):
        losses = answer_losses(model, batch)
        score = [
            next(x for t, x in zip(a, row, strict=True) if t in digits)
            for (_, a), row in zip(batch, losses, strict=True)
        ]
        loss = torch.stack([row.sum() for row in losses]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        yield {
            "step": step,
            "loss": round(float(loss.detach()), 4),
            "score_loss": round(float(torch.stack(score).detach().mean()), 4),
        }


def answer_losses(model: Any, batch: list[Example]) -> list[torch.Tensor]:
    """The negative log-likelihood of every token of every answer; logits for those only."""
    longest = max(len(prompt) + len(answer) for prompt, answer in batch) - 1
    ids = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, (prompt, answer) in zip(ids, batch, strict=True):
        row[: len(prompt) + len(answer) - 1] = torch.tensor([*prompt, *answer[:-1]])
    inner = model.get_base_model()
    hidden = inner.model(input_ids=ids).last_hidden_state  # causal, so right padding is not seen
    found = []
    for row, (prompt, answer) in zip(hidden, batch, strict=True):
        logits = inner.lm_head(row[len(prompt) - 1 : len(prompt) + len(answer) - 1])
        found.append(
            torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="none")
        )
    return found


def write(model: Any, folder: Path, settings: dict[str, Any], log: list[dict[str, float]]) -> None:
    """The adapter as safetensors, and how it came about as JSON."""
    model.peft_config["default"].base_model_name_or_path = BASE
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty form
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
    record = {
        "settings": settings,
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "versions": versions | {"python": platform.python_version()},
        "threads": torch.get_num_threads(),
        "log": log,
    }
    text = json.dumps(record, indent=1)
    (folder / "training_log.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
