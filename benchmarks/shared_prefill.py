"""What do 20 samples of one 500-token prompt cost, against one sample?

    python benchmarks/shared_prefill.py [--model MODEL] [--tokens 500] [--samples 20] [--rounds 3]

The bar is twice the time of one sample. Asked of the essay template, which needs the prompt's pass
alone, and of a format with a reason of up to 60 characters before the score. Also says what the
samples cost where rows are kept apart (`batch_invariant`), and what eight prompts with a common
head cost together, one by one, and one by one with that head remembered.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import constrained as ct
from constrained.demo.material import bundled
from constrained.models import load_model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    model, tokenizer = load_model(arguments.model)
    template = ct.template("Essay score: {score:0..10} / 10")
    reason = ct.template(
        "{why}\nScore: {score:0..10}", why=ct.text(lines=1, min_length=40, max_length=60)
    )
    batched = ct.Generator(model, tokenizer)
    apart = ct.Generator(model, tokenizer, batch_invariant=True)
    text = "\n\n".join(essay.text for essay in bundled().essays)
    prompt = (tokenizer.encode(text) * 4)[: arguments.tokens]
    shapes: list[tuple[int, ...]] = []
    model.register_forward_hook(
        lambda _m, _a, kwargs, _o: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )

    def timed(work: Callable[[], Any]) -> tuple[float, int, int]:
        """Seconds (the best of the rounds), passes, and tokens given to the model."""
        best = float("inf")
        for _ in range(arguments.rounds):
            shapes.clear()
            begin = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - begin)
        return best, len(shapes), sum(rows * tokens for rows, tokens in shapes)

    options: dict[str, Any] = {"temperature": 1.0, "seed": 1}
    many = {"samples": arguments.samples} | options
    batched(prompt, template, **options)
    for title, spec in (("template", template), ("reason and score", reason)):
        one = timed(lambda s=spec: batched(prompt, s, **options))
        print(f"{title}: one sample {one[0]:.3f} s, {one[1]} passes, {one[2]} tokens")
        for name, generator in (("batched", batched), ("apart", apart)):
            found = timed(lambda g=generator, s=spec: g(prompt, s, **many))
            print(
                f"  {arguments.samples} samples, {name}: {found[0]:.3f} s, {found[1]} passes, "
                f"{found[2]} tokens; {found[0] / one[0]:.2f}x one sample"
            )
    others = [[*prompt, *tokenizer.encode(f" Essay number {i}.")] for i in range(8)]
    together = timed(lambda: batched(others, template, **options))
    alone = timed(lambda: [batched(other, template, **options) for other in others])
    print(
        f"8 prompts with a common head: {together[0]:.3f} s, {together[2]} tokens; one by one "
        f"{alone[0]:.3f} s, {alone[2]} tokens; {together[0] / alone[0]:.2f}x"
    )

    def remembering() -> None:
        generator = ct.Generator(model, tokenizer)
        generator.remember(others)
        for other in others:
            generator(other, template, **options)

    kept = timed(remembering)
    print(f"  remembered: {kept[0]:.3f} s, {kept[2]} tokens; {kept[0] / alone[0]:.2f}x")


if __name__ == "__main__":
    main()
