"""What does a pass over several new tokens cost, beside a pass over one?

    python benchmarks/pass_cost.py [--model MODEL] [--prompt 150] [--rounds 7]

Milliseconds, medians over the rounds, for one row and for eight rows of different prompts; the
figures in `constrained.generation.pass_cost` come from here.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import statistics
import time

from constrained.generation.model import LanguageModel
from constrained.generation.rows import ModelRows
from constrained.models import load_model

TOKENS = (1, 2, 4, 8, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--prompt", type=int, default=150, help="tokens before the new ones")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    model = LanguageModel(load_model(arguments.model)[0])
    for rows in (1, 8):
        batch = ModelRows(model)
        batch.begin([[5 + row] * arguments.prompt for row in range(rows)], [[]] * rows)
        took: dict[int, list[float]] = {tokens: [] for tokens in TOKENS}
        for _ in range(arguments.rounds):
            for tokens in TOKENS:
                begin = time.perf_counter()
                batch.extend([[7] * tokens] * rows)
                took[tokens].append(time.perf_counter() - begin)
                batch.retract([tokens] * rows)
        shown = ", ".join(f"{n}: {statistics.median(s) * 1e3:.0f}" for n, s in took.items())
        print(f"{rows} rows, milliseconds by tokens of each row: {shown}")


if __name__ == "__main__":
    main()
