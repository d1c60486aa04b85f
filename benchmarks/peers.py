"""The peers' logits processors, set up as their own documentation does.

Needs ``pip install llguidance xgrammar outlines`` beside the library (peers that are not installed
are left out); imported only by the benchmarks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import torch
from transformers import LogitsProcessor

Kind = Literal["regex", "json_schema"]


@dataclass(frozen=True)
class Format:
    """What to write: a regular expression, or a JSON Schema as text."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Target:
    """The model and tokenizer that masks are for; `width` is that of the logits."""

    model: Any
    tokenizer: Any
    width: int


def xgrammar_processor(target: Target, wanted: Format, rows: int) -> LogitsProcessor:
    """A fresh XGrammar processor for one `generate` call (it works for one only)."""
    import xgrammar

    key = ("xgrammar", id(target.tokenizer), wanted)
    if key not in _COMPILED:
        info = xgrammar.TokenizerInfo.from_huggingface(target.tokenizer, vocab_size=target.width)
        compiler = xgrammar.GrammarCompiler(info)
        compile_ = {"regex": compiler.compile_regex, "json_schema": compiler.compile_json_schema}
        _COMPILED[key] = compile_[wanted.kind](wanted.text)
    return xgrammar.contrib.hf.LogitsProcessor([_COMPILED[key]] * rows)


class LlguidanceProcessor(LogitsProcessor):
    """llguidance's matchers in `generate`, one for each row."""

    def __init__(self, target: Target, wanted: Format, rows: int) -> None:
        import llguidance
        import llguidance.hf
        import llguidance.torch

        key = ("llguidance", id(target.tokenizer), target.width)
        if key not in _COMPILED:
            _COMPILED[key] = llguidance.hf.from_tokenizer(target.tokenizer, n_vocab=target.width)
        self.torch = llguidance.torch
        grammar = llguidance.grammar_from(wanted.kind, wanted.text)
        self.matchers = [llguidance.LLMatcher(_COMPILED[key], grammar) for _ in range(rows)]
        self.mask = self.torch.allocate_token_bitmask(rows, target.width)
        self.started = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Advance by the last tokens, mask in place."""
        for row, matcher in enumerate(self.matchers):
            if self.started and not matcher.is_stopped():
                matcher.consume_token(int(input_ids[row, -1]))
            self.torch.fill_next_token_bitmask(matcher, self.mask, row)
        self.started = True
        self.torch.apply_token_bitmask_inplace(scores, self.mask.to(scores.device))
        return scores


def outlines_processor(target: Target, wanted: Format, rows: int) -> LogitsProcessor:
    """Outlines' own processor behind its default backend; it can be reset."""
    del rows  # it makes a guide for each row of its first call
    import outlines
    from outlines import backends

    key = ("outlines", id(target.tokenizer), wanted)
    if key not in _COMPILED:
        model = outlines.from_transformers(target.model, target.tokenizer)
        make = {
            "regex": backends.get_regex_logits_processor,
            "json_schema": backends.get_json_schema_logits_processor,
        }
        _COMPILED[key] = make[wanted.kind](None, model, wanted.text)
    _COMPILED[key].reset()
    return _COMPILED[key]


Maker = Callable[[Target, Format, int], LogitsProcessor]

PROCESSORS: dict[str, Maker] = {
    name: make
    for name, make in (
        ("xgrammar", xgrammar_processor),
        ("llguidance", LlguidanceProcessor),
        ("outlines", outlines_processor),
    )
    if find_spec(name) is not None
}

_COMPILED: dict[Any, Any] = {}


def schema_format(schema: dict[str, Any]) -> Format:
    """A JSON Schema as the peers take it."""
    return Format("json_schema", json.dumps(schema))
