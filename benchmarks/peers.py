"""The peers' logits processors, set up as their own documentation does.

Needs ``pip install llguidance xgrammar`` beside the library; imported only by the benchmarks.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import LogitsProcessor


def xgrammar_processor(tokenizer: Any, width: int, pattern: str) -> LogitsProcessor:
    """A fresh XGrammar processor for one `generate` call (it works for one only)."""
    import xgrammar

    key = ("xgrammar", id(tokenizer), width, pattern)
    if key not in _COMPILED:
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=width)
        _COMPILED[key] = xgrammar.GrammarCompiler(info).compile_regex(pattern)
    return xgrammar.contrib.hf.LogitsProcessor(_COMPILED[key])


class LlguidanceProcessor(LogitsProcessor):
    """llguidance's matcher in `generate`, one row."""

    def __init__(self, tokenizer: Any, width: int, pattern: str) -> None:
        import llguidance
        import llguidance.hf
        import llguidance.torch

        key = ("llguidance", id(tokenizer), width)
        if key not in _COMPILED:
            _COMPILED[key] = llguidance.hf.from_tokenizer(tokenizer, n_vocab=width)
        self.torch = llguidance.torch
        self.matcher = llguidance.LLMatcher(
            _COMPILED[key], llguidance.grammar_from("regex", pattern)
        )
        self.mask = self.torch.allocate_token_bitmask(1, width)
        self.started = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Advance by the last token, mask in place."""
        if self.started and not self.matcher.is_stopped():
            self.matcher.consume_token(int(input_ids[0, -1]))
        self.started = True
        self.torch.fill_next_token_bitmask(self.matcher, self.mask, 0)
        self.torch.apply_token_bitmask_inplace(scores, self.mask.to(scores.device))
        return scores


def llguidance_processor(tokenizer: Any, width: int, pattern: str) -> LogitsProcessor:
    """A fresh llguidance processor for one row of one `generate` call."""
    return LlguidanceProcessor(tokenizer, width, pattern)


PROCESSORS = {"xgrammar": xgrammar_processor, "llguidance": llguidance_processor}

_COMPILED: dict[Any, Any] = {}
