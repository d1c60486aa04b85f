"""Train the essay scorer: a LoRA adapter on SmolLM2-135M-Instruct, on the CPU, from one seed.

    python examples/essay_scorer/train.py --output my-adapter

Every example is one damaged essay under one of the six training wordings in one of three prompt
formats, and the answer ``Essay score: N / 10`` with the end token. First the digits of the score
are learnt alone, among the ten digits; then whole answers.

The adapter sits in the last layer. What the layers below it make of an example never changes, so it
is worked out once and kept (130 MB). That is nearly all of the work.
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
    "examples": 512,
    "score_steps": 140,
    "score_batch": 32,
    "answer_steps": 80,
    "batch": 8,
    "learning_rate": 3e-3,
    "warmup": 20,
    "rank": 8,
    "alpha": 16,
    "dropout": 0.1,
    "modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "first_layer": 29,
    "formats": {"plain": 3, "alpaca": 1, "chatml": 2},
}
"""What decides the adapter. The layers below `first_layer` stay as they are; `formats` are the
shares of the prompt formats."""

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The name that the adapter gives to its base, which `load_model("smollm2")` loads."""

Example = tuple[torch.Tensor, list[int]]
"""What the lower layers make of a prompt and its answer (float32, shape (tokens, hidden)), and the
ids of the answer."""


def main() -> None:
    """Train, and write the adapter and its log."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER / "adapter")
    parser.add_argument("--examples", type=int, default=SETTINGS["examples"], help="for a trial")
    arguments = parser.parse_args()
    settings = SETTINGS | {"examples": arguments.examples}
    torch.manual_seed(settings["seed"])
    base, tokenizer = load_model("smollm2", device="cpu", dtype="float32")
    start = time.perf_counter()
    found = list(examples(base, tokenizer, settings))
    print(f"{len(found)} examples in {time.perf_counter() - start:.0f} s", flush=True)
    model = with_lora(base, settings)
    log = []
    for entry in train(model, tokenizer, found, settings):
        log.append(entry | {"seconds": round(time.perf_counter() - start, 1)})
        print(json.dumps(log[-1]), flush=True)
    write(model, arguments.output, settings, log)


def examples(base: Any, tokenizer: Any, settings: dict[str, Any]) -> Iterator[Example]:
    """Training examples, as far as the lower layers of the base bring them."""
    written = sorted(texts(tokenizer, settings), key=lambda pair: len(pair[0]))
    for first in range(0, len(written), settings["batch"]):
        batch = written[first : first + settings["batch"]]
        ids = [torch.tensor([*prompt, *answer[:-1]]) for prompt, answer in batch]
        with torch.no_grad():
            padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
            hidden = run(base, base.model.embed_tokens(padded), 0, settings["first_layer"])
        for row, one, (_, answer) in zip(hidden, ids, batch, strict=True):
            yield row[: len(one)].clone(), answer


def texts(tokenizer: Any, settings: dict[str, Any]) -> Iterator[tuple[list[int], list[int]]]:
    """The ids of prompts and answers."""
    rng = random.Random(settings["seed"])
    prompts = yaml.safe_load((FOLDER / "prompts.yaml").read_text("utf-8"))
    wordings = [wording["text"] for wording in prompts if wording["training"]]
    formats, shares = zip(*settings["formats"].items(), strict=True)
    for essay in essays(settings["seed"], settings["examples"], "training"):
        (name,) = rng.choices(formats, shares)
        text = rng.choice(wordings).replace("{text}", essay.text)
        prompt = prompt_format(name).encode(text, tokenizer)
        score = tokenizer(f"Essay score: {essay.damage.score} / 10")["input_ids"]
        yield prompt, [*score, tokenizer.eos_token_id]


def run(base: Any, hidden: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """Some of the base's layers; the rows may be padded on the right, as no token looks there."""
    rotary = base.model.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
    for layer in base.model.layers[first:last]:
        hidden = layer(hidden, attention_mask=None, position_embeddings=rotary)
    return hidden


