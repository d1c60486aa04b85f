"""How long until the first mask of "a quote from this text", and then for each token of a quote?

    python benchmarks/substring.py TOKENIZER_FOLDER [--characters 100000] [--rounds 9] [--text FILE]

The text is Python's own help pages (`pydoc_data.topics`) unless a file is given. By words:
constrained against llguidance's `substring_words`, from the text to the first mask, best of the
rounds, each round with a text of its own; the two masks are compared (llguidance's allows the empty
piece besides). By characters, and with options: constrained alone, since llguidance refuses texts
of this length. Then quotes are written token by token: each mask when it is first asked for, and
again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import llguidance
import llguidance.hf
import numpy as np
from transformers import AutoTokenizer

import constrained as ct
from constrained.engine import Engine

QUOTE = 3_000
"""Characters that are written of a quote."""

OPTIONS: dict[str, dict[str, Any]] = {
    "words": {"unit": "words"},
    "characters": {},
    "words, at most 200": {"unit": "words", "max_length": 200},
    "characters, at most 200": {"max_length": 200},
    "words, quoted": {"unit": "words", "quoted": True},
}


class Steps:
    """Masks of one quote: microseconds for the first time and again."""

    def __init__(self) -> None:
        self.fresh: list[float] = []
        self.again: list[float] = []

    def __str__(self) -> str:
        fresh = np.percentile(self.fresh, [50, 95])
        text = f"{len(self.fresh)} masks, p50 {fresh[0]:.2f} p95 {fresh[1]:.2f} us"
        return text + (f"; again p50 {np.median(self.again):.2f}" if self.again else "")


def ours(vocabulary: ct.Vocabulary, text: str, options: dict[str, Any]) -> tuple[float, Engine]:
    begin = time.perf_counter()
    engine = Engine(ct.substring_of(text, **options).grammar, vocabulary)
    engine.fill_mask(engine.start, np.zeros(engine.words, np.int32))
    return time.perf_counter() - begin, engine


def theirs(tokens: Any, text: str) -> tuple[float, Any, bytes]:
    begin = time.perf_counter()
    lark = "start: QUOTE\nQUOTE: %regex " + json.dumps({"substring_words": text})
    matcher = llguidance.LLMatcher(tokens, llguidance.grammar_from("lark", lark))
    mask = matcher.compute_bitmask()
    return time.perf_counter() - begin, matcher, mask


def our_steps(engine: Engine, ids: list[int]) -> Steps:
    steps, state = Steps(), engine.start
    row = np.zeros(engine.words, np.int32)
    for token in ids:
        if not engine.allows(state, token):
            break
        state = engine.advance(state, token)
        for found in (steps.fresh, steps.again):
            begin = time.perf_counter()
            engine.fill_mask(state, row)
            found.append((time.perf_counter() - begin) * 1e6)
    return steps


def their_steps(matcher: Any, ids: list[int]) -> Steps:
    steps = Steps()
    for token in ids:
        if not matcher.consume_token(token):
            break
        begin = time.perf_counter()
        matcher.compute_bitmask()
        steps.fresh.append((time.perf_counter() - begin) * 1e6)
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tokenizer", metavar="TOKENIZER_FOLDER")
    parser.add_argument("--characters", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--text", type=Path)
    arguments = parser.parse_args()
    whole = (
        arguments.text.read_text(encoding="utf-8")
        if arguments.text
        else "\n".join(topics[name] for name in sorted(topics))
    )
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    vocabulary = ct.Vocabulary.from_tokenizer(tokenizer)
    Engine(ct.choice(["yes", "no"]).grammar, vocabulary)  # what every format shares is made once
    tokens = llguidance.hf.from_tokenizer(tokenizer)
    texts = [whole[n * 997 :][: arguments.characters] for n in range(arguments.rounds)]
    space = texts[-1].index(" ", len(texts[-1]) // 2)
    quote = texts[-1][space : space + QUOTE]
    print(f"{len(texts[-1]):,} characters, {vocabulary.width:,} tokens, best of {len(texts)}")

    first: dict[str, float] = {}
    for name, options in OPTIONS.items():
        found = [ours(vocabulary, text, options) for text in texts]
        first[name] = min(seconds for seconds, _ in found)
        engine = found[-1][1]
        written = json.dumps(quote, ensure_ascii=False) if "quoted" in options else quote
        ids = tokenizer.encode(written, add_special_tokens=False)
        print(f"constrained, {name}: first mask {first[name] * 1e3:.1f} ms")
        print(f"    {our_steps(engine, ids)}")
    peer = [theirs(tokens, text) for text in texts]
    best = min(seconds for seconds, _, _ in peer)
    ids = tokenizer.encode(quote, add_special_tokens=False)
    print(f"llguidance, words: first mask {best * 1e3:.1f} ms")
    print(f"    {their_steps(peer[-1][1], ids)}")
    print(f"ours / theirs, first mask by words: {first['words'] / best:.2f}x")
    engine = ours(vocabulary, texts[-1], OPTIONS["words"])[1]
    bits = np.unpackbits(np.frombuffer(peer[-1][2], np.uint8), bitorder="little")
    same = (
        set(engine.allowed(engine.start).tolist())
        == set(np.flatnonzero(bits).tolist()) - vocabulary.end_ids
    )
    print(f"the same tokens may begin a quote: {same}")


if __name__ == "__main__":
    main()
