"""`LogitsMask` as a logits processor of Outlines, which announces each call with `reset`."""

from __future__ import annotations

from typing import Any

from outlines.models import Transformers

from constrained.adapters.outlines.types import spec_of
from constrained.errors import UnsupportedSpec
from constrained.generation import LogitsMask

__all__ = ["OutlinesMask", "processor_of"]


class OutlinesMask(LogitsMask):
    """A `LogitsMask` that forgets a thread's earlier calls when Outlines begins a new one."""

    def reset(self) -> None:
        """What Outlines calls before each generation."""
        self.restart()


def processor_of(model: Any, output_type: Any, settings: dict[str, Any]) -> LogitsMask:
    """See `constrained.adapters.outlines.outlines_processor`."""
    if not isinstance(model, Transformers):
        raise UnsupportedSpec(
            "model",
            f"these masks need a transformers model, not {type(model).__name__}",
            hint="make one with outlines.from_transformers(model, tokenizer)",
        )
    several = isinstance(output_type, list)
    specs = [None if t is None else spec_of(t) for t in (output_type if several else [output_type])]
    config = model.model.config.get_text_config(decoder=True)
    ends = model.model.generation_config.eos_token_id
    known = [] if ends is None else ends if isinstance(ends, list) else [ends]
    chosen = {"width": config.vocab_size, "end_ids": known, **settings}
    return OutlinesMask(specs if several else specs[0], model.hf_tokenizer, **chosen)
