"""How far does arithmetic alone move a score at temperature 0?

One plan, scored by SmolLM2 in every numerical room: float32 and bfloat16, a batch of one and of
eight, eager and sdpa attention, and with a LoRA adapter merged and apart. Prints the table of
docs/explanation/temperature_zero.md, and what batch-invariant passes cost.

    python benchmarks/numerics.py                  # about ten minutes on two cores
    python benchmarks/numerics.py --adapter PATH   # an adapter of your own
    python benchmarks/numerics.py --items 8        # quicker, and less sure of the most
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from constrained.consistency.analysis import Judge, analyse
from constrained.consistency.plan import Plan
from constrained.consistency.run import run
from constrained.generation import Generator
from constrained.models import load_model

SUBJECTS = (
    "a cat that sleeps on the warm roof",
    "why trains are better than cars",
    "the summer when it did not rain",
    "how my grandmother bakes bread",
    "whether homework should be banned",
    "the sea at night",
    "a robot who wanted to paint",
    "what I learned from losing",
)
SENTENCES = (
    "It was not what I had expected, and I kept thinking about it for days.",
    "First there was nothing, then everything happened at the same time.",
    "People say that it is simple, but they have never tried it themselves.",
    "I think that it is good because it is good and everybody likes it.",
    "Nobody could explain it, so we wrote down what we saw and compared our notes.",
)


def essays(count: int) -> list[dict[str, Any]]:
    """Texts of different lengths and worth, the same in every run."""
    found = []
    for place in range(count):
        length = 1 + (7 * place) % 9
        body = " ".join(SENTENCES[(place + i * i) % len(SENTENCES)] for i in range(length))
        subject = SUBJECTS[place % len(SUBJECTS)]
        found.append({"id": f"e{place}", "text": f"This essay is about {subject}. {body}"})
    return found


def plan(items: int, rooms: dict[str, Any], adapter: str | None = None) -> Plan:
    """Eleven scores under two wordings."""
    return Plan(
        name="numerics",
        spec="Essay score: {score:0..10} / 10",
        items=essays(items),
        prompts={
            "short": "Grade this essay from 0 to 10.\n\n{text}\n\n",
            "after": "{text}\n\nGrade the essay above from 0 to 10.\n\n",
        },
        variants=[{"name": "smollm2", "adapter": adapter}],
        rooms=rooms,
        scoring={"kind": "exact", "free": False},
    )


def made_adapter(folder: Path) -> str:
    """A LoRA adapter with random weights, of the size that training gives them."""
    import torch
    from peft import LoraConfig, get_peft_model

    model, _ = load_model("smollm2", dtype="float32", device="cpu")
    torch.manual_seed(0)
    targets = ["q_proj", "v_proj"]
    tuned = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "lora_B" in name:
                weights.normal_(0.0, 0.01)
    tuned.save_pretrained(str(folder))
    return str(folder)


def judged(made: Plan, folder: Path, name: str) -> Judge:
    """The only judge of a plan, scored now."""
    path = folder / f"{name}.db"
    run(made, path)
    return analyse(path).judges[0]


def show(judge: Judge) -> None:
    """One line for each pair of numerical rooms that differ in one thing."""
    assert judge.numerics is not None
    for pair in judge.numerics.pairs:
        changed = set(pair.one.split(", ")) ^ set(pair.other.split(", "))
        if len(changed) == 2:
            print(
                f"| {pair.one} | {pair.other} | {pair.probability:.2g} | {pair.score:.2g} "
                f"| {100 * pair.modes:.0f} % |",
                flush=True,
            )


def by_text(distribution: Any) -> list[Any]:
    """The outcomes in an order that no probability decides."""
    return sorted(distribution.outcomes, key=lambda outcome: outcome.text)


def cost_of_invariance(items: int) -> None:
    """Seconds and the largest move for a batch that shares passes, and for one that does not."""
    made = plan(items, {"dtype": ["bfloat16"]})
    model, tokenizer = load_model("smollm2", dtype="bfloat16")
    prompts = [cell.prompt_ids(tokenizer) for cell in made.cells()]
    spec = made.spec_of()
    for invariant in (False, True):
        generator = Generator(model, tokenizer, batch_invariant=invariant)
        alone = [generator.distribution(p, spec, tails=False) for p in prompts]
        begin = time.perf_counter()
        batch = generator.distribution(prompts, spec, tails=False)
        seconds = time.perf_counter() - begin
        apart = max(
            abs(a.local - b.local)
            for one, other in zip(alone, batch, strict=True)
            for a, b in zip(by_text(one), by_text(other), strict=True)
        )
        print(
            f"batch_invariant={invariant}: {len(prompts)} prompts in one call take {seconds:.1f} s;"
            f" alone or in the batch, a probability moves by at most {apart:.2g}",
            flush=True,
        )


def main() -> None:
    """Score, and print what moved."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--adapter", default=None, help="a PEFT adapter for SmolLM2")
    asked = parser.parse_args()
    print("| one room | the other | probability | points | modes |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dtypes = ["float32", "bfloat16"]
        show(judged(plan(asked.items, {"dtype": dtypes, "batch": [1, 8]}), folder, "batch"))
        kinds = ["eager", "sdpa"]
        show(judged(plan(asked.items, {"dtype": dtypes, "attention": kinds}), folder, "attention"))
        adapter = asked.adapter or made_adapter(folder / "adapter")
        states = {"dtype": dtypes, "adapter": ["apart", "merged"]}
        show(judged(plan(asked.items, states, adapter), folder, "adapter"))
    cost_of_invariance(asked.items)


if __name__ == "__main__":
    main()
