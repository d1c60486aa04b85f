"""Train the essay scorer: a LoRA adapter on SmolLM2-135M-Instruct, on the CPU, from one seed.

    python examples/essay_scorer/train.py --output my-adapter

Every example is one damaged essay under one of the six training wordings in one of three prompt
formats, and the answer ``Essay score: N / 10`` with the end token. Most of the work goes into the
digit of the score: it is learnt from large batches, among the ten digits only, with a target that
is spread over the neighbouring scores (where 7 is right, 6 is less wrong than 0). Whole answers of
a few examples teach the format.

The adapter sits in the last layer. What the layers below make of an example never changes, so it
is worked out once and kept in memory, and a step needs the last layer at a few places only. Essays
on two topics that are neither training nor held out decide which step's adapter is written.
"""

# ruff: noqa: T201 - a script prints what it does

from __future__ import annotations

import argparse
import json
import platform
import random
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
import yaml
from rubric import FOLDER, essays

from constrained.consistency.statistics import quadratic_kappa
from constrained.models import load_model
from constrained.prompts import prompt_format

SETTINGS: dict[str, Any] = {
    "seed": 5,
    "examples": 1600,
    "validation_examples": 132,
    "validation_every": 50,
    "patience": 250,
    "steps": 1500,
    "batch": 64,
    "learning_rate": 2.5e-3,
    "warmup": 30,
    "spread": 0.7,
    "answers": 8,
    "answers_every": 3,
    "answer_weight": 0.3,
    "rank": 16,
    "alpha": 32,
    "dropout": 0.1,
    "modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "layer": 29,
    "formats": ["plain", "alpaca", "chatml"],
}
"""What decides the adapter. The layers below `layer` stay as they are; `spread` is the standard
deviation, in points, of the target that replaces the one right score; a batch is for the digit,
`answers` whole ones come with every `answers_every`th. Training ends early when the validation has
not become better for `patience` steps."""

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The name that the adapter gives to its base, which `load_model("smollm2")` loads."""

DIGIT = 4
"""The place of the score's first digit among an answer's tokens: after `Essay`, ` score`, `:` and
a space."""


@dataclass(frozen=True)
class Example:
    """A prompt with an answer, as far as the lower layers of the base bring them."""

    hidden: torch.Tensor
    """bfloat16, shape (tokens, hidden); the answer's last token is not among them."""
    answer: list[int]
    """The ids of the answer."""
    score: int
    """The right score, which the answer need not state."""


def main() -> None:
    """Train, and write the adapter and its log."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER / "adapter")
    for name in ("examples", "steps"):
        parser.add_argument(f"--{name}", type=int, default=SETTINGS[name], help="for a trial")
    arguments = parser.parse_args()
    settings = SETTINGS | {"examples": arguments.examples, "steps": arguments.steps}
    torch.manual_seed(settings["seed"])
    base, tokenizer = load_model("smollm2", device="cpu", dtype="float32")
    start = time.perf_counter()
    training = prepared(base, tokenizer, settings, "training", settings["examples"])
    validation = prepared(base, tokenizer, settings, "validation", settings["validation_examples"])
    seconds = round(time.perf_counter() - start)
    print(f"the lower layers took {seconds} s", flush=True)
    model = with_lora(base, settings)
    log = []
    for entry in train(model, digits_of(tokenizer), training, validation, settings):
        log.append(entry | {"seconds": round(time.perf_counter() - start - seconds)})
        print(json.dumps(log[-1]), flush=True)
    write(model, arguments.output, settings, seconds, log)


def prepared(
    base: Any, tokenizer: Any, settings: dict[str, Any], part: str, number: int
) -> list[Example]:
    """Examples of a part of the topics, in the order of their lengths."""
    written = sorted(texts(tokenizer, settings, part, number), key=lambda row: len(row[0]))
    found = []
    for first in range(0, len(written), settings["batch"]):
        rows = written[first : first + settings["batch"]]
        ids = [torch.tensor([*prompt, *answer[:-1]]) for prompt, answer, _ in rows]
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            hidden = run(base, base.model.embed_tokens(padded), 0, settings["layer"])
        for states, one, (_, answer, score) in zip(hidden, ids, rows, strict=True):
            found.append(Example(states[: len(one)].bfloat16().clone(), answer, score))
    return found


def texts(
    tokenizer: Any, settings: dict[str, Any], part: str, number: int
) -> Iterator[tuple[list[int], list[int], int]]:
    """The ids of prompts and answers, and the right scores.

    Validation answers all say 10: what the model would answer can be read off them, as both ways
    to go on after a 1 are seen.
    """
    rng = random.Random(f"{part} {settings['seed']}")
    wordings = yaml.safe_load((FOLDER / "prompts.yaml").read_text("utf-8"))
    asked = [wording["text"] for wording in wordings if wording["training"]]
    for essay in essays(settings["seed"], number, part):
        text = rng.choice(asked).replace("{text}", essay.text)
        prompt = prompt_format(rng.choice(settings["formats"])).encode(text, tokenizer)
        score = essay.damage.score
        stated = 10 if part == "validation" else score
        answer = tokenizer(f"Essay score: {stated} / 10")["input_ids"]
        yield prompt, [*answer, tokenizer.eos_token_id], score


def run(base: Any, hidden: torch.Tensor, first: int, last: int | None) -> torch.Tensor:
    """Some of the base's layers; the rows may be padded on the right, as no token looks there."""
    rotary = base.model.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
    for layer in base.model.layers[first:last]:
        hidden = layer(hidden, attention_mask=None, position_embeddings=rotary)
    return hidden


