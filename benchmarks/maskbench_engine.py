"""How do our masks do on MaskBench? An adapter that the benchmark's runner can drive.

    python maskbench.py benchmarks/maskbench_engine.py:Engine SCHEMAS.jsonl.gz TOKENIZER_FOLDER

The runner times `step` (mask computed, token checked against it, token consumed) and, for the first
mask, `compile` as well.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

import constrained.engine
from constrained.errors import TokenRejected
from constrained.spec.json_schema import json
from constrained.vocabulary import Vocabulary


class Engine:
    """One tokenizer; one schema at a time."""

    def __init__(self, tokenizer: Any) -> None:
        self.vocabulary = Vocabulary.from_tokenizer(tokenizer)
        self.vocabulary.native  # noqa: B018  built here: it belongs to the tokenizer, not to a schema
        self.row = np.zeros((self.vocabulary.width + 31) // 32, dtype=np.int32)
        # The runner forks a child for every 25 schemas. As Python's documentation advises before a
        # fork, what is there already is left out of collections: else some schema of every child
        # would wait for a full one, which writes to, and so copies, the pages of all objects.
        gc.collect()
        gc.freeze()

    def compile(self, schema: Any) -> None:
        self.engine = constrained.engine.Engine(json(schema).grammar, self.vocabulary)

    def reset(self) -> None:
        self.state = self.engine.start

    def step(self, token: int) -> bool:
        self.engine.fill_mask(self.state, self.row)
        if not (int(self.row[token >> 5]) >> (token & 31)) & 1:
            return False
        try:
            self.state = self.engine.advance(self.state, token)
        except (
            TokenRejected
        ):  # the mask and advance disagree: never seen, but it must not look like a pass
            raise AssertionError("the mask allows a token that advance refuses") from None
        return True

    def done(self) -> bool:
        return self.engine.accepting(self.state)
