"""How long does one essay score take, against the peers' processors and against no constraint?

    python benchmarks/essay_template.py [--model MODEL] [--essays 6] [--rounds 3]

Same prompts, same process, greedy, batch 1. Peers run `model.generate` with their own processors,
compiled beforehand; `free` is `model.generate` without any, with as many new tokens as ours wrote.
Prints medians over prompts of the best of `rounds`, the ratio to the better peer, and how often the
greedy texts agree: in all, and where the peer kept to the tokenizer's own (canonical) tokens.
Torch's threads sleep while they wait, as on any machine that is not idle.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from peers import PROCESSORS
from transformers import LogitsProcessorList

import constrained as ct
from constrained.demo.material import bundled
from constrained.models import load_model

PATTERN = r"Essay score: ([0-9]|10) / 10"


def best_of(rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--essays", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model, tokenizer = load_model(arguments.model)
    width = model.get_output_embeddings().weight.shape[0]
    spec = ct.template("Essay score: {score:0..10} / 10")
    generator = ct.Generator(model, tokenizer)
    material = bundled()
    wording, essays = material.prompts[0], material.essays[: arguments.essays]
    prompts = [wording.ask(material.question, essay) for essay in essays]

    def peer(name: str, prompt: str) -> tuple[str, bool]:
        inputs = tokenizer(prompt, return_tensors="pt")
        processor = PROCESSORS[name](tokenizer, width, PATTERN)
        out = model.generate(
            **inputs,
            max_new_tokens=24,
            do_sample=False,
            logits_processor=LogitsProcessorList([processor]),
        )
        ids = [int(i) for i in out[0, inputs["input_ids"].shape[1] :]]
        text = tokenizer.decode(ids, skip_special_tokens=True)
        own = tokenizer.encode(text, add_special_tokens=False)
        return text, ids[: len(own)] == own

    def free(prompt: str, tokens: int) -> None:
        inputs = tokenizer(prompt, return_tensors="pt")
        model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)

    times: dict[str, list[float]] = {name: [] for name in ("ours", *PROCESSORS, "free")}
    texts: dict[str, list[str]] = {name: [] for name in ("ours", *PROCESSORS)}
    canonical: dict[str, list[bool]] = {name: [] for name in PROCESSORS}
    for name in PROCESSORS:  # compiling and first calls are not part of an answer
        peer(name, prompts[0])
    generator(prompts[0], spec)
    for prompt in prompts:
        seconds, result = best_of(arguments.rounds, lambda p=prompt: generator(p, spec))
        times["ours"].append(seconds)
        texts["ours"].append(result.text)
        for name in PROCESSORS:
            seconds, (text, own) = best_of(arguments.rounds, lambda n=name, p=prompt: peer(n, p))
            times[name].append(seconds)
            texts[name].append(text)
            canonical[name].append(own)
        written = len(result.token_ids)
        seconds, _ = best_of(arguments.rounds, lambda p=prompt, k=written: free(p, k))
        times["free"].append(seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        valid = (
            f"valid {sum(bool(re.fullmatch(PATTERN, t)) for t in texts[name])}/{len(prompts)}"
            if name in texts
            else ""
        )
        print(f"{name:<11} {value:7.3f} s per answer   {valid}")
    better = min(PROCESSORS, key=lambda name: median[name])
    print(f"ours / {better}: {median['ours'] / median[better]:.2f}")
    print(f"ours / free generation of as many tokens: {median['ours'] / median['free']:.2f}")
    for name in PROCESSORS:
        same = [a == b for a, b in zip(texts["ours"], texts[name], strict=True)]
        own = [agrees for agrees, kept in zip(same, canonical[name], strict=True) if kept]
        print(f"same text as {name}: {sum(same)}/{len(same)}, canonical {sum(own)}/{len(own)}")


if __name__ == "__main__":
    main()
