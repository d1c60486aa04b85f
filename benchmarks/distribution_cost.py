"""What does the exact distribution over 11 scores cost, against one prefill, and is it right?

    python benchmarks/distribution_cost.py [--model MODEL] [--rounds 5] [--samples 20000]

The prefill is one forward pass over the prompt with a cache and the last position's logits. The
chi-square test compares the distribution with masked samples drawn by the generator at
temperature 1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from scipy.stats import chisquare

import constrained as ct
from constrained.demo.material import bundled
from constrained.models import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=20_000)
    arguments = parser.parse_args()
    model, tokenizer = load_model(arguments.model)
    spec = ct.template("Essay score: {score:0..10} / 10")
    generator = ct.Generator(model, tokenizer)
    material = bundled()
    prompts = [material.prompts[0].ask(material.question, e) for e in material.essays]

    ratios, prefills = [], []
    generator.distribution(prompts[0], spec)
    for prompt in prompts:
        inputs = tokenizer(prompt, return_tensors="pt")
        ours, plain = [], []
        for _ in range(arguments.rounds):
            begin = time.perf_counter()
            with torch.inference_mode():
                model(**inputs, use_cache=True, logits_to_keep=1)
            plain.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            generator.distribution(prompt, spec)
            ours.append(time.perf_counter() - begin)
        ratios.append(min(ours) / min(plain))
        prefills.append(min(plain))
    print(f"prefill {statistics.median(prefills):.3f} s (median over {len(prompts)} prompts)")
    print(f"distribution / prefill: median {statistics.median(ratios):.2f}, max {max(ratios):.2f}")

    exact = generator.distribution(prompts[0], spec).pmf
    counts: Counter[int] = Counter()
    block = 500
    for begin_at in range(0, arguments.samples, block):
        results = generator(prompts[0], spec, samples=block, temperature=1.0, seed=begin_at)
        counts.update(result.value["score"] for result in results)
    observed = [counts[score] for score in range(11)]
    expected = [exact[score] * arguments.samples for score in range(11)]
    print(f"{arguments.samples} samples: chi-square p = {chisquare(observed, expected).pvalue:.3f}")


if __name__ == "__main__":
    main()
