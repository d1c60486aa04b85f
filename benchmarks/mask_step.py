"""How long is one steady step (mask and advance, called from Python) at a large vocabulary?

    python benchmarks/mask_step.py TOKENIZER_FOLDER [...]

Walks a JSON object of several strings and numbers token by token, twice; the second walk is timed.
Prints percentiles in microseconds for each tokenizer.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from transformers import AutoTokenizer

import constrained as ct
from constrained.tokenizers import encode_plainly

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "weight": {"type": "number"},
    },
    "required": ["title", "score", "reasons", "weight"],
    "additionalProperties": False,
}
TEXT = (
    '{"title": "On rivers and why they matter", "score": 7, "reasons": ["clear thesis", '
    '"the second paragraph repeats the first", "good examples: the Rhine, the Nile"], '
    '"weight": 0.75}'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER_FOLDER")
    for folder in parser.parse_args().tokenizers:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        vocabulary = ct.Vocabulary.from_tokenizer(tokenizer)
        engine = ct.Engine(ct.json(SCHEMA).grammar, vocabulary)
        row = np.zeros(engine.words, dtype=np.int32)
        ids = encode_plainly(tokenizer, "\n" + TEXT)
        while vocabulary.spell(ids) != TEXT.encode():
            ids = ids[1:]  # the line break, and a tokenizer's own leading space
        times: list[float] = []
        for round_ in range(51):
            state = engine.start
            for token in ids:
                begin = time.perf_counter()
                engine.fill_mask(state, row)
                state = engine.advance(state, token)
                if round_:
                    times.append(time.perf_counter() - begin)
        p50, p95, p99 = np.percentile(np.array(times) * 1e6, [50, 95, 99])
        print(
            f"{folder}: {vocabulary.width:,} tokens, p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} us"
        )


if __name__ == "__main__":
    main()
