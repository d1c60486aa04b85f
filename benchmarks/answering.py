"""Seconds per finished answer: ours, the peers' processors in `generate`, and no constraint.

Same prompts, same process, greedy. Peers run `model.generate` with their own processors, compiled
beforehand; `free` is `model.generate` without any, with as many new tokens as our longest answer of
the batch; `prefill` is one pass over the padded prompts, without an answer. Times are medians over
batches of the best of `rounds`; texts are compared in all, and where the peer kept to the
tokenizer's own (canonical) tokens.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peers import PROCESSORS, Format, Target
from transformers import LogitsProcessorList

import constrained as ct
from constrained.models import load_model


@dataclass
class Outcome:
    """What one way of answering took and wrote."""

    seconds: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    canonical: list[bool] = field(default_factory=list)


def parser_of(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--essays", type=int, default=6, help="how many prompts")
    parser.add_argument("--batch", type=int, default=1, help="prompts answered at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=160)
    return parser


def best_of(rounds: int, work: Callable[[], Any]) -> tuple[float, Any]:
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def compare(
    arguments: argparse.Namespace,
    spec: ct.Spec[Any],
    wanted: Format,
    prompts: Sequence[str],
    valid: Callable[[str], bool],
) -> None:
    """Run all ways of answering and print what they took, and how many texts are `valid`."""
    torch.manual_seed(0)
    model, tokenizer = load_model(arguments.model)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    target = Target(model, tokenizer, model.get_output_embeddings().weight.shape[0])
    generator = ct.Generator(model, tokenizer)
    most = arguments.max_new_tokens
    passes = [0]
    handle = model.register_forward_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))

    def peer(name: str, batch: Sequence[str]) -> list[list[int]]:
        inputs = tokenizer(list(batch), return_tensors="pt", padding=True)
        processor = PROCESSORS[name](target, wanted, len(batch))
        out = model.generate(
            **inputs,
            max_new_tokens=most,
            do_sample=False,
            logits_processor=LogitsProcessorList([processor]),
        )
        return [row.tolist() for row in out[:, inputs["input_ids"].shape[1] :]]

    def free(batch: Sequence[str], tokens: int) -> None:
        inputs = tokenizer(list(batch), return_tensors="pt", padding=True)
        model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)

    def prefill(batch: Sequence[str]) -> None:
        inputs = tokenizer(list(batch), return_tensors="pt", padding=True)
        with torch.inference_mode():
            model(**inputs, use_cache=True, logits_to_keep=1)

    outcomes = {name: Outcome() for name in ("ours", *PROCESSORS, "free", "prefill")}
    size = arguments.batch
    whole = len(prompts) - len(prompts) % size
    batches = [prompts[i : i + size] for i in range(0, whole, size)]
    for name in PROCESSORS:  # compiling and first calls are not part of an answer
        peer(name, batches[0])
    generator(list(batches[0]), spec, max_new_tokens=most)
    written = ours_passes = 0
    for batch in batches:
        passes[0] = 0
        seconds, results = best_of(
            arguments.rounds, lambda b=batch: generator(list(b), spec, max_new_tokens=most)
        )
        ours_passes += passes[0] // arguments.rounds
        outcomes["ours"].seconds.append(seconds)
        outcomes["ours"].texts += [result.text for result in results]
        for name in PROCESSORS:
            seconds, rows = best_of(arguments.rounds, lambda n=name, b=batch: peer(n, b))
            outcomes[name].seconds.append(seconds)
            for ids in rows:
                text = tokenizer.decode(ids, skip_special_tokens=True)
                own = tokenizer.encode(text, add_special_tokens=False)
                outcomes[name].texts.append(text)
                outcomes[name].canonical.append(ids[: len(own)] == own)
        longest = max(len(result.token_ids) for result in results)
        written += longest
        seconds, _ = best_of(arguments.rounds, lambda b=batch, k=longest: free(b, k))
        outcomes["free"].seconds.append(seconds)
        seconds, _ = best_of(arguments.rounds, lambda b=batch: prefill(b))
        outcomes["prefill"].seconds.append(seconds)
    handle.remove()
    report(outcomes, valid, size)
    print(f"tokens of our longest answer per batch: {written / len(batches):.1f}")
    print(f"our passes per batch: {ours_passes / len(batches):.1f}")


def report(outcomes: dict[str, Outcome], valid: Callable[[str], bool], size: int) -> None:
    median = {name: statistics.median(one.seconds) / size for name, one in outcomes.items()}
    for name, value in median.items():
        texts = outcomes[name].texts
        good = f"valid {sum(map(valid, texts))}/{len(texts)}" if texts else ""
        print(f"{name:<11} {value:7.3f} s per answer   {good}")
    peers = [name for name in outcomes if name not in ("ours", "free", "prefill")]
    if peers:
        better = min(peers, key=lambda name: median[name])
        print(f"ours / {better} (the best peer): {median['ours'] / median[better]:.2f}")
    print(f"ours / free generation of as many tokens: {median['ours'] / median['free']:.2f}")
    print(f"ours / one pass over the prompts: {median['ours'] / median['prefill']:.2f}")
    for name in peers:
        one = outcomes[name]
        same = [a == b for a, b in zip(outcomes["ours"].texts, one.texts, strict=True)]
        own = [agrees for agrees, kept in zip(same, one.canonical, strict=True) if kept]
        print(f"same text as {name}: {sum(same)}/{len(same)}, canonical {sum(own)}/{len(own)}")
