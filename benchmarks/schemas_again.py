"""What does a schema cost that a process compiles again, as a server does for every request?

    python benchmarks/schemas_again.py SCHEMAS.jsonl.gz TOKENIZER_FOLDER [--sample 60] [--rounds 3]

SCHEMAS has lines with ``schema`` and ``tests`` (instances as ``data``), as MaskBench has. In each
round all schemas are compiled, and the first two instances of each are followed token by token:
mask, check and advance. Processor time, in one process.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time

import numpy as np
from maskbench_engine import Engine
from transformers import AutoTokenizer

from constrained.errors import ConstrainedError

MOST_TOKENS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("schemas")
    parser.add_argument("tokenizer")
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    with gzip.open(arguments.schemas, "rt") as lines:
        known = [json.loads(line) for line in lines]
    chosen = random.Random(1).sample(known, arguments.sample)
    engine = Engine(tokenizer)
    for round_ in range(1, arguments.rounds + 1):
        compiling: list[float] = []
        steps: list[float] = []
        for one in chosen:
            begin = time.thread_time()
            try:
                engine.compile(one["schema"])
            except ConstrainedError:
                continue
            compiling.append(time.thread_time() - begin)
            for test in one["tests"][:2]:
                text = json.dumps(test["data"], ensure_ascii=False)
                ids = tokenizer.encode(text, add_special_tokens=False)
                engine.reset()
                for token in ids[:MOST_TOKENS]:
                    begin = time.thread_time()
                    allowed = engine.step(token)
                    steps.append(time.thread_time() - begin)
                    if not allowed:
                        break
        store = engine.engine.stats["store_bytes"] / 2**20
        p50, p99 = np.percentile(steps, [50, 99]) * 1e6
        print(
            f"round {round_}: compiling p50 {np.median(compiling) * 1e3:.2f} ms, steps avg "
            f"{np.mean(steps) * 1e6:.1f} us, p50 {p50:.1f}, p99 {p99:.1f}; store {store:.1f} MiB"
        )


if __name__ == "__main__":
    main()