def digits_of(tokenizer: Any) -> torch.Tensor:
    """The ids of the ten digits."""
    return torch.tensor([tokenizer(str(digit))["input_ids"][0] for digit in range(10)])


def with_lora(base: Any, settings: dict[str, Any]) -> Any:
    """The base with an untrained adapter."""
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        lora_dropout=settings["dropout"],
        target_modules=settings["modules"],
        layers_to_transform=[settings["layer"]],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about a name inside transformers
        return peft.get_peft_model(base, config).train()


def train(
    model: Any,
    digits: torch.Tensor,
    training: list[Example],
    validation: list[Example],
    settings: dict[str, Any],
) -> Iterator[dict[str, float]]:
    """One optimiser step per batch; yields the loss (nats) and now and then the validation.

    In the end the model has the weights with the best validation.
    """
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        weights.values(), lr=settings["learning_rate"], weight_decay=0.0, betas=(0.9, 0.99)
    )
    schedule = transformers.get_cosine_schedule_with_warmup(
        optimizer, settings["warmup"], settings["steps"]
    )
    base = model.get_base_model()
    rng = random.Random(settings["seed"])
    best, best_step, kept = -1.0, 0, {}
    for step in range(1, settings["steps"] + 1):
        loss = score_loss(base, digits, rng.sample(training, settings["batch"]), settings)
        if step % settings["answers_every"] == 0:
            loss = loss + settings["answer_weight"] * answer_loss(
                base, rng.sample(training, settings["answers"])
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        entry = {"step": step, "loss": round(float(loss.detach()), 4)}
        if step % settings["validation_every"] == 0 or step == settings["steps"]:
            entry |= validated(model.eval(), digits, validation, settings)
            model.train()
            if entry["kappa"] > best:
                best, best_step = entry["kappa"], step
                kept = {name: p.detach().clone() for name, p in weights.items()}
        yield entry
        if step - best_step >= settings["patience"]:
            break
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(kept[name])


def outputs(base: Any, batch: Sequence[Example], first: int, last: int) -> torch.Tensor:
    """What the model makes of places `first` to `last` of each answer, counted from its start."""
    hidden = [example.hidden.float() for example in batch]
    padded = torch.nn.utils.rnn.pad_sequence(hidden, batch_first=True)
    starts = torch.tensor([len(e.hidden) - len(e.answer) for e in batch])
    places = (starts[:, None] + torch.arange(first, last)).clamp(max=padded.shape[1] - 1)
    with torch.autocast("cpu", torch.bfloat16):
        states = run_at(base, padded, -1, places)
    normed: torch.Tensor = base.model.norm(states.float())
    return normed


def score_loss(
    base: Any, digits: torch.Tensor, batch: Sequence[Example], settings: dict[str, Any]
) -> torch.Tensor:
    """The cross-entropy of the first digit among all digits; behind a 1, that of a 0 or none."""
    found = outputs(base, batch, DIGIT, DIGIT + 2)
    scores = torch.tensor([example.score for example in batch])
    likely = (found[:, 0] @ base.lm_head.weight[digits].T).log_softmax(-1)
    first = -(near(scores, settings["spread"]) * likely).sum(-1).mean()
    ones = [i for i, example in enumerate(batch) if example.score in (1, 10)]
    if not ones:
        return first
    slash = next(e.answer[DIGIT + 1] for e in batch if e.score != 10)
    behind = found[ones, 1] @ base.lm_head.weight[[slash, int(digits[0])]].T
    second = torch.nn.functional.cross_entropy(behind, (scores[ones] == 10).long())
    total: torch.Tensor = first + second * len(ones) / len(batch)
    return total


def answer_loss(base: Any, batch: Sequence[Example]) -> torch.Tensor:
    """The negative log-likelihood of whole answers, end token included, per answer."""
    right = [torch.tensor(example.answer) for example in batch]
    targets = torch.nn.utils.rnn.pad_sequence(right, batch_first=True, padding_value=-100)
    states = outputs(base, batch, 0, targets.shape[1])
    with torch.autocast("cpu", torch.bfloat16):
        found = base.lm_head(states).float()
    total: torch.Tensor = torch.nn.functional.cross_entropy(
        found.flatten(0, 1), targets.flatten(), reduction="sum", ignore_index=-100
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


def near(scores: torch.Tensor, spread: float) -> torch.Tensor:
    """A normal distribution around each score, as shares of first digits; shape (rows, 10)."""
    distance = torch.arange(11) - scores[:, None]
    shares = (-0.5 * (distance / spread) ** 2).softmax(-1)
    first = shares[:, :10].clone()
    first[:, 1] += shares[:, 10]
    return first


def validated(
    model: Any, digits: torch.Tensor, validation: list[Example], settings: dict[str, Any]
) -> dict[str, float]:
    """Kappa of likeliest and expected scores, and the mass outside the format before the score."""
    base, shares, removed = model.get_base_model(), [], []
    for first in range(0, len(validation), settings["batch"]):
        batch = validation[first : first + settings["batch"]]
        with torch.no_grad():
            found = base.lm_head(outputs(base, batch, 0, DIGIT + 2)).softmax(-1)
        start = torch.tensor(batch[0].answer[:DIGIT])
        before = found[:, range(DIGIT), start].prod(-1)
        removed.append(1 - before * found[:, DIGIT, digits].sum(-1))
        firsts = found[:, DIGIT, digits]
        ten = found[:, DIGIT + 1, digits[0]]
        both = torch.cat([firsts, (firsts[:, 1] * ten)[:, None]], dim=1)
        both[:, 1] *= 1 - ten
        shares.append(both / both.sum(-1, keepdim=True))
    probabilities = torch.cat(shares)
    gold = [example.score for example in validation]
    expected = probabilities @ torch.arange(11.0)
    kappa = quadratic_kappa(probabilities.argmax(-1).tolist(), gold, replicates=0)
    smooth = quadratic_kappa(expected.tolist(), gold, replicates=0)
    return {
        "kappa": round(kappa.value, 3),
        "kappa_expected": round(smooth.value, 3),
        "removed": round(float(torch.cat(removed).mean()), 4),
    }


def write(
    model: Any, folder: Path, settings: dict[str, Any], seconds: int, log: list[dict[str, float]]
) -> None:
    """The adapter as safetensors, and how it came about as JSON: one line for each step."""
    model.peft_config["default"].base_model_name_or_path = BASE
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's empty form
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
    record = {
        "settings": settings,
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "versions": versions | {"python": platform.python_version()},
        "threads": torch.get_num_threads(),
        "lower_layers_seconds": seconds,
    }
    lines = ",\n".join(f"  {json.dumps(entry)}" for entry in log)
    head = json.dumps(record, indent=1).removesuffix("\n}")
    text = f'{head},\n "log": [\n{lines}\n ]\n}}\n'
    (folder / "training_log.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