def with_lora(base: Any, settings: dict[str, Any]) -> Any:
    """The base with an untrained adapter."""
    layers = list(range(settings["first_layer"], base.config.num_hidden_layers))
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=settings["dropout"],
        target_modules=settings["modules"],
        layers_to_transform=layers,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about a name inside transformers
        return peft.get_peft_model(base, config).train()


def train(
    model: Any, tokenizer: Any, found: list[Example], settings: dict[str, Any]
) -> Iterator[dict[str, float]]:
    """One optimiser step per batch; yields the loss (nats): of the first digit, then of answers."""
    rng = random.Random(settings["seed"])
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings["learning_rate"], weight_decay=0.0)
    steps = settings["score_steps"] + settings["answer_steps"]
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, settings["warmup"], steps)
    digits = [tokenizer(str(digit))["input_ids"][0] for digit in range(10)]
    base = model.get_base_model()
    for step in range(1, steps + 1):
        if step <= settings["score_steps"]:
            loss = digit_loss(base, rng.sample(found, settings["score_batch"]), digits)
        else:
            loss = answer_loss(base, rng.sample(found, settings["batch"]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        part = "digit" if step <= settings["score_steps"] else "answer"
        yield {"step": step, "part": part, "loss": round(float(loss.detach()), 4)}


def outputs(base: Any, batch: list[Example], first: int, last: int) -> torch.Tensor:
    """What the model makes of places `first` to `last` of each answer, counted from its start."""
    padded = torch.nn.utils.rnn.pad_sequence([hidden for hidden, _ in batch], batch_first=True)
    starts = torch.tensor([len(hidden) - len(answer) for hidden, answer in batch])
    places = (starts[:, None] + torch.arange(first, last)).clamp(max=padded.shape[1] - 1)
    return base.model.norm(run_at(base, padded, base.config.num_hidden_layers - 1, places))


def digit_loss(base: Any, batch: list[Example], digits: list[int]) -> torch.Tensor:
    """The negative log-likelihood of the score's first digit among all digits."""
    place = next(i for i, token in enumerate(batch[0][1]) if token in digits)
    logits = outputs(base, batch, place, place + 1)[:, 0] @ base.lm_head.weight[digits].T
    right = torch.tensor([digits.index(answer[place]) for _, answer in batch])
    return torch.nn.functional.cross_entropy(logits, right)


def answer_loss(base: Any, batch: list[Example]) -> torch.Tensor:
    """The negative log-likelihood of whole answers, end token included."""
    longest = max(len(answer) for _, answer in batch)
    right = [torch.tensor(answer) for _, answer in batch]
    targets = torch.nn.utils.rnn.pad_sequence(right, batch_first=True, padding_value=-100)
    logits = base.lm_head(outputs(base, batch, 0, longest))
    total = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), reduction="sum", ignore_index=-100
    )
    return total / len(batch)


def run_at(base: Any, hidden: torch.Tensor, index: int, places: torch.Tensor) -> torch.Tensor:
    """One layer at these places of each row only: all that answers need of the last layer.

    `places` is int64, shape (rows, places).
    """
    layer = base.model.layers[index]
    rows = torch.arange(len(hidden))[:, None]
    cos, sin = base.model.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
    normed, attention = layer.input_layernorm(hidden), layer.self_attn
    size = attention.head_dim

    def heads(projected: torch.Tensor) -> torch.Tensor:
        return projected.view(*projected.shape[:2], -1, size).transpose(1, 2)

    def turned(vectors: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        one, two = vectors.chunk(2, dim=-1)
        return vectors * cos + torch.cat([-two, one], dim=-1) * sin

    keys = turned(heads(attention.k_proj(normed)), cos[:, None], sin[:, None])
    queries = turned(
        heads(attention.q_proj(normed[rows, places])),
        cos[0][places][:, None],
        sin[0][places][:, None],
    )
    seen = torch.nn.functional.scaled_dot_product_attention(
        queries,
        keys,
        heads(attention.v_proj(normed)),
        attn_mask=(torch.arange(hidden.shape[1]) <= places[..., None])[:, None],
        enable_gqa=True,
    )
    found = hidden[rows, places] + attention.o_proj(seen.transpose(1, 2).flatten(2))
    return found + layer.mlp(layer.post_attention_layernorm(found))


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
